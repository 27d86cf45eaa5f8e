"""Whole answers and OpenAI-shaped chunks, made of events."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from g4fsdk import (
    Annotation,
    AudioDelta,
    Chunk,
    Completion,
    Conversation,
    ConversationEvent,
    EmptyAnswerError,
    Event,
    Extra,
    FinalText,
    Finish,
    Image,
    ImageEvent,
    Logprobs,
    Message,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Title,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from g4fsdk._core.decoding.answer import Answer
from g4fsdk._core.model.chunks import ChunkChoice, Delta, to_chunks
from g4fsdk._core.model.completions import Facts
from g4fsdk._core.model.messages import AssistantMessage, Audio, Function

CONVERSATION = Conversation("yqcloud", "gpt-4", (Message("user", "Hi"),))


def completion(*events: Event) -> Completion:
    answer = Answer()
    for event in events:
        answer.add(event)
    return answer.completion("yqcloud", "gpt-4")


def test_an_answer_is_put_together_of_its_events() -> None:
    found = completion(
        TextDelta("Hel"),
        ReasoningDelta("hm"),
        ReasoningDelta("..."),
        TextDelta("lo"),
        Title("Greeting"),
        ImageEvent((Image("u"),), "a cat"),
        ImageEvent((Image("v"),), "a cat"),
        Usage(1, 2, 3),
        Usage(3, 2, 5),
        ConversationEvent(CONVERSATION),
        Finish("stop"),
    )

    assert found.text == found.choices[0].message.content == "Hello"
    assert (found.choices[0].finish_reason, found.choices[0].message.reasoning) == ("stop", "hm...")
    assert (found.choices[0].message.role, found.choices[0].index) == ("assistant", 0)
    assert (found.title, found.usage, found.model, found.provider) == (
        "Greeting",
        Usage(3, 2, 5),
        "gpt-4",
        "yqcloud",
    )
    assert (found.images, found.conversation) == ([Image("u"), Image("v")], CONVERSATION)


def test_the_final_text_wins_whenever_it_comes() -> None:
    assert completion(TextDelta("Hello <END> "), FinalText("Hello")).text == "Hello"
    assert completion(FinalText("Hello"), TextDelta("x")).text == "Hello"
    assert completion(TextDelta("x"), FinalText("")).text == ""


def test_each_choice_has_its_own_parts() -> None:
    found = completion(TextDelta("b", 1), TextDelta("a"), Finish("stop", 1), Finish("length"))

    assert [(choice.index, choice.message.content, choice.finish_reason) for choice in found.choices] == [
        (0, "a", "length"),
        (1, "b", "stop"),
    ]
    assert found.text == "a"


def test_a_refusal_is_no_text() -> None:
    found = completion(RefusalDelta("I can"), RefusalDelta("not."))

    assert (found.text, found.choices[0].message.content, found.choices[0].message.refusal) == (
        "",
        None,
        "I cannot.",
    )


def test_tool_calls_are_put_together_by_their_index() -> None:
    found = completion(
        ToolCallDelta(1, "b", "sub", '{"y"'),
        ToolCallDelta(0, "a", "add", "{}"),
        ToolCallDelta(1, None, None, ":1}"),
        ToolCallDelta(1, "other", "other", ""),
        Finish("tool_calls"),
    )

    assert found.choices[0].message.tool_calls == [
        ToolCall("a", Function("add", "{}"), 0),
        ToolCall("b", Function("sub", '{"y":1}'), 1),
    ]
    assert (found.choices[0].message.content, found.text) == (None, "")


def test_a_custom_call_stays_one_and_keeps_what_it_was_signed_with() -> None:
    found = completion(
        ToolCallDelta(0, "a", "sql", "SELECT", type="custom", extra={"google": {"signature": "c2ln"}}),
        ToolCallDelta(0, arguments=" 1"),
    )

    assert found.choices[0].message.tool_calls == [
        ToolCall("a", Function("sql", "SELECT 1"), 0, "custom", {"google": {"signature": "c2ln"}})
    ]


@pytest.mark.parametrize(
    ("pieces", "data"),
    [
        pytest.param(["UklG", "Rg=="], "UklGRg==", id="one text in pieces"),
        pytest.param(["UklGRg==", "YQ==", ""], "UklGRmE=", id="each coded by itself"),
        pytest.param(["?=?", "Rg=="], "?=?Rg==", id="no base64 at all"),
    ],
)
def test_a_spoken_answer_is_put_together(pieces: list[str], data: str) -> None:
    found = completion(
        AudioDelta(id="a", transcript="Hel"),
        *map(AudioDelta, pieces),
        AudioDelta(transcript="lo", expires_at=9, extra={"format": "wav"}),
    )

    message = found.choices[0].message
    assert (message.audio, message.content) == (Audio("a", data, "Hello", 9, {"format": "wav"}), None)


def test_images_belong_to_their_choice_and_to_the_answer() -> None:
    found = completion(ImageEvent((Image("u"),)), ImageEvent((Image("v"),), choice=1))

    assert [choice.message.images for choice in found.choices] == [[Image("u")], [Image("v")]]
    assert found.images == [Image("u"), Image("v")]


def test_probabilities_and_annotations_add_up() -> None:
    found = completion(
        Logprobs([{"token": "a"}], extra={"text_offset": [0]}),
        Annotation({"url": "u"}),
        Logprobs([{"token": "b"}], extra={"text_offset": [1]}),
        Annotation("v"),
    )

    [choice] = found.choices
    assert choice.logprobs == Logprobs([{"token": "a"}, {"token": "b"}], extra={"text_offset": [0, 1]})
    assert choice.message.annotations == [{"url": "u"}, "v"]


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        pytest.param(["I th", "ink"], "I think", id="text goes on"),
        pytest.param(["bot", "bot"], "bot", id="text that is repeated"),
        pytest.param([[1], [2, 3]], [1, 2, 3], id="a list goes on"),
        pytest.param([1, 2], 2, id="of numbers the last"),
        pytest.param(["a", None], None, id="of mixed kinds the last"),
        pytest.param([{"a": "x"}, {"a": "y", "b": True}], {"a": "xy", "b": True}, id="key by key"),
    ],
)
@pytest.mark.parametrize("of", ["message", "choice"])
def test_what_has_no_name_adds_up(pieces: list[Any], whole: Any, of: Literal["message", "choice"]) -> None:
    found = completion(*(Extra({"k": piece}, 0, of) for piece in pieces))

    [choice] = found.choices
    assert {"message": choice.message.extra, "choice": choice.extra} == {
        "message": {},
        "choice": {},
        of: {"k": whole},
    }


def test_an_answer_says_who_gave_it() -> None:
    answer = Answer()
    answer.note({"id": "c1", "created": 5, "model": "", "object": "chat.completion.chunk", "choices": []})
    answer.note({"id": "c1", "created": "today", "model": "m-2026", "service_tier": None, "provider": "P"})

    found = answer.completion("openai", "m")

    assert (found.id, found.created, found.model, found.service_tier) == ("c1", 5, "m-2026", None)
    assert found.extra == {"created_parts": ["today"], "provider": "P"}


def test_text_beside_tool_calls_stays() -> None:
    found = completion(TextDelta("Let me see."), ToolCallDelta(0, "a", "add", "{}"))

    assert found.text == "Let me see."


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="nothing"),
        pytest.param([ReasoningDelta("hm")], id="reasoning"),
        pytest.param([Title("T")], id="title"),
        pytest.param([Usage(1, 2, 3)], id="usage"),
        pytest.param([Finish(None)], id="a nameless finish"),
        pytest.param([ConversationEvent(CONVERSATION)], id="conversation"),
        pytest.param([FinalText("")], id="an empty final text"),
        pytest.param([TextDelta("")], id="an empty text"),
    ],
)
def test_an_answer_of_nothing_is_an_error(events: list[Event]) -> None:
    answer = Answer()
    for event in events:
        answer.add(event)

    with pytest.raises(EmptyAnswerError):
        answer.check_not_empty()


@pytest.mark.parametrize(
    "event",
    [
        TextDelta(" "),
        TextDelta("x", 1),
        FinalText("x"),
        RefusalDelta("no"),
        ToolCallDelta(0),
        AudioDelta("AAAA"),
        ImageEvent((Image("u"),)),
        Finish("length"),
    ],
    ids=repr,
)
def test_an_answer_of_anything_is_none(event: Event) -> None:
    answer = Answer()
    answer.add(event)

    answer.check_not_empty()


def test_an_answer_goes_back_without_what_is_no_input() -> None:
    message = AssistantMessage(
        content="4",
        reasoning="hm",
        annotations=[{"url": "u"}],
        audio=Audio("a", "AAAA", "Hi", 9),
        extra={"reasoning_details": [{"signature": "s"}]},
    )

    assert message.to_dict() == {
        "role": "assistant",
        "content": "4",
        "audio": {"id": "a"},
        "reasoning_details": [{"signature": "s"}],
    }


@pytest.mark.parametrize(
    ("event", "delta", "more"),
    [
        pytest.param(TextDelta("Hi", 1), {"content": "Hi"}, {"index": 1}, id="text"),
        pytest.param(ReasoningDelta("hm"), {"reasoning_content": "hm"}, {}, id="reasoning"),
        pytest.param(RefusalDelta("No"), {"refusal": "No"}, {}, id="refusal"),
        pytest.param(
            ToolCallDelta(2, "a", "add", "{}"),
            {"tool_calls": [ToolCall("a", Function("add", "{}"), 2)]},
            {},
            id="tool call",
        ),
        pytest.param(Finish("stop"), {}, {"finish_reason": "stop"}, id="finish"),
        pytest.param(Title("T"), {}, {"title": "T"}, id="title"),
        pytest.param(Usage(1, 2, 3), {}, {"usage": Usage(1, 2, 3)}, id="usage"),
        pytest.param(
            ToolCallDelta(0, "a", "sql", "SELECT", 0, "custom", {"signature": "s"}),
            {"tool_calls": [ToolCall("a", Function("sql", "SELECT"), 0, "custom", {"signature": "s"})]},
            {},
            id="custom tool call, signed",
        ),
        pytest.param(ImageEvent((Image("u"),)), {"images": [Image("u")]}, {}, id="images"),
        pytest.param(
            AudioDelta("AAAA", "Hi", "a", 9, extra={"k": 1}),
            {"audio": Audio("a", "AAAA", "Hi", 9, {"k": 1})},
            {},
            id="audio",
        ),
        pytest.param(Annotation({"url": "u"}), {"annotations": [{"url": "u"}]}, {}, id="annotation"),
        pytest.param(Logprobs([{"token": "a"}]), {}, {"logprobs": Logprobs([{"token": "a"}])}, id="logprobs"),
        pytest.param(Extra({"k": 1}), {"extra": {"k": 1}}, {}, id="unnamed in the message"),
        pytest.param(Extra({"k": 1}, 1, "choice"), {}, {"extra": {"k": 1}, "index": 1}, id="in the choice"),
        pytest.param(ConversationEvent(CONVERSATION), {}, {"conversation": CONVERSATION}, id="conversation"),
    ],
)
def test_an_event_is_a_chunk(event: Event, delta: dict[str, Any], more: dict[str, Any]) -> None:
    of_chunk = {key: more[key] for key in more if key in ("title", "usage", "conversation")}
    of_choice = {key: more[key] for key in more if key not in of_chunk}

    [chunk] = to_chunks([event], Facts(), "gpt-4")

    assert chunk == Chunk([ChunkChoice(Delta(**delta), **of_choice)], "gpt-4", **of_chunk)
    assert chunk.conversation == more.get("conversation")
    assert chunk.images == tuple(delta.get("images", ()))


def test_the_final_text_is_no_chunk_since_it_would_repeat_the_text() -> None:
    assert to_chunks([FinalText("Hello")], Facts(), "m") == []


def test_every_chunk_says_who_answers() -> None:
    facts = Facts("c1", 1700000000, "m-2026", "fp_1", "default", {"provider": "P"})

    for chunk in to_chunks([TextDelta("Hi"), Finish("stop")], facts, "m"):
        assert (chunk.id, chunk.created, chunk.model) == ("c1", 1700000000, "m-2026")
        assert (chunk.system_fingerprint, chunk.service_tier) == ("fp_1", "default")
        assert chunk.extra == {"provider": "P"}


@pytest.mark.parametrize("event", [TextDelta("x"), Usage(1, 2, 3), ConversationEvent(CONVERSATION)], ids=repr)
def test_events_are_frozen(event: Any) -> None:
    with pytest.raises(AttributeError):
        event.choice = 1


def test_an_image_event_gives_the_addresses_there_are() -> None:
    assert ImageEvent((Image("u"), Image(None, "AAAA"), Image("v"))).urls == ["u", "v"]
