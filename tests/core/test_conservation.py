"""What an answer holds reaches the caller: every leaf inside `choices` is found again, or is named noise."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk.parsers import DocumentParser, SSEParser
from g4fsdk.testing import Cassette
from tests.support.players import CASSETTES, name_of
from tests.support.wire import Seen, run, sse

CAPTURES = sorted((Path(__file__).parents[2].parent / "shared" / "captures").glob("*/**/*.json"))

#: What is dropped on purpose, by the last key of its path.
NOISE = {
    "index": "with one answer asked for it counts the tokens on old servers; of a call it is its place",
    "type": "the kind of a part that was read as text: the event says it by its own kind",
}
#: Words for nothing in place of a finish reason.
_HALF = re.compile("[\ud800-\udfff]")
NOTHING = frozenset({"", "null", "none"})


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Give the strings, numbers and booleans in *value*, each with the key under which it stands."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, key)
    elif value is not None:
        yield key, value


def lost(chunks: list[Any], seen: Seen) -> list[tuple[str, Any]]:
    """Return the leaves inside the choices of *chunks* that are nowhere in what was *seen*."""
    whole = seen.answer.completion("p", "m").to_dict()
    told = _text(msgspec.to_builtins(seen.events)) + _text(whole)
    return [
        (key, leaf)
        for chunk in chunks
        for key, leaf in leaves(chunk.get("choices") if isinstance(chunk, dict) else None)
        if key not in NOISE and not _is_nothing(key, leaf) and _text(leaf) not in told
    ]


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text[1:-1] if isinstance(value, str) else text


def _is_nothing(key: str, leaf: Any) -> bool:
    if isinstance(leaf, str) and _HALF.search(leaf):
        return True  # of a character whose other half came in another piece: both are joined
    return leaf == "" or (key == "finish_reason" and str(leaf).strip().lower() in NOTHING)


numbers = count(1_000_003)
words = st.builds(lambda: f"w{next(numbers)}")
scalars = st.one_of(words, st.builds(lambda: next(numbers)), st.builds(lambda: next(numbers) + 0.5))
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
parts = st.one_of(
    words,
    st.fixed_dictionaries({"type": st.sampled_from(["text", "output_text"]), "text": words}),
    st.fixed_dictionaries({"text": words}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": words}, optional={"signature": words}),
    st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": words})}),
    st.fixed_dictionaries({"type": words, "data": words}),
)
functions = st.fixed_dictionaries(
    {"name": words, "arguments": words | anything}, optional={"signed": anything}
)
calls = st.lists(
    st.fixed_dictionaries(
        {"id": words, "function": functions},
        optional={"extra_content": anything, "type": st.just("function")},
    ),
    max_size=2,
)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": words | st.lists(parts, max_size=3) | scalars,
        "reasoning_content": words,
        "reasoning": words,
        "thinking": words,
        "refusal": words,
        "tool_calls": calls,
        "audio": st.fixed_dictionaries({"data": words}, optional={"transcript": words, "id": words}),
        "images": st.lists(
            st.fixed_dictionaries({"image_url": st.fixed_dictionaries({"url": words})}), max_size=2
        ),
        "annotations": st.lists(anything, max_size=2),
        "nobody_knows": anything,
    },
)
said = st.sampled_from(["delta", "message"]).flatmap(lambda key: st.fixed_dictionaries({key: deltas}))
choices = st.builds(
    lambda inner, beside: inner | beside,
    said,
    st.fixed_dictionaries(
        {},
        optional={
            "index": st.just(0),
            "finish_reason": st.sampled_from([None, "null", "stop"]),
            "logprobs": st.fixed_dictionaries({"content": st.lists(anything, max_size=2)}),
            "nobody_knows": anything,
            "stop_reason": st.none() | words,
        },
    ),
)
chunks = st.lists(st.fixed_dictionaries({"choices": st.tuples(choices).map(list)}), min_size=1, max_size=5)


@settings(max_examples=100, deadline=None, database=None)
@given(made=chunks)
def test_nothing_in_a_stream_is_lost(made: list[Any]) -> None:
    seen = run(SSEParser(), [sse(*made)])

    assert lost(made, seen) == []


@settings(max_examples=60, deadline=None, database=None)
@given(made=chunks.map(lambda found: found[0]))
def test_nothing_in_a_document_is_lost(made: Any) -> None:
    seen = run(DocumentParser(ChatChunkDecoder()), [json.dumps(made).encode()])

    assert lost([made], seen) == []


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


@pytest.mark.parametrize("path", [path for path in CASSETTES if path.parent.name == "openai"], ids=name_of)
def test_nothing_in_a_recorded_answer_is_lost(path: Path) -> None:
    for interaction in Cassette.load(path).interactions:
        body = b"".join(interaction.response.chunks)
        found = documents(body)
        assert lost(found, run(SSEParser(), [body])) == []


@pytest.mark.skipif(not CAPTURES, reason="there are no captures beside this project")
def test_nothing_in_a_captured_answer_is_lost() -> None:
    for path in CAPTURES:
        for exchange in json.loads(path.read_bytes()).get("exchanges", []):
            response = exchange.get("response") or {}
            pieces = [item["b64"] for item in response.get("chunks", [])] or [response.get("body_b64") or ""]
            body = b"".join(map(b64decode, pieces))
            found = documents(body) if b'"choices"' in body else []
            if found:
                assert lost(found, run(SSEParser(), [body])) == [], path.name
