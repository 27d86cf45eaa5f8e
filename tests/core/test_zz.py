"""The fast paths against the plain one: the same events and errors, whatever comes and however cut."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from g4fsdk import (
    Event,
    Finish,
    G4FError,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from g4fsdk._core.framing.framed import FastParser
from g4fsdk._core.framing.templates import (
    JOINT,
    NO_TEMPLATE,
    NOT_A_STRING,
    Template,
    decode_string,
)
from g4fsdk.parsers import JSONLinesParser, Parser, SSEParser

quick = settings(max_examples=5000, deadline=None)
texts = st.text(st.sampled_from('aé你🙂\0\n\r\\"{}:,u0 \u2028\x85'), max_size=20)


def _nothing(data: bytes) -> None:
    return None


def slowed(parser: FastParser) -> FastParser:
    """Return *parser* with its shortcuts closed: every byte takes the plain path."""

    class Slowed(type(parser)):  # type: ignore[misc]  # mypy can't follow a base class that is a value
        __slots__ = ()
        _fast_until = property(lambda self: -1, lambda self, value: None)
        _line_until = property(lambda self: -1, lambda self, value: None)
        _lessons = property(lambda self: 0, lambda self, value: None)

    parser.__class__ = Slowed
    parser.decoder.read_text = lambda data: None  # type: ignore[method-assign]  # units are read in full
    parser.decoder._read_piece = parser.decoder._stops = _nothing  # type: ignore[attr-defined]  # of chat chunks
    kinds = parser.decoder.kinds().items()
    parser._kinds = {event: replace(kind, read=_nothing, read_quickly=_nothing) for event, kind in kinds}
    parser._use(NO_TEMPLATE)
    return parser


def run(parser: Parser, chunks: list[bytes]) -> tuple[list[Event], Any]:
    events: list[Event] = []
    try:
        for chunk in chunks:
            events += parser.feed(chunk)
        events += parser.close()
    except G4FError as error:
        return [*events, *error.events], (
            type(error),
            error.message,
            error.partial,
            getattr(error, "offset", None),
        )
    return events, None


def sse(text: str, odd: str, gap: str) -> bytes:
    """Return a chat event; *odd* makes one whose shape differs."""
    before = '{"id":"c1","choices":[{"index":0,"delta":{"content":'
    quoted = json.dumps(text, ensure_ascii=False)
    frames = {
        "text": before + quoted + '},"finish_reason":null}],"usage":null}',
        "hole": before + quoted + '},"finish_reason":null}],"p":' + json.dumps(text[::-1]) + ',"usage":null}',
        "two holes": before + quoted + '},"p":' + quoted + ',"finish_reason":null}],"p":' + quoted + "}",
        "reason hole": before
        + quoted
        + '},"finish_reason":'
        + json.dumps(text[:1])
        + '}],"p":"","usage":null}',
        "key hole": before
        + quoted
        + '},"finish_reason":null}],'
        + json.dumps(text[:1])
        + ':"","usage":null}',
        "escaped": before + json.dumps(text) + '},"finish_reason":null}],"usage":null}',
        "two keys": '{"choices":[{"message":{"content":"all"},"delta":{"content":'
        + json.dumps(text)
        + "}}]}",
        "not a string": before + "3" + '},"finish_reason":null}],"usage":null}',
        "bare string": json.dumps(text),
        "two strings": before + '"a","b"' + '},"finish_reason":null}],"usage":null}',
        "half a pair": before + '"\\ud83d"' + '},"finish_reason":null}],"usage":null}',
        "finish": '{"choices":[{"delta":{},"finish_reason":"stop"}]}',
        "usage": '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}',
        "reasoning": '{"choices":[{"delta":{"content":"","reasoning":' + json.dumps(text) + "}}]}",
        "thinking": before.replace('"content":', '"content":null,"reasoning_content":') + quoted + "}}]}",
        "thinking twice": before.replace('"content":', '"reasoning_content":"","reasoning":')
        + quoted
        + "}}]}",
        "thinking and text": before + '"t","reasoning":' + quoted + "}}]}",
        "thinking and end": before + '"","reasoning":' + quoted + '},"finish_reason":"stop"}]}',
        "both": before.replace('"content":', '"reasoning":"same","reasoning_content":') + quoted + "}}]}",
        "thinking list": before.replace('"content":', '"reasoning":[],"content":') + quoted + "}}]}",
        "line end": before + "\n" + quoted + '},"finish_reason":null}],"usage":null}',
        "return": before + quoted + '\r},"finish_reason":null}],"usage":null}',
        "hole with line end": before
        + quoted
        + '},"finish_reason":null}],"p":'
        + json.dumps(text)
        + '\n,"usage":null}',
        "error": '{"error":{"message":"no"}}',
        "broken": '{"choices":[{"delta":{"content":"',
        "done": "[DONE]",
    }
    head = {"comment": ": ping\n", "event": "event: message\n", "word": "word\n"}.get(odd, "")
    field = "" if odd == "no field" else "data: "
    return (head + field + frames.get(odd, frames["text"]) + gap).encode("utf-8", "surrogatepass")


def line(text: str, odd: str) -> bytes:
    """Return a chat-ui line; *odd* makes one of another kind."""
    padded = json.dumps(text, ensure_ascii=False)[:-1] + "\\u0000" * max(0, 16 - len(text)) + '"'
    lines = {
        "text": '{"type":"stream","token":' + padded + "}",
        "unpadded": '{"type":"stream","token":' + json.dumps(text) + "}",
        "two strings": '{"type":"stream","token":"a","token":"b"}',
        "bare string": json.dumps(text),
        "escaped nul": '{"type":"stream","token":"a\\\\u0000"}',
        "half a pair": '{"type":"stream","token":"\\ud83d"}',
        "odd status": '{"type":"status","status":"keepAlive","token":"x"}',
        "odd stream": '{"type":"stream","token":' + padded + ',"status":"error"}',
        "no token": '{"type":"stream"}',
        "finished": '{"type":"status","status":"finished"}',
        "keepAlive": '{"type":"status","status":"keepAlive"}',
        "spaces": " " * 40 + '{"type":"title","title":"T"}',
        "final": '{"type":"finalAnswer","text":"all"}',
        "error": '{"type":"status","status":"error","message":"no"}',
        "broken": '{"type":"str',
    }
    return (lines.get(odd, lines["text"]) + "\n").encode("utf-8", "surrogatepass")


ODD_SSE = (
    *("escaped", "two keys", "not a string", "bare string", "two strings", "half a pair", "finish", "usage"),
    *("reasoning", "error", "broken", "done", "comment", "event", "word"),
    *("hole", "two holes", "reason hole", "key hole", "thinking", "thinking twice", "thinking list"),
    *("thinking and text", "thinking and end", "line end", "return", "hole with line end", "no field"),
)
ODD_LINES = (
    *("unpadded", "two strings", "bare string", "escaped nul", "half a pair", "keepAlive", "spaces"),
    *("final", "error", "broken", "odd status", "odd stream", "no token", "finished"),
)
mostly_text = st.sampled_from(["text"] * 12)
sse_units = st.builds(
    sse,
    texts,
    mostly_text | st.sampled_from(ODD_SSE),
    st.sampled_from(["\n\n"] * 6 + ["\r\n\r\n", "\n\n\n"]),
)
holed_units = st.builds(
    sse,
    texts,
    st.sampled_from(["hole"] * 12) | st.sampled_from(ODD_SSE),
    st.sampled_from(["\n\n", "\r\n\r\n"]),
)
THINKING = ("thinking", "thinking twice", "reasoning", "both")
thinking_units = st.builds(
    sse,
    texts,
    st.sampled_from([*THINKING * 3, "text", *ODD_SSE]),
    st.sampled_from(["\n\n"] * 6 + ["\r\n\r\n"]),
)


@st.composite
def thinking_then_text(draw: st.DrawFn) -> list[bytes]:
    """Draw units of one way to think, and of text, that take turns."""
    kind = draw(st.sampled_from(THINKING))
    gap = draw(st.sampled_from(["\n\n", "\r\n\r\n"]))
    turns = draw(st.lists(st.sampled_from([kind] * 4 + ["text"]), min_size=1, max_size=6))
    return [sse(draw(texts), turn, gap) for turn in turns for _ in range(draw(st.integers(1, 6)))]


def numbered(units: list[bytes]) -> list[bytes]:
    """Return *units*, all but the first with an id of its own, so that no template fits."""
    return [
        unit.replace(b'"c1"', b'"c%d"' % number if number else b'""') for number, unit in enumerate(units)
    ]


crlf_units = st.builds(sse, texts, mostly_text | st.sampled_from(ODD_SSE), st.just("\r\n\r\n"))
alive_units = st.builds(line, texts, st.sampled_from([*["text"] * 10, "keepAlive", "no token"]))
line_units = st.builds(line, texts, mostly_text | st.sampled_from(ODD_LINES))
# Of few sizes, and many paddings.
crowded_units = st.builds(
    line, st.text(st.sampled_from("aé模🙂\0"), max_size=17), st.sampled_from(["text", "text", "unpadded"])
)


@st.composite
def chunked(draw: st.DrawFn, units: st.SearchStrategy[bytes]) -> list[bytes]:
    """Draw a stream as chunks: mostly one unit each, sometimes several, sometimes cut anywhere."""
    drawn = draw(st.lists(units, min_size=1, max_size=30))
    how = draw(st.sampled_from(["a unit each", "all at once", "anywhere"]))
    if how == "a unit each":
        return drawn
    body = b"".join(drawn)
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=12))) if how == "anywhere" else []
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


# So many shapes that no more are learned; units that say what a template is tried with; a number of more
# digits than Python reads.
GIVEN_UP = [sse("a", "text", "\n\n").replace(b'"c1"', b'"c%d"' % number) for number in range(20)]
FORGED = b'data: {"x":{"content":"%s"},"choices":[{"delta":{"content":"probe\\u0000x"}}]}\n\n'
FORGED_LINE = b'{"type":"stream","token":"%s","token":"probe\\u0000x"}\n'
# A thought where older services say text: nothing says yet under which name it goes back.
THOUGHT_IN_TEXT = b'data: {"choices":[{"text":[{"type":"thinking","thinking":"so"}]}]}\n\n'
LONG_NUMBER = sse("a", "text", "\n\n").replace(b'"c1"', b"1" * 5000)


@quick
@given(
    chunks=chunked(sse_units)
    | chunked(crlf_units)
    | chunked(holed_units)
    | chunked(thinking_units)
    | thinking_then_text()
    | thinking_then_text().map(lambda units: [b"".join(units)])
    | thinking_then_text().map(numbered)
    | chunked(thinking_units).map(numbered)
)
@example(chunks=[sse("a", "text", "\n\n")] * 3 + [sse("", "bare string", "\n\n")] * 6)
@example(chunks=[*GIVEN_UP, sse("", "bare string", "\n\n") * 6])
@example(chunks=[*[sse("a", "text", "\n\n")] * 2, b"word\n", sse("a", "text", "\n\n"), b"\n"])
@example(chunks=[FORGED % text for text in (b"a", b"b", b"c")])
@example(chunks=[sse("a", "text", "\n\n"), sse("a", "no field", "\n\n") + sse("a", "text", "\n\n") * 6])
@example(chunks=[sse("a", "text", "\n\n"), sse("a", "line end", "\n\n")])
@example(chunks=[sse("a", "text", "\n\n"), *[sse("a", odd, "\n\n") * 4 for odd in ("text", "line end")]])
@example(chunks=[*GIVEN_UP, sse("hm", "reasoning", "\n\n") * 9 + LONG_NUMBER])
@example(chunks=[*GIVEN_UP[:5], THOUGHT_IN_TEXT, sse("hm", "reasoning", "\n\n")])
def test_sse_shortcuts_change_nothing(chunks: list[bytes]) -> None:
    fast, slow = SSEParser(), slowed(SSEParser())

    assert run(fast, chunks) == run(slow, chunks)
    assert fast.answer.completion("", "") == slow.answer.completion("", "")


def call_chunk(call: dict[str, Any], odd: str, text: str) -> bytes:
    """Return an event with a piece of a tool call; *odd* makes one with something else in it."""
    delta: dict[str, Any] = {"tool_calls": [call]}
    chunk: dict[str, Any] = {"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    match odd:
        case "two":
            delta["tool_calls"] *= 2
        case "text":
            delta["content"] = text
        case "only text":
            chunk["choices"][0]["delta"] = {"content": text}
        case "role":
            delta |= {"role": "assistant", "content": "", "refusal": None, "reasoning": ""}
        case "around":
            chunk["model"] = text
        case "unnamed":
            delta["note"] = text
        case "finish":
            chunk["choices"][0]["finish_reason"] = "tool_calls"
        case "error":
            chunk["error"] = {"message": text}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


pieces_of_calls = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"arguments": texts | st.just("{}")})},
    optional={"index": st.sampled_from([0, 0, 0, 1, None]), "type": st.sampled_from(["function", None])},
)
odd_pieces = st.fixed_dictionaries(
    {
        "function": st.fixed_dictionaries(
            {}, optional={"name": st.sampled_from(["f", "g", None]), "arguments": texts | st.none()}
        )
    },
    optional={
        "index": st.sampled_from([0, 1, -1, "0", 1.0]),
        "id": st.sampled_from(["a", "b", "", None]),
        "type": st.sampled_from(["function", "custom"]),
        "sign": texts,
    },
)
call_units = st.builds(
    call_chunk,
    pieces_of_calls | pieces_of_calls | pieces_of_calls | odd_pieces,
    st.sampled_from(["", "", "", "", "role", "two", "text", "only text", "around", "unnamed", "finish"])
    | st.sampled_from(["", "error"]),
    texts,
)
BEGUN = call_chunk({"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}, "role", "")


@quick
@given(chunks=chunked(call_units))
def test_pieces_of_calls_that_are_read_at_once_say_what_they_say(chunks: list[bytes]) -> None:
    quick, full = SSEParser(), slowed(SSEParser())

    assert run(quick, [BEGUN, *chunks]) == run(full, [BEGUN, *chunks])
    assert quick.answer.completion("", "").to_dict() == full.answer.completion("", "").to_dict()


def test_a_piece_of_a_call_is_read_at_once() -> None:
    parser = SSEParser()
    piece = call_chunk({"index": 0, "function": {"arguments": "{"}}, "", "")
    parser.feed(BEGUN + piece)

    with patch.object(type(parser.decoder), "_read", side_effect=AssertionError):
        assert parser.feed(piece) == [ToolCallDelta(0, arguments="{")]


#: What a chunk that ends an answer may say, beside it and around it; nothing, and something.
ENDS: dict[str, list[Any]] = {
    "finish_reason": ["stop", "length", "error", None, "", "null", ["stop"], {"type": "stop"}],
    "index": [0, None, 1, -1, "0"],
    "logprobs": [None, {}, {"content": []}, [1]],
    "stop_reason": [None, "</s>", 2],
    "content_filter_results": [{}, {"hate": {}}],
    "message": [None, {"content": "ab"}, "ab"],
    "text": ["", "a"],
    "error": [None, {}, {"message": "no"}],
}
DELTAS: dict[str, list[Any]] = {
    "role": ["assistant", None, "user"],
    "content": ["", None, "a", '"stop"', []],
    "refusal": [None, "", "no"],
    "reasoning_content": [None, "", "hm"],
    "tool_calls": [None, [], [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]],
    "note": [None, "a"],
}
AROUND: dict[str, list[Any]] = {
    "id": ["c1", "c2", "", None, 1],
    "object": ["chat.completion.chunk", None, "error"],
    "created": [1, 2, 0, None, "1", 1.0],
    "model": ["m", "n", "", None, 3],
    "service_tier": ["default", None],
    "usage": [None, {"total_tokens": 2}, "none"],
    "obfuscation": ["abc", None, 1],
    "error": [None, {"message": "no"}],
    "finish_reason": [None, "stop", "length"],
    "x_groq": [None, {"id": "q"}],
    "note": ["a", None],
}


def some(of: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a mapping with some of the keys of *of*, mostly with what says nothing."""
    return st.fixed_dictionaries(
        {}, optional={key: st.sampled_from([*items[:1] * 6, *items]) for key, items in of.items()}
    )


