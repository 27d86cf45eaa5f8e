"""What an answer holds reaches the caller: every leaf inside `choices` is found again, or is named noise."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk.parsers import DocumentParser, SSEParser
from g4fsdk.testing import Cassette
from tests.support.conservation import lost_in_document, lost_in_stream
from tests.support.players import CASSETTES, name_of
from tests.support.wire import run, sse

CAPTURES = sorted((Path(__file__).parents[2].parent / "shared" / "captures").glob("*/**/*.json"))

OPENAI_SHAPED = [path for path in CASSETTES if path.parent.name in {"openai", "amigo", "autonomous"}]

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
pictures = st.fixed_dictionaries(
    {}, optional={"url": words, "b64_json": words, "nobody_knows": anything}
) | st.fixed_dictionaries(
    {"image_url": st.fixed_dictionaries({"url": words}, optional={"detail": scalars}) | words},
    optional={"type": st.just("image_url"), "index": scalars},
)
parts = st.one_of(
    words,
    st.fixed_dictionaries(
        {"text": words | st.fixed_dictionaries({"value": words, "annotations": anything})},
        optional={
            "type": st.sampled_from(["text", "output_text", "reasoning.text"]),
            "nobody_knows": anything,
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("thinking"), "thinking": words | st.lists(words)}, optional={"signature": words}
    ),
    st.fixed_dictionaries({"type": words, "data": words}, optional={"text": words, "nobody_knows": anything}),
    pictures,
)
said = words | st.lists(parts, max_size=3) | parts
functions = st.fixed_dictionaries(
    {"name": words}, optional={"arguments": words | anything, "signed": anything}
)
calls = st.fixed_dictionaries(
    {"id": words, "function": functions}, optional={"type": st.just("function"), "extra_content": anything}
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["assistant", "tool"]) | scalars,
        "content": said,
        "refusal": said,
        **dict.fromkeys(("reasoning_content", "reasoning", "reasoning_text", "thinking"), said),
        **dict.fromkeys(("reasoning_details", "thinking_blocks"), st.lists(parts, max_size=3)),
        "tool_calls": st.lists(calls, max_size=3),
        "audio": st.fixed_dictionaries(
            {"data": words}, optional={"transcript": words, "id": words, "nobody_knows": anything}
        ),
        "images": st.lists(pictures, max_size=2) | anything,
        "annotations": anything,
        "nobody_knows": anything,
    },
)
usages = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("prompt_tokens", "input_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"),
        anything,
    ),
)
beside = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(0, 2),
        "finish_reason": st.sampled_from([None, "null", "stop"]),
        "logprobs": st.fixed_dictionaries({"content": st.lists(anything, max_size=2)}) | anything,
        "usage": usages | anything,
        "nobody_knows": anything,
        "stop_reason": scalars,
    },
)
choices = st.builds(
    lambda told, beside: told | beside,
    st.sampled_from(["delta", "message"]).flatmap(
        lambda key: st.fixed_dictionaries({key: messages}) | st.fixed_dictionaries({"text": words})
    ),
    beside,
)
chunks = st.lists(
    st.fixed_dictionaries({"choices": st.lists(choices, min_size=1, max_size=2)}),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100, deadline=None, database=None)
@given(made=chunks)
def test_nothing_in_a_stream_is_lost(made: list[Any]) -> None:
    seen = run(SSEParser(), [sse(*made)])

    assert lost_in_stream(made, seen) == []


@settings(max_examples=60, deadline=None, database=None)
@given(made=chunks.map(lambda found: found[0]))
def test_nothing_in_a_document_is_lost(made: Any) -> None:
    seen = run(DocumentParser(ChatChunkDecoder()), [json.dumps(made).encode()])

    assert lost_in_document(made, seen) == []


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
