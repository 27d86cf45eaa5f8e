"""Calls that end from outside, by another thread or task or their client; forks; and whole answers."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from g4fsdk import AsyncClient, Client, DeadlineError, G4FError, Timeouts, UsageError
from tests.support.command_line import python
from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import Colour, answer, as_json, both, complete, media, unfinished

SOON_S = 1.0
SILENT = unfinished("openai", "Hel", end="hold")
TALKING = unfinished("openai", *["Hel"] * 400, pause_s=0.01)
replies = pytest.mark.parametrize("reply", [SILENT, TALKING], ids=["waiting", "reading"])
ways = pytest.mark.parametrize("way", ["stream", "client"])


def texts(stream: Any, begun: threading.Event) -> str:
    text = ""
    for piece in stream.text_stream:
        text += piece
        begun.set()
    return text


@replies
@ways
def test_closing_from_another_thread_ends_the_reader(reply: Reply, way: str) -> None:
    begun = threading.Event()
    with Server(reply) as server, Client("openai", base_url=f"{server.url}/v1", model="m") as client:
        stream = client.chat.completions.stream("Hello")
        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(texts, stream, begun)
            assert begun.wait(SOON_S)
            (stream if way == "stream" else client).close()
            assert reader.result(SOON_S).startswith("Hel")
        assert server.all_closed()
        with pytest.raises(UsageError, match="closed"):
            stream.get_final_completion()


def body_that_its_connection_ends() -> Reply:
    return Reply([b"Hel"], headers=media("yqcloud"), framing="close", end="hold")


def test_what_close_cut_off_is_no_whole_answer() -> None:
    begun = threading.Event()
    hooks: Any = {"event": [lambda _: begun.set()]}
    with (
        Server(body_that_its_connection_ends()) as server,
        Client("yqcloud", base_url=server.url, event_hooks=hooks) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        call = pool.submit(client.chat.completions.create, "Hello")
        assert begun.wait(SOON_S)
        client.close()
        with pytest.raises(UsageError, match="closed"):
            call.result(SOON_S)


def test_what_close_cut_off_is_no_whole_answer_when_awaited() -> None:
    async def main(url: str) -> None:
        begun = asyncio.Event()
        hooks: Any = {"event": [lambda _: begun.set()]}
        async with AsyncClient("yqcloud", base_url=url, event_hooks=hooks) as client:
            call = asyncio.create_task(client.chat.completions.create("Hello"))
            await begun.wait()
            await client.close()
            with pytest.raises(UsageError, match="closed"):
                await call

    with Server(body_that_its_connection_ends()) as server:
        asyncio.run(main(server.url))


@replies
@ways
def test_closing_from_another_task_ends_the_reader(reply: Reply, way: str) -> None:
    async def main(server: Server) -> None:
        begun = asyncio.Event()
        async with AsyncClient("openai", base_url=f"{server.url}/v1", model="m") as client:
            stream = client.chat.completions.stream("Hello")

            async def read() -> str:
                text = ""
                async for piece in stream.text_stream:
                    text += piece
                    begun.set()
                return text

            reader = asyncio.create_task(read())
            await begun.wait()
            await (stream if way == "stream" else client).close()
            async with asyncio.timeout(SOON_S):
                assert (await reader).startswith("Hel")
            assert await asyncio.to_thread(server.all_closed)
            with pytest.raises(UsageError, match="closed"):
                await stream.get_final_completion()

    with Server(reply) as server:
        asyncio.run(main(server))


WAITS: list[Any] = [
    pytest.param(Reply(has_head=False, end="hold"), id="for the head"),
    pytest.param(Reply(end="hold"), id="for the body"),
    pytest.param(
        Reply([b"{}"], status=503, headers={"Retry-After": "30"}, framing="length"), id="to try again"
    ),
]


def test_a_connection_that_is_made_as_its_client_closes_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    connect, made = socket.socket.connect, list[socket.socket]()

    def close_meanwhile(sock: socket.socket, address: Any) -> None:
        connect(sock, address)
        made.append(sock)
        client.close()

    with Server([]) as server, Client("openai", base_url=server.url, model="m") as client:
        monkeypatch.setattr(socket.socket, "connect", close_meanwhile)
        with pytest.raises(UsageError, match="closed"):
            client.chat.completions.create("Hello")

    assert [sock.fileno() for sock in made] == [-1]


@pytest.mark.parametrize("reply", WAITS)
def test_a_call_that_waits_is_ended_by_its_client(reply: Reply) -> None:
    with Server(reply) as server, ThreadPoolExecutor(1) as pool:
        client = Client("openai", base_url=f"{server.url}/v1", model="m")
        call = pool.submit(client.chat.completions.create, "Hello")
        assert server.wait_until(lambda server: bool(server.requests))
        time.sleep(0.02)
        client.close()

        with pytest.raises(G4FError):
            call.result(SOON_S)
        assert server.all_closed()
        assert len(server.requests) == 1


@pytest.mark.parametrize("reply", WAITS)
def test_an_async_call_that_waits_is_ended_by_its_client(reply: Reply) -> None:
    async def main(server: Server) -> None:
        client = AsyncClient("openai", base_url=f"{server.url}/v1", model="m")
        call = asyncio.create_task(client.chat.completions.create("Hello"))
        await asyncio.to_thread(server.wait_until, lambda server: bool(server.requests))
        await asyncio.sleep(0.02)
        await client.close()
        with pytest.raises(G4FError):
            async with asyncio.timeout(SOON_S):
                await call
        assert await asyncio.to_thread(server.all_closed)
        assert len(server.requests) == 1

    with Server(reply) as server:
        asyncio.run(main(server))


# ---- forks

ASKS = {
    "sync": "client = Client(**said); ask = lambda text: client.chat.completions.create(text).text",
    "async": """
