"""What is tried again and how long the wait is. Waiting is a function here that writes down."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from g4fsdk import (
    AsyncClient,
    Chat,
    Client,
    DeadlineError,
    EmptyAnswerError,
    G4FError,
    IncompleteStreamError,
    ProviderError,
    RateLimitError,
    Retries,
    RetryEvent,
    ServerError,
    TransportError,
    UsageError,
)
from g4fsdk._client.retries import Tries, is_retryable, read_retries
from g4fsdk._core.flow.provider import Flow
from g4fsdk.providers import Provider


def no_limit() -> float | None:
    return None


def failing(*errors: BaseException) -> Callable[[], str]:
    """Return a call that raises *errors* one after the other, then answers."""
    left = iter(errors)

    def call() -> str:
        error = next(left, None)
        if error is not None:
            raise error
        return "answer"

    return call


def again(error: G4FError) -> G4FError:
    error.retryable = True
    return error


def busy(retry_after: float | None = None) -> G4FError:
    return again(RateLimitError("busy", status=429, retry_after=retry_after))


def play(
    retries: Retries, *errors: BaseException, left: Callable[[], float | None] = no_limit
) -> tuple[Any, list[float]]:
    """Return what came out (the answer or the error raised), and the waits."""
    waits: list[float] = []
    try:
        return tried(failing(*errors), Tries(retries, left), waits), waits
    except G4FError as error:
        return error, waits


def tried(call: Callable[[], str], tries: Tries, waits: list[float]) -> str:
    """Call as the clients do, without their waiting."""
    while True:
        try:
            return call()
        except G4FError as error:
            waits.append(tries.after(error).wait_s)


STEADY = Retries(wait=lambda state: 1.0)


def test_what_may_help_is_tried_again() -> None:
    assert play(STEADY, busy(), busy()) == ("answer", [1.0, 1.0])


@pytest.mark.parametrize(("attempts", "requests"), [(0, 1), (1, 1), (2, 2), (3, 3), (5, 5)])
def test_attempts_count_all_tries_together(attempts: int, requests: int) -> None:
    errors = [busy() for _ in range(10)]

    outcome, waits = play(Retries(attempts=attempts, wait=lambda state: 0.0), *errors)

    assert outcome is errors[requests - 1]
    assert len(waits) == requests - 1


@pytest.mark.parametrize(
    "error",
    [
        UsageError("bad"),
        ServerError("no", status=501),
        ProviderError("inside"),
        IncompleteStreamError("cut"),
        EmptyAnswerError("nothing"),
        DeadlineError("late", clock="idle"),
        TransportError("reset", sent=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_marked_is_not_tried_again(error: G4FError) -> None:
    assert play(STEADY, error) == (error, [])
    assert not is_retryable(error)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, AssertionError])
def test_what_is_not_ours_is_never_tried_again(kind: type[BaseException]) -> None:
    provider = Broken(kind)

    with pytest.raises(kind):
        Client(provider, retries=STEADY).chat.completions.create("Hi")

    assert len(provider.asked) == 1


def test_the_service_says_how_long_to_wait() -> None:
    assert play(STEADY, busy(7.5), busy(0.0)) == ("answer", [7.5, 0.0])


@pytest.mark.parametrize(("asked", "waits"), [(60.0, [60.0]), (60.1, []), (86400.0, [])])
def test_a_longer_wait_than_granted_ends_the_trying(asked: float, waits: list[float]) -> None:
    error = busy(asked)

    outcome, waited = play(STEADY, error)

    assert waited == waits
    assert outcome == ("answer" if waits else error)


def test_the_longest_wait_granted_can_be_set() -> None:
    assert play(Retries(max_retry_after=5), busy(6))[1] == []
    assert play(Retries(max_retry_after=500), busy(400))[1] == [400]


@pytest.mark.parametrize(("left", "waits"), [(0.5, []), (1.0, []), (1.5, [1.0]), (None, [1.0])])
def test_no_wait_outlasts_the_call(left: float | None, waits: list[float]) -> None:
    assert play(STEADY, busy(), left=lambda: left)[1] == waits


def test_the_default_wait_grows_with_jitter_up_to_eight_seconds() -> None:
    caps = [0.5, 1, 2, 4, 8, 8, 8]

    found = [play(Retries(attempts=8), *[busy() for _ in caps])[1] for _ in range(40)]

    for column, cap in zip(zip(*found, strict=True), caps, strict=True):
        assert all(0 <= wait <= cap for wait in column)
        assert max(column) > cap / 2  # full jitter: forty draws do not all stay in the lower half
        assert len({*column}) > 30


def test_the_default_is_three_attempts_and_a_minute() -> None:
    assert (Retries().attempts, Retries().max_retry_after) == (3, 60.0)


def test_a_hook_is_told_before_each_wait() -> None:
    told: list[RetryEvent] = []
    first, second = busy(), busy(2.0)
    first.provider = "yqcloud"

    play(Retries(wait=lambda state: 1.0, on_retry=told.append), first, second)

    assert told == [RetryEvent("yqcloud", 1, 1.0, first), RetryEvent("", 2, 2.0, second)]


def test_a_retry_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = busy()
    error.provider = "yqcloud"

    with caplog.at_level(logging.INFO, "g4fsdk"):
        play(STEADY, error)

    assert caplog.messages == ["attempt 1 failed, next in 1.0 s: yqcloud: busy"]
    assert caplog.records[0].name == "g4fsdk"


def test_a_number_of_attempts_will_do() -> None:
    assert read_retries(5) == Retries(attempts=5)
    assert read_retries(STEADY) is STEADY


@pytest.mark.parametrize("retries", [None, "3", 2.5])
def test_what_is_no_number_of_attempts_is_refused(retries: Any) -> None:
    with pytest.raises(UsageError, match="retries must be a number of tries"):
        read_retries(retries)


async def test_the_async_client_decides_the_same() -> None:
    errors = busy(0.0), busy(0.0), ServerError("no", status=501)
    provider = Broken(*errors)

    with pytest.raises(ServerError) as caught:
        await AsyncClient(provider, retries=STEADY).chat.completions.create("Hi")

    assert caught.value is errors[-1]
    assert len(provider.asked) == 3


class Broken(Provider):
    """A service that fails with *errors* one after the other, before anything is sent."""

    name = "broken"
    url = "http://service.test"

    def __init__(self, *errors: BaseException | type[BaseException]) -> None:
        super().__init__()
        self._errors = iter(errors)
        self.asked: list[Chat] = []

    def chat(self, chat: Chat) -> Flow:
        self.asked.append(chat)
        raise next(self._errors)
