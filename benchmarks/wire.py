"""Over a loopback socket: what the clients cost beside the library they stand on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from typing import Any

import httpx
import requests

from benchmarks import _clients, corpora
from benchmarks._bench import Bench, Table
from benchmarks.server import Server
from g4fsdk import AsyncClient, Client
from g4fsdk.bench.contenders import Contender, text_of
from g4fsdk.parsers import SSEParser

CLIENT, ASYNC_CLIENT = "g4fsdk Client.stream", "g4fsdk AsyncClient.stream"
OVER_AIOHTTP = "g4fsdk AsyncClient(http='aiohttp')"
REQUESTS, HTTPX = "requests raw.stream", "httpx aiter_raw"
OPENAI, ASYNC_OPENAI = "openai OpenAI", "openai AsyncOpenAI"
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
_EXTRA_NS = 600.0


def run(bench: Bench) -> None:
    """Measure the CPU time of this process for whole streams."""
    events = bench.scale.events
    text = corpora.SSE["constant"](events).text
    with Server() as server, asyncio.Runner() as runner, ExitStack() as stack:
        for kind, where in (("events", "one event an HTTP chunk"), ("blocks", "16 KiB HTTP chunks")):
            contenders = [*_contenders(bench, server.base_url(kind, events), runner, stack)]
            name = f"end to end, {where}, CPU of the client process"
            table = bench.table(name, events, contenders, text, clock=time.process_time)
            (_judge_ratio if kind == "events" else _judge_extra)(bench, table, where)


def _judge_ratio(bench: Bench, table: Table, where: str) -> None:
    row = f"CPU end to end, {where}"
    bench.ratio(row, table, CLIENT, REQUESTS, 1.35, stretch=1.2)
    bench.ratio(row, table, ASYNC_CLIENT, HTTPX, 1.15, stretch=1.08)


def _judge_extra(bench: Bench, table: Table, where: str) -> None:
    for ours, raw in ((CLIENT, REQUESTS), (ASYNC_CLIENT, HTTPX)):
        extra = table.per_unit(ours) - table.per_unit(raw)
        best = (table.samples[ours].best - table.samples[raw].best) / table.units * 1e9
        row = f"CPU end to end, {where}"
        bench.judge(row, f"{ours} - {raw}, an event", extra, _EXTRA_NS, best=best, unit="ns")


def _contenders(
    bench: Bench, base_url: str, runner: asyncio.Runner, stack: ExitStack
) -> Iterator[Contender | tuple[str, str]]:
    session = stack.enter_context(requests.Session())
    raw = httpx.AsyncClient()
    stack.callback(lambda: runner.run(raw.aclose()))
    yield _counted(REQUESTS, partial(_raw_requests, session, base_url))
    client = stack.enter_context(Client("openai", base_url=base_url, model="m"))
    yield _counted(CLIENT, partial(_stream, client))
    yield _counted(HTTPX, lambda keep: runner.run(_raw_httpx(raw, base_url, keep)))
    yield _async_client(ASYNC_CLIENT, AsyncClient("openai", base_url=base_url, model="m"), runner, stack)
    why = bench.missing("httpx_aiohttp")
    if why:
        yield OVER_AIOHTTP, why
    else:
        over = AsyncClient("openai", base_url=base_url, model="m", http="aiohttp")
        yield _async_client(OVER_AIOHTTP, over, runner, stack)
    why = bench.missing("openai")
    if why:
        yield from ((name, why) for name in (OPENAI, ASYNC_OPENAI))
        return
    openai = import_module("openai")
    theirs = stack.enter_context(openai.OpenAI(base_url=base_url, api_key="none"))
    yield _counted(
        OPENAI, lambda keep: _clients.text_blocking(theirs) if keep else _clients.read_blocking(theirs)
    )
    awaited = openai.AsyncOpenAI(base_url=base_url, api_key="none")
    stack.callback(lambda: runner.run(awaited.close()))
    yield _counted(
        ASYNC_OPENAI,
        lambda keep: runner.run(_clients.text_awaited(awaited) if keep else _clients.read_awaited(awaited)),
    )


def _async_client(name: str, client: AsyncClient, runner: asyncio.Runner, stack: ExitStack) -> Contender:
    stack.callback(lambda: runner.run(client.close()))
    return _counted(name, lambda keep: runner.run(_astream(client, keep)))


def _counted(name: str, read: Callable[[bool], Any]) -> Contender:
    """Return the contender that reads a whole stream; `read(True)` returns its events, bytes or text."""

    def text() -> str:
        given = read(True)
        if isinstance(given, str):
            return given
        return text_of(given) if isinstance(given, list) else text_of(SSEParser().feed(given))

    return Contender(name, partial(read, False), text)


def _raw_requests(session: requests.Session, base_url: str, keep: bool) -> bytes:
    with session.post(f"{base_url}/chat/completions", json=BODY, stream=True) as response:
        chunks = response.raw.stream(65536)
        if keep:
            return b"".join([*chunks])
        for _ in chunks:
            pass
        return b""


async def _raw_httpx(client: httpx.AsyncClient, base_url: str, keep: bool) -> bytes:
    async with client.stream("POST", f"{base_url}/chat/completions", json=BODY) as response:
        chunks = response.aiter_raw()
        if keep:
            return b"".join([chunk async for chunk in chunks])
        async for _ in chunks:
            pass
        return b""


def _stream(client: Client, keep: bool) -> list[Any]:
    with client.chat.completions.stream("Hi") as stream:
        if keep:
            return [*stream]
        for _ in stream:
            pass
        return []


async def _astream(client: AsyncClient, keep: bool) -> list[Any]:
    async with client.chat.completions.stream("Hi") as stream:
        if keep:
            return [event async for event in stream]
        async for _ in stream:
            pass
        return []
