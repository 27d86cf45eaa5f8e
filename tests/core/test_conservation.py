"""What an answer holds reaches the caller, and nothing else: every leaf is found again, or is named noise."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4fsdk import Conversation, Ids, Message, ProtocolError, ProviderError
from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk._core.model.chunks import to_chunks
from g4fsdk.parsers import DocumentParser, JSONLinesParser, SSEParser, TextParser
from g4fsdk.testing import Cassette
from tests.support.conservation import (
    invented,
    lost_in_chunks,
    lost_in_document,
    lost_in_stream,
    lost_in_updates,
)
from tests.support.players import CASSETTES, name_of
from tests.support.strategies import cuts, texts, whole_text
from tests.support.wire import cut_at, run, sse

CAPTURES = sorted((Path(__file__).parents[2].parent / "shared" / "captures").glob("*/**/*.json"))

OPENAI_SHAPED = [path for path in CASSETTES if path.parent.name in {"openai", "amigo", "autonomous"}]
CHAT_UI = [path for path in CASSETTES if path.parent.name == "cohere-c4ai"]

numbers = count(1_000_003)
words = st.builds(lambda: f"w{next(numbers)}")
scalars = st.one_of(
    words, st.builds(lambda: next(numbers)), st.builds(lambda: next(numbers) + 0.5), st.booleans(), st.just(0)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any] = anything) -> st.SearchStrategy[Any]:
    """Draw *usual* seven times of eight, else *odd*."""
    return st.integers(0, 7).flatmap(lambda die: usual if die else odd)


pictures = st.fixed_dictionaries(
    {}, optional={"url": words, "b64_json": words, "nobody_knows": anything}
) | st.fixed_dictionaries(
    {"image_url": st.fixed_dictionaries({"url": words}, optional={"detail": scalars}) | words},
    optional={"type": st.just("image_url"), "index": scalars},
)
parts = st.one_of(
    words,
    st.fixed_dictionaries(
        {"text": words | st.fixed_dictionaries({"value": words | anything, "annotations": anything})},
        optional={
            "type": st.sampled_from(["text", "output_text", "reasoning.text"]),
            "index": scalars,
            "nobody_knows": anything,
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("thinking"), "thinking": words | st.lists(words)}, optional={"signature": words}
    ),
    st.fixed_dictionaries({"type": words}, optional={"data": words, "text": words, "nobody_knows": anything}),
    pictures,
    anything,
)
said = words | st.lists(parts, max_size=3) | parts
functions = st.fixed_dictionaries(
    {},
    optional={
        "name": mostly(words),
        "arguments": words | anything,
        "input": words | anything,
        "signed": anything,
    },
)
calls = st.fixed_dictionaries(
    {},
    optional={
        "index": mostly(st.integers(0, 2)),
        "id": mostly(words),
        "function": mostly(functions),
        "custom": mostly(functions),
        "type": st.sampled_from(["function", "custom"]) | anything,
        "extra_content": anything,
    },
)
sounds = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("data", "transcript", "id", "nobody_knows"), mostly(words)),
        "expires_at": scalars,
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["assistant", "tool"]) | anything,
        "content": said,
        "refusal": said,
        **dict.fromkeys(("reasoning_content", "reasoning", "reasoning_text", "thinking"), said),
        **dict.fromkeys(("reasoning_details", "thinking_blocks"), st.lists(parts, max_size=3) | anything),
        "tool_calls": mostly(st.lists(mostly(calls), max_size=3), calls | anything),
        "function_call": mostly(functions),
        "audio": mostly(sounds),
        "images": st.lists(pictures, max_size=2) | anything,
        "annotations": anything,
        "nobody_knows": anything,
    },
)
usages = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            *("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens"),
            *("prompt_tokens_details", "input_tokens_details", "output_tokens_details", "nobody_knows"),
        ),
        anything,
    ),
)
reasons = mostly(st.sampled_from([None, "null", "stop", "length"]))
beside = st.fixed_dictionaries(
    {},
    optional={
        "index": mostly(st.integers(0, 2)),
        "finish_reason": reasons,
        "logprobs": st.fixed_dictionaries({"content": st.lists(anything, max_size=2)}) | anything,
        "usage": usages | anything,
        "nobody_knows": anything,
        "stop_reason": scalars,
    },
)


@st.composite
def choices(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a delta, a message, both, or a text; a message may repeat all of its delta, and add to it."""
    choice = draw(beside)
    kind = draw(st.sampled_from(["delta", "message", "text", "both", "repeated"]))
    if kind in ("delta", "both", "repeated"):
        choice["delta"] = draw(mostly(messages))
    if kind in ("message", "both"):
        choice["message"] = draw(mostly(messages))
    if kind == "text" or draw(st.integers(0, 7)) == 0:
        choice["text"] = draw(said)
    if kind == "repeated" and isinstance(choice["delta"], dict):
        choice["message"] = {**choice["delta"], **draw(messages.filter(lambda found: len(found) < 3))}
    return choice


