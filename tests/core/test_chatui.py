"""chat-ui's updates: what is answer, what is padding, and what makes an answer complete."""

from __future__ import annotations

import json
from typing import Any

import pytest

from g4fsdk import (
    Conversation,
    ConversationEvent,
    EmptyAnswerError,
    Event,
    Extra,
    FinalText,
    Finish,
    G4FError,
    IncompleteStreamError,
    Message,
    ProtocolError,
    ProviderError,
    ReasoningDelta,
    TextDelta,
    Title,
)
from g4fsdk._core.decoding.chatui import UpdateDecoder
from g4fsdk.parsers import JSONLinesParser
from tests.support.wire import Seen, run

SPACES = " " * 4096


def token(text: str) -> dict[str, Any]:
    return {"type": "stream", "token": text.ljust(16, "\0")}


def status(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "status", "status": name, **more}


def final(text: str) -> dict[str, Any]:
    return {"type": "finalAnswer", "text": text, "interrupted": False}


def title(text: str) -> dict[str, Any]:
    return {"type": "title", "title": text}


def updates(*values: Any) -> bytes:
    """Return *values* on the wire, with the spaces that chat-ui writes behind the final answer."""
    wire = b""
    for value in values:
        wire += json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        wire += SPACES.encode() if value == final(value.get("text", "")) else b""
    return wire


def seen(*values: Any, decoder: UpdateDecoder | None = None) -> Seen:
    return run(JSONLinesParser(decoder or UpdateDecoder()), [updates(*values)])


@pytest.mark.parametrize(
    ("values", "events"),
    [
        pytest.param(
            [status("started"), status("keepAlive"), token("Hel"), token("lo"), final("Hello")],
            [TextDelta("Hel"), TextDelta("lo"), FinalText("Hello"), Finish(None)],
            id="tokens",
        ),
        pytest.param(
            [title("T"), token("a"), final("a")],
            [Title("T"), TextDelta("a"), FinalText("a"), Finish(None)],
            id="title early",
        ),
        pytest.param(
            [token("a"), title("T"), final("a")],
            [TextDelta("a"), Title("T"), FinalText("a"), Finish(None)],
            id="title between",
        ),
        pytest.param(
            [token("a"), final("a"), title("T")],
            [TextDelta("a"), FinalText("a"), Title("T"), Finish(None)],
            id="title late",
        ),
        pytest.param([final("a")], [TextDelta("a"), FinalText("a"), Finish(None)], id="final answer alone"),
        pytest.param(
            [token("a\0b"), final("a\0b")],
            [TextDelta("a\0b"), FinalText("a\0b"), Finish(None)],
            id="a NUL inside",
        ),
        pytest.param(
            [token("x" * 40), final("x" * 40)],
            [TextDelta("x" * 40), FinalText("x" * 40), Finish(None)],
            id="a long token",
        ),
        pytest.param(
            [token("a"), token(""), final("a")],
            [TextDelta("a"), FinalText("a"), Finish(None)],
            id="an empty token",
        ),
        pytest.param(
            [token("a<END>"), final("a")],
            [TextDelta("a<END>"), FinalText("a"), Finish(None)],
            id="a stop token",
        ),
        pytest.param(
            [{"type": "reasoning", "subtype": "stream", "token": "hm"}, token("a"), final("a")],
            [ReasoningDelta("hm"), TextDelta("a"), FinalText("a"), Finish(None)],
            id="reasoning",
        ),
        pytest.param(
            [{"type": "reasoning", "subtype": "status", "status": "thinking"}, token("a"), final("a")],
            [
                Extra(
                    {"updates": [{"type": "reasoning", "subtype": "status", "status": "thinking"}]},
                    of="choice",
                ),
                *(TextDelta("a"), FinalText("a"), Finish(None)),
            ],
            id="reasoning status",
        ),
        pytest.param(
            [
                {"type": "stream"},
                {"type": "title"},
                {"type": "finalAnswer"},
                status("finished"),
                token("a"),
                final("a"),
            ],
            [TextDelta("a"), FinalText("a"), Finish(None)],
            id="what says nothing",
        ),
    ],
)
def test_updates_become_events(values: list[Any], events: list[Event]) -> None:
    found = seen(*values)

    assert found.error is None
    assert found.events == events


@pytest.mark.parametrize(
    "update",
    [
        {"type": "webSearch", "subtype": "sources", "sources": [{"link": "https://x"}]},
        {"type": "tool", "subtype": "error", "uuid": "u", "message": "it failed"},
        {"type": "file", "name": "f", "sha": "s", "mime": "m"},
        {"type": "nobodyKnows"},
        {"type": "stream", "token": 7},
        {"type": "status", "status": "keepAlive", "token": "x"},
    ],
)
def test_an_update_without_an_event_of_its_own_is_kept_as_it_came(update: dict[str, Any]) -> None:
    found = seen(token("a"), update, update, final("a"))

    assert found.of(Extra) == [Extra({"updates": [update]}, of="choice")] * 2
    assert found.answer.completion("cohere-c4ai", "m").choices[0].extra == {"updates": [update, update]}


