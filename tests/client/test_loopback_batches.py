"""Batches: many rows at once, over sockets, in both clients alike."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from threading import Event
from typing import Any

import pytest

from g4fsdk import AsyncClient, Client, Completion, UsageError
from tests.support.command_line import python
from tests.support.loopback import PATIENCE_S, Received, Reply, Server
from tests.support.loopback_clients import Colour, both, document

REFUSED = Reply([b'{"error":{"message":"no such thing"}}'], status=400, framing="length")
Result = tuple[Any, str]


def said(request: Received) -> str:
    return str(json.loads(request.body)["messages"][-1]["content"])


def echo(request: Received) -> Reply:
    return REFUSED if said(request) == "bad" else document("openai", said(request).upper())


def client_of(colour: Colour, server: Server) -> Any:
    kind: Any = Client if colour == "sync" else AsyncClient
    return kind("openai", base_url=f"{server.url}/v1", model="m", retries=1)


def batch(
    colour: Colour,
    server: Server,
    rows: Iterable[Any],
    *,
    on_result: Callable[[Result], object] = lambda result: None,
    first: int | None = None,
    **options: Any,
) -> list[Result]:
    """Return each row with its text or the name of its error; with *first*, leave after so many."""
    found: list[Result] = []

    def take(row: Any, result: Any) -> bool:
        text = result.text if isinstance(result, Completion) else type(result).__name__
        found.append((row, text))
        on_result(found[-1])
        return len(found) == first

    async def main() -> None:
        async with client_of(colour, server) as client:
            async for row, result in client.batch(_each(rows), **options):
                if take(row, result):
                    break

    if colour == "async":
        asyncio.run(main())
        return found
    with client_of(colour, server) as client:
        for row, result in client.batch(rows, **options):
            if take(row, result):
                break
    return found


async def _each(rows: Iterable[Any]) -> AsyncIterator[Any]:
    for row in rows:
        yield row


@both
def test_every_row_comes_once_with_its_answer_or_error(colour: Colour) -> None:
    body = {"messages": [{"role": "user", "content": "d"}], "stream": True, "temperature": 1, "new_one": 3}
    rows = [
        "a",
        [{"role": "user", "content": "b"}],
        {"id": 7, "prompt": "c"},
        {"custom_id": "x", "method": "POST", "url": "/v1/chat/completions", "body": body},
        "bad",
        {"id": "y", "prompt": "e", "temperature": 1},
        {"custom_id": "z", "url": "/v1/embeddings", "body": body},
    ]
    with Server(echo) as server:
        results = batch(colour, server, rows, temperature=0.5)
    sent = {said(request): json.loads(request.body) for request in server.requests}

    by_row = {json.dumps(row): text for row, text in results}
    assert [by_row[json.dumps(row)] for row in rows] == ["A", "B", "C", "D", "StatusError"] + [
        "UsageError"
    ] * 2
    assert len(results) == len(rows)
    assert len(server.requests) == 5
    assert sent["d"] == {**body, "model": "m", "stream": False}
    assert sent["a"]["temperature"] == 0.5


@both
def test_answers_come_as_they_come_while_the_rows_still_wait(colour: Colour) -> None:
    slow, answered = Event(), Event()

    def reply(request: Received) -> Reply:
        done = document("openai", said(request))
        return done if said(request) != "slow" else Reply([slow, *done.pieces])

    def rows() -> Iterator[str]:
        yield "slow"
        yield "quick"
        if colour == "sync":
            assert answered.wait(PATIENCE_S)  # nobody would get here if it had to be read first
        yield "last"

    def on_result(result: Result) -> None:
        answered.set()
        if result[0] == "last":
            slow.set()

    with Server(reply) as server:
        results = batch(colour, server, rows(), on_result=on_result, concurrency=2)

    assert [row for row, _ in results] == ["quick", "last", "slow"]


@both
def test_leaving_early_ends_what_is_under_way_and_takes_no_more_rows(colour: Colour) -> None:
    taken: list[str] = []

    def rows() -> Iterator[str]:
        for number in range(1000):
            taken.append(str(number))
            yield taken[-1]

    def reply(request: Received) -> Reply:
        return document("openai", "first") if said(request) == "0" else Reply(has_head=False, end="hold")

    with Server(reply) as server:
        began = time.monotonic()
        results = batch(colour, server, rows(), first=1, concurrency=3)
        assert server.all_closed()

    assert results == [("0", "first")]
    assert len(taken) <= 4
    assert time.monotonic() - began < PATIENCE_S


@both
def test_rows_are_taken_only_as_there_is_room_for_their_answers(colour: Colour) -> None:
    ahead: list[int] = []
    taken = given = 0

    def rows() -> Iterator[str]:
        nonlocal taken
        for number in range(30):
            taken += 1
            ahead.append(taken - given)
            yield str(number)

    def on_result(_: Result) -> None:
        nonlocal given
        given += 1

    with Server(echo) as server:
        assert len(batch(colour, server, rows(), on_result=on_result, concurrency=3)) == 30

    assert max(ahead) <= 4  # three under way, and one handed out that the loop has not counted yet


@both
def test_what_the_rows_raise_comes_behind_the_answers_under_way(colour: Colour) -> None:
    found: list[Result] = []

    def rows() -> Iterator[str]:
        yield from "ab"
        raise LookupError("no more of these")

    with Server(echo) as server, pytest.raises(LookupError, match="no more of these"):
        batch(colour, server, rows(), on_result=found.append)

    assert sorted(found) == [("a", "A"), ("b", "B")]


@both
def test_no_more_rows_begin_than_the_rate_allows(colour: Colour) -> None:
    with Server(echo) as server:
        began = time.monotonic()
        results = batch(
            colour, server, [{"id": 1, "promt": "invalid, and not counted"}, *"abcde"], rate="4/s"
        )

    assert len(results) == 6
    assert time.monotonic() - began >= 1.0


@both
def test_what_is_tried_again_counts(colour: Colour) -> None:
    replies = [Reply(status=503, framing="length", headers={"Retry-After": "0"})] * 4
    with Server([*replies, document("openai", "A")]) as server:
        kind: Any = Client if colour == "sync" else AsyncClient
        client = kind("openai", base_url=f"{server.url}/v1", model="m", retries=5)
        began = time.monotonic()

        async def main() -> list[Any]:
            async with client:
                return [result async for _, result in client.batch(["a"], rate="2/s")]

        if colour == "sync":
            with client:
                [result] = [result for _, result in client.batch(["a"], rate="2/s")]
        else:
            [result] = asyncio.run(main())

    assert (result.text, len(server.requests)) == ("A", 5)
    assert time.monotonic() - began >= 2.0


@both
def test_a_client_that_is_closed_ends_its_batch(colour: Colour) -> None:
    with Server(lambda request: echo(request) if said(request) == "a" else Reply(end="hold")) as server:
        client = client_of(colour, server)

        def close_it() -> None:
            for _ in client.batch(iter("abcdef"), concurrency=2):
                client.close()

        async def close_that() -> None:
            async for _ in client.batch(iter("abcdef"), concurrency=2):
                await client.close()

        with pytest.raises(UsageError, match="closed in the middle of a batch"):
            close_it() if colour == "sync" else asyncio.run(close_that())


@both
@pytest.mark.parametrize(("rows", "options", "words"), [
    pytest.param("a text", {}, "rows are several", id="one text"),
    pytest.param({"prompt": "a"}, {}, "rows are several", id="one mapping"),
    pytest.param([], {"concurrency": 0}, "concurrency must be a number of calls", id="nobody"),
    pytest.param([], {"rate": "60 a minute"}, "for instance 60/min, not '60 a minute'", id="no rate"),
    pytest.param([], {"rate": "0/s"}, "a rate is N/s, N/min or N/h", id="never"),
])  # fmt: skip
def test_what_cannot_be_is_said_at_once(colour: Colour, rows: Any, options: Any, words: str) -> None:
    kind: Any = Client if colour == "sync" else AsyncClient

    with pytest.raises(UsageError, match=words):
        kind("yqcloud").batch(rows, **options)


def test_a_batch_runs_on_trio_and_leaves_nothing_behind() -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        async with client_of("async", server) as client:
            assert sorted([row async for row, _ in client.batch("ab bad".split())]) == ["ab", "bad"]
            async for _ in client.batch(map(str, range(100)), concurrency=2):
                break
            async with client.batch(map(str, range(100)), concurrency=2) as results:
                await anext(results)
            gc.collect()

    with Server(echo) as server:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Async generator 'httpx", ResourceWarning)  # httpx's own
            trio.run(main)
        assert server.all_closed()


def test_a_rate_without_its_library_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['pyrate_limiter'] = None; from g4fsdk import Client; "
        "client = Client('yqcloud'); client.batch([]); client.batch([], rate='1/s')"
    )

    assert "pip install 'g4fsdk[batch]'" in python(code).stderr
