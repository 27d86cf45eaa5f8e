"""Faults: pure changes to a recording, the same on every plane."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from g4fsdk.testing import (
    Cassette,
    Fault,
    Interaction,
    MismatchError,
    RecordedRequest,
    RecordedResponse,
    Replay,
    ReplayServer,
    UnplayedError,
)
from g4fsdk.testing._cassette.values import End
from g4fsdk.testing._cassette.wire_events import event_ends, wire_format
from g4fsdk.testing._replay.arranged import damage
from tests.support.clock import FakeClock

URL = "http://chat.test/api"
SSE = [b"data: one\n", b"\ndata: two\n\n: ping\n\nda", b"ta: [DONE]\n\n"]
LINES = [b'{"type":"status"}\n{"type":', b'"stream"}\n', b'{"type":"finalAnswer"}\n']


def recorded(chunks: list[bytes], kind: str = "", *, end: End = "complete", body: bytes = b"") -> Interaction:
    at_ms = [100.0 * (i + 1) for i in range(len(chunks))]
    headers = [("Content-Type", kind)] if kind else []
    return Interaction(
        RecordedRequest("POST", URL, body=body), RecordedResponse(200, "OK", headers, chunks, at_ms, end)
    )


def session(*interactions: Interaction) -> Cassette:
    return Cassette(list(interactions) or [recorded(SSE)])


def damaged(cassette: Cassette, *faults: Fault) -> RecordedResponse:
    return played(cassette, *faults)[-1]


def played(cassette: Cassette, *faults: Fault) -> list[RecordedResponse]:
    return [answer.interaction().response for answer in damage(cassette, faults)]


@pytest.mark.parametrize(
    ("chunks", "kind", "expected"),
    [
        (SSE, "", "sse"),
        ([b"\xef\xbb\xbf\n: ping\n\n"], "", "sse"),
        ([], "text/event-stream", "sse"),
        (LINES, "text/event-stream", "json lines"),
        (LINES, "", "json lines"),
        ([b'{"type":"status"}\n'], "application/jsonl", "json lines"),
        ([b'{"id": 1}\n'], "application/json", "chunks"),
        ([b"{\n", b'"id": 1\n', b"}\n"], "application/json", "chunks"),
        ([b"Hello ", b"world"], "text/plain", "chunks"),
    ],
)
def test_the_format_is_told_by_what_the_body_holds(chunks: list[bytes], kind: str, expected: str) -> None:
    assert wire_format(recorded(chunks, kind).response) == expected


@pytest.mark.parametrize(
    ("chunks", "ends"),
    [
        pytest.param(SSE, [11, 22, 44], id="comments are no events"),
        pytest.param([b"data: a\r\n\r\n\r\ndata: b\r\r"], [11, 22], id="other line ends"),
        pytest.param([b"event: x\ndata: a\n\ndata: b"], [18, 25], id="no line end at the end"),
        pytest.param(LINES, [18, 36, 59], id="JSON lines"),
        pytest.param([b"ab", b"c"], [2, 3], id="chunks"),
    ],
)
def test_events_end(chunks: list[bytes], ends: list[int]) -> None:
    assert event_ends(recorded(chunks).response) == ends


@pytest.mark.parametrize("make", [Fault.drop, Fault.reset])
@pytest.mark.parametrize(
    ("position", "chunks"),
    [
        pytest.param({"at_byte": 0}, [], id="nothing"),
        pytest.param({"at_byte": 10}, SSE[:1], id="between chunks"),
        pytest.param({"at_byte": 12}, [SSE[0], b"\nd"], id="inside a chunk"),
        pytest.param({"at_byte": 44}, SSE, id="after everything"),
        pytest.param({"at_event": 0}, [], id="no event"),
        pytest.param({"at_event": 2}, [SSE[0], b"\ndata: two\n\n"], id="two events"),
        pytest.param({"at_event": 3}, SSE, id="all events"),
    ],
)
def test_a_break_keeps_what_came_before(make: Any, position: dict[str, int], chunks: list[bytes]) -> None:
    response = damaged(session(), make(**position))

    assert response.chunks == chunks
    assert response.end == {"drop": "truncated", "reset": "reset"}[make.__name__]
    assert response.at_ms == [100.0, 200.0, 300.0][: len(chunks)]


def test_a_stall_moves_the_times_of_what_follows() -> None:
    response = damaged(session(), Fault.stall(at_byte=12, seconds=2))

    assert response.chunks == [SSE[0], b"\nd", SSE[1][2:], SSE[2]]
    assert response.at_ms == [100, 200, 2200, 2300]


def test_a_drip_is_as_slow_as_it_says() -> None:
    response = damaged(session(recorded([b"x" * 10])), Fault.drip(bytes_per_s=40))

    assert response.chunks == [b"xx"] * 5
    assert response.at_ms == pytest.approx([150, 200, 250, 300, 350])


def test_a_mark_stands_in_front() -> None:
    assert damaged(session(), Fault.bom()).chunks == [b"\xef\xbb\xbf", *SSE]


def test_a_garbled_byte_is_no_text() -> None:
    assert damaged(session(), Fault.garble(at_byte=11)).chunks == [SSE[0], b"\n\xff" + SSE[1][2:], SSE[2]]


def test_a_challenge_page_replaces_the_answer() -> None:
    response = damaged(session(), Fault.challenge())

    assert (response.status, response.end) == (403, "complete")
    assert b"<title>Just a moment...</title>" in response.body
    assert dict(response.headers)["Content-Type"].startswith("text/html")


def test_statuses_come_before_the_answer() -> None:
    answers = played(session(), Fault.status(503, 2, retry_after=1), Fault.status(429))

    assert [answer.status for answer in answers] == [503, 503, 429, 200]
    assert ("Retry-After", "1") in answers[0].headers


def test_a_lasting_status_hides_the_answer() -> None:
    assert damaged(session(), Fault.status(500, times=None)).status == 500


def test_a_chunk_comes_twice() -> None:
    assert damaged(session(), Fault.duplicate(at_chunk=1)).chunks == [SSE[0], SSE[1], SSE[1], SSE[2]]
    assert damaged(session(), Fault.duplicate(at_chunk=2)).chunks == [*SSE, SSE[2]]


@pytest.mark.parametrize(
    ("chunks", "every", "body"),
    [
        pytest.param(
            SSE,
            1,
            b": keep-alive\n\ndata: one\n\n: keep-alive\n\ndata: two\n\n"
            b": keep-alive\n\n: ping\n\ndata: [DONE]\n\n",
            id="SSE",
        ),
        pytest.param(
            SSE,
            2,
            b": keep-alive\n\ndata: one\n\ndata: two\n\n: keep-alive\n\n: ping\n\ndata: [DONE]\n\n",
            id="every second",
        ),
        pytest.param(
            LINES,
            2,
            b'{"type":"status","status":"keepAlive"}\n{"type":"status"}\n{"type":"stream"}\n'
            b'{"type":"status","status":"keepAlive"}\n{"type":"finalAnswer"}\n',
            id="JSON lines",
        ),
    ],
)
def test_keepalives_stand_between_events(chunks: list[bytes], every: int, body: bytes) -> None:
    assert damaged(session(recorded(chunks)), Fault.keepalive(every=every)).body == body


def test_plain_text_has_no_keepalive() -> None:
    with pytest.raises(ValueError, match="plain text"):
        damaged(session(recorded([b"Hello"], "text/plain")), Fault.keepalive(every=1))


def test_faults_compose_and_positions_stay_those_of_the_recording() -> None:
    response = damaged(
        session(),
        Fault.bom(),
        Fault.keepalive(every=2),
        Fault.garble(at_byte=6),
        Fault.duplicate(at_chunk=0),
        Fault.drop(at_byte=12),
    )

    assert response.body == b"\xef\xbb\xbf: keep-alive\n\ndata: \xffne\ndata: \xffne\n\nd"
    assert response.end == "truncated"


def test_one_interaction_is_hit_and_the_recording_stays_as_it_is() -> None:
    cassette = session(recorded(SSE), recorded(LINES))

    answers = played(cassette, Fault.drop(at_byte=3, interaction=0))

    assert [answer.body for answer in answers] == [b"dat", b"".join(LINES)]
    assert cassette == session(recorded(SSE), recorded(LINES))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fault.drop(),
        lambda: Fault.drop(at_byte=1, at_event=1),
        lambda: Fault.reset(at_byte=-1),
        lambda: Fault.stall(at_byte=1, seconds=-1),
        lambda: Fault.drip(bytes_per_s=0),
        lambda: Fault.garble(at_byte=-1),
        lambda: Fault.status(99),
        lambda: Fault.status(500, times=-1),
        lambda: Fault.duplicate(at_chunk=-1),
        lambda: Fault.keepalive(every=0),
    ],
)
def test_a_fault_that_means_nothing_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        make()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.drop(at_byte=45),
        Fault.reset(at_event=4),
        Fault.garble(at_byte=44),
        Fault.duplicate(at_chunk=3),
        Fault.bom(interaction=1),
        Fault.bom(interaction=-2),
    ],
)
def test_a_fault_that_does_not_fit_the_recording_is_refused(fault: Fault) -> None:
    with pytest.raises(ValueError, match="has"):
        played(session(), fault)


def test_faults_are_values() -> None:
    assert Fault.drop(at_byte=3) == Fault.drop(at_byte=3) != Fault.drop(at_byte=4)
    assert len({Fault.bom(), Fault.bom(), Fault.challenge()}) == 2


SOME_FAULTS = st.one_of(
    st.builds(lambda n: Fault.drop(at_byte=n), st.integers(0, 44)),
    st.builds(lambda n: Fault.reset(at_event=n), st.integers(0, 3)),
    st.builds(lambda n: Fault.stall(at_byte=n, seconds=1), st.integers(0, 44)),
    st.builds(lambda n: Fault.garble(at_byte=n), st.integers(0, 43)),
    st.builds(lambda n: Fault.duplicate(at_chunk=n), st.integers(0, 2)),
    st.builds(lambda n: Fault.keepalive(every=n), st.integers(1, 4)),
    st.builds(lambda n: Fault.drip(bytes_per_s=n), st.integers(1, 2000)),
    st.just(Fault.bom()),
)


@given(
    faults=st.lists(SOME_FAULTS, max_size=5),
    cuts=st.sampled_from(["recorded", "whole", 1, 7, ("seed", 3)]),
)
def test_what_is_played_is_what_the_pure_core_gets(faults: list[Fault], cuts: Any) -> None:
    expected = damaged(session(), *faults)
    replay = Replay(session(), faults=faults, cuts=cuts, clock=FakeClock())

    chunks, ended = play(replay)

    assert b"".join(chunks) == expected.body
    assert ended == (expected.end == "complete")
    if cuts == "recorded":
        assert chunks == expected.chunks


def send(replay: Replay, timeout: float | None = None, body: bytes = b"") -> requests.Response:
    with requests.Session() as client:
        client.mount("http://", replay.requests_adapter())
        return client.post(URL, data=body, stream=True, timeout=timeout)


def play(replay: Replay, timeout: float | None = None) -> tuple[list[bytes], bool]:
    chunks: list[bytes] = []
    try:
        chunks.extend(send(replay, timeout).iter_content(65536))
    except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError):
        return chunks, False
    return chunks, True


@pytest.mark.parametrize(
    ("timeout", "slept", "ended"), [(None, [2], True), (5, [2], True), (0.5, [0.5], False)]
)
def test_a_stall_waits_for_the_smaller_of_its_seconds_and_the_timeout(
    timeout: float | None, slept: list[float], ended: bool
) -> None:
    clock = FakeClock()
    replay = Replay(session(), faults=[Fault.stall(at_event=1, seconds=2)], clock=clock)

    assert play(replay, timeout)[1] == ended
    assert clock.slept == slept


def test_injected_answers_consume_nothing() -> None:
    replay = Replay(session(), faults=[Fault.status(503, times=2)])

    statuses = [send(replay).status_code for _ in range(2)]

    assert (statuses, replay.played, replay.unplayed) == ([503, 503], 0, 1)
    assert send(replay).status_code == 200
    replay.assert_all_played()


@pytest.mark.parametrize(
    "fault", [Fault.status(500, times=None, interaction=1), Fault.challenge(interaction=1)]
)
def test_what_lies_behind_a_lasting_failure_is_not_unplayed(fault: Fault) -> None:
    first, second, third = (recorded(SSE, body=body) for body in (b"1", b"2", b"3"))
    replay = Replay(session(first, second, third), faults=[fault])

    send(replay, body=b"1")
    statuses = {send(replay, body=b"2").status_code for _ in range(3)}

    assert statuses <= {500, 403}
    replay.assert_all_played()


def test_what_lies_before_a_lasting_failure_is_unplayed() -> None:
    first, second = (recorded(SSE, body=body) for body in (b"1", b"2"))

    with pytest.raises(UnplayedError, match="1 of "):
        Replay(session(first, second), faults=[Fault.status(500, times=None)]).assert_all_played()


def asked(replay: Replay, *bodies: str) -> list[str]:
    """Return the bodies that were answered, marked with the status where that is another than 200."""
    answers = [(body, send(replay, body=body.encode()).status_code) for body in bodies]
    return [body if status == 200 else f"{body}:{status}" for body, status in answers]


def several(*bodies: str) -> Cassette:
    return session(*(recorded(SSE, body=body.encode()) for body in bodies))


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("times", [1, 2])
def test_a_program_may_begin_again_behind_an_injected_failure(at: int, times: int) -> None:
    replay = Replay(several("1", "2", "3"), faults=[Fault.status(503, times, interaction=at)])

    for _ in range(times):
        assert asked(replay, *"123"[: at + 1])[-1] == f"{at + 1}:503"

    assert asked(replay, "1", "2", "3") == ["1", "2", "3"]
    replay.assert_all_played()
    assert replay.played == 3


def test_a_program_may_begin_again_behind_a_lasting_failure() -> None:
    replay = Replay(several("1", "2"), faults=[Fault.status(503, times=None)])

    assert asked(replay, *"121212") == ["1", "2:503"] * 3


def test_what_was_asked_before_a_failure_is_not_asked_again_once_that_is_over() -> None:
    """The next chat begins with the same request as the first one, which was recorded for each."""
    replay = Replay(several("1", "2", "1", "3"), faults=[Fault.status(503, interaction=1)])

    assert asked(replay, "1", "2", "2", "1", "3") == ["1", "2:503", "2", "1", "3"]
    replay.assert_all_played()
    with pytest.raises(MismatchError):
        send(replay, body=b"1")


def test_a_failed_request_that_was_recorded_before_takes_its_own_answer() -> None:
    replay = Replay(several("1", "1"), faults=[Fault.status(503)])

    assert asked(replay, "1", "1", "1") == ["1", "1:503", "1"]
    replay.assert_all_played()


def test_a_fault_of_another_session_lends_nothing(tmp_path: Path) -> None:
    several("1").save(tmp_path / "a.yaml")
    several("2", "3").save(tmp_path / "b.yaml")
    statuses = []

    with suppress(MismatchError), ReplayServer(tmp_path, faults=[Fault.status(503)]) as server:
        for body in ("1", "1", "2", "3", "1"):
            statuses.append(requests.post(server.url + "/api", data=body, timeout=5).status_code)  # noqa: PERF401  # in turn

    assert statuses == [503, 200, 200, 503, 501]


def test_a_fault_changes_nothing_about_matching() -> None:
    replay = Replay(session(), faults=[Fault.bom()])

    with pytest.raises(MismatchError):
        send(replay, body=b"other")