@st.composite
def ends(draw: st.DrawFn) -> bytes:
    """Draw an event that ends an answer, or begins one."""
    choice = {"finish_reason": "stop", **draw(some(ENDS)), "delta": draw(some(DELTAS) | st.just({}))}
    chunk = {**draw(some(AROUND)), "choices": [choice] * draw(st.sampled_from([1, 1, 1, 1, 0, 2]))}
    text = json.dumps(chunk, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])))
    lines = draw(st.sampled_from([text, text, text, text.replace(",", ",\ndata: ")]))
    return b"data: " + lines.encode() + b"\n\n"


# An id that is none stands before one: what is read at once must not skip that.
OF_A_NUMBER = b'data: {"id":1,"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
OF_A_NAME = b'data: {"id":"c1","choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'


@quick
@given(chunks=st.lists(ends() | call_units | sse_units, max_size=5), done=st.booleans())
@example(chunks=[OF_A_NUMBER, OF_A_NAME], done=False)
def test_an_end_that_is_read_at_once_says_what_it_says(chunks: list[bytes], done: bool) -> None:
    quick, full = SSEParser(), slowed(SSEParser())
    units = [*chunks, b"data: [DONE]\n\n"] if done else chunks

    assert run(quick, units) == run(full, units)
    assert quick.answer.completion("", "").to_dict() == full.answer.completion("", "").to_dict()


