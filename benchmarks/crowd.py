"""Many async streams at once, on one client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib import import_module
from statistics import median
from typing import Literal, TypeAlias

import httpx

from benchmarks._bench import Bench
from benchmarks.server import Server
from benchmarks.wire import ASYNC_CLIENT, BODY, HTTPX, OVER_AIOHTTP
from g4fsdk import AsyncClient, TextDelta
from g4fsdk.parsers import SSEParser

NAIVE, SAME = "httpx, all connections kept alive", "httpx, our limits"
UNLIMITED = "httpx, any number of connections"
#: What lies under AsyncClient(http="aiohttp"), and that with nothing but a parser behind it.
RAW_AIOHTTP, PARSED = "httpx over aiohttp", "httpx over aiohttp, SSEParser"
#: Seconds from the start of all to the first token of one, and how many tokens it had.
Seen: TypeAlias = tuple[float, int]
Ask: TypeAlias = Callable[[], Awaitable[Seen]]
#: Opens a client, and gives what asks with it.
Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[Ask]]
_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=20)
_NO_LIMIT = httpx.Limits(max_connections=None, max_keepalive_connections=20)
_TOKENS = 20
# Of more calls at once, httpx looks through its list for minutes.
_MOST_OF_HTTPX = 1_500


def run(bench: Bench) -> None:
    """Measure the second wave of 200 streams, 1,000 streams of 100 tokens, then thousands of calls."""
    with Server() as server:
        _judge_waves(bench, server.base_url("steps", 20))
        _judge_crowd(bench, server.base_url("steps", bench.scale.crowd_tokens))
        for size in bench.scale.calls:
            _judge_calls(bench, server.base_url("steps", _TOKENS), size)


def _judge_waves(bench: Bench, base_url: str) -> None:
    size = bench.scale.wave
    row = f"{size} concurrent async streams, second wave: last first token"
    all_kept = httpx.Limits(max_connections=size, max_keepalive_connections=size)
    runs: dict[str, tuple[Opened, int]] = {
        ASYNC_CLIENT: (partial(_ours, base_url), bench.scale.crowd_rounds),
        SAME: (partial(_bare, base_url, _LIMITS), bench.scale.crowd_rounds),
        NAIVE: (partial(_bare, base_url, all_kept), 1),
    }
    for name, (opened, rounds) in runs.items():
        waits = sorted(asyncio.run(_twice(opened, size)) for _ in range(rounds))
        bench.series[f"second wave, seconds, {name}"] = waits
        goal = 0.5 if name == ASYNC_CLIENT else None
        bench.judge(row, name, waits[len(waits) // 2], goal, best=waits[0], unit="s")


async def _twice(opened: Opened, size: int) -> float:
    async with opened() as ask:
        await _together(ask, size)
        return max(first for first, _ in await _together(ask, size))


async def _together(ask: Ask, size: int) -> list[Seen]:
    start = time.perf_counter()
    seen = await asyncio.gather(*(ask() for _ in range(size)))
    return [(first - start, count) for first, count in seen]


@asynccontextmanager
async def _ours(base_url: str, http: Literal["httpx", "aiohttp"] = "httpx") -> AsyncIterator[Ask]:
    async with AsyncClient("openai", base_url=base_url, model="m", http=http) as client:
        yield partial(_ask_ours, client)


@asynccontextmanager
async def _bare(base_url: str, limits: httpx.Limits) -> AsyncIterator[Ask]:
    async with httpx.AsyncClient(limits=limits, timeout=120) as client:
        yield partial(_ask_httpx, client, base_url)


@asynccontextmanager
async def _bare_aiohttp(base_url: str, is_parsed: bool = False) -> AsyncIterator[Ask]:
    transport = import_module("httpx_aiohttp").AiohttpTransport(limits=_LIMITS)
    async with httpx.AsyncClient(transport=transport, timeout=120) as client:
        yield partial(_ask_parsed if is_parsed else _ask_httpx, client, base_url)


async def _ask_ours(client: AsyncClient) -> Seen:
    first, count = 0.0, 0
    async with client.chat.completions.stream("Hi") as stream:
        async for event in stream:
            if type(event) is TextDelta:
                first = first or time.perf_counter()
                count += 1
    return first, count


async def _ask_httpx(client: httpx.AsyncClient, base_url: str) -> Seen:
    first, count = 0.0, 0
    async with client.stream("POST", f"{base_url}/chat/completions", json=BODY) as response:
        async for chunk in response.aiter_raw():
            first = first or time.perf_counter()
            count += chunk.count(b"data: ")
    return first, count - 2  # the finish reason and [DONE]


async def _ask_parsed(client: httpx.AsyncClient, base_url: str) -> Seen:
    first, count, parser = 0.0, 0, SSEParser()
    async with client.stream("POST", f"{base_url}/chat/completions", json=BODY) as response:
        async for chunk in response.aiter_raw():
            for event in parser.feed(chunk):
                if type(event) is TextDelta:
                    first = first or time.perf_counter()
                    count += 1
    parser.close()
    return first, count


def _judge_crowd(bench: Bench, base_url: str) -> None:
    size, tokens = bench.scale.crowd, bench.scale.crowd_tokens
    row = f"{size:,} concurrent async streams of {tokens} tokens"
    why = bench.missing("httpx_aiohttp")
    crowds: dict[str, Opened] = {
        HTTPX: partial(_bare, base_url, _LIMITS),
        ASYNC_CLIENT: partial(_ours, base_url),
    }
    if not why:
        crowds |= {
            RAW_AIOHTTP: partial(_bare_aiohttp, base_url),
            PARSED: partial(_bare_aiohttp, base_url, is_parsed=True),
            OVER_AIOHTTP: partial(_ours, base_url, http="aiohttp"),
        }
    walls: dict[str, list[float]] = {name: [] for name in crowds}
    used: dict[str, list[float]] = {name: [] for name in crowds}
    lost = dict.fromkeys(crowds, 0)
    for _ in range(bench.scale.crowd_rounds):
        for name, opened in crowds.items():
            before = time.process_time()
            wall, missed = asyncio.run(_crowd(opened, size, tokens))
            used[name].append(time.process_time() - before)
            walls[name].append(wall)
            lost[name] += missed
    bench.series |= {"crowd, seconds": walls, "crowd, CPU seconds": used}
    for name, missed in lost.items():
        bench.judge(row, f"{name}: tokens lost", missed, 0, unit="tokens")
    for name, each in used.items():
        bench.judge(row, f"{name}: CPU time", median(each), None, best=min(each), unit="s")
    for name, goal in ((ASYNC_CLIENT, 1.1), (RAW_AIOHTTP, None), (PARSED, None), (OVER_AIOHTTP, 0.45)):
        what = f"CPU: {name} / {HTTPX}"
        if name in used:
            ratios = [ours / bare for ours, bare in zip(used[name], used[HTTPX], strict=True)]
            bench.judge(row, what, median(ratios), goal, best=min(ratios))
        else:
            bench.judge(row, what, None, goal, note=why)


def _judge_calls(bench: Bench, base_url: str, size: int) -> None:
    row = f"{size:,} calls at once"
    wall, missed = asyncio.run(_crowd(partial(_ours, base_url), size, _TOKENS))
    bench.judge(row, f"{ASYNC_CLIENT}: tokens lost", missed, 0, unit="tokens")
    bench.judge(row, f"{ASYNC_CLIENT}: wall time", wall, None, unit="s")
    if size <= _MOST_OF_HTTPX:
        other, _ = asyncio.run(_crowd(partial(_bare, base_url, _NO_LIMIT), size, _TOKENS))
        bench.judge(row, f"wall: {ASYNC_CLIENT} / {UNLIMITED}", wall / other, 1.2)


async def _crowd(opened: Opened, size: int, tokens: int) -> tuple[float, int]:
    """Return the wall time of all, and how many tokens never came."""
    start = time.perf_counter()
    async with opened() as ask:
        seen = await asyncio.gather(*(ask() for _ in range(size)))
    return time.perf_counter() - start, sum(tokens - count for _, count in seen)
