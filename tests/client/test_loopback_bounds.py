"""What neither client lets a server do: send more than was allowed, or in a coding of its own."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from g4fsdk import AsyncClient, Client, IncompleteStreamError, ProtocolError, ServerError, UsageError
from g4fsdk.providers import get
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import (
    Colour,
    answer,
    as_json,
    ask,
    both,
    both_outcomes,
    complete,
    document,
    ending,
    media,
    models,
    tokens,
)

MOST = 200_000


def packed(body: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        body = gzip.compress(body)
    return body


def coded(body: bytes, coding: str, **how: Any) -> Reply:
    return Reply([body], headers={**media("openai"), "Content-Encoding": coding}, **how)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda: Reply([b"data: " + b"x" * MOST, b"x"], headers=media("openai")), id="a line"),
        pytest.param(lambda: Reply([as_json({"x": "x" * MOST})], headers=media("openai")), id="a document"),
        pytest.param(lambda: coded(packed(b":" * 60 * MOST, 2), "gzip, gzip"), id="a packed body"),
    ],
)
def test_more_than_max_bytes_is_an_error_that_names_the_setting(script: Any) -> None:
    outcome = both_outcomes("openai", script, max_bytes=MOST)

    assert type(outcome.error) is ProtocolError
    assert f"{MOST} bytes; allow more with max_bytes=" in outcome.error.message
    assert outcome.error.partial == outcome.text


@both
def test_an_answer_that_goes_on_and_on_is_ended(colour: Colour) -> None:
    """It is looked at now and then, so where it ends depends on how it came."""
    with Server(Reply(tokens("openai", *["x" * 5000] * 200), headers=media("openai"))) as server:
        outcome = ask(colour, "openai", server.url, max_bytes=MOST)

    assert type(outcome.error) is ProtocolError
    assert f"the answer is longer than {MOST} bytes" in outcome.error.message
    assert outcome.error.partial == outcome.text
    assert MOST < len(outcome.text) <= 3 * MOST


@both
def test_more_can_be_allowed(colour: Colour) -> None:
    with Server(document("openai", "x" * MOST)) as server:
        completion = complete(colour, "openai", server.url, max_bytes=2 * MOST)

    assert completion.text == "x" * MOST


@both
def test_a_list_of_models_is_bounded_too(colour: Colour) -> None:
    with Server(Reply([as_json({"data": [{"id": "x" * MOST}]})])) as server:
        error = models(colour, "openai", server.url, max_bytes=MOST)

    assert type(error) is ProtocolError
    assert "max_bytes=" in error.message


def test_a_packed_answer_may_grow_as_answers_do() -> None:
    """Fields that stay the same are most of an event: packed, hardly anything of them is left."""
    body = b"".join([*tokens("openai", *(f"word {n:04}" for n in range(9000))), *ending("openai")])
    assert len(body) > 3 * MOST

    outcome = both_outcomes("openai", lambda: coded(packed(body), "gzip"), max_bytes=MOST)

    assert outcome.error is None
    assert len(outcome.text) == 81_000


@pytest.mark.parametrize(
    ("coding", "times"),
    [
        pytest.param("gzip, gzip", 2, id="twice"),
        pytest.param("identity, X-GZip", 1, id="and one that is none"),
        pytest.param("utf-8", 0, id="a charset"),
        pytest.param("", 0, id="nothing"),
    ],
)
def test_all_codings_of_a_body_are_undone(coding: str, times: int) -> None:
    body = answer("openai", "Hel", "lo").body

    outcome = both_outcomes("openai", lambda: coded(packed(body, times), coding))

    assert outcome.error is None
    assert outcome.text == "Hello"


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, br"])
def test_a_coding_that_nobody_asked_for_is_named(coding: str) -> None:
    outcome = both_outcomes("openai", lambda: coded(b"\x8b\x20\x80 brotli, or not", coding))

    assert type(outcome.error) is ProtocolError
    assert f"Content-Encoding {coding.removeprefix('gzip, ')!r}" in outcome.error.message


def test_a_status_counts_more_than_the_coding_of_its_body() -> None:
    outcome = both_outcomes("openai", lambda: coded(b"\x8b\x20\x80", "br", status=500))

    assert type(outcome.error) is ServerError


def test_a_packed_body_that_is_cut_is_no_answer() -> None:
    body = packed(answer("openai", "Hel", "lo").body)

    outcome = both_outcomes("openai", lambda: coded(body[: len(body) // 2], "gzip"))

    assert type(outcome.error) is IncompleteStreamError


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("size", [0, -1, 1.5, None])
def test_a_size_is_a_number_of_bytes(client: Any, size: Any) -> None:
    with pytest.raises(UsageError, match="max_bytes must be a number of bytes"):
        client(get("openai"), max_bytes=size)