def test_an_end_is_read_at_once() -> None:
    parser = SSEParser()
    parser.feed(sse("a", "text", "\n\n"))

    with patch.object(type(parser.decoder), "_read", side_effect=AssertionError):
        assert parser.feed(sse("", "finish", "\n\n")) == [Finish("stop")]


@quick
@given(chunks=chunked(line_units) | chunked(alive_units) | chunked(crowded_units))
@example(chunks=[FORGED_LINE % text for text in (b"a", b"b", b"c")])
def test_json_lines_shortcuts_change_nothing(chunks: list[bytes]) -> None:
    assert run(JSONLinesParser(), chunks) == run(slowed(JSONLinesParser()), chunks)


@quick
@given(chunks=chunked(sse_units), limit=st.integers(20, 200))
def test_a_limit_holds_on_the_fast_path(chunks: list[bytes], limit: int) -> None:
    fast, slow = SSEParser(max_bytes=limit), slowed(SSEParser(max_bytes=limit))

    assert run(fast, chunks) == run(slow, chunks)


def test_a_template_is_learned_and_used() -> None:
    parser = SSEParser()

    parser.feed(sse("a", "text", "\n\n"))

    assert parser._template is not NO_TEMPLATE
    assert parser._template.text(sse("b", "text", "")[len("data: ") :]) == "b"