def test_what_stands_beside_a_final_answer_is_kept() -> None:
    more: dict[str, Any] = {"interrupted": True, "webSources": [{"uri": "https://x", "title": "X"}]}

    assert seen({**final("a"), **more}).of(Extra) == [
        Extra({"updates": [{"type": "finalAnswer", **more}]}, of="choice")
    ]


def test_the_final_text_is_the_better_one() -> None:
    found = seen(token("a\ufffd\ufffd <END> "), final("a世"))

    assert found.answer.completion("cohere-c4ai", "m").text == "a世"


def test_halves_of_a_pair_in_two_tokens_are_joined() -> None:
    wire = b'{"type":"stream","token":"\\ud83d\\u0000"}\n{"type":"stream","token":"\\ude00!"}\n' + updates(
        final("😀!")
    )

    found = run(JSONLinesParser(), [wire])

    assert found.text == "😀!"


def test_a_half_whose_other_never_comes_is_replaced_before_the_final_text() -> None:
    wire = b'{"type":"stream","token":"a\\ud83d"}\n' + updates(final("a"))

    assert run(JSONLinesParser(), [wire]).events[:3] == [TextDelta("a"), TextDelta("\ufffd"), FinalText("a")]


def test_a_half_in_a_whole_text_is_replaced() -> None:
    wire = b'{"type":"title","title":"cut \\ud83d"}\n{"type":"finalAnswer","text":"a \\ud83d"}\n'

    events = run(JSONLinesParser(), [wire]).events

    assert [Title("cut \ufffd"), FinalText("a \ufffd")] == [
        event for event in events if isinstance(event, Title | FinalText)
    ]


@pytest.mark.parametrize(
    ("values", "kind", "partial", "words"),
    [
        pytest.param(
            [status("started"), status("error", message="Model is overloaded")],
            ProviderError,
            "",
            "overloaded",
            id="at once",
        ),
        pytest.param(
            [token("so "), token("far"), status("error", message="Premature close")],
            ProviderError,
            "so far",
            "Premature",
            id="in mid-answer",
        ),
        pytest.param(
            [token("  "), final(""), status("error", message="No output was generated.")],
            ProviderError,
            "",
            "No output",
            id="after the final answer",
        ),
        pytest.param([status("error")], ProviderError, "", "error", id="without a message"),
        pytest.param([status("error", message=None)], ProviderError, "", "error", id="message null"),
        pytest.param(
            [status("error", message="x" * 5000)], ProviderError, "", "xxx", id="a very long message"
        ),
        pytest.param([token("so far")], IncompleteStreamError, "so far", "finalAnswer", id="no final answer"),
        pytest.param([status("started")], IncompleteStreamError, "", "finalAnswer", id="nothing at all"),
        pytest.param([final("")], EmptyAnswerError, "", "nothing", id="an empty final answer"),
        pytest.param(
            [{"error": "You have to be logged in."}], ProviderError, "", "logged in", id="an error document"
        ),
        pytest.param(
            [{"message": "Internal Error"}], ProviderError, "", "Internal Error", id="a message document"
        ),
    ],
)
def test_an_answer_that_failed_is_an_error(
    values: list[Any], kind: type[G4FError], partial: str, words: str
) -> None:
    found = seen(*values)

    assert type(found.error) is kind
    assert found.error.partial == partial
    assert words in found.error.message
    assert len(found.error.message) < 600


@pytest.mark.parametrize(
    "line", [b"7\n", b"[]\n", b'"text"\n', b"null\n", b"{\n", b"data: {}\n", b'{"type":"stream","tok\n']
)
def test_a_line_that_is_no_update_is_nonsense(line: bytes) -> None:
    found = run(JSONLinesParser(), [updates(token("so far")) + line])

    assert type(found.error) is ProtocolError
    assert found.error.partial == "so far"


def test_a_new_conversation_is_announced_before_anything_else() -> None:
    handle = Conversation("cohere-c4ai", "m", (), {"conversationId": "6b00"})
    history = handle.with_messages([Message("user", "Hi")])

    found = seen(token("a"), final("b"), decoder=UpdateDecoder(history, handle=handle, announce=True))

    first, *_, last, finish = found.events
    assert first == ConversationEvent(handle)
    assert last == ConversationEvent(
        history.with_messages([Message("user", "Hi"), Message("assistant", "b")])
    )
    assert finish == Finish(None)


def test_a_failed_turn_keeps_the_handle_to_go_on_with() -> None:
    handle = Conversation("cohere-c4ai", "m", (), {"conversationId": "6b00"})

    found = seen(token("a"), decoder=UpdateDecoder(handle, handle=handle))

    assert found.error is not None
    assert found.error.conversation == handle
