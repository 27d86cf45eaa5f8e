"""Whole answers and OpenAI-shaped chunks, made of events."""

from __future__ import annotations

from typing import Any

import pytest

from g4fsdk import (
    Chunk,
    Completion,
    Conversation,
    ConversationEvent,
    EmptyAnswerError,
    Event,
    FinalText,
    Finish,
    Image,
    ImageEvent,
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
from g4fsdk._core.model.completions import AssistantMessage, Function, to_chunk

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
        ImageEvent((Image("u"),)),
        Finish("length"),
    ],
    ids=repr,
)
def test_an_answer_of_anything_is_none(event: Event) -> None:
    answer = Answer()
    answer.add(event)

    answer.check_not_empty()


def test_an_answer_goes_back_without_its_reasoning() -> None:
    message = AssistantMessage(content="4", reasoning="hm")

    assert message.to_dict() == {"role": "assistant", "content": "4"}


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
        pytest.param(ImageEvent((Image("u"),)), {}, {"images": (Image("u"),)}, id="images"),
        pytest.param(ConversationEvent(CONVERSATION), {}, {"conversation": CONVERSATION}, id="conversation"),
    ],
)
def test_an_event_is_a_chunk(event: Event, delta: dict[str, Any], more: dict[str, Any]) -> None:
    chunk = to_chunk(event, "gpt-4")

    assert isinstance(chunk, Chunk)
    [choice] = chunk.choices
    keys = ("content", "role", "reasoning_content", "refusal", "tool_calls")
    assert {
        key: getattr(choice.delta, key) for key in keys if getattr(choice.delta, key) is not None
    } == delta
    assert chunk.model == "gpt-4"
    for key, value in ({"index": 0, "finish_reason": None} | more).items():
        assert getattr(choice if key in ("index", "finish_reason") else chunk, key) == value


def test_the_final_text_is_no_chunk_since_it_would_repeat_the_text() -> None:
    assert to_chunk(FinalText("Hello"), "m") is None


@pytest.mark.parametrize("event", [TextDelta("x"), Usage(1, 2, 3), ConversationEvent(CONVERSATION)], ids=repr)
def test_events_are_frozen(event: Any) -> None:
    with pytest.raises(AttributeError):
        event.choice = 1


def test_an_image_event_gives_the_addresses_there_are() -> None:
    assert ImageEvent((Image("u"), Image(None, "AAAA"), Image("v"))).urls == ["u", "v"]
