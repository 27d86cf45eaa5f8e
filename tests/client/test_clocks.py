"""The four clocks, on a clock that the test turns."""

from __future__ import annotations

import pytest

from g4fsdk import DeadlineError, Timeouts, UsageError
from g4fsdk._client.clocks import Calls, Clocks


class Hands:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_the_defaults_are_as_documented() -> None:
    assert Timeouts() == Timeouts(connect=10.0, first_event=60.0, idle=60.0, total=None)


def test_the_nearest_limit_counts(hands: Hands) -> None:
    clocks = Clocks(Timeouts(first_event=5, idle=3, total=20), hands)
    clocks.start_attempt()

    found = [clocks.left()]
    for seconds in (3, 1.5):
        hands.now += seconds
        found.append(clocks.left())
    clocks.first_event_came()
    hands.now += 13
    found.append(clocks.left())

    assert found == [(3, "idle"), (2, "first_event"), (0.5, "first_event"), (2.5, "total")]


def test_without_limits_nothing_ends(hands: Hands) -> None:
    clocks = Clocks(Timeouts(None, None, None, None), hands)
    clocks.start_attempt()
    hands.now += 1e9

    assert clocks.left() == (None, "idle")
    assert clocks.total_left() is None
    assert not clocks.is_idle_only
    assert [clocks.first_event_came(), clocks.first_event_came()] == [True, False]
    assert clocks.is_idle_only


def test_each_attempt_waits_anew_for_its_first_event(hands: Hands) -> None:
    clocks = Clocks(Timeouts(first_event=5, total=30), hands)
    clocks.start_attempt()
    hands.now += 4
    clocks.start_attempt()
    hands.now += 4

    assert clocks.left() == (1, "first_event")
    hands.now += 1
    with pytest.raises(DeadlineError) as caught:
        clocks.check()
    assert caught.value.clock == "first_event"


def test_the_first_event_stops_its_clock(hands: Hands) -> None:
    clocks = Clocks(Timeouts(first_event=5), hands)
    clocks.start_attempt()
    clocks.first_event_came()
    hands.now += 100

    clocks.check()
    assert clocks.is_idle_only
    assert clocks.left() == (60, "idle")


def test_the_total_clock_runs_through_all_attempts(hands: Hands) -> None:
    clocks = Clocks(Timeouts(first_event=None, total=10), hands)
    clocks.start_attempt()
    hands.now += 7
    assert clocks.total_left() == 3
    hands.now += 3

    for ask in (clocks.start_attempt, clocks.left, clocks.check):
        with pytest.raises(DeadlineError) as caught:
            ask()
        assert caught.value.clock == "total"


def test_the_total_clock_is_named_when_two_have_run_out(hands: Hands) -> None:
    clocks = Clocks(Timeouts(first_event=5, total=5), hands)
    clocks.start_attempt()
    hands.now += 5

    with pytest.raises(DeadlineError) as caught:
        clocks.check()

    assert caught.value.clock == "total"


@pytest.mark.parametrize("clock", ["connect", "first_event", "idle", "total"])
def test_a_deadline_says_which_clock_and_what_to_do(clock: str) -> None:
    clocks = Clocks(Timeouts(connect=1.5, first_event=1.5, idle=1.5, total=1.5), Hands())

    error = clocks.expired(clock)  # type: ignore[arg-type]  # parametrize says str

    assert error.clock == clock
    assert clock in error.message
    assert "1.5 s" in error.message
    assert error.retryable == (clock == "connect")
    assert error.sent == (clock != "connect")


def test_connecting_has_a_limit_of_its_own(hands: Hands) -> None:
    clocks = Clocks(Timeouts(connect=2, first_event=5, idle=1), hands)
    clocks.start_attempt()

    assert clocks.left("connect") == (2, "connect")
    assert clocks.left(None) == (5, "first_event")
    hands.now += 4
    assert clocks.left("connect") == (1, "first_event")


def test_a_complete_answer_is_lingered_over_for_a_short_time(hands: Hands) -> None:
    clocks = Clocks(Timeouts(idle=60, total=None), hands)
    clocks.start_attempt()
    clocks.first_event_came()
    clocks.linger()
    hands.now += 1.5

    assert clocks.left() == (0.5, "idle")
    clocks.linger()
    assert clocks.left() == (2.0, "idle")
    hands.now += 2
    with pytest.raises(DeadlineError):
        clocks.left()


def test_no_call_begins_while_its_client_is_closed() -> None:
    class Closing(Timeouts):
        def for_whole(self) -> Timeouts:  # another thread, in the middle of it
            assert calls.close() == []
            return Timeouts()

    calls = Calls()
    with pytest.raises(UsageError, match="closed"):
        calls.begin(Closing(), is_streamed=False)
    assert calls.close() == []
