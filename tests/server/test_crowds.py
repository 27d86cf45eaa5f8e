"""Many callers of the gateway at once, and many events."""

from __future__ import annotations

import asyncio
import json
import socket

import httpx
from openai import AsyncOpenAI

from tests.support.gateway import HELLO, serving, upstream_of
from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import answer

COUNT, WORDS = 200, 8


def echo(request: Received) -> Reply:
    words = json.loads(request.body)["messages"][-1]["content"]
    return answer("openai", *(f"{word} ✓ " for word in words.split()))


async def text_of(client: AsyncOpenAI, number: int) -> str:
    """Ask for what only this caller asks for; return what came."""
    said = " ".join(f"{number}.{word}" for word in range(WORDS))
    stream = await client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": said}], stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert len(pieces) > WORDS
    return "".join(pieces)


async def test_two_hundred_streams_at_once_say_each_its_own() -> None:
    with Server(echo) as server, serving(upstream_of(server.url)) as address:
        async with AsyncOpenAI(base_url=address, api_key="any", max_retries=0, timeout=60) as client:
            texts = await asyncio.gather(*(text_of(client, number) for number in range(COUNT)))

    assert texts == ["".join(f"{number}.{word} ✓ " for word in range(WORDS)) for number in range(COUNT)]
    assert len(server.requests) == COUNT


def test_a_caller_who_reads_slowly_gets_every_event_in_order_and_the_provider_waits() -> None:
    words = [f"{number}-{'x' * 2000} " for number in range(8000)]
    with Server([answer("openai", *words)]) as server, serving(upstream_of(server.url)) as address:
        body = {"model": "m", "messages": HELLO, "stream": True}
        caller = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)])
        with (
            httpx.Client(transport=caller) as slow,
            slow.stream("POST", f"{address}/chat/completions", json=body) as said,
        ):
            lines = said.iter_lines()
            first = next(lines)
            assert not server.wait_until(lambda server: len(server.written_at) > len(words), 0.5)
            rest = [line for line in lines if line]

    *events, last, done = [json.loads(line[6:]) for line in (first, *rest[:-1])] + [rest[-1]]
    assert "".join(one["choices"][0]["delta"]["content"] for one in events) == "".join(words)
    assert (last["choices"][0]["finish_reason"], done) == ("stop", "data: [DONE]")