def test_a_stream_whose_shape_changes_gives_up_learning() -> None:
    parser = SSEParser()
    frames = [sse("a", "text", "\n\n").replace(b'"c1"', f'"c{number}"'.encode()) for number in range(200)]

    events = [event for frame in frames for event in parser.feed(frame)]

    assert len(events) == 200
    assert parser._lessons == 0
    assert parser._template is NO_TEMPLATE


@pytest.mark.parametrize("kind", ["reasoning", "thinking", "thinking twice"])
def test_thinking_is_read_by_a_template_and_text_after_it_by_another(kind: str) -> None:
    parser = SSEParser()
    for thought in ("a", "b", "c"):
        parser.feed(sse(thought, kind, "\n\n"))
    with patch.object(Parser, "feed", side_effect=AssertionError):
        for _ in range(20):
            assert parser.feed(sse("hm", kind, "\n\n")) == [ReasoningDelta("hm")]
    for text in ("a", "b"):
        parser.feed(sse(text, "text", "\n\n"))
    with patch.object(Parser, "feed", side_effect=AssertionError):
        assert parser.feed(sse("so", "text", "\n\n")) == [TextDelta("so")]

    message = parser.answer.choices[0].message()
    assert (message.reasoning, message.content) == ("abc" + "hm" * 20, "abso")


