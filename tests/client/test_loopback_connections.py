"""Connections are freed when a stream is left, used again when it ended, and never hold the caller up."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Any

import pytest

from g4fsdk import AsyncClient, Client, UsageError
from tests.support.loopback import PATIENCE_S, Framing, Reply, Server
from tests.support.loopback_clients import (
    ONCE,
    QUICK,
    Colour,
    answer,
    ask,
    base_url,
    both,
    document,
    ending,
    every_wire,
    media,
    service,
    tokens,
    unfinished,
)

FRAMINGS: tuple[Framing, ...] = ("chunked", "length", "close")
framings = pytest.mark.parametrize("framing", FRAMINGS)


class Left(Exception):
    """What a caller's own code raises inside the block."""


def leave_sync(how: str, client: Client) -> None:
    completions = client.chat.completions
    match how:
        case "break out of stream()":
            with completions.stream("Hello", model="gpt-4o") as stream:
                for _ in stream:
                    break
        case "break out of text_stream":
            with completions.stream("Hello", model="gpt-4o") as stream:
                for _ in stream.text_stream:
                    break
        case "break out of create()":
            with completions.create("Hello", model="gpt-4o", stream=True) as chunks:
                for _ in chunks:
                    break
        case "close()":
            chunks = completions.create("Hello", model="gpt-4o", stream=True)
            next(chunks)
            chunks.close()
        case "close() before reading":
            completions.create("Hello", model="gpt-4o", stream=True).close()
        case "an exception in the block":
            with suppress(Left), completions.stream("Hello", model="gpt-4o") as stream:
                for _ in stream:
                    raise Left
        case "break and drop":
            for _ in completions.create("Hello", model="gpt-4o", stream=True):
                break
        case "break and drop stream()":
            for _ in completions.stream("Hello", model="gpt-4o"):
                break
        case "never read":
            completions.create("Hello", model="gpt-4o", stream=True)


async def leave_async(how: str, client: AsyncClient) -> None:
    completions = client.chat.completions
    match how:
        case "break out of stream()":
            async with completions.stream("Hello", model="gpt-4o") as stream:
                async for _ in stream:
                    break
        case "break out of text_stream":
            async with completions.stream("Hello", model="gpt-4o") as stream:
                async for _ in stream.text_stream:
                    break
        case "break out of create()":
            async with await completions.create("Hello", model="gpt-4o", stream=True) as chunks:
                async for _ in chunks:
                    break
        case "close()":
            chunks = await completions.create("Hello", model="gpt-4o", stream=True)
            await anext(chunks)
            await chunks.close()
        case "close() before reading":
            await (await completions.create("Hello", model="gpt-4o", stream=True)).close()
        case "an exception in the block":
            with suppress(Left):
                async with completions.stream("Hello", model="gpt-4o") as stream:
                    async for _ in stream:
                        raise Left
        case "break and drop":
            async for _ in await completions.create("Hello", model="gpt-4o", stream=True):
                break
        case "break and drop stream()":
            async for _ in completions.stream("Hello", model="gpt-4o"):
                break
        case "never read":
            await completions.create("Hello", model="gpt-4o", stream=True)


WAYS = (
    "break out of stream()",
    "break out of text_stream",
    "break out of create()",
    "close()",
    "close() before reading",
    "an exception in the block",
    "break and drop",
    "break and drop stream()",
    "never read",
)


@pytest.mark.parametrize(
    ("how", "framing"),
    [*((how, "chunked") for how in WAYS), ("break and drop", "length"), ("break and drop", "close")],
)
@both
def test_leaving_a_stream_frees_its_connection(how: str, colour: Colour, framing: Framing) -> None:
    """The client itself stays open; the server never ends its answer."""
    with Server(unfinished("openai", "Hel", framing=framing, end="hold")) as server:
        if colour == "sync":
            with Client("openai", base_url=f"{server.url}/v1") as client:
                leave_sync(how, client)
                assert server.all_closed()
            return

        async def main() -> None:
            async with AsyncClient("openai", base_url=f"{server.url}/v1") as client:
                await leave_async(how, client)
                assert await asyncio.to_thread(server.all_closed)

        asyncio.run(main())


