"""No connection is left, wherever a call is cancelled and however many calls end however."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from types import coroutine
from typing import Any

import pytest

from g4fsdk import AsyncClient, Client, G4FError, Retries, Timeouts
from tests.support.command_line import python
from tests.support.loopback import TLS_CERT, Received, Reply, Server
from tests.support.loopback_clients import (
    QUICK,
    Colour,
    answer,
    base_url,
    both,
    every_wire,
    failure,
    service,
    unfinished,
)

#: How many calls the mixed load makes; a longer run is asked for with MIXED_CALLS=5000.
CALLS = int(os.environ.get("MIXED_CALLS", "500"))
CROWD = 20
MOST_AWAITS = 200


@contextmanager
def uncollected() -> Iterator[None]:
    """What is left open stays so: the garbage collector closes nothing."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# ---- cancelled at every await


@coroutine
def cancelled_at(number: int, run: Coroutine[Any, Any, None]) -> Generator[Any, Any, bool]:
    """Await *run*, cancelled when it waits for the *number*-th time; give whether it waited so often."""
    task = asyncio.current_task()
    assert task is not None
    sent: Any = None
    raised: BaseException | None = None
    waits = 0
    while True:
        try:
            waited = run.send(sent) if raised is None else run.throw(raised)
        except StopIteration:
            return waits > number
        if waits == number:
            task.cancel()
        waits += 1
        try:
            sent, raised = (yield waited), None
        except BaseException as error:  # noqa: BLE001  # the cancelling itself, for *run* to see
            sent, raised = None, error


async def asked(provider: str, url: str) -> None:
    """Ask twice, the second time on the connection of the first; a retry stands between."""
    said: dict[str, Any] = {"verify": TLS_CERT} if url.startswith("https") else {}
    model = "gpt-4o" if provider == "openai" else None
    async with AsyncClient(
        provider, base_url=base_url(provider, url), model=model, retries=QUICK, **said
    ) as client:
        for _ in range(2):
            async with client.chat.completions.stream("Hello") as stream:
                async for _ in stream:
                    pass


def script(provider: str) -> Callable[[Received], Reply]:
    busy = Reply([b"{}"], status=503, framing="length")
    return service(provider, answer(provider, "Hel", "lo"), busy, answer(provider, "Hel", "lo"))


@every_wire
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_call_may_be_cancelled_at_every_await(provider: str, tls: bool) -> None:
    async def run(number: int, server: Server) -> bool:
        task = asyncio.ensure_future(cancelled_at(number, asked(provider, server.url)))
        with suppress(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.all_closed), f"cancelled at await {number}"
        return task.cancelled() or task.result()

    with uncollected():
        for number in range(MOST_AWAITS):
            with Server(script(provider), tls=tls) as server:
                if not asyncio.run(run(number, server)):
                    break
    assert 10 < number < MOST_AWAITS - 1


# ---- many calls that end in every way


def mixed(request: Received) -> Reply:
    question = json.loads(request.body)["messages"][-1]["content"]
    return WAYS[int(question) % len(WAYS)]


WAYS = (
    answer("openai", "Hel", "lo"),
    answer("openai", "Hel", "lo", framing="close"),
    answer("openai", "Hel", "lo", gzip=True),
    unfinished("openai", "Hel", framing="length", end="fin"),
    unfinished("openai", "Hel", end="rst"),
    unfinished("openai", "Hel", failure("openai")),
    unfinished("openai", end="hold"),
    unfinished("openai", "Hel", end="hold"),
    Reply([b"{}"], status=401, framing="length"),
    Reply([b"{}"], status=503, end="fin"),
    Reply(has_head=False, framing="close"),
)
SETTINGS: dict[str, Any] = {
    "model": "m",
    "timeout": Timeouts(idle=0.05),
    "retries": Retries(attempts=2, wait=lambda state: 0.0),
}