def test_a_stream_whose_shape_changes_is_read_without_lessons_for_a_while() -> None:
    parser = SSEParser()
    changing = [
        sse("a", "text", "\n\n").replace(b'"c1"', f'"c{number}"'.encode()) for number in range(10, 21)
    ]
    same = [sse("a", "text", "\n\n")] * 40

    for frame in changing[:3]:
        parser.feed(frame)
    with patch.object(Parser, "feed", side_effect=AssertionError):
        for frame in changing[3:]:
            assert parser.feed(frame) == [TextDelta("a")]
    for frame in same:
        parser.feed(frame)

    assert parser._template is not NO_TEMPLATE


def test_a_stream_that_changes_seldom_goes_on_learning() -> None:
    parser = SSEParser()
    frames = [
        sse("a", "text", "\n\n").replace(b'"c1"', f'"c{number // 20}"'.encode()) for number in range(2000)
    ]

    for frame in frames:
        parser.feed(frame)

    assert parser._lessons > 0
    assert parser._template is not NO_TEMPLATE


def test_a_string_that_changes_and_says_nothing_is_a_hole() -> None:
    parser = SSEParser()

    for text in ("a", "bc", "def"):
        parser.feed(sse(text, "hole", "\n\n"))

    assert parser._template.has_hole
    assert parser._template.text(sse("new", "hole", "")[len("data: ") :]) == "new"
    assert parser._lessons == 8