@pytest.mark.parametrize("when", ["waiting for the head", "waiting for more"])
def test_cancelling_a_task_frees_its_connection(when: str) -> None:
    is_head = when == "waiting for the head"
    reply = Reply(has_head=False, end="hold") if is_head else unfinished("openai", "Hel", end="hold")

    async def main(server: Server) -> None:
        async with AsyncClient("openai", base_url=f"{server.url}/v1") as client:
            got = asyncio.Event()

            async def read() -> None:
                async with client.chat.completions.stream("Hello", model="gpt-4o") as stream:
                    async for _ in stream:
                        got.set()

            task = asyncio.create_task(read())
            if is_head:
                assert await asyncio.to_thread(server.wait_until, lambda server: bool(server.requests))
            else:
                await got.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.all_closed)

    with Server(reply) as server:
        asyncio.run(main(server))


def test_cancelling_behind_the_end_marker_frees_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the client waits for the last bytes of the body, which count for the connection only."""
    monkeypatch.setattr("g4fsdk._client.asynchronous.answers.DRAIN_S", 60.0)

    async def main(server: Server) -> None:
        async with AsyncClient("openai", base_url=f"{server.url}/v1") as client:
            chunks = await client.chat.completions.create("Hello", model="gpt-4o", stream=True)
            task = asyncio.create_task(read_all(chunks))
            for _ in range(20):
                await asyncio.sleep(0.002)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.all_closed)

    with Server(unfinished("openai", "Hel", *ending("openai"), end="hold")) as server:
        asyncio.run(main(server))


async def read_all(chunks: Any) -> None:
    async for _ in chunks:
        pass


@every_wire
@both
@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_finished_stream_leaves_its_connection_to_the_next(
    provider: str, colour: Colour, framing: Framing, gzip: bool
) -> None:
    how: dict[str, Any] = {"framing": framing, "gzip": gzip}
    replies = [answer(provider, "one", **how), answer(provider, "two", **how), document(provider, "three")]
    with Server(service(provider, *replies)) as server:
        texts = in_turn(colour, provider, server.url)
        connections = server.connections

    assert texts == ["one", "two", "three"]
    assert connections == 1


def in_turn(colour: Colour, provider: str, url: str) -> list[str]:
    """Return the texts of two streamed answers and a whole one, asked of one client."""
    said: dict[str, Any] = {"model": "gpt-4o"} if provider == "openai" else {}
    if colour == "sync":
        with Client(provider, base_url=base_url(provider, url)) as client:
            texts = []
            for _ in range(2):
                with client.chat.completions.stream("Hello", **said) as stream:
                    texts.append("".join(stream.text_stream))
            return [*texts, client.chat.completions.create("Hello", **said).text]

    async def main() -> list[str]:
        async with AsyncClient(provider, base_url=base_url(provider, url)) as client:
            texts = []
            for _ in range(2):
                async with client.chat.completions.stream("Hello", **said) as stream:
                    texts.append("".join([text async for text in stream.text_stream]))
            return [*texts, (await client.chat.completions.create("Hello", **said)).text]

    return asyncio.run(main())


@both
@framings
def test_connection_held_open_behind_the_end_marker_stalls_nobody(colour: Colour, framing: Framing) -> None:
    reply = unfinished("openai", "Hel", *ending("openai"), framing=framing, end="hold")
    with Server(reply) as server:
        started = time.perf_counter()
        outcome = ask(colour, "openai", server.url)
        assert server.all_closed()

    assert outcome.error is None
    assert outcome.text == "Hel"
    assert time.perf_counter() - started < PATIENCE_S / 2


@both
def test_bytes_dripping_behind_the_end_marker_stall_nobody(colour: Colour) -> None:
    """Each comes within the time granted for the last bytes; all together do not."""
    stop = Event()
    drips = [piece for _ in range(300) for piece in (b": keep-alive\n\n", Event())]

    def drip() -> None:
        for gate in drips:
            if isinstance(gate, Event) and not stop.wait(0.02):
                gate.set()

    thread = threading.Thread(target=drip)
    with Server(unfinished("openai", "Hel", *ending("openai"), *drips, end="hold")) as server:
        thread.start()
        started = time.perf_counter()
        outcome = ask(colour, "openai", server.url)
        took = time.perf_counter() - started
        stop.set()
        thread.join()

    assert outcome.error is None
    assert took < PATIENCE_S / 2


@both
def test_connection_closed_between_two_turns_is_not_used_again(colour: Colour) -> None:
    closing = {"Connection": "close", **media("cohere-c4ai")}
    first = answer("cohere-c4ai", "one", framing="length")
    first.headers = closing
    # What the header announces: a framing of its own, on which the server ends the connection.
    first.framing = "close"
    with Server(
        service("cohere-c4ai", first, answer("cohere-c4ai", "two"), document("cohere-c4ai", "three"))
    ) as server:
        assert in_turn(colour, "cohere-c4ai", server.url) == ["one", "two", "three"]


@pytest.mark.parametrize("way", ["sync", "asyncio", "trio"])
def test_what_came_behind_an_answer_is_none_to_the_next_call(way: str) -> None:
    trio = pytest.importorskip("trio") if way == "trio" else None
    surplus = document("openai", "one").wire + document("openai", "nobody asked").wire
    with Server(Reply([surplus], has_head=False, framing="length")) as server:
        said: Any = {"base_url": f"{server.url}/v1", "model": "m", "retries": QUICK}
        if way == "sync":
            with Client("openai", **said) as client:
                texts = [client.chat.completions.create("Hello").text for _ in range(4)]
        else:
            texts = trio.run(asked_in_turn, said) if trio else asyncio.run(asked_in_turn(said))

    assert texts == ["one"] * 4


async def asked_in_turn(said: dict[str, Any]) -> list[str]:
    async with AsyncClient("openai", **said) as client:
        return [(await client.chat.completions.create("Hello")).text for _ in range(4)]


@both
def test_closed_client_says_so(colour: Colour) -> None:
    with Server(answer("openai", "one")) as server:
        if colour == "sync":
            client = Client("openai", base_url=f"{server.url}/v1")
            client.close()
            with pytest.raises(UsageError, match="closed"):
                client.chat.completions.create("Hello", model="gpt-4o")
        else:
            asyncio.run(use_closed(server.url))

    assert server.requests == []


async def use_closed(url: str) -> None:
    client = AsyncClient("openai", base_url=f"{url}/v1")
    await client.close()
    with pytest.raises(UsageError, match="closed"):
        await client.chat.completions.create("Hello", model="gpt-4o")


@both
def test_closed_client_says_so_once_for_all_providers(colour: Colour) -> None:
    ask_closed = ask_several_closed if colour == "sync" else lambda: asyncio.run(ask_several_closed_async())

    with pytest.raises(UsageError) as caught:
        ask_closed()

    assert str(caught.value) == "this client is closed; make a new one"


def ask_several_closed() -> None:
    client = Client(["yqcloud", "amigo"])
    client.close()
    client.chat.completions.create("Hello")


async def ask_several_closed_async() -> None:
    client = AsyncClient(["yqcloud", "amigo"])
    await client.close()
    await client.chat.completions.create("Hello")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_client_serves_one_event_loop_after_the_other() -> None:
    """asyncio complains of connections that outlive their loop; whoever closes the client in it has none."""
    with Server([answer("openai", "one"), answer("openai", "two")]) as server:
        client = AsyncClient("openai", model="gpt-4o", base_url=f"{server.url}/v1")
        texts = [asyncio.run(complete_once(client)) for _ in range(2)]
        asyncio.run(client.close())
    del client
    gc.collect()

    assert texts == ["one", "two"]


async def complete_once(client: AsyncClient) -> str:
    return (await client.chat.completions.create("Hello")).text


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_threads_with_a_loop_each_share_a_client() -> None:
    with Server(lambda _: answer("openai", "one")) as server:
        client = AsyncClient("openai", model="gpt-4o", base_url=f"{server.url}/v1")
        with ThreadPoolExecutor(3) as pool:
            calls = [pool.submit(asyncio.run, complete_ten_times(client)) for _ in range(3)]
            said = [call.result() for call in calls]
        connections = {request.connection for request in server.requests}
    del client, calls
    gc.collect()

    assert said == [["one"] * 10] * 3
    assert len(connections) == 3


async def complete_ten_times(client: AsyncClient) -> list[str]:
    return [await complete_once(client) for _ in range(10)]


@both
@pytest.mark.parametrize("as_chunks", [False, True])
def test_loop_over_a_stream_ends_when_it_is_closed(colour: Colour, as_chunks: bool) -> None:
    with Server(Reply([b"".join(tokens("openai", *"abcdefgh") + ending("openai"))])) as server:
        assert count_until_closed(colour, f"{server.url}/v1", as_chunks) == 1


def count_until_closed(colour: Colour, url: str, as_chunks: bool) -> int:
    said: dict[str, Any] = {"base_url": url, "model": "gpt-4o"}
    if colour == "sync":
        count = 0
        with Client("openai", **said) as client:
            completions = client.chat.completions
            given: Any = completions.create("x", stream=True) if as_chunks else completions.stream("x")
            for count, _ in enumerate(given, 1):  # noqa: B007
                given.close()
        return count

    async def main() -> int:
        count = 0
        async with AsyncClient("openai", **said) as client:
            completions = client.chat.completions
            given: Any = await completions.create("x", stream=True) if as_chunks else completions.stream("x")
            async for _ in given:
                count += 1
                await given.close()
        return count

    return asyncio.run(main())


@both
@pytest.mark.parametrize("is_open", [False, True])
def test_closed_stream_gives_and_asks_nothing(colour: Colour, is_open: bool) -> None:
    with Server(answer("openai", "one", "two")) as server:
        close = close_and_read if colour == "sync" else close_and_read_async
        rest = close(server.url, is_open)

    assert rest == ([] if is_open else "this stream is closed; ask for another one")
    assert len(server.requests) == is_open


def close_and_read(url: str, is_open: bool) -> object:
    with Client("openai", base_url=f"{url}/v1", model="gpt-4o") as client:
        stream = client.chat.completions.stream("Hello")
        if is_open:
            next(stream)
        stream.close()
        try:
            return list(stream)
        except UsageError as error:
            return str(error)


def close_and_read_async(url: str, is_open: bool) -> object:
    async def main() -> object:
        async with AsyncClient("openai", base_url=f"{url}/v1", model="gpt-4o") as client:
            stream = client.chat.completions.stream("Hello")
            if is_open:
                await anext(stream)
            await stream.close()
            try:
                return [event async for event in stream]
            except UsageError as error:
                return str(error)

    return asyncio.run(main())


@both
@pytest.mark.parametrize("status", [200, 429])
def test_refused_answers_leave_their_connection_usable(colour: Colour, status: int) -> None:
    refusal = Reply([b'{"error": "no"}'], status=status, framing="length")
    with Server([refusal, answer("openai", "one")]) as server:
        if colour == "sync":
            with Client("openai", base_url=f"{server.url}/v1", retries=ONCE) as client:
                with pytest.raises(Exception, match="no"):
                    client.chat.completions.create("Hello", model="gpt-4o")
                client.chat.completions.create("Hello", model="gpt-4o", stream=True).close()
        else:
            asyncio.run(refused_then_answered(server.url))
        assert server.connections == 1


async def refused_then_answered(url: str) -> None:
    async with AsyncClient("openai", base_url=f"{url}/v1", retries=ONCE) as client:
        with pytest.raises(Exception, match="no"):
            await client.chat.completions.create("Hello", model="gpt-4o")
        await (await client.chat.completions.create("Hello", model="gpt-4o", stream=True)).close()