chunks = st.fixed_dictionaries(
    {"choices": mostly(st.lists(mostly(choices()), max_size=2), choices() | anything)},
    optional={
        **dict.fromkeys(("id", "model", "service_tier", "created", "nobody_knows"), anything),
        "object": st.sampled_from(["chat.completion", "chat.completion.chunk", "text_completion"]),
        "usage": usages | anything,
        "x_groq": st.fixed_dictionaries({"usage": usages}) | anything,
        "finish_reason": reasons,
    },
)
streams = st.lists(chunks, min_size=1, max_size=4)
errors = st.fixed_dictionaries({"message": words}, optional={"code": words})
asked = st.sampled_from([1, 1, 1, 2])


@given(made=streams, n=asked)
def test_nothing_in_a_stream_is_lost_and_nothing_is_invented(made: list[Any], n: int) -> None:
    seen = run(SSEParser(ChatChunkDecoder(n=n, ids=Ids.seeded(7))), [sse(*made)])

    assert lost_in_stream(made, seen) == []
    assert lost_in_chunks(made, seen) == []
    assert invented(made, seen) == []


@given(made=chunks, n=asked)
def test_nothing_in_a_document_is_lost_and_nothing_is_invented(made: Any, n: int) -> None:
    seen = run(DocumentParser(ChatChunkDecoder(n=n)), [json.dumps(made).encode()])

    if not isinstance(seen.error, ProtocolError):  # which says that it can't be read
        assert lost_in_document(made, seen) == []
    assert invented([made], seen) == []


@given(made=streams)
def test_what_goes_back_is_the_message_of_the_answer(made: list[Any]) -> None:
    parser = SSEParser(ChatChunkDecoder(Conversation("openai")))

    if run(parser, [sse(*made)]).error is None:
        completion = parser.answer.completion("", "")
        assert completion.conversation is not None
        said = completion.choices[0].message.to_dict()
        assert completion.conversation.messages == (Message.from_mapping(said),)


@given(made=streams, error=errors)
def test_nothing_before_or_beside_an_error_is_lost(made: list[Any], error: Any) -> None:
    made[-1]["error"] = error

    for seen in (
        run(SSEParser(), [sse(*made)]),
        run(DocumentParser(ChatChunkDecoder()), [sse(*made)]),
    ):
        assert isinstance(seen.error, ProviderError)
        assert error["message"] in seen.error.message
        assert lost_in_stream(made, seen) == []


frames = st.fixed_dictionaries(
    {},
    optional={
        "id": words,
        "created": st.builds(lambda: next(numbers)),
        "obfuscation": words,
        "object": st.sampled_from(["chat.completion.chunk", "text_completion"]),
        **dict.fromkeys(("model", "system_fingerprint", "provider"), st.sampled_from(["m1", "m2"])),
        "nobody_knows": scalars,
    },
)


@given(
    frame=frames,
    others=st.lists(frames, max_size=3),
    order=st.lists(st.integers(0, 3), min_size=4, max_size=12),
    key=st.sampled_from(["content", "reasoning_content", "reasoning"]),
    last=st.one_of(
        st.just({}),
        st.fixed_dictionaries({"index": st.sampled_from([-1, 1.0, "1", 1])}),
        st.dictionaries(st.just("nobody_knows"), scalars, min_size=1),
    ),
    shapes_before=st.sampled_from([0, 20]),
    is_whole=st.booleans(),
)
def test_nothing_around_a_text_is_lost_whatever_came_before(
    frame: Any, others: list[Any], order: list[int], key: str, last: Any, shapes_before: int, is_whole: bool
) -> None:
    shapes = [{"id": f"c{number}"} for number in range(shapes_before)]
    shapes += [[frame, *others][at % (1 + len(others))] for at in order]
    choices = [{"index": 0, "delta": {key: next(words_in_turn)}} for _ in shapes]
    choices[-1] |= last
    made = [{**shape, "choices": [choice]} for shape, choice in zip(shapes, choices, strict=True)]
    wires = [sse(chunk, done=False) for chunk in made]
    end = sse({"choices": [{"delta": {}, "finish_reason": "stop"}]})

    seen = run(SSEParser(), [b"".join(wires), end] if is_whole else [*wires, end])

    assert lost_in_stream(made, seen) == []
    assert invented([*made, "stop"], seen) == []


words_in_turn = (f"w{number}" for number in count(9_000_000))


updates = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["stream", "status", "title", "finalAnswer", "reasoning", "tool"]) | words},
        optional={
            **dict.fromkeys(("token", "text", "title", "message", "nobody_knows"), mostly(words)),
            "subtype": st.just("stream") | words,
            "status": st.sampled_from(["started", "keepAlive", "finished"]) | words | scalars,
            "interrupted": scalars,
            "webSources": anything,
        },
    ),
    st.fixed_dictionaries({"type": st.just("stream"), "token": words}),
)