@pytest.mark.parametrize("odd", ["reason hole", "key hole"])
def test_a_key_or_a_value_that_says_something_is_no_hole(odd: str) -> None:
    parser = SSEParser()

    for text in ("a", "bc", "def"):
        parser.feed(sse(text, odd, "\n\n"))

    assert not parser._template.has_hole


def test_crlf_streams_are_read_by_the_template() -> None:
    parser = SSEParser()

    parser.feed(sse("a", "text", "\r\n\r\n"))
    parser.feed(sse("b", "text", "\r\n\r\n"))

    assert parser._suffix.endswith(b"\r\n\r\n")
    assert parser._fast_until > 0


@given(text=st.text(st.sampled_from("a 0é🙂\ufeff\u2028\xa0\x7f\x00\ud83d") | st.characters(), max_size=8))
def test_a_printable_string_without_quote_or_escape_is_what_it_says(text: str) -> None:
    if text.isprintable() and '"' not in text and "\\" not in text:
        assert decode_string(b'"' + text.encode() + b'"') == text


def test_a_keep_alive_is_known_again_after_lines_of_many_sizes() -> None:
    parser = JSONLinesParser()
    alive = line("", "keepAlive")
    for size in range(600):
        parser.feed(line("a" * size, "text"))
    parser.feed(alive)
    parser.feed(alive)

    with patch.object(Parser, "feed", side_effect=AssertionError):
        assert parser.feed(alive) == []
    assert len(parser._ends) < 600


def test_long_lines_are_not_remembered() -> None:
    parser = JSONLinesParser()
    parser.feed(line("a", "text"))

    tracemalloc.start()
    for size in range(100):
        parser.feed(b'{"type":"stream","token":"' + b"x" * size + rb"\u0000" * 10_000 + b'"}\n')
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size < 60_000  # bytes: less than one line


