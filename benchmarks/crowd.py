"""Many async streams at once, on one client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import httpx

from benchmarks._bench import Bench
from benchmarks.server import Server
from benchmarks.wire import ASYNC_CLIENT, BODY, HTTPX, OVER_AIOHTTP, OverAiohttp
from g4fsdk import AsyncClient, TextDelta

NAIVE, SAME = "httpx, all connections kept alive", "httpx, our limits"
UNLIMITED = "httpx, any number of connections"
#: Seconds from the start of all to the first token of one, and how many tokens it had.
Seen: TypeAlias = tuple[float, int]
Ask: TypeAlias = Callable[[], Awaitable[Seen]]
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
    runs: dict[str, tuple[Callable[[], Coroutine[Any, Any, float]], int]] = {
        ASYNC_CLIENT: (lambda: _ours_twice(base_url, size), bench.scale.crowd_rounds),
        SAME: (lambda: _httpx_twice(base_url, size, _LIMITS), bench.scale.crowd_rounds),
        NAIVE: (lambda: _httpx_twice(base_url, size, all_kept), 1),
    }
    for name, (wave, rounds) in runs.items():
        waits = sorted(asyncio.run(wave()) for _ in range(rounds))
        bench.series[f"second wave, seconds, {name}"] = waits
        goal = 0.5 if name == ASYNC_CLIENT else None
        bench.judge(row, name, waits[len(waits) // 2], goal, best=waits[0], unit="s")


async def _ours_twice(base_url: str, size: int) -> float:
    async with AsyncClient("openai", base_url=base_url, model="m") as client:
        return await _twice(lambda: _ask_ours(client), size)


async def _httpx_twice(base_url: str, size: int, limits: httpx.Limits) -> float:
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        return await _twice(lambda: _ask_httpx(client, base_url), size)


async def _twice(ask: Ask, size: int) -> float:
    await _together(ask, size)
    return max(first for first, _ in await _together(ask, size))


async def _together(ask: Ask, size: int) -> list[Seen]:
    start = time.perf_counter()
    seen = await asyncio.gather(*(ask() for _ in range(size)))
    return [(first - start, count) for first, count in seen]


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


def _judge_crowd(bench: Bench, base_url: str) -> None:
    size, tokens = bench.scale.crowd, bench.scale.crowd_tokens
    row = f"{size:,} concurrent async streams of {tokens} tokens"
    why = bench.missing("httpx_aiohttp")
    crowds: dict[str, Callable[[], Any]] = {
        HTTPX: lambda: httpx.AsyncClient(limits=_LIMITS, timeout=60),
        ASYNC_CLIENT: lambda: AsyncClient("openai", base_url=base_url, model="m"),
    }
    if not why:
        crowds[OVER_AIOHTTP] = lambda: OverAiohttp(base_url, limit=1000)
    walls: dict[str, list[float]] = {name: [] for name in crowds}
    used: dict[str, list[float]] = {name: [] for name in crowds}
    lost: dict[str, int] = dict.fromkeys(crowds, 0)
    for _ in range(bench.scale.crowd_rounds):
        for name, make in crowds.items():
            before = time.process_time()
            wall, missed = asyncio.run(_crowd(make, base_url, size, tokens))
            used[name].append(time.process_time() - before)
            walls[name].append(wall)
            lost[name] += missed
    bench.series["crowd, seconds"] = walls
    bench.series["crowd, CPU seconds"] = used
    median, cpu = (
        {name: sorted(each)[len(each) // 2] for name, each in samples.items()} for samples in (walls, used)
    )
    best = {name: min(each) for name, each in walls.items()}
    for name, missed in lost.items():
        bench.judge(row, f"{name}: tokens lost", missed, None if name == HTTPX else 0, unit="tokens")
    for name, value in cpu.items():
        bench.judge(row, f"{name}: CPU time", value, None, best=min(used[name]), unit="s")
    for name, value in median.items():
        bench.judge(row, f"{name}: wall time", value, None, best=best[name], unit="s")
    pairs = ((ASYNC_CLIENT, HTTPX, 1.2, why and ""), (OVER_AIOHTTP, ASYNC_CLIENT, 0.4, why))
    for ours, reference, goal, missing in pairs:
        what = f"wall: {ours} / {reference}"
        if missing:
            bench.judge(row, what, None, goal, note=missing)
        else:
            ratio, least = median[ours] / median[reference], best[ours] / best[reference]
            bench.judge(row, what, ratio, goal, best=least)


def _judge_calls(bench: Bench, base_url: str, size: int) -> None:
    row = f"{size:,} calls at once"
    wall, missed = asyncio.run(
        _crowd(lambda: AsyncClient("openai", base_url=base_url, model="m"), base_url, size, _TOKENS)
    )
    bench.judge(row, f"{ASYNC_CLIENT}: tokens lost", missed, 0, unit="tokens")
    bench.judge(row, f"{ASYNC_CLIENT}: wall time", wall, None, unit="s")
    if size <= _MOST_OF_HTTPX:
        other, _ = asyncio.run(
            _crowd(lambda: httpx.AsyncClient(limits=_NO_LIMIT, timeout=120), base_url, size, _TOKENS)
        )
        bench.judge(row, f"wall: {ASYNC_CLIENT} / {UNLIMITED}", wall / other, 1.2)


async def _crowd(make: Callable[[], Any], base_url: str, size: int, tokens: int) -> tuple[float, int]:
    """Return the wall time of all, and how many tokens never came."""
    start = time.perf_counter()
    client = make()
    if isinstance(client, AsyncClient):
        seen = await asyncio.gather(*(_ask_ours(client) for _ in range(size)))
        await client.close()
    else:
        seen = await asyncio.gather(*(_ask_httpx(client, base_url) for _ in range(size)))
        await client.aclose()
    return time.perf_counter() - start, sum(tokens - count for _, count in seen)