def call(client: Client, number: int) -> None:
    """Ask, and read to the end or, every third time, to the first event."""
    with suppress(G4FError), client.chat.completions.stream(str(number)) as stream:
        for _ in stream:
            if number % 3 == 0:
                break


async def call_async(client: AsyncClient, number: int) -> None:
    """Ask, and read to the end or to the first event; some are cancelled, at any time."""
    with suppress(G4FError, TimeoutError):
        async with asyncio.timeout(0.001 * (number % 30) if number % 5 == 0 else 5.0):
            async with client.chat.completions.stream(str(number)) as stream:
                async for _ in stream:
                    if number % 3 == 0:
                        break


def run_mixed(server: Server, numbers: range) -> list[Counter[str]]:
    found = []
    with (
        Client("openai", base_url=f"{server.url}/v1", **SETTINGS) as client,
        ThreadPoolExecutor(CROWD) as pool,
    ):
        for part in halves(numbers):
            list(pool.map(partial(call, client), part))
            found.append(held(server))
    return found


def run_mixed_async(server: Server, numbers: range) -> list[Counter[str]]:
    async def main() -> list[Counter[str]]:
        async with AsyncClient("openai", base_url=f"{server.url}/v1", **SETTINGS) as client:
            limit = asyncio.Semaphore(CROWD)

            async def one(number: int) -> None:
                async with limit:
                    await call_async(client, number)

            found = []
            for part in halves(numbers):
                await asyncio.gather(*(one(number) for number in part))
                found.append(held(server))
            return found

    return asyncio.run(main())


def halves(numbers: range) -> list[range]:
    middle = len(numbers) // 2
    return [numbers[:middle], numbers[middle:]]


def held(server: Server) -> Counter[str]:
    """Return how many things of ours, and sockets, there are in this process."""
    server.forget()
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    return Counter(
        f"{kind.__module__}.{kind.__name__}"
        for kind in kinds
        if str(kind.__module__).startswith("g4fsdk.") or issubclass(kind, socket.socket)
    )


@both
def test_many_calls_that_end_in_every_way_leave_nothing(colour: Colour) -> None:
    with Server(mixed) as server:
        first, second = (run_mixed if colour == "sync" else run_mixed_async)(server, range(CALLS))
        assert server.all_closed()
        assert server.connections > CROWD

    assert [kind for kind, more in (second - first).items() if more > CROWD] == []


# ---- left by a program that does no more

LEFT = {
    "sync": """
from g4fsdk import Client
for is_closed in (True, False):
    for ask in (
        lambda chat: chat.create("Hi", stream=True), lambda chat: chat.stream("Hi"),
        lambda chat: chat.stream("Hi").text_stream,
    ):
        client = Client("openai", base_url={url!r}, model="m")
        for _ in ask(client.chat.completions):
            break
        if is_closed:
            client.close()
""",
    "async": """
import asyncio
from g4fsdk import AsyncClient
async def chunks(chat):
    async for _ in await chat.create("Hi", stream=True):
        break
async def events(chat):
    async for _ in chat.stream("Hi"):
        break
async def texts(chat):
    async for _ in chat.stream("Hi").text_stream:
        break
async def main(leave, is_closed, count):
    client = AsyncClient("openai", base_url={url!r}, model="m")
    if count == 1:
        await leave(client.chat.completions)
    else:
        await asyncio.gather(*(leave(client.chat.completions) for _ in range(count)))
    if is_closed:
        await client.close()
for is_closed in (True, False):
    for leave in (chunks, events, texts):
        for count in (1, 4):
            asyncio.run(main(leave, is_closed, count))
""",
}


@both
def test_a_stream_that_is_left_at_the_end_of_its_loop_is_silent(colour: Colour) -> None:
    with Server(unfinished("openai", "Hel", "lo", end="hold")) as server:
        result = python(LEFT[colour].format(url=f"{server.url}/v1") + "print('done')")

    assert (result.stdout, result.stderr) == ("done\n", "")