@pytest.mark.parametrize("text", ["é", "a\n", '"', "no\u2028break", "模型"])
def test_a_line_is_read_by_the_end_of_the_last_of_its_size(text: str) -> None:
    parser = JSONLinesParser()
    for chunk in (line("a", "text"), line(text, "text"), line(text, "text")):
        parser.feed(chunk)

    with patch.object(Parser, "feed", side_effect=AssertionError):
        assert parser.feed(line(text, "text")) == [TextDelta(text)]


@pytest.mark.parametrize(
    "unit", [b'"x"', b'{"a":"x"', b'"x"}', b'{"a":"x","y"}', b'{"a":"x"}}', b"", b'{"a":3}']
)
def test_a_unit_of_another_shape_does_not_fit(unit: bytes) -> None:
    template = Template(b'{"a":', b"}", (b"", b"\n"), decode_string)

    assert template.text(b'{"a":"x"}') == "x"
    assert template.text(unit) is None


@pytest.mark.parametrize(
    "odd", [b'"x"', b'{"a":"x"', b'"x"}', b'{"a":"x","y"}', b'{"a":"x"}}', b"", b'{"a":3}']
)
@pytest.mark.parametrize("place", range(3))
def test_units_are_known_together_or_not_at_all(odd: bytes, place: int) -> None:
    template = Template(b'{"a":', b"}", (b"", b"\n"), decode_string)
    known = [b'{"a":"x"}', b'{"a":"y"}', b'{"a":"z"}']
    units = [*known[:place], odd, *known[place + 1 :]]

    assert template.texts(known, b"+" + JOINT.join(known), 1) == ["x", "y", "z"]
    assert template.texts(units, JOINT.join(units), 0) is None
    assert template.texts([], b"", 0) is None


@pytest.mark.parametrize(
    "literal", [b'"a\nb"', b'"a" "b"', b'"a', b"3", b"", b'"\\ud83d"', b'"\xff"', b'"a"b']
)
def test_only_one_whole_string_is_decoded(literal: bytes) -> None:
    with pytest.raises(NOT_A_STRING):
        decode_string(literal)


@quick
@given(chunks=chunked(sse_units) | chunked(holed_units), window=st.integers(1, 600))
def test_making_room_for_the_text_changes_nothing(chunks: list[bytes], window: int) -> None:
    with (
        patch("g4fsdk._core.framing.framed._WINDOW", window),
        patch("g4fsdk._core.framing.framed.MANY_PIECES", 1 + window % 5),
        patch("g4fsdk._core.framing.framed._LONG_BLOCK", window),
    ):
        parser = SSEParser()
        found = run(parser, chunks)

    expected = slowed(SSEParser())
    assert found == run(expected, chunks)
    assert parser.answer.partial == expected.answer.partial


@pytest.mark.parametrize("size", [37, 149, 450, 1460, 16384])
def test_chunks_of_any_size_take_the_plain_path_seldom(size: int) -> None:
    wire = sse("hello", "text", "\n\n") * 1000
    chunks = [wire[at : at + size] for at in range(0, len(wire), size)]

    with patch.object(Parser, "_take", autospec=True, side_effect=Parser._take) as plain:
        events, _ = run(SSEParser(), chunks)

    assert len(events) == 1000
    assert plain.call_count <= 2 + len(chunks) / 10


@pytest.mark.parametrize(
    ("parser", "unit"),
    [
        pytest.param(SSEParser(), sse("hello", "text", "\n\n"), id="events"),
        pytest.param(JSONLinesParser(), line("hello", "text"), id="lines"),
    ],
)
def test_a_text_of_many_pieces_takes_little_memory(parser: Parser, unit: bytes) -> None:
    count = 60_000  # several times the room made at once
    parser.feed(unit)

    tracemalloc.start()
    for _ in range(count):
        parser.feed(unit)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert parser.answer.partial == "hello" * (count + 1)
    assert size < 2 * len("hello") * count
