"""The third plane: what a recording gives without I/O, and that it is what the clients give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from g4fsdk import (
    Chat,
    Client,
    DeadlineError,
    Event,
    Finish,
    G4FError,
    Ids,
    IncompleteStreamError,
    ProtocolError,
    RateLimitError,
    Request,
    Retries,
    TextDelta,
    TransportError,
    UsageError,
    advance,
    providers,
)
from g4fsdk.testing import (
    Cassette,
    CassetteError,
    Fault,
    Interaction,
    MismatchError,
    Player,
    RecordedRequest,
    RecordedResponse,
    Replay,
    UnplayedError,
)
from tests.support.players import FOLDER

QUICK = Retries(wait=lambda state: 0.0)
HELLO = FOLDER / "yqcloud" / "normal.yaml"
SET_UP = FOLDER / "cohere-c4ai" / "single-turn-english.yaml"


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def ended(events: Iterable[Event]) -> tuple[list[Event], G4FError | MismatchError | None]:
    """Return the events, and what ended them."""
    seen: list[Event] = []
    try:
        for event in events:
            seen.append(event)  # noqa: PERF402  # those before an error count
    except (G4FError, MismatchError) as error:
        return seen, error
    return seen, None


def on_requests(cassette: Cassette, **settings: Any) -> tuple[list[Event], G4FError | MismatchError | None]:
    """Return what the blocking client gives for a recorded call that streams."""
    said = cassette.metadata
    replay = Replay(cassette, **settings)
    call = {name: value for name, value in said["call"].items() if name != "stream"}
    with Client(said["provider"], transport=replay, retries=QUICK) as client:
        return ended(client.chat.completions.stream(**call))


def test_a_flow_is_answered_by_the_recording() -> None:
    player = Player(HELLO)
    flow = providers.get("yqcloud").chat(Chat("Question.", "gpt-4", ids=Ids.seeded(7)))

    events = [*player.play(flow)]

    assert text_of(events) == "Hello, this is the reference server."
    assert Finish("stop") in events
    player.assert_all_played()


def test_without_a_flow_the_recorded_call_is_made() -> None:
    cassette = Cassette.load(SET_UP)

    assert ended(Player(cassette).play()) == on_requests(cassette)


def test_what_is_not_recorded_says_what_differs() -> None:
    flow = providers.get("yqcloud").chat(Chat("Another question.", "gpt-4", ids=Ids.seeded(7)))

    with pytest.raises(MismatchError, match=r"body\.json\.prompt: sent 'Another question\.'"):
        [*Player(HELLO).play(flow)]


def test_what_is_not_asked_is_named() -> None:
    player = Player(HELLO)

    assert player.unplayed == 1
    with pytest.raises(UnplayedError, match="1 of 1 recorded interactions were not played"):
        player.assert_all_played()


def test_an_answer_is_given_once() -> None:
    player, flow = Player(SET_UP), providers.get("cohere-c4ai").chat(Chat("x"))
    step = advance(flow)
    assert isinstance(step, Request)
    recorded = Cassette.load(SET_UP).interactions[0]
    request = Request(recorded.request.method, recorded.request.url, body=recorded.request.body)
    sent = Request(request.method, request.url, dict(recorded.request.headers), request.body)

    assert player.answer(sent) == recorded.response
    with pytest.raises(MismatchError, match="played already"):
        player.answer(sent)


@pytest.mark.parametrize("fault", [
    pytest.param(Fault.drop(at_byte=12), id="cut in the answer"),
    pytest.param(Fault.drop(at_byte=0), id="cut before it"),
    pytest.param(Fault.reset(at_byte=12), id="reset"),
    pytest.param(Fault.challenge(), id="challenge"),
    pytest.param(Fault.bom(), id="byte order mark"),
    pytest.param(Fault.status(503, times=2), id="tried again"),
    pytest.param(Fault.status(401), id="refused"),
    pytest.param(Fault.drop(at_byte=5, interaction=0), id="cut in the set-up"),
    pytest.param(Fault.status(500, times=None, interaction=0), id="set-up fails"),
])  # fmt: skip
@pytest.mark.parametrize("path", [HELLO, SET_UP], ids=["one request", "set-up"])
def test_damage_means_what_it_means_to_a_client(path: Any, fault: Fault) -> None:
    cassette = Cassette.load(path)

    events, error = ended(Player(cassette, faults=[fault]).play())

    expected, expected_error = on_requests(cassette, faults=[fault])
    assert events == expected
    assert type(error) is type(expected_error)
    if isinstance(error, G4FError) and isinstance(expected_error, G4FError):
        assert error.partial == expected_error.partial
        assert error.conversation == expected_error.conversation
        assert error.provider == expected_error.provider
        assert error.request == expected_error.request


def test_cuts_are_those_of_a_replay() -> None:
    pieces = [*Player(HELLO, cuts=1).play()]

    assert len(pieces) > len([*Player(HELLO, cuts="whole").play()])
    assert text_of(pieces) == "Hello, this is the reference server."


def asked(*responses: RecordedResponse) -> Cassette:
    """Return a recorded session with a compatible server, whose answers are *responses*."""
    body = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}'
    headers = [("Content-Type", "application/json")]
    request = RecordedRequest("POST", "http://model.test/v1/chat/completions", headers, body)
    call = {"messages": "Hi", "model": "m", "stream": True}
    session = [Interaction(replace(request), response) for response in responses]
    return Cassette(session, {"provider": "openai", "call": call})


DELTA = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(("response", "kind", "words"), [
    (RecordedResponse(0, end="timeout"), DeadlineError, "the first_event clock of 60.0 s ran out"),
    (RecordedResponse(200, end="timeout"), DeadlineError, "the first_event clock of 60.0 s ran out"),
    (RecordedResponse(200, chunks=[DELTA], at_ms=[0.0], end="timeout"), DeadlineError, "the idle clock"),
    (RecordedResponse(0, end="reset"), TransportError, "no answer from http://model.test"),
    (RecordedResponse(200, chunks=[DELTA], at_ms=[0.0], end="client_closed"), IncompleteStreamError,
     "the recording ends here"),
    (RecordedResponse(429, end="timeout"), RateLimitError, "429"),
    (RecordedResponse(307, headers=[("Location", "/v2/chat")]), MismatchError, "/v2/chat"),
])  # fmt: skip
def test_a_recorded_end_is_an_error(response: RecordedResponse, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        [*Player(asked(response)).play()]


def test_a_redirect_within_the_service_is_followed() -> None:
    moved = RecordedResponse(307, headers=[("Location", "/v1/chat/completions?again=1")])
    answer = RecordedResponse(200, chunks=[DELTA, DONE], at_ms=[0.0, 0.0])
    cassette = asked(moved, answer)
    cassette.interactions[1].request.url += "?again=1"

    assert text_of([*Player(cassette).play()]) == "Hi"


def test_redirects_do_not_go_on_for_ever() -> None:
    loop = RecordedResponse(307, headers=[("Location", "/v1/chat/completions")])

    with pytest.raises(ProtocolError, match="more than 5 redirects"):
        [*Player(asked(*[loop] * 9)).play()]


def test_what_failed_without_harm_is_tried_while_the_recording_goes_on() -> None:
    answer = RecordedResponse(200, chunks=[DELTA, DONE], at_ms=[0.0, 0.0])
    busy = RecordedResponse(503)

    assert text_of([*Player(asked(busy, busy, busy, busy, answer)).play()]) == "Hi"
    with pytest.raises(G4FError, match="503"):
        [*Player(asked(busy, busy)).play()]


@pytest.mark.parametrize(("metadata", "kind", "words"), [
    ({}, CassetteError, "has no call"),
    ({"provider": "openai"}, CassetteError, "has no call"),
    ({"provider": "openai", "call": {}}, CassetteError, "has no call"),
    ({"provider": "nobody", "call": {"messages": "Hi"}}, UsageError, "unknown provider 'nobody'"),
    ({"provider": "openai", "call": {"messages": []}}, UsageError, "messages are empty"),
])  # fmt: skip
def test_a_call_that_nobody_can_make_is_an_error(
    metadata: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        [*Player(Cassette([], metadata)).play()]