client, loop = AsyncClient(**said), asyncio.new_event_loop()
async def one(text):
    return (await client.chat.completions.create(text)).text
ask = lambda text: (loop if os.getpid() == parent else asyncio.new_event_loop()).run_until_complete(one(text))
""",
}
FORKED = """
import asyncio, os
from g4fsdk import AsyncClient, Client
said, parent = dict(provider="openai", base_url={url!r}, model="m"), os.getpid()
{ask}
assert ask("first") == "first"
child = os.fork()
if not child:
    os._exit(0 if ask("child") == "child" else 1)
assert os.waitpid(child, 0)[1] == 0
assert ask("parent") == "parent"
print("done", flush=True)
os._exit(0)
"""


def echo(request: Received) -> Reply:
    said = request.body.split(b'"content":"')[1].split(b'"')[0].decode()
    choice = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    return Reply([as_json({"choices": [choice]})], framing="length")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")
@both
def test_a_fork_has_connections_of_its_own(colour: Colour) -> None:
    with Server(echo) as server:
        result = python(FORKED.format(url=f"{server.url}/v1", ask=ASKS[colour]))

    assert (result.stdout, result.stderr) == ("done\n", "")
    assert [request.connection for request in server.requests] == [0, 1, 0]


STREAMS = {
    "sync": """
client = Client(**said)
start = lambda: iter(client.chat.completions.create("Hi", stream=True))
take = lambda stream: next(stream).choices[0].delta.content
ask = lambda: client.chat.completions.create("Hi").text
close = client.close
""",
    "async": """
client, loop = AsyncClient(**said), asyncio.new_event_loop()
run = lambda made: (loop if os.getpid() == parent else asyncio.new_event_loop()).run_until_complete(made)
start = lambda: run(client.chat.completions.create("Hi", stream=True))
take = lambda stream: run(anext(stream)).choices[0].delta.content
ask = lambda: run(client.chat.completions.create("Hi")).text
close = lambda: run(client.close())
""",
}
FORKED_IN_A_STREAM = """
import asyncio, os
from g4fsdk import AsyncClient, Client
said, parent = dict(provider="openai", base_url={url!r}, model="m", max_concurrency=1, timeout=5), os.getpid()
{ways}
stream = start()
assert take(stream) == "Hel"
child = os.fork()
if not child:
    text = ask()
    close()
    os._exit(0 if text == "child" else 1)
assert os.waitpid(child, 0)[1] == 0
assert take(stream) == "lo"
print("done", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")
@both
def test_a_fork_has_room_of_its_own_and_ends_no_call_of_its_parent(colour: Colour) -> None:
    gate = threading.Event()

    def script(request: Received) -> Reply:
        if len(server.requests) == 0:
            return unfinished("openai", "Hel", gate, "lo", end="hold")
        return answer("openai", "child")

    with Server(script) as server, ThreadPoolExecutor(1) as pool:
        code = FORKED_IN_A_STREAM.format(url=f"{server.url}/v1", ways=STREAMS[colour])
        running = pool.submit(python, code)
        assert server.wait_until(lambda server: len(server.requests) == 2, 20.0)
        assert server.wait_until(lambda server: server.open_connections == 1)
        gate.set()
        result = running.result()

    assert (result.stdout, result.stderr) == ("done\n", "")


# ---- an answer that is not streamed


def slow_document(pause_s: float) -> Callable[[Received], Reply]:
    def reply(request: Received) -> Reply:
        return Reply(echo(request).pieces, framing="length", pause_s=pause_s)

    return reply


@both
@pytest.mark.parametrize(
    ("limits", "clock"),
    [
        pytest.param(Timeouts(whole=0.1), "first_event", id="whole"),
        pytest.param(Timeouts(first_event=0.1), "first_event", id="first_event"),
        pytest.param(Timeouts(idle=0.1), "idle", id="idle"),
    ],
)
def test_a_whole_answer_is_under_its_clock(colour: Colour, limits: Timeouts, clock: str) -> None:
    with Server(Reply(has_head=False, end="hold")) as server:
        error = complete(colour, "openai", server.url, timeout=limits)

    assert isinstance(error, DeadlineError)
    assert error.clock in (clock, "idle")
    assert "0.1 s" in error.message


@both
def test_a_whole_answer_may_take_longer_than_a_stream_is_silent(colour: Colour) -> None:
    limits = Timeouts(first_event=0.05, idle=0.05, whole=20.0)
    with Server(slow_document(0.15)) as server:
        assert complete(colour, "openai", server.url, timeout=limits).text == "Hello"


@pytest.mark.parametrize("turns", range(1, 40))
def test_a_connection_whose_request_is_cancelled_before_it_goes_out_is_closed(turns: int) -> None:
    async def main() -> bool:
        with Server(SILENT) as server:
            async with AsyncClient("openai", base_url=server.url, model="m") as client:
                call = asyncio.create_task(client.chat.completions.create("Hello"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
                return await asyncio.to_thread(server.all_closed)

    assert asyncio.run(main())