@given(made=st.lists(updates, max_size=6), error=st.none() | words, is_whole=st.booleans())
def test_nothing_in_lines_of_updates_is_lost_and_nothing_is_invented(
    made: list[Any], error: str | None, is_whole: bool
) -> None:
    last = {"type": "status", "status": "error", "message": error} if error else {"type": "finalAnswer"}
    wires = [json.dumps(update).encode() + b"\n" for update in [*made, last]]

    seen = run(JSONLinesParser(), [b"".join(wires)] if is_whole else wires)

    assert error is None or (seen.error is not None and error in seen.error.message)
    assert lost_in_updates(made, seen) == []
    assert invented([*made, "updates"], seen) == []


@given(said=texts, where=st.data())
def test_nothing_in_a_plain_text_is_lost_and_nothing_is_invented(
    said: list[str], where: st.DataObject
) -> None:
    text = whole_text(said)
    wire = text.encode()

    seen = run(TextParser(), cut_at(wire, where.draw(cuts(len(wire)))))

    assert seen.text == seen.answer.partial == text.removeprefix("\ufeff") or seen.error is not None
    assert seen.error is None or seen.error.partial == text.removeprefix("\ufeff")


def documents(body: bytes) -> list[Any]:
    """Return the JSON in *body*: a document, or the data of events up to the end."""
    if body.lstrip()[:1] == b"{":
        units = [body]
    else:
        lines = re.split(rb"\r\n|\n|\r", body)
        units = [line[5:] for line in lines if line.startswith(b"data:")]
    found = []
    for unit in units:
        if unit.strip() == b"[DONE]":
            break
        try:
            found.append(json.loads(unit))
        except ValueError:
            break
    return found


@pytest.mark.parametrize("path", OPENAI_SHAPED, ids=name_of)
def test_nothing_in_a_recorded_answer_is_lost(path: Path) -> None:
    for interaction in Cassette.load(path).interactions:
        body = b"".join(interaction.response.chunks)
        found = documents(body)
        assert lost_in_stream(found, run(SSEParser(), [body])) == []


@pytest.mark.parametrize("path", CHAT_UI, ids=name_of)
def test_nothing_in_recorded_updates_is_lost(path: Path) -> None:
    body = b"".join(Cassette.load(path).interactions[-1].response.chunks)
    lines = body.splitlines() if body.startswith(b'{"type":') else []
    made = [json.loads(line.replace(rb"\u0000", b"")) for line in lines if line.strip()]
    failed = [update for update in made if update.get("status") == "error"]

    found = run(JSONLinesParser(), [body.replace(rb"\u0000", b"")])

    assert lost_in_updates([update for update in made if update not in failed], found) == []


@pytest.mark.skipif(not CAPTURES, reason="there are no captures beside this project")
def test_nothing_in_a_captured_answer_is_lost() -> None:
    for path in CAPTURES:
        for exchange in json.loads(path.read_bytes()).get("exchanges", []):
            response = exchange.get("response") or {}
            pieces = [item["b64"] for item in response.get("chunks", [])] or [response.get("body_b64") or ""]
            body = b"".join(map(b64decode, pieces))
            found = documents(body) if b'"choices"' in body else []
            if found:
                assert lost_in_stream(found, run(SSEParser(), [body])) == [], path.name


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param(
            {"delta": {"content": "a"}, "message": {"content": "a", "notes": {"kept": "x1"}}},
            id="a key of the message alone",
        ),
        pytest.param(
            {"message": {"images": [{"url": "u1"}, {"odd": "x2"}], "annotations": ["x3"]}},
            id="an image and what is none",
        ),
        pytest.param(
            {"delta": {"reasoning": [{"type": "thinking", "thinking": "t", "signature": "x4"}]}},
            id="a signature beside a thought",
        ),
        pytest.param({"delta": {"content": "a"}, "text": "another"}, id="a text that is not the delta's"),
        pytest.param({"delta": {"content": "a"}, "usage": {"spent": 1.5}}, id="what a choice alone has used"),
    ],
)
def test_nothing_that_stands_beside_a_text_is_lost(choice: Any) -> None:
    made = {"choices": [{**choice, "finish_reason": "stop"}]}

    assert lost_in_stream([made], run(SSEParser(), [sse(made)])) == []
    document = run(DocumentParser(ChatChunkDecoder()), [json.dumps(made).encode()])
    assert lost_in_document(made, document) == []


@given(made=streams, n=asked)
def test_chunks_made_of_an_answer_say_nothing_twice_when_they_are_read_again(made: list[Any], n: int) -> None:
    seen = run(SSEParser(ChatChunkDecoder(n=n, ids=Ids.seeded(7))), [sse(*made)])
    chunks = [chunk.to_dict() for chunk in to_chunks(seen.events, seen.answer.facts, "")]

    again = run(SSEParser(ChatChunkDecoder(n=n)), [sse(*chunks)])

    assert [leaf for leaf in invented(made, again) if not leaf[0]] == []
