"""Many calls at once on one async client: those for which there is no room wait, and none is lost."""

from __future__ import annotations

import asyncio
import sys
from threading import Event

import pytest

from g4fsdk import AsyncClient, DeadlineError, G4FError, Timeouts, UsageError
from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import answer, base_url, ending, tokens, unfinished

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no limit of open files to be near to")
ROOM = 4


@pytest.fixture(autouse=True)
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process open few files: a client leaves half of them, and 64, to others."""
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (64 + 2 * ROOM, 4096))


def slow(pause_s: float) -> Reply:
    return Reply([*tokens("openai", "Hello"), *ending("openai")], pause_s=pause_s)


def client_of(server: Server, timeout: Timeouts | None = None) -> AsyncClient:
    return AsyncClient(
        "openai", base_url=base_url("openai", server.url), model="m", timeout=timeout or Timeouts(), retries=1
    )


async def text(client: AsyncClient) -> str:
    async with client.chat.completions.stream("Hi") as stream:
        return (await stream.get_final_completion()).text


async def texts(client: AsyncClient, count: int) -> list[str | BaseException]:
    return await asyncio.gather(*(text(client) for _ in range(count)), return_exceptions=True)


def test_calls_wait_for_each_other_while_no_clock_but_the_total_runs() -> None:
    held: list[bool] = []

    def watched(received: Received) -> Reply:
        held.append(server.wait_until(lambda server: server.open_connections <= ROOM, 1.0))
        return slow(0.04)

    async def crowd() -> list[str | BaseException]:
        async with client_of(server, Timeouts(connect=1.0, first_event=1.0, idle=1.0)) as client:
            return await texts(client, 10 * ROOM)

    with Server(watched) as server:
        assert asyncio.run(crowd()) == ["Hello"] * 10 * ROOM
    assert all(held)


def test_the_total_clock_ends_the_waiting() -> None:
    never = Event()

    async def crowd() -> list[str | BaseException]:
        async with client_of(server, Timeouts(total=0.2)) as client:
            return await texts(client, ROOM + 1)

    with Server(lambda _: unfinished("openai", never)) as server:
        ends = asyncio.run(crowd())
    never.set()
    assert [getattr(end, "clock", end) for end in ends] == ["total"] * (ROOM + 1)
    assert all(isinstance(end, DeadlineError) for end in ends)


def test_a_client_that_is_closed_ends_those_who_wait_and_a_place_that_is_left_is_taken() -> None:
    async def closed() -> list[str | BaseException]:
        client = client_of(server)
        crowd = asyncio.ensure_future(texts(client, ROOM + 2))
        await asyncio.to_thread(server.wait_until, lambda seen: len(seen.requests) >= ROOM)
        await client.close()
        return await crowd

    async def cancelled() -> str:
        async with client_of(server) as client:
            crowd = asyncio.ensure_future(texts(client, ROOM + 2))
            await asyncio.to_thread(server.wait_until, lambda seen: len(seen.requests) >= 2 * ROOM)
            crowd.cancel()
            await asyncio.wait([crowd])
            return await text(client)

    never = Event()
    hanging = [unfinished("openai", never) for _ in range(2 * ROOM)]
    with Server([*hanging, answer("openai", "Hello")]) as server:
        ends = asyncio.run(closed())
        assert asyncio.run(cancelled()) == "Hello"
        never.set()
    assert all(isinstance(end, UsageError) for end in ends[ROOM:])
    assert all(isinstance(end, G4FError) for end in ends)


def test_refused_calls_leave_their_places() -> None:
    async def crowd() -> list[str | BaseException]:
        async with client_of(server) as client:
            return await texts(client, 5 * ROOM)

    refusals = [Reply(status=401) for _ in range(4 * ROOM)]
    with Server([*refusals, *(answer("openai", "Hello") for _ in range(ROOM))]) as server:
        assert (asyncio.run(crowd())).count("Hello") == ROOM
