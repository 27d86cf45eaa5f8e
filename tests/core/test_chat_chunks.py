"""Chat completion chunks as some fifty services send them. Each row was seen on a wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from g4fsdk import (
    Annotation,
    AudioDelta,
    EmptyAnswerError,
    Event,
    Extra,
    FinalText,
    Finish,
    G4FError,
    Ids,
    Image,
    ImageEvent,
    ImagesResponse,
    IncompleteStreamError,
    Logprobs,
    ProtocolError,
    ProviderError,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk._core.decoding.images import ImageDecoder
from g4fsdk.parsers import DocumentParser, SSEParser
from tests.support.wire import Seen, chunk, run, sse

STOP = chunk({}, "stop")


def said(*chunks: Any, n: int = 1, done: bool = True) -> list[Event]:
    seen = stream(*chunks, n=n, done=done)
    assert seen.error is None
    return seen.events


def stream(*chunks: Any, n: int = 1, done: bool = True) -> Seen:
    return run(SSEParser(ChatChunkDecoder(n=n)), [sse(*chunks, done=done)])


def document(value: Any, *, n: int = 1) -> Seen:
    return run(DocumentParser(ChatChunkDecoder(n=n)), [json.dumps(value).encode()])


def hi(**more: Any) -> dict[str, Any]:
    return chunk({"content": "Hi"}, **more)


def odd_end(delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta, "finish_reason": 7}]}


# --- The shape of a chunk ---

HI = [TextDelta("Hi"), Finish("stop")]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([chunk({"role": "assistant", "content": ""}), hi(), STOP], id="role with empty content"),
        pytest.param(
            [chunk({"role": "assistant", "content": None}), hi(), STOP], id="role with null content"
        ),
        pytest.param([chunk({"role": "assistant"}), hi(), STOP], id="role alone"),
        pytest.param([chunk({"role": "assistant", "content": "Hi"}), STOP], id="role with text"),
        pytest.param([chunk({"role": None, "content": "Hi"}), STOP], id="role null"),
        pytest.param([{"choices": [], "id": "", "created": 0}, hi(), STOP], id="choices empty at first"),
        pytest.param([{"id": "x"}, hi(), STOP], id="choices missing"),
        pytest.param([{"choices": None}, hi(), STOP], id="choices null"),
        pytest.param([{"choices": [{"content_filter_results": {}}]}, hi(), STOP], id="no delta"),
        pytest.param([chunk(None), hi(), STOP], id="delta null"),
        pytest.param([chunk({}), hi(), STOP], id="delta empty"),
        pytest.param(
            [chunk({"content": None, "refusal": None, "tool_calls": None}), hi(), STOP], id="keys null"
        ),
        pytest.param([chunk({"tool_calls": [], "content": "Hi"}), STOP], id="no tool calls"),
        pytest.param([hi(), chunk({"content": ""}, "stop")], id="empty text in the finishing chunk"),
        pytest.param([chunk({"content": "Hi"}, "stop")], id="text in the finishing chunk"),
        pytest.param([hi(), STOP, STOP], id="finish twice"),
        pytest.param([hi(), chunk({}, "stop"), chunk({}, None)], id="an empty delta after the finish"),
        pytest.param([hi(), {"choices": [{"delta": {}}], "finish_reason": "stop"}], id="finish at the top"),
        pytest.param([hi(), {"finish_reason": "stop"}], id="finish at the top, no choices"),
        pytest.param([hi(finish_reason=None), STOP | {"finish_reason": "stop"}], id="finish at both places"),
        pytest.param([hi(error=None), STOP], id="error null"),
        pytest.param([hi(error={}), STOP], id="error empty"),
        pytest.param([hi(usage=None), STOP], id="usage null"),
        pytest.param([hi(p="abc", obfuscation="x", x_groq={"id": "1"}), STOP], id="unknown keys"),
        pytest.param(
            [{"choices": [{"delta": {"content": "Hi"}, "text": "Hi"}]}, STOP], id="text beside delta"
        ),
        pytest.param([{"choices": [{"text": "Hi"}]}, STOP], id="text in place of delta"),
        pytest.param(
            [{"choices": [{"delta": {"content": "Hi"}, "message": {"content": "Hi"}}]}, STOP],
            id="message beside delta",
        ),
        pytest.param(
            [hi(), {"choices": [{"delta": {}, "message": {"content": "Hi"}, "finish_reason": "stop"}]}],
            id="the whole message repeated at the end",
        ),
        pytest.param(
            [{"choices": [{"index": i, "delta": {"content": c}}]} for i, c in ((1, "H"), (2, "i"))]
            + [{"choices": [{"index": 3, "delta": {}, "finish_reason": "stop"}]}],
            id="index counts the tokens",
        ),
        pytest.param([hi(citations=[1], choices_extra=1), STOP], id="search results"),
        pytest.param(
            [{"choices": [{"delta": {"content": "Hi"}, "finish_reason": ""}]}, STOP], id="finish is empty"
        ),
    ],
)
def test_the_same_answer_in_many_shapes(chunks: list[Any]) -> None:
    seen = stream(*chunks)

    assert seen.error is None
    assert (seen.text, seen.of(Finish)) == ("Hi", [Finish("stop")])
    assert {type(event) for event in seen.events} == {TextDelta, Finish}
    assert seen.events == HI or len(seen.events) == 3


@pytest.mark.parametrize(
    ("chunks", "extra"),
    [
        pytest.param(
            [hi(), STOP, STOP, chunk({}, "length")], {"finish_reason_parts": ["length"]}, id="another end"
        ),
        pytest.param(
            [odd_end({"content": "Hi"}), odd_end({}), STOP], {"finish_reason_parts": [7]}, id="a number"
        ),
        pytest.param([{"choices": ["odd", 7]}, hi(), STOP], {"choices_parts": ["odd", 7]}, id="no choices"),
        pytest.param([{"choices": 7}, hi(), STOP], {"choices_parts": [7]}, id="no list"),
        pytest.param([hi(), {"choices": [{"index": "x"}]}, STOP], {"index_parts": ["x"]}, id="no place"),
    ],
)
def test_what_stands_in_place_of_a_thing_and_is_none_is_kept(chunks: list[Any], extra: Any) -> None:
    seen = stream(*chunks)

    assert (seen.text, seen.of(Finish)) == ("Hi", [Finish("stop")])
    assert seen.of(Extra) == [Extra(extra, 0, "choice")]
    assert seen.answer.completion("openai", "m").choices[0].extra == extra


@pytest.mark.parametrize(
    "reason", ["length", "eos", "eos_token", "end_turn", "function_call", "content_filter"]
)
def test_a_finish_reason_is_given_as_sent(reason: str) -> None:
    assert said(hi(), chunk({}, reason)) == [TextDelta("Hi"), Finish(reason)]


def test_no_finish_reason_is_ever_invented() -> None:
    assert said(hi()) == [TextDelta("Hi"), Finish(None)]


def test_a_finish_reason_ends_an_answer_without_done() -> None:
    assert said(hi(), STOP, done=False) == HI


def test_neither_done_nor_finish_reason_is_incomplete() -> None:
    seen = stream(hi(), done=False)

    assert type(seen.error) is IncompleteStreamError
    assert "[DONE]" in seen.error.message


def test_a_server_without_end_marker_ends_with_its_body_where_one_says_so() -> None:
    seen = run(SSEParser(ChatChunkDecoder(ends_at_eof=True)), [sse(hi(), done=False)])

    assert seen.error is None
    assert seen.events == [TextDelta("Hi"), Finish(None)]


def test_nan_in_json_is_no_error() -> None:
    assert said('{"choices":[{"delta":{"content":"Hi"}}],"logprob":NaN,"x":-Infinity}', STOP) == HI


@pytest.mark.parametrize("payload", ["1", "null", '"text"', "[]", "true", "{", "[DONE", '{"a":1} x'])
def test_an_event_that_is_no_object_is_nonsense(payload: str) -> None:
    seen = stream(hi(), payload)

    assert type(seen.error) is ProtocolError
    assert seen.error.partial == "Hi"


def test_done_may_have_blank_space_around() -> None:
    wire = sse(hi(), done=False) + b"data:  [DONE] \n\n"

    assert run(SSEParser(), [wire]).events == [TextDelta("Hi"), Finish(None)]


def test_an_answer_that_is_only_a_finish_reason_is_no_error() -> None:
    seen = stream(chunk({}, "length"))

    assert seen.error is None
    assert seen.events == [Finish("length")]


# --- Reasoning, refusals, content in parts ---


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        pytest.param({"reasoning_content": "hm"}, [ReasoningDelta("hm")], id="reasoning_content"),
        pytest.param({"reasoning": "hm"}, [ReasoningDelta("hm")], id="reasoning"),
        pytest.param(
            {"reasoning": "hm", "reasoning_details": [{"text": "hm"}]},
            [ReasoningDelta("hm")],
            id="with details",
        ),
        pytest.param(
            {"reasoning": "hm", "reasoning_content": "hm"}, [ReasoningDelta("hm")], id="under two keys"
        ),
        pytest.param(
            {"reasoning_content": None, "reasoning": "hm"}, [ReasoningDelta("hm")], id="one is null"
        ),
        pytest.param({"reasoning_content": "", "content": "a"}, [TextDelta("a")], id="empty"),
        pytest.param(
            {"reasoning": "hm", "content": "a"}, [ReasoningDelta("hm"), TextDelta("a")], id="and text"
        ),
        pytest.param(
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
            [ReasoningDelta("hm")],
            id="Mistral",
        ),
        pytest.param(
            {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]},
            [ReasoningDelta("hm"), TextDelta("a")],
            id="thinking as text, and text",
        ),
        pytest.param(
            {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]},
            [ReasoningDelta("hm")],
            id="Databricks",
        ),
        pytest.param({"content": [{"type": "thinking", "thinking": []}]}, [], id="no thoughts"),
        pytest.param(
            {"content": [{"type": "odd"}, None]},
            [Extra({"content_parts": [{"type": "odd"}]})],
            id="unknown parts",
        ),
        pytest.param({"content": []}, [], id="no parts"),
        pytest.param({"refusal": "No."}, [RefusalDelta("No.")], id="refusal"),
        pytest.param({"refusal": "", "content": ""}, [], id="empty refusal"),
        pytest.param(
            {"content": "<think>hm</think>a"}, [TextDelta("<think>hm</think>a")], id="inline thoughts"
        ),
    ],
)
def test_what_a_delta_says(delta: Any, expected: list[Event]) -> None:
    assert said(chunk(delta), chunk({}, "stop")) == [*expected, Finish("stop")]


WHAT_IS_TEXT = [
    pytest.param(1, "1", id="a number"),
    pytest.param(-0.5, "-0.5", id="a fraction"),
    pytest.param(True, "true", id="a boolean"),
    pytest.param(False, "false", id="false"),
    pytest.param(0, "0", id="zero"),
    pytest.param({"city": "Köln"}, '{"city":"Köln"}', id="an object"),
    pytest.param({"text": "a"}, "a", id="one part without type"),
    pytest.param({"type": "text", "text": "a"}, "a", id="one part"),
    pytest.param({"type": "output_text", "text": "a"}, "a", id="one part of another type"),
    pytest.param(
        {"type": "text", "text": {"value": "a", "annotations": []}}, "a", id="a text with its notes"
    ),
    pytest.param(["a", "b"], "ab", id="a list of texts"),
    pytest.param(["a", 1, None, "b"], "a1b", id="a list of texts and a number"),
    pytest.param([{"text": "a"}, {"type": "output_text", "text": "b"}], "ab", id="a list of parts"),
    pytest.param([{"a": "é"}, {"a": "b"}], '[{"a":"é"},{"a":"b"}]', id="a list of data"),
    pytest.param([1, 2], "[1,2]", id="a list of numbers"),
]
VOICES = [
    pytest.param(TextDelta, "content", id="content"),
    pytest.param(RefusalDelta, "refusal", id="refusal"),
    *(
        pytest.param(ReasoningDelta, key, id=key)
        for key in ("reasoning", "reasoning_content", "reasoning_text", "thinking", "reasoning_details")
    ),
]


@pytest.mark.parametrize(("value", "text"), WHAT_IS_TEXT)
@pytest.mark.parametrize(("voice", "key"), VOICES)
def test_a_text_may_have_any_shape(voice: Any, key: str, value: Any, text: str) -> None:
    expected = [voice(text), Finish("stop")]

    assert said(chunk({key: value}), STOP) == expected
    assert said({"choices": [{"message": {key: value}, "finish_reason": "stop"}]}) == expected
    assert document({"choices": [{"message": {key: value}, "finish_reason": "stop"}]}).events == expected


def test_a_number_among_texts_is_a_piece_of_the_text() -> None:
    seen = stream(*(chunk({"content": piece}) for piece in ("range(", 1, "00)")), STOP)

    assert seen.text == "range(100)"


def test_different_thoughts_under_two_keys_are_all_said() -> None:
    wire = chunk({"reasoning_content": "a", "reasoning": "b", "thinking": "a"})

    assert said(wire, STOP) == [ReasoningDelta("a"), ReasoningDelta("b"), Finish("stop")]


def whole_chunk(content: Any, finish: str | None = None, **beside: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": finish, **beside}]}


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        pytest.param([whole_chunk("Hello", "stop")], "Hello", id="at once"),
        pytest.param([whole_chunk("Hel"), whole_chunk("lo"), STOP], "Hello", id="in pieces"),
        pytest.param([whole_chunk("ha"), whole_chunk("ha"), STOP], "haha", id="in equal pieces"),
        pytest.param(
            [*[whole_chunk("ha", delta={"role": "assistant"})] * 2, STOP], "haha", id="beside a bare role"
        ),
        pytest.param([whole_chunk("Hel"), whole_chunk("Hello"), STOP], "Hello", id="growing"),
        pytest.param([whole_chunk("Hel"), whole_chunk("Hello", "stop")], "Hello", id="growing to its end"),
        pytest.param([chunk({"content": "Hello"}), whole_chunk("Hello", "stop")], "Hello", id="repeated"),
        pytest.param([chunk({"content": "Hel"}), whole_chunk("Hello", "stop")], "Hello", id="completed"),
        pytest.param([chunk({"content": "Hello "}), whole_chunk("Hello", "stop")], "Hello ", id="trimmed"),
        pytest.param(
            [
                whole_chunk("Hel", delta={"content": "Hel"}),
                whole_chunk("Hello", "stop", delta={"content": "lo"}),
            ],
            "Hello",
            id="beside deltas",
        ),
        pytest.param(
            [
                whole_chunk("Hel", delta={"content": "Hel"}),
                whole_chunk("lo", delta={"content": "lo"}),
                whole_chunk("!", "stop", delta={"content": "!"}),
            ],
            "Hello!",
            id="the same as each delta",
        ),
        pytest.param([{"choices": [{"message": "Hello"}]}, STOP], "Hello", id="as a bare text"),
        pytest.param([{"choices": [{"delta": "Hello"}]}, STOP], "Hello", id="a delta as a bare text"),
        pytest.param([{"choices": [{"delta": None, "text": "Hello"}]}, STOP], "Hello", id="as a completion"),
    ],
)
def test_a_message_in_place_of_a_delta_is_said_once(chunks: list[Any], text: str) -> None:
    seen = stream(*chunks)

    assert seen.error is None
    assert seen.text == text
    assert seen.of(Finish) == [Finish("stop")]


def test_a_later_count_that_leaves_something_out_takes_nothing_away() -> None:
    first = {"prompt_tokens": 25, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}}
    later = {"output_tokens": 15, "cost": 1}
    wire = [{"choices": [], "usage": first}, hi(), {"choices": [], "usage": later}, STOP]

    counted = Usage(25, 15, 40, prompt_tokens_details={"cached_tokens": 4}, extra={"cost": 1})
    assert stream(*wire).answer.usage == counted


def test_a_message_that_repeats_the_piece_beside_it_says_nothing() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a"'}}
    pieces = [{"reasoning": "h"}, {"reasoning": "m"}, {"tool_calls": [call]}]
    pieces.append({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]})
    wire = [{"choices": [{"delta": piece, "message": piece}]} for piece in pieces]

    assert said(*wire, STOP) == said(*map(chunk, pieces), STOP)


def test_a_whole_text_that_differs_from_its_deltas_is_the_final_one() -> None:
    seen = stream(chunk({"content": "Helo"}), whole_chunk("Hello", "stop"))

    assert seen.events == [TextDelta("Helo"), FinalText("Hello"), Finish("stop")]
    assert seen.answer.partial == "Hello"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b'{"choices":[{"delta":{"content":"a\xff"}}]}', id="in the text"),
        pytest.param(b'{"choices":[{"delta":{"content":"a"}}],"model":"\xff"}', id="in another text"),
        pytest.param(b'{"choices":[{"delta":{"content":"a"}}],"\xff":null}', id="in a key"),
        pytest.param(
            b'{"choices":[{"delta":{"content":"a"}}],"x":[NaN,"\xff"]}', id="beside what is no JSON"
        ),
        pytest.param(b'{"choices":[{"delta":{"content":"\xed\xa0\xbd"}}]}', id="half a pair, raw"),
    ],
)
@pytest.mark.parametrize("before", [1, 40])
def test_bytes_that_are_no_characters_are_an_error(payload: bytes, before: int) -> None:
    shapes = [hi(id=f"c{number}") for number in range(before)]
    wire = sse(*shapes, done=False) + b"data: " + payload + b"\n\n"

    seen = run(SSEParser(), [event + b"\n\n" for event in wire.split(b"\n\n")])

    assert type(seen.error) is ProtocolError
    assert seen.text == seen.error.partial == "Hi" * before


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}, "index": 0}


@pytest.mark.parametrize(
    ("said_beside", "events"),
    [
        pytest.param(
            {"images": [IMAGE]},
            [ImageEvent((Image("data:image/png;base64,iVBOR", extra={"type": "image_url", "index": 0}),))],
            id="images",
        ),
        pytest.param(
            {"content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]},
            [ImageEvent((Image("u", extra={"type": "image_url", "image_url": {"detail": "low"}}),))],
            id="an image as a part",
        ),
        pytest.param({"images": ["odd"]}, [Extra({"images": ["odd"]})], id="images that are none"),
        pytest.param(
            {"audio": {"id": "a", "data": "UklG", "transcript": "Hi", "expires_at": 9, "voice": "alloy"}},
            [AudioDelta("UklG", "Hi", "a", 9, extra={"voice": "alloy"})],
            id="sound",
        ),
        pytest.param(
            {"annotations": [{"type": "url_citation"}, "see below"]},
            [Annotation({"type": "url_citation"}), Annotation("see below")],
            id="annotations",
        ),
        pytest.param(
            {"content": [{"type": "reference", "reference_ids": [1]}]},
            [Extra({"content_parts": [{"type": "reference", "reference_ids": [1]}]})],
            id="a part of another kind",
        ),
        pytest.param(
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "c2ln"}]},
            [Extra({"reasoning_details": [{"type": "reasoning.encrypted", "data": "c2ln"}]})],
            id="thoughts that are signed",
        ),
        pytest.param(
            {"tool_calls": [], "x": {"y": 0}, "z": False, "none": None, "empty": []},
            [Extra({"x": {"y": 0}, "z": False})],
            id="without a name here",
        ),
    ],
)
def test_what_stands_beside_the_text_is_an_event_streamed_and_whole(
    said_beside: dict[str, Any], events: list[Event]
) -> None:
    whole = {"choices": [{"message": {"role": "assistant", **said_beside}, "finish_reason": "stop"}]}

    assert said(chunk(said_beside), STOP) == [*events, Finish("stop")]
    assert document(whole).events == [*events, Finish("stop")]


def test_what_stands_beside_the_message_is_an_event() -> None:
    probable = {"content": [{"token": "Hi", "logprob": -0.25}], "refusal": None}
    beside = {"logprobs": probable, "native_finish_reason": "STOP", "content_filter_results": {}}
    choice = {"index": 0, "delta": {"content": "Hi"}, **beside}

    assert said({"choices": [choice]}, STOP) == [
        TextDelta("Hi"),
        Logprobs(probable["content"]),
        Extra({"native_finish_reason": "STOP"}, 0, "choice"),
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    ("call", "event"),
    [
        pytest.param(
            {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}},
            ToolCallDelta(0, "a", "sql", "SELECT 1", type="custom"),
            id="a custom tool",
        ),
        pytest.param(
            {
                "id": "a",
                "type": "function",
                "function": {"name": "f", "arguments": "{}", "x": 1},
                "extra_content": {"signature": "s"},
            },
            ToolCallDelta(
                0, "a", "f", "{}", extra={"extra_content": {"signature": "s"}, "function": {"x": 1}}
            ),
            id="a signed call",
        ),
        pytest.param(
            {
                "id": "a",
                "type": "builtin_function",
                "function": {"name": "$web_search", "arguments": {"q": 1}},
            },
            ToolCallDelta(0, "a", "$web_search", '{"q":1}', type="builtin_function"),
            id="a tool of the service",
        ),
    ],
)
def test_a_call_keeps_its_type_and_what_has_no_name(call: dict[str, Any], event: ToolCallDelta) -> None:
    whole = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}

    assert said(chunk({"tool_calls": [{"index": 0, **call}]}), STOP) == [event, Finish("stop")]
    assert document(whole).events[0] == event


def test_an_answer_says_who_gave_it_streamed_and_whole() -> None:
    said = {"id": "c1", "created": 5, "model": "m-2026", "service_tier": "flex", "provider": "P"}
    text = {**chunk({"role": "assistant", "content": "Hi"}), **said}
    last = {**chunk({"content": ""}, "stop"), "system_fingerprint": "fp"}
    whole = {**said, "system_fingerprint": "fp", "choices": [{"message": {"content": "Hi"}}]}

    for seen in (stream({"id": "", "choices": []}, text, last), document(whole)):
        found = seen.answer.completion("openai", "m")
        assert (found.id, found.created, found.model, found.service_tier) == ("c1", 5, "m-2026", "flex")
        assert (found.system_fingerprint, found.extra) == ("fp", {"provider": "P"})


def test_a_refusal_is_an_answer() -> None:
    seen = stream(chunk({"refusal": "I can"}), chunk({"refusal": "not."}), done=True)

    assert seen.error is None
    assert seen.answer.choices[0].message().refusal == "I cannot."


def test_reasoning_alone_is_no_answer_unless_it_finished() -> None:
    assert type(stream(chunk({"reasoning": "hm"})).error) is EmptyAnswerError
    assert stream(chunk({"reasoning": "hm"}), chunk({}, "length")).error is None


# --- Tool calls ---


def call(index: Any = ..., **more: Any) -> dict[str, Any]:
    function = {key: more.pop(key) for key in ("name", "arguments") if key in more}
    return ({} if index is ... else {"index": index}) | ({"function": function} if function else {}) | more


A = ("a", "add", '{"x":1}')
B = ("b", "sub", '{"y":2}')


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        pytest.param(
            [
                [call(0, id="a", name="add", arguments="")],
                [call(0, arguments='{"x"')],
                [call(0, arguments=":1}")],
            ],
            [A],
            id="in pieces",
        ),
        pytest.param([[call(0, id="a", name="add", arguments='{"x":1}')]], [A], id="whole"),
        pytest.param(
            [
                [call(0, id="a", name="add", arguments="", type="function")],
                [call(0, id=None, name=None, arguments='{"x":1}', type=None)],
            ],
            [A],
            id="null on the next piece",
        ),
        pytest.param(
            [[call(0, id="a", name="add", arguments="")], [call(0, id="", name="", arguments='{"x":1}')]],
            [A],
            id="empty on the next piece",
        ),
        pytest.param([[call(id="a", name="add", arguments='{"x":1}')]], [A], id="no index"),
        pytest.param([[call(None, id="a", name="add", arguments='{"x":1}')]], [A], id="index null"),
        pytest.param(
            [[call(id="a", name="add", arguments='{"x":1}'), call(id="b", name="sub", arguments='{"y":2}')]],
            [A, B],
            id="several in one chunk, no index",
        ),
        pytest.param(
            [
                [call(id="a", name="add", arguments='{"x":1}')],
                [call(id="b", name="sub", arguments='{"y":2}')],
            ],
            [A, B],
            id="one after the other, no index",
        ),
        pytest.param(
            [
                [
                    call(0, id="a", name="add", arguments='{"x":1}'),
                    call(1, id="b", name="sub", arguments='{"y":2}'),
                ]
            ],
            [A, B],
            id="several in one chunk",
        ),
        pytest.param(
            [
                [call(0, id="a", name="add", arguments=""), call(1, id="b", name="sub", arguments="")],
                [call(1, arguments='{"y":2}'), call(0, arguments='{"x":1}')],
            ],
            [A, B],
            id="interleaved",
        ),
        pytest.param(
            [[call(id="a", name="add", arguments='{"x"')], [call(id="a", arguments=":1}")]],
            [A],
            id="by id alone",
        ),
        pytest.param(
            [[call(id="a", name="add", arguments='{"x"')], [call(arguments=":1}")]],
            [A],
            id="no index, no id again",
        ),
        pytest.param([[call(0, id="a", name="add", arguments={"x": 1})]], [A], id="arguments as an object"),
        pytest.param([[call(0, id="a", name="add")]], [("a", "add", "")], id="no arguments"),
        pytest.param(
            [
                [{"index": 0, "id": "a", "name": "add", "arguments": '{"x"'}],
                [{"index": 0, "function": None, "arguments": ":1}"}],
            ],
            [A],
            id="name and arguments without a function",
        ),
        pytest.param([[call(0, id="", name="add", arguments="{}")]], [(None, "add", "{}")], id="empty id"),
        pytest.param(
            [[call(0, id="a", function=None), call(0, name="add")]], [("a", "add", "")], id="function null"
        ),
        pytest.param(
            [[7, None, call(0, id="a", name="add", arguments="")]], [("a", "add", "")], id="rubbish in it"
        ),
        pytest.param(
            [[call(name="add", arguments="{}"), call(name="sub", arguments="{}")]],
            [(None, "add", "{}"), (None, "sub", "{}")],
            id="several in one chunk, neither index nor id",
        ),
        pytest.param(
            [
                [call(0, id="a", name="add", arguments='{"x":1}')],
                [call(0, id="b", name="sub", arguments='{"y":2}')],
            ],
            [A, B],
            id="two calls under one index",
        ),
        *(
            pytest.param(
                [[call(0, id="a", name="a")], [call(0, name=second, **more)], [call(0, arguments='{"x":1}')]],
                [A],
                id=f"a name in pieces, {what}",
            )
            for second, more, what in (
                ("dd", {"id": "a"}, "each with the id"),
                ("dd", {}, "one with the id"),
                ("add", {"id": "a"}, "each longer"),
                ("dd", {"id": "a", "arguments": ""}, "with empty arguments"),
            )
        ),
    ],
)
def test_tool_calls_are_put_together(deltas: list[Any], expected: list[tuple[Any, ...]]) -> None:
    seen = stream(*(chunk({"tool_calls": calls}) for calls in deltas), chunk({}, "tool_calls"))

    assert seen.error is None
    assert calls_of(seen) == expected
    assert {event.index for event in seen.of(ToolCallDelta)} == {*range(len(expected))}


def calls_of(seen: Seen) -> list[tuple[Any, ...]]:
    calls: list[ToolCall] = seen.answer.choices[0].message().tool_calls or []
    return [(found.id, found.function.name, found.function.arguments) for found in calls]


def test_the_id_and_name_of_a_call_are_told_once() -> None:
    pieces = [call(0, id="a", name="add", arguments=piece) for piece in ("", '{"x"', ":1}", "")]

    told = stream(*(chunk({"tool_calls": [piece]}) for piece in pieces), STOP).of(ToolCallDelta)

    assert [(event.id, event.name, event.arguments) for event in told] == [
        ("a", "add", ""),
        (None, None, '{"x"'),
        (None, None, ":1}"),
    ]


def test_tool_calls_are_an_answer_whatever_the_finish_reason() -> None:
    for reason in ("stop", "tool_calls", None):
        assert calls_of(stream(chunk({"tool_calls": [call(0, id="a", name="add")]}), chunk({}, reason))) == [
            ("a", "add", "")
        ]


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        pytest.param(
            [[call(0, name="add", arguments="{}")], [call(0, name="add", arguments="{}")]], 2, id="whole"
        ),
        pytest.param(
            [[call(0, name="add", arguments='{"x"')], [call(0, name="add", arguments=":1}")]], 1, id="named"
        ),
        pytest.param(
            [[call(0, name="add", arguments="{}")], [call(0, name="sub", arguments="{}")]], 2, id="names"
        ),
        pytest.param([[call(0, name="add", arguments="")] * 2], 2, id="in one chunk"),
        pytest.param(
            [
                [call(0, id="a", name="add", arguments="{")],
                [call(0, id="b", name="add", arguments="{")],
                [call(0, id="a", arguments="}")],
                [call(0, id="b", arguments="}")],
            ],
            2,
            id="pieces by id",
        ),
        pytest.param(
            [[call(i, id="c", name="add", arguments="{}")] for i in (0, 1)], 2, id="one id, own index"
        ),
        pytest.param(
            [
                *([call(i, name="add", arguments="{")] for i in ("0", "1")),
                *([call(i, arguments="}")] for i in ("0", 1.0)),
            ],
            2,
            id="index as text and as a fraction",
        ),
        pytest.param([[call(id=i, arguments=a)] for i, a in (("a", "{"), ("b", "}"))], 1, id="an id a piece"),
        pytest.param([[call(id=i, name="f", arguments="{}")] for i in ("a", "b")], 2, id="no index"),
    ],
)
def test_pieces_go_to_the_call_they_belong_to(deltas: list[Any], expected: int) -> None:
    seen = stream(*(chunk({"tool_calls": calls}) for calls in deltas), chunk({}, "tool_calls"))
    found = [arguments for _, _, arguments in calls_of(seen)]

    assert len(found) == expected
    assert len({*found} - {"{}", '{"x":1}', ""}) == 0


def test_each_item_of_a_whole_message_is_a_call_whatever_its_id_and_index() -> None:
    for item in (call(id="a", name="f", arguments="{}"), call(0, id="", name="f", arguments="{}")):
        for seen in (
            document(whole({"tool_calls": [item, item]})),
            stream(whole({"tool_calls": [item, item]})),
        ):
            assert [found[1:] for found in calls_of(seen)] == [("f", "{}"), ("f", "{}")]


def test_calls_that_a_whole_message_repeats_are_not_made_again() -> None:
    item = call(0, id="a", name="f", arguments="{}")

    seen = stream(chunk({"tool_calls": [item]}), whole({"tool_calls": [item, call(1, id="b", name="g")]}))

    assert calls_of(seen) == [("a", "f", "{}"), ("b", "g", "")]


def test_what_whole_messages_say_is_kept_when_it_is_no_longer_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for reader in ("choices", "tool_calls"):
        monkeypatch.setattr(f"g4fsdk._core.decoding.{reader}.MAX_COMPARED", 3)
    said = [{"audio": {"data": f"{n}"}, "tool_calls": [call(name="f", arguments=f"{n}")]} for n in range(6)]

    seen = stream(*map(whole, said))

    assert [found[2] for found in calls_of(seen)] == [*"012345"]
    assert [event.data for event in seen.of(AudioDelta)] == [*"012345"]


@pytest.mark.parametrize("done", [True, False])
def test_a_call_without_an_id_is_given_one(done: bool) -> None:
    wire = sse(chunk({"tool_calls": [call(0, name="f", arguments="{}")]}), chunk({}, "tool_calls"), done=done)

    (found,) = calls_of(run(SSEParser(ChatChunkDecoder(ids=Ids.seeded(7))), [wire]))

    assert found[0].startswith("call_")
    assert found[1:] == ("f", "{}")


def test_tool_calls_may_be_one_object_and_arguments_any_json() -> None:
    seen = stream(chunk({"tool_calls": call(0, id="a", name="f", arguments=[1, 2])}), STOP)

    assert calls_of(seen) == [("a", "f", "[1,2]")]


def test_the_old_function_call_is_a_tool_call() -> None:
    seen = stream(
        chunk({"function_call": {"name": "add", "arguments": ""}}),
        chunk({"function_call": {"arguments": '{"x":1}'}}),
        chunk({}, "function_call"),
    )

    assert calls_of(seen) == [(None, "add", '{"x":1}')]


def test_the_last_piece_of_a_tool_call_may_come_with_the_finish() -> None:
    seen = stream(
        chunk({"tool_calls": [call(0, id="a", name="add", arguments='{"x"')]}),
        chunk({"tool_calls": [call(0, arguments=":1}")]}, "tool_calls"),
    )

    assert calls_of(seen) == [A]


def test_a_second_tool_call_after_the_finish_is_not_lost() -> None:
    seen = stream(
        chunk({"tool_calls": [call(0, id="a", name="add", arguments='{"x":1}')]}, "tool_calls"),
        chunk({"tool_calls": [call(1, id="b", name="sub", arguments='{"y":2}')]}),
    )

    assert calls_of(seen) == [A, B]


# --- Usage ---

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([hi(), STOP, {"choices": [], "usage": USAGE}], id="its own chunk, no choices"),
        pytest.param([hi(), STOP, chunk({}, usage=USAGE)], id="its own chunk, empty delta"),
        pytest.param([hi(), chunk({}, "stop", usage=USAGE)], id="in the finishing chunk"),
        pytest.param([hi(usage=None), STOP, {"usage": USAGE}], id="without choices"),
        pytest.param([hi(), chunk({}, "stop", x_groq={"id": "x", "usage": USAGE})], id="Groq"),
        pytest.param([hi(), chunk({}, "stop", usage=USAGE, x_groq={"usage": USAGE})], id="Groq, both places"),
        pytest.param([hi(usage={"prompt_tokens": 3}), chunk({}, "stop", usage=USAGE)], id="cumulative"),
        pytest.param(
            [hi(), {"choices": [{"delta": {}, "finish_reason": "stop", "usage": USAGE}]}], id="Moonshot"
        ),
        pytest.param(
            [hi(), STOP, {"usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}}],
            id="other names",
        ),
        pytest.param(
            [hi(), STOP, {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}],
            id="no total",
        ),
        pytest.param(
            [hi(), STOP, {"choices": [], "usage": USAGE | {"completion_tokens_details": None}}],
            id="null details",
        ),
    ],
)
def test_usage_is_found_wherever_it_is(chunks: list[Any]) -> None:
    seen = stream(*chunks)

    assert seen.error is None
    assert seen.of(Usage)[-1] == seen.answer.usage == Usage(3, 2, 5)


def test_usage_keeps_its_details_and_what_has_no_name() -> None:
    details = {
        "prompt_tokens_details": {"cached_tokens": 7},
        "output_tokens_details": {"reasoning_tokens": 1},
    }

    seen = stream(hi(), STOP, {"choices": [], "usage": USAGE | details | {"queue_time": 0.1}})

    assert seen.answer.usage == Usage(
        3, 2, 5, 0, {"cached_tokens": 7}, {"reasoning_tokens": 1}, {"queue_time": 0.1}
    )


def test_usage_alone_is_no_answer() -> None:
    assert type(stream({"choices": [], "usage": USAGE}).error) is EmptyAnswerError


@pytest.mark.parametrize("said", [{"result": "Hi"}, {"delta": {"content": "Hi"}}, {"response": "Hi"}])
def test_an_end_without_any_choice_is_no_answer(said: dict[str, Any]) -> None:
    seen = stream(said, {**said, "finish_reason": "normal"})

    assert type(seen.error) is EmptyAnswerError
    assert seen.of(Extra) == [Extra({"finish_reason_parts": ["normal"]}, 0, "choice")]
    assert said.items() <= seen.answer.facts.extra.items()


def test_usage_may_be_fractional_or_null() -> None:
    assert said(hi(usage={"prompt_tokens": None, "total_tokens": 5.0}), STOP)[1] == Usage(0, 0, 5)


@pytest.mark.parametrize("usage", [{}, {"queue_time": 1}])
def test_usage_without_counts_is_none(usage: dict[str, Any]) -> None:
    assert stream(hi(usage=usage), STOP).of(Usage) == []


@pytest.mark.parametrize("beat", ["", " ", "\t"])
def test_an_event_of_nothing_is_a_keep_alive(beat: str) -> None:
    assert said(hi(), beat, STOP) == [TextDelta("Hi"), Finish("stop")]


# --- Several answers ---


def of(choice: int, content: str | None = None, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": choice, "delta": {"content": content}, "finish_reason": finish}]}


def test_several_answers_are_told_apart_by_their_index() -> None:
    events = said(
        of(0, "a"), of(1, "x"), of(0, "b"), of(1, "y"), of(0, None, "stop"), of(1, None, "length"), n=2
    )

    assert events == [
        *(TextDelta("a", 0), TextDelta("x", 1), TextDelta("b", 0), TextDelta("y", 1)),
        *(Finish("stop", 0), Finish("length", 1)),
    ]


def test_several_answers_may_share_a_chunk() -> None:
    both = {"choices": [of(1, "x")["choices"][0], of(0, "a")["choices"][0]]}

    assert said(both, of(0, None, "stop"), of(1, None, "stop"), n=2)[:2] == [
        TextDelta("x", 1),
        TextDelta("a", 0),
    ]


def test_an_answer_is_incomplete_while_one_of_several_has_no_end() -> None:
    seen = stream(of(0, "a"), of(1, "x"), of(0, None, "stop"), n=2, done=False)

    assert type(seen.error) is IncompleteStreamError
    assert seen.error.partial == "a"


def test_each_answer_joins_its_own_halves() -> None:
    events = said(
        '{"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}',
        '{"choices":[{"index":1,"delta":{"content":"x\\ud83d"}}]}',
        '{"choices":[{"index":0,"delta":{"content":"\\ude00"}}]}',
        '{"choices":[{"index":1,"delta":{"content":"\\ude00"}}]}',
        n=2,
    )

    text = {
        choice: "".join(e.text for e in events if isinstance(e, TextDelta) and e.choice == choice)
        for choice in (0, 1)
    }
    assert text == {0: "😀", 1: "x😀"}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (
            '{"reasoning_content":"a\\ud83d"}',
            '{"reasoning_content":"\\ude00b"}',
            [ReasoningDelta("a"), ReasoningDelta("😀b")],
        ),
        ('{"refusal":"\\ud83d"}', '{"refusal":"\\ude00"}', [RefusalDelta("😀")]),
        ('{"refusal":"a\\ud83d"}', "{}", [RefusalDelta("a"), RefusalDelta("\ufffd")]),
        (
            '{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"\\ud83d"}}]}',
            '{"tool_calls":[{"index":0,"function":{"arguments":"\\ude00"}}]}',
            [ToolCallDelta(0, "c", "f"), ToolCallDelta(0, arguments="😀")],
        ),
        (
            '{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"x\\ud83d"}}]}',
            "{}",
            [ToolCallDelta(0, "c", "f", "x"), ToolCallDelta(0, arguments="\ufffd")],
        ),
    ],
)
def test_halves_are_joined_in_all_that_is_said(first: str, second: str, expected: list[Event]) -> None:
    wire = '{"choices":[{"delta":%s}]}'

    events = stream(wire % first, wire % second).events

    assert [event for event in events if not isinstance(event, Finish)] == expected


def test_a_half_without_its_other_is_replaced_in_every_answer() -> None:
    events = said(
        '{"choices":[{"index":0,"delta":{"content":"a\\ud83d"}}]}',
        '{"choices":[{"index":1,"delta":{"content":"b\\ud83d"}}]}',
        n=2,
    )

    text = {
        choice: "".join(e.text for e in events if isinstance(e, TextDelta) and e.choice == choice)
        for choice in (0, 1)
    }
    assert text == {0: "a\ufffd", 1: "b\ufffd"}


# --- Failures inside a stream ---


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        pytest.param(
            sse(hi(), {"error": {"message": "boom", "type": "server_error", "param": None, "code": None}}),
            "server_error",
            id="OpenAI",
        ),
        pytest.param(
            sse(hi(), {"error": {"message": "boom"}}, {"choices": [], "usage": USAGE}), None, id="then usage"
        ),
        pytest.param(
            sse(hi(), done=False)
            + b'event: error\ndata: {"error":{"message":"boom","code":"tool_use_failed"}}\n\n',
            "tool_use_failed",
            id="Groq",
        ),
        pytest.param(
            sse(hi(), done=False) + b'event: error\ndata: {"message":"boom","code":7}\n\n',
            7,
            id="named, not wrapped",
        ),
        pytest.param(
            sse(hi(), chunk({}, "error", error={"message": "boom", "code": 502}, usage=USAGE)),
            502,
            id="OpenRouter",
        ),
        pytest.param(
            sse(hi(), {"error": {"message": "boom"}, "model": "m", "provider": "p"}, done=False),
            None,
            id="g4f",
        ),
        pytest.param(sse(hi(), done=False) + b'error: {"message":"boom","code":500}\n', 500, id="llama.cpp"),
        pytest.param(
            sse(hi(), done=False) + b'error: {"error":{"message":"boom"}}', None, id="llama.cpp, wrapped"
        ),
        pytest.param(sse(hi(), {"error": "boom"}), None, id="text"),
        pytest.param(sse(hi(), {"error": ["boom"]}), None, id="list"),
        pytest.param(sse(hi(), {"detail": "boom"}, done=False), None, id="FastAPI"),
        pytest.param(
            sse(hi(), {"object": "error", "message": "boom", "code": 40303}, done=False), 40303, id="vLLM"
        ),
        pytest.param(sse(hi(), {"choices": [], "x_groq": {"error": "boom"}}), None, id="Groq"),
        pytest.param(
            sse(hi(), {"choices": [{"delta": {}, "error": {"code": 502, "message": "boom"}}]}),
            502,
            id="choice",
        ),
        pytest.param(sse(hi(), [{"error": {"code": 503, "message": "boom"}}]), 503, id="Google"),
    ],
)
def test_a_failure_in_mid_stream_is_an_error(wire: bytes, code: Any) -> None:
    seen = run(SSEParser(), [wire])

    assert type(seen.error) is ProviderError
    assert "boom" in seen.error.message
    assert (seen.text, seen.error.partial, seen.error.code) == ("Hi", "Hi", code)
    bytewise = run(SSEParser(), [wire[at : at + 1] for at in range(len(wire))])
    assert bytewise.summary == seen.summary


def test_a_failure_keeps_its_document_and_all_that_came_before_it() -> None:
    failure = {"id": "c", "error": {"message": "boom", "metadata": {"raw": "x1"}}, "provider": "p"}
    thought = chunk({"reasoning": "t"}, id="a1", usage={"prompt_tokens": 3}, citations=["u1"])

    error = run(SSEParser(), [sse(hi(), thought, failure)]).error

    assert isinstance(error, ProviderError)
    assert json.loads(error.body) == failure
    assert error.answer is not None
    assert error.answer.usage == Usage(3, 0, 3)
    assert (error.answer.text, error.answer.id, error.answer.extra) == ("Hi", "a1", {"citations": ["u1"]})
    assert error.answer.choices[0].message.reasoning == "t"


@pytest.mark.parametrize(
    ("bad", "words", "code"),
    [
        pytest.param(b'{"error":{"message":"queue full"}}\n\n', "queue full", None, id="JSON on a bare line"),
        pytest.param(b'{"code":"x","message":"no"}\n', "no", "x", id="JSON on a line before an event"),
        pytest.param(b'data: {"code":1302,"msg":"rate"}\n\n', "rate", 1302, id="code and msg"),
        pytest.param(
            b'data: {"choices":null,"base_resp":{"status_code":1004,"status_msg":"login"}}\n\n',
            *("login", 1004),
            id="MiniMax",
        ),
        pytest.param(b'data: {"error_code":336501,"error_msg":"rate"}\n\n', "rate", 336501, id="Baidu"),
        pytest.param(b'data: {"text":"BUSY","error_code":50001}\n\n', "BUSY", 50001, id="FastChat"),
        pytest.param(b'data: {"errors":[{"message":"full","code":3}]}\n\n', "full", 3, id="Cloudflare"),
        pytest.param(
            b"event: error\ndata: it crashed\n\n", "it crashed", None, id="words under the name error"
        ),
        pytest.param(
            b'event: error\ndata: "it crashed"\n\n', "it crashed", None, id="a text under that name"
        ),
        pytest.param(b"event: error\ndata: {}\n\n", "error", None, id="nothing under that name"),
        pytest.param(b"Error: it crashed\n\n", "it crashed", None, id="a line that begins with Error"),
        pytest.param(b"event: Exception\ndata: no\n\n", "no", None, id="words under a name like error"),
        pytest.param(
            b'event: response.failed\ndata: {"code":7,"message":"no"}\n\n', "no", 7, id="a name like failed"
        ),
        pytest.param(
            b'data: {"message":"no","type":"server_error","code":""}\n\n',
            *("no", "server_error"),
            id="Cerebras",
        ),
        pytest.param(b'data: {"modelStreamErrorException":{"message":"no"}}\n\n', "no", None, id="Bedrock"),
        pytest.param(b'data: {"status":"failed","message":"no"}\n\n', "no", None, id="a status of words"),
        pytest.param(b'data: {"status":503,"title":"no"}\n\n', "no", None, id="RFC 9457"),
        pytest.param(
            b'data: {"event":"error","data":{"message":"no"}}\n\n', "no", None, id="an event in an event"
        ),
        *(
            pytest.param(sse(chunk({}, reason), done=False), repr(reason), reason, id=reason)
            for reason in ("error", "network_error", "abort", "insufficient_system_resource")
        ),
        pytest.param(
            sse({"choices": [{"finish_reason": "stop", "native_finish_reason": "error"}]}, done=False),
            *("error", "error"),
            id="OpenRouter",
        ),
    ],
)
def test_a_failure_may_be_told_in_many_ways(bad: bytes, words: str, code: Any) -> None:
    for end in (b"", b"data: [DONE]\n\n"):
        seen = run(SSEParser(), [sse(hi(), done=False) + bad + end])

        assert type(seen.error) is ProviderError
        assert words in seen.error.message
        assert (seen.text, seen.error.partial, seen.error.code) == ("Hi", "Hi", code)


def test_words_in_place_of_a_finish_reason_are_a_failure() -> None:
    words = {"message": "Internal Server Error", "requestId": "x"}

    failed = stream(hi(), words, {})
    cut = stream(hi(), words, done=False)

    assert (type(failed.error), failed.text) == (ProviderError, "Hi")
    assert type(cut.error) is IncompleteStreamError
    assert all("Internal Server Error" in str(seen.error) for seen in (failed, cut))
    assert said(hi(), STOP, words) == said(words, hi(), STOP) == HI
    assert said(words, hi()) == said(hi(), words | {"type": "status"}) == [TextDelta("Hi"), Finish(None)]


def test_a_chunk_that_tells_a_failure_tells_no_end() -> None:
    end = chunk({"content": "lo"}, "error") | {"error": {"message": "boom"}}

    assert stream(end).events == [TextDelta("lo")]
    assert document(end).events == [TextDelta("lo")]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"Internal Server Error\n\n", id="words"),
        pytest.param(b"Internal Server Error\n", id="words before an event"),
        pytest.param(b"upstream connect error. reset reason: overflow\n\n", id="words with a colon"),
        pytest.param(b"Timeout\n\n", id="a word of its own"),
        pytest.param("错误\n\n".encode(), id="words in other letters"),
        pytest.param(b"data: upstream connect error\n\n", id="words as data"),
        pytest.param(b'{"choices":[{"delta":\n\n', id="half an event on a bare line"),
    ],
)
def test_words_in_place_of_an_event_are_nonsense(bad: bytes) -> None:
    for end in (b"", b"data: [DONE]\n\n"):
        wire = sse(hi(), done=False) + bad + end
        seen = run(SSEParser(), [wire])

        assert type(seen.error) is ProtocolError
        assert seen.error.excerpt in wire
        assert (seen.text, seen.error.partial) == ("Hi", "Hi")
        assert run(SSEParser(), [wire[at : at + 1] for at in range(len(wire))]).summary == seen.summary


def test_an_event_on_a_bare_line_is_read() -> None:
    wire = (
        sse(hi(), done=False) + json.dumps(hi()).encode() + b"\n" + json.dumps(STOP).encode() + b"\n[DONE]\n"
    )

    assert run(SSEParser(), [wire]).events == [TextDelta("Hi"), TextDelta("Hi"), Finish("stop")]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(b"event: status\ndata: searching the web\n\n", id="words"),
        pytest.param(b'event: log\ndata: "step 1"\n\n', id="a text"),
        pytest.param(b'event: citations\ndata: [{"url":"x"}]\n\n', id="a list"),
        pytest.param(b'event: info\ndata: {"detail":"queue position 3"}\n\n', id="a detail"),
        pytest.param(b'event: trace\ndata: {"statusCode":500,"code":3,"message":"x"}\n\n', id="a code"),
        pytest.param(b"event: ping\ndata: {}\n\n", id="nothing"),
        pytest.param(b'event: x\ndata: {"error":null}\n\n', id="no error"),
    ],
)
def test_an_event_of_another_name_is_none_of_the_answer(event: bytes) -> None:
    assert run(SSEParser(), [sse(hi(), done=False) + event + sse(STOP)]).events == HI


def test_events_of_other_names_are_kept_beside_the_answer() -> None:
    others = (
        b'event: citations\ndata: [{"url":"x"}]\n\nevent: ping\ndata: {}\n\nevent: status\ndata: busy\n\n'
    )

    seen = run(SSEParser(), [sse(hi(), done=False) + others + sse(STOP)])

    kept = [{"event": "citations", "data": [{"url": "x"}]}, {"event": "status", "data": "busy"}]
    assert seen.answer.completion("", "").extra == {"named_events": kept}


def test_an_event_of_another_name_may_be_a_chunk_or_an_error_as_well() -> None:
    named = b"event: completion\n" + sse(hi(), done=False)
    failed = b'event: response.failed\ndata: {"error":{"message":"boom"}}\n\n'

    seen = run(SSEParser(), [named + failed])

    assert seen.text == "Hi"
    assert type(seen.error) is ProviderError


@pytest.mark.parametrize("make", [DocumentParser, SSEParser])
def test_an_error_beside_a_whole_answer_is_an_error(make: Any) -> None:
    value = whole({"content": "Half an ans"}, error=None) | {"error": {"message": "overloaded", "code": 502}}

    seen = run(make(ChatChunkDecoder()), [json.dumps(value).encode()])

    assert type(seen.error) is ProviderError
    assert (seen.text, seen.error.partial, seen.error.code) == ("Half an ans", "Half an ans", 502)


# --- Ends ---


@pytest.mark.parametrize(
    "word", ["null", "None", "", "NULL", " none ", "undefined", "not_finished", "FINISH_REASON_UNSPECIFIED"]
)
def test_a_word_for_nothing_is_no_finish_reason(word: str) -> None:
    wire = [chunk({"content": "Hi"}, word)]

    assert said(*wire, STOP) == HI
    assert type(stream(*wire, done=False).error) is IncompleteStreamError
    assert document({"choices": [{"message": {"content": "Hi"}, "finish_reason": word}]}).events == [
        TextDelta("Hi"),
        Finish(None),
    ]


def test_a_body_that_ends_inside_an_event_is_incomplete() -> None:
    first, second = sse(chunk({"content": "Hel"}), done=False), sse(chunk({"content": "lo"}), done=False)
    for at in range(1, len(second) - 2):
        seen = run(SSEParser(), [first + second[:at]])

        assert type(seen.error) is IncompleteStreamError
        assert seen.text == seen.error.partial == "Hel"


@pytest.mark.parametrize(
    "behind", [b"data: ", b"data: [DO", b"data: {]\n\n", b"Bad Gateway\n\n", b"\xff\n\n"]
)
def test_nonsense_behind_a_finish_reason_takes_nothing_away(behind: bytes) -> None:
    parser = SSEParser()
    wire = sse(hi(), STOP, done=False) + behind

    assert run(parser, [wire]).events == HI
    assert parser.is_complete
    assert run(SSEParser(), [wire[at : at + 1] for at in range(len(wire))]).events == HI


def test_a_failure_behind_a_finish_reason_is_one() -> None:
    assert type(stream(hi(), STOP, {"error": {"message": "boom"}}).error) is ProviderError


def test_an_answer_is_complete_once_every_choice_has_its_end() -> None:
    parser = SSEParser(ChatChunkDecoder(n=2))
    seen = []
    for event in (of(0, "a"), of(0, None, "stop"), of(1, "b"), of(1, None, "stop")):
        parser.feed(sse(event, done=False))
        seen.append(parser.is_complete)

    assert seen == [False, False, False, True]


def test_a_failure_behind_the_end_does_not_undo_the_answer() -> None:
    seen = run(SSEParser(), [sse(hi(), STOP), b'{"error":{"message":"billing failed"}}'])

    assert seen.error is None


# --- Answers that are not streamed ---


def whole(message: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop", **more}], "usage": USAGE}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"content": "Hi"}, [TextDelta("Hi")], id="text"),
        pytest.param({"content": [{"type": "text", "text": "Hi"}]}, [TextDelta("Hi")], id="list"),
        pytest.param(
            {"content": "Hi", "reasoning_content": "hm"},
            [ReasoningDelta("hm"), TextDelta("Hi")],
            id="reasoning_content",
        ),
        pytest.param(
            {"content": "Hi", "reasoning": "hm"}, [ReasoningDelta("hm"), TextDelta("Hi")], id="reasoning"
        ),
        pytest.param({"content": None, "refusal": "No."}, [RefusalDelta("No.")], id="refusal"),
        pytest.param({"content": None}, [], id="content null and nothing else"),
        pytest.param(
            {"content": [{"type": "thinking", "thinking": ["hm", {"text": "!"}, 7]}]},
            [ReasoningDelta("hm!7")],
            id="odd thoughts",
        ),
        pytest.param(
            {"tool_calls": [{"id": "a", "function": {"name": "add", "arguments": "{}"}}]},
            [ToolCallDelta(0, "a", "add", "{}")],
            id="tool call without content and index",
        ),
        pytest.param(
            {
                "content": "",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "add", "arguments": {"x": 1}}}
                ],
            },
            [ToolCallDelta(0, "a", "add", '{"x":1}')],
            id="arguments as an object",
        ),
        pytest.param(
            {
                "tool_calls": [
                    {"id": "", "function": {"name": "add", "arguments": "{}"}},
                    {"id": "", "function": {"name": "sub", "arguments": "{}"}},
                ]
            },
            [ToolCallDelta(0, None, "add", "{}"), ToolCallDelta(1, None, "sub", "{}")],
            id="two calls with empty ids",
        ),
    ],
)
def test_a_whole_message_says_the_same_as_its_deltas(message: Any, expected: list[Event]) -> None:
    seen = document(whole(message))

    assert seen.error is None
    assert seen.events == [*expected, Finish("stop"), Usage(3, 2, 5)]


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        pytest.param({"finish_reason": "eos"}, "eos", id="as sent"),
        pytest.param({"finish_reason": ""}, None, id="empty"),
        pytest.param({"finish_reason": None}, None, id="null"),
        pytest.param({}, None, id="missing"),
    ],
)
def test_a_whole_answer_is_complete_whatever_its_finish_reason(
    choice: dict[str, Any], reason: str | None
) -> None:
    seen = document({"choices": [{"message": {"content": "Hi"}, **choice}]})

    assert seen.error is None
    assert seen.events == [TextDelta("Hi"), Finish(reason)]


def test_a_whole_text_completion_is_an_answer() -> None:
    assert document({"choices": [{"text": "Hi", "finish_reason": "stop"}]}).events == HI


def test_a_whole_answer_may_hold_several() -> None:
    value = {
        "choices": [
            {"index": i, "message": {"content": c}, "finish_reason": "stop"} for i, c in ((0, "a"), (1, "b"))
        ]
    }

    assert document(value, n=2).of(TextDelta) == [TextDelta("a"), TextDelta("b", 1)]


@pytest.mark.parametrize("text", ["", None])
def test_a_whole_answer_without_any_text_is_empty(text: str | None) -> None:
    seen = document({"choices": [{"message": {"content": text}}]})

    assert type(seen.error) is EmptyAnswerError


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        pytest.param({"error": {"message": "busy", "code": 429}}, ProviderError, "busy", id="OpenRouter"),
        pytest.param({"choices": [], "error": "busy"}, ProviderError, "busy", id="beside choices"),
        pytest.param({"message": "busy", "code": "x"}, ProviderError, "busy", id="message alone"),
        pytest.param({"choices": "odd"}, ProtocolError, "odd", id="choices of another type"),
        pytest.param({"choices": [7]}, (ProtocolError, EmptyAnswerError), "", id="a choice of another type"),
        pytest.param("text", ProtocolError, "text", id="text"),
        pytest.param(None, ProtocolError, "null", id="null"),
    ],
)
def test_a_document_that_is_no_completion_is_an_error(value: Any, kind: type[G4FError], words: str) -> None:
    seen = document(value)

    assert isinstance(seen.error, kind)
    assert words in seen.error.message
    assert seen.events == []


# --- Images ---


@pytest.mark.parametrize(
    ("value", "images"),
    [
        pytest.param(
            {"data": [{"url": "https://x/a%20b?s=a%2Fb+c"}]}, [Image("https://x/a%20b?s=a%2Fb+c")], id="url"
        ),
        pytest.param({"data": [{"b64_json": "AAAA"}]}, [Image(None, "AAAA")], id="base64"),
        pytest.param(
            {"data": [{"url": "u", "b64_json": None, "revised_prompt": "r"}]},
            [Image("u", None, "r")],
            id="revised prompt",
        ),
        pytest.param({"data": [{"url": None, "b64_json": "AAAA"}]}, [Image(None, "AAAA")], id="url null"),
        pytest.param({"data": [{"url": "", "b64_json": "AAAA"}]}, [Image(None, "AAAA")], id="url empty"),
        pytest.param({"data": [{"url": "u"}, {"url": "v"}]}, [Image("u"), Image("v")], id="several"),
        pytest.param(
            {"data": [{"url": "u", "mime_type": "image/jpeg"}], "id": "x"},
            [Image("u", extra={"mime_type": "image/jpeg"})],
            id="more keys",
        ),
        pytest.param({"images": [{"image": "AAAA"}]}, [Image(None, "AAAA")], id="Hyperbolic"),
        pytest.param(
            {"data": [{"url": "u"}, {}, None, {"url": ""}]}, [Image("u")], id="entries without an image"
        ),
    ],
)
def test_images_come_as_they_were_sent(value: Any, images: list[Image]) -> None:
    seen = run(DocumentParser(ImageDecoder("a cat")), [b"\n  " + json.dumps(value).encode()])

    assert seen.error is None
    assert seen.events == [ImageEvent(tuple(images), "a cat")]
    assert seen.of(ImageEvent)[0].urls == [image.url for image in images if image.url]


def test_what_stands_beside_images_is_kept() -> None:
    usage = {"input_tokens": 2, "output_tokens": 3, "input_tokens_details": {"text_tokens": 2}}
    value = {"created": 7, "quality": "low", "data": [{"url": "u"}, {"error": "e"}], "usage": usage}

    whole = run(DocumentParser(ImageDecoder("a cat")), [json.dumps(value).encode()]).answer.completion(
        "", "m"
    )

    kept = {"quality": "low", "data_parts": [{"error": "e"}]}
    spent = Usage(2, 3, 5, prompt_tokens_details={"text_tokens": 2})
    assert ImagesResponse.of(whole) == ImagesResponse([Image("u")], 7, "m", "", spent, kept)


def test_a_failure_beside_images_is_one() -> None:
    value = {"data": [{"url": "u"}], "error": {"message": "boom"}}

    seen = run(DocumentParser(ImageDecoder("a cat")), [json.dumps(value).encode()])

    assert type(seen.error) is ProviderError
    assert seen.error.answer is not None
    assert seen.error.answer.images == [Image("u")]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b'{"data":[]}', ProtocolError, id="no image"),
        pytest.param(b'{"data":null}', ProtocolError, id="null"),
        pytest.param(b'{"data":[{"url":null}]}', ProtocolError, id="an image without anything"),
        pytest.param(b"{}", ProtocolError, id="no data"),
        pytest.param(b"[]", ProtocolError, id="a list"),
        pytest.param(b'{"error":{"message":"no","code":"moderation"}}', ProviderError, id="refused"),
        pytest.param(b"not json", ProtocolError, id="not JSON"),
        pytest.param(b"", EmptyAnswerError, id="nothing"),
        pytest.param(b'data: {"data":[{"url":"u"}]}\n\n', ProtocolError, id="an event stream"),
    ],
)
def test_an_answer_without_an_image_is_an_error(body: bytes, kind: type[G4FError]) -> None:
    seen = run(DocumentParser(ImageDecoder("a cat")), [body])

    assert type(seen.error) is kind
    assert seen.events == []
