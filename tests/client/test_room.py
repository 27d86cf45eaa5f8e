"""`max_concurrency`: so many calls of a client go on at once, over sockets, in both clients alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from g4fsdk import AsyncClient, Client, DeadlineError, G4FError, Retries, Timeouts, UsageError
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import Colour, answer, both, ending, tokens, unfinished

SHORT = Timeouts(connect=0.2, first_event=0.2, idle=0.2)
HELLO = answer("openai", "Hello")
BUSY = Reply([b'{"error":"busy"}'], status=503, framing="length")


def client_of(colour: Colour, server: Server, **settings: Any) -> Any:
    kind: Any = Client if colour == "sync" else AsyncClient
    return kind("openai", base_url=f"{server.url}/v1", model="m", **{"retries": 1, **settings})


def at_once(client: Any, *calls: Callable[[], object]) -> list[Any]:
    """Run *calls*, each in a thread or a task of its own, and close the client; return how each ended."""
    if isinstance(client, Client):
        with ThreadPoolExecutor(len(calls)) as pool:
            ends = list(pool.map(_ended, calls))
        client.close()
        return ends

    async def main() -> list[Any]:
        ends = await asyncio.gather(*(call() for call in calls), return_exceptions=True)  # type: ignore[call-overload]  # coroutines
        await client.close()
        return list(ends)

    return asyncio.run(main())


def _ended(call: Callable[[], object]) -> object:
    try:
        return call()
    except G4FError as error:
        return error


def asking(client: Any) -> Callable[[], Any]:
    """Return a call for a whole answer, which gives its text."""
    if isinstance(client, Client):
        return lambda: client.chat.completions.create("Hi").text

    async def ask() -> str:
        return str((await client.chat.completions.create("Hi")).text)

    return ask


def streaming(client: Any, until: Callable[[], object]) -> Callable[[], Any]:
    """Return a call that keeps a stream open until *until* returns, in a thread."""
    if isinstance(client, Client):

        def hold() -> object:
            with client.chat.completions.stream("Hi"):
                return until()

        return hold

    async def hold_it() -> object:
        async with client.chat.completions.stream("Hi"):
            return await asyncio.to_thread(until)

    return hold_it


@both
def test_no_more_calls_go_on_than_are_allowed(colour: Colour) -> None:
    gate = Event()
    with Server(Reply([*tokens("openai", "Hel", "lo"), gate, *ending("openai")])) as server:
        client = client_of(colour, server, max_concurrency=2)

        def watch() -> tuple[bool, bool]:
            two = server.wait_until(lambda server: len(server.requests) == 2)
            three = server.wait_until(lambda server: len(server.requests) > 2, 0.2)
            gate.set()
            return two, three

        with ThreadPoolExecutor(1) as pool:
            watched = pool.submit(watch)
            assert at_once(client, *[asking(client)] * 5) == ["Hello"] * 5
    assert watched.result() == (True, False)
    assert len(server.requests) == 5


@both
def test_a_stream_holds_its_place_and_nobody_who_waits_runs_out_of_time(colour: Colour) -> None:
    with Server([unfinished("openai", "Hel", end="hold"), HELLO]) as server:
        client = client_of(colour, server, max_concurrency=1)

        def long() -> bool:
            return server.wait_until(lambda server: len(server.requests) > 1, 0.5)

        ends = at_once(client, streaming(client, long), asking(client.with_options(timeout=SHORT)))

    assert ends == [False, "Hello"]


@both
def test_the_total_clock_runs_while_a_call_waits(colour: Colour) -> None:
    done = Event()
    with Server(unfinished("openai", "Hel", end="hold")) as server:
        client = client_of(colour, server, max_concurrency=1)
        waiting = client.with_options(timeout=Timeouts(total=0.2), retries=3)
        began = time.monotonic()
        calls = [streaming(client, lambda: done.wait(3.0)), _then(asking(waiting), done)]
        held, error = at_once(client, *calls)

    assert held
    assert isinstance(error, DeadlineError)
    assert (error.clock, error.provider) == ("total", "openai")
    assert time.monotonic() - began < 2.0
    assert len(server.requests) == 1


def _then(call: Callable[[], Any], done: Event) -> Callable[[], Any]:
    """Return *call*, which says when it has ended; it begins a little later than the others."""
    if not asyncio.iscoroutinefunction(call):

        def run() -> object:
            time.sleep(0.1)
            try:
                return call()
            finally:
                done.set()

        return run

    async def run_it() -> object:
        await asyncio.sleep(0.1)
        try:
            return await call()
        finally:
            done.set()

    return run_it


@both
def test_closing_the_client_ends_the_waiting(colour: Colour) -> None:
    with Server(unfinished("openai", "Hel", end="hold")) as server:
        client = client_of(colour, server, max_concurrency=1)
        if colour == "sync":
            stream = client.chat.completions.create("Hi", stream=True)
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(_ended, asking(client))
                time.sleep(0.1)
                client.close()
                error: object = waiting.result(2.0)
            stream.close()
        else:

            async def main() -> object:
                stream = await client.chat.completions.create("Hi", stream=True)
                waiting = asyncio.create_task(asking(client)())
                await asyncio.sleep(0.1)
                await client.close()
                await stream.close()
                [ended] = await asyncio.wait_for(asyncio.gather(waiting, return_exceptions=True), 2.0)
                return ended

            error = asyncio.run(main())
    assert isinstance(error, UsageError)
    assert len(server.requests) == 1


@both
def test_a_call_that_fails_gives_its_place_back_and_one_that_is_tried_again_keeps_it(colour: Colour) -> None:
    slowly = Retries(attempts=2, wait=lambda state: 0.1)
    with Server([BUSY, HELLO, BUSY, BUSY, HELLO]) as server:
        client = client_of(colour, server, max_concurrency=1, retries=slowly)
        ends = at_once(client, *[asking(client)] * 3)

    assert [end if isinstance(end, str) else type(end).__name__ for end in ends] == [
        "Hello",
        "ServerError",
        "Hello",
    ]


@both
def test_a_client_with_other_options_shares_the_room_or_has_its_own(colour: Colour) -> None:
    done, other = Event(), Event()
    with Server([unfinished("openai", "Hel", end="hold"), HELLO]) as server:
        client = client_of(colour, server, max_concurrency=1)
        shared = client.with_options(timeout=Timeouts(total=0.2))
        own = client.with_options(max_concurrency=1)
        first = streaming(client, lambda: done.wait(3.0) and other.wait(3.0))
        held, late, text = at_once(client, first, _then(asking(shared), done), _then(asking(own), other))

    assert (held, text) == (True, "Hello")
    assert isinstance(late, DeadlineError)


async def test_who_is_cancelled_while_waiting_takes_no_place() -> None:
    with Server([unfinished("openai", "Hel", end="hold"), HELLO]) as server:
        async with client_of("async", server, max_concurrency=1) as client:
            stream = await client.chat.completions.create("Hi", stream=True)
            first, second = (asyncio.create_task(asking(client)()) for _ in range(2))
            await asyncio.sleep(0.05)
            first.cancel()
            await stream.close()
            assert await asyncio.wait_for(second, 2.0) == "Hello"
            with pytest.raises(asyncio.CancelledError):
                await first


@pytest.mark.parametrize("places", [0, -1, True, 1.5, "2"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_is_no_number_of_calls_is_said(kind: Any, places: object) -> None:
    with pytest.raises(UsageError, match="max_concurrency must be a number of calls"):
        kind("yqcloud", max_concurrency=places)
    with pytest.raises(UsageError, match="max_concurrency must be a number of calls"):
        kind("yqcloud").with_options(max_concurrency=places)
