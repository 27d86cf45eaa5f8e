"""One short call on a connection that is kept alive: what the clients cost beside their library."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeAlias

import httpx
import requests

from benchmarks._bench import Bench, Table
from benchmarks.server import Server
from g4fsdk import AsyncClient, Client

CLIENT, ASYNC_CLIENT = "g4fsdk Client", "g4fsdk AsyncClient"
REQUESTS, HTTPX = "requests", "httpx"
_HOW = {"events": "streamed", "whole": "whole"}
_EVENTS = 24
_MESSAGES: Any = [{"role": "user", "content": "Hi"}]
_ROUNDS = 61
_GOALS = ((CLIENT, REQUESTS, 1.10), (ASYNC_CLIENT, HTTPX, 1.15))
Call: TypeAlias = Callable[[], object]
Awaited: TypeAlias = Callable[[], Awaitable[object]]


def run(bench: Bench) -> None:
    """Measure the CPU time of this process for calls one after the other, streamed, then whole."""
    with Server() as server:
        for kind in _HOW:
            name = f"a call, {_HOW[kind]}, {_EVENTS} events, CPU of the client process"
            table = _timed(bench, Table(name, bench.scale.in_a_row, time.process_time.__name__), kind, server)
            for ours, library, goal in _GOALS:
                bench.ratio(name, table, ours, library, goal)


def _timed(bench: Bench, table: Table, kind: str, server: Server) -> Table:
    base_url, stream, count = server.base_url(kind, _EVENTS), kind == "events", table.units
    with asyncio.Runner() as runner, ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        client = stack.enter_context(Client("openai", base_url=base_url, model="m"))
        raw, ours = httpx.AsyncClient(), AsyncClient("openai", base_url=base_url, model="m")
        stack.callback(lambda: runner.run(raw.aclose()))
        stack.callback(lambda: runner.run(ours.close()))
        url, body = f"{base_url}/chat/completions", {"model": "m", "messages": _MESSAGES, "stream": stream}
        calls: dict[str, Call] = {
            REQUESTS: partial(_read_requests if stream else _whole_requests, session, url, body),
            CLIENT: partial(_read if stream else _whole, client),
        }
        awaited: dict[str, Awaited] = {
            HTTPX: partial(_read_httpx if stream else _whole_httpx, raw, url, body),
            ASYNC_CLIENT: partial(_aread if stream else _awhole, ours),
        }
        runs: dict[str, Call] = {name: partial(_repeat, call, count) for name, call in calls.items()}
        runs |= {name: partial(_run, runner, call, count) for name, call in awaited.items()}
        return bench.timed(table, runs, time.process_time, rounds=_ROUNDS if bench.scale.seconds else 1)


def _repeat(call: Call, count: int) -> None:
    for _ in range(count):
        call()


def _run(runner: asyncio.Runner, call: Awaited, count: int) -> None:
    runner.run(_arepeat(call, count))


async def _arepeat(call: Awaited, count: int) -> None:
    for _ in range(count):
        await call()


def _read_requests(session: requests.Session, url: str, body: Any) -> None:
    with session.post(url, json=body, stream=True) as response:
        for _ in response.raw.stream(65536):
            pass


def _whole_requests(session: requests.Session, url: str, body: Any) -> str:
    return _text_of(session.post(url, json=body).json())


def _read(client: Client) -> None:
    with client.chat.completions.stream(_MESSAGES) as stream:
        for _ in stream:
            pass


def _whole(client: Client) -> str:
    return client.chat.completions.create(_MESSAGES).text


async def _read_httpx(client: httpx.AsyncClient, url: str, body: Any) -> None:
    async with client.stream("POST", url, json=body) as response:
        async for _ in response.aiter_raw():
            pass


async def _whole_httpx(client: httpx.AsyncClient, url: str, body: Any) -> str:
    return _text_of((await client.post(url, json=body)).json())


async def _aread(client: AsyncClient) -> None:
    async with client.chat.completions.stream(_MESSAGES) as stream:
        async for _ in stream:
            pass


async def _awhole(client: AsyncClient) -> str:
    return (await client.chat.completions.create(_MESSAGES)).text


def _text_of(document: Any) -> str:
    text: str = document["choices"][0]["message"]["content"]
    return text
