"""How long a first token takes to reach the caller, over a loopback socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import requests

from benchmarks._bench import Bench
from benchmarks.server import Server
from benchmarks.wire import ASYNC_CLIENT, BODY, CLIENT, HTTPX, REQUESTS
from g4fsdk import AsyncClient, Client, TextDelta


def run(bench: Bench) -> None:
    """Measure the wait for a first token, blocking and async, ours and of the bare libraries."""
    with Server() as server, asyncio.Runner() as runner, ExitStack() as stack:
        _first_tokens(bench, server.base_url("steps", 3), runner, stack)


def _first_tokens(bench: Bench, base_url: str, runner: asyncio.Runner, stack: ExitStack) -> None:
    """Time from the call to the first token, on a connection that is open already."""
    session, client = requests.Session(), Client("openai", base_url=base_url, model="m")
    stack.enter_context(session)
    stack.enter_context(client)
    raw, ours = httpx.AsyncClient(), AsyncClient("openai", base_url=base_url, model="m")
    stack.callback(lambda: runner.run(raw.aclose()))
    stack.callback(lambda: runner.run(ours.close()))
    reads: dict[str, Callable[[], float]] = {
        REQUESTS: lambda: _first_requests(session, base_url),
        CLIENT: lambda: _first_blocking(client),
        HTTPX: lambda: runner.run(_first_httpx(raw, base_url)),
        ASYNC_CLIENT: lambda: runner.run(_first_awaited(ours)),
    }
    waits: dict[str, list[float]] = {name: [] for name in reads}
    for _ in range(bench.scale.min_rounds * 3):
        for name, read in reads.items():
            waits[name].append(read())
    bench.series["first token, seconds"] = waits
    for name, each in waits.items():
        median = sorted(each)[len(each) // 2] * 1e3
        bench.judge("first token", name, median, None, best=min(each) * 1e3, unit="ms")


def _first_requests(session: requests.Session, base_url: str) -> float:
    start, first = time.perf_counter(), 0.0
    with session.post(f"{base_url}/chat/completions", json=BODY, stream=True) as response:
        for _ in response.raw.stream(65536):
            first = first or time.perf_counter() - start
    return first


async def _first_httpx(client: httpx.AsyncClient, base_url: str) -> float:
    start, first = time.perf_counter(), 0.0
    async with client.stream("POST", f"{base_url}/chat/completions", json=BODY) as response:
        async for _ in response.aiter_raw():
            first = first or time.perf_counter() - start
    return first


def _first_blocking(client: Client) -> float:
    start, first = time.perf_counter(), 0.0
    with client.chat.completions.stream("Hi") as stream:
        for event in stream:
            if type(event) is TextDelta:
                first = first or time.perf_counter() - start
    return first


async def _first_awaited(client: AsyncClient) -> float:
    start, first = time.perf_counter(), 0.0
    async with client.chat.completions.stream("Hi") as stream:
        async for event in stream:
            if type(event) is TextDelta:
                first = first or time.perf_counter() - start
    return first
