"""What an open stream takes: the growth of a process that holds many, each behind its first token.

`python -m benchmarks.memory WHO BASE_URL STREAMS` prints it, in bytes a stream.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from benchmarks._bench import Bench
from benchmarks.server import Server
from benchmarks.wire import ASYNC_CLIENT, BODY, HTTPX
from g4fsdk import AsyncClient

_ROOT = Path(__file__).parents[1]
_SIZE = Path("/proc/self/statm")
_ROW, _GOAL_KB = "process size, an open async stream", 30
_WARM = 20


def run(bench: Bench) -> None:
    """Measure it for our client, and for httpx alone."""
    if not _SIZE.exists():
        bench.judge(_ROW, ASYNC_CLIENT, None, _GOAL_KB, note="there is no /proc here")
        return
    with Server() as server:
        for name, who in ((ASYNC_CLIENT, "ours"), (HTTPX, "httpx")):
            command = [sys.executable, "-m", "benchmarks.memory", who, server.base_url("first", 12)]
            done = subprocess.run(
                [*command, str(bench.scale.crowd)], capture_output=True, check=True, cwd=_ROOT
            )
            goal = _GOAL_KB if who == "ours" else None
            bench.judge(_ROW, name, int(done.stdout) / 1024, goal, unit="KB")


def _ours(base_url: str) -> Callable[[], Awaitable[Any]]:
    client = AsyncClient("openai", base_url=base_url, model="m")

    async def begin() -> Any:
        stream = client.chat.completions.stream("Hi")
        await anext(stream)
        return stream

    return begin


def _httpx(base_url: str) -> Callable[[], Awaitable[Any]]:
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60)

    async def begin() -> Any:
        asked = client.build_request("POST", f"{base_url}/chat/completions", json=BODY)
        pieces = (await client.send(asked, stream=True)).aiter_raw()
        await anext(pieces)
        return pieces

    return begin


async def _held(who: str, base_url: str, streams: int) -> None:
    begin = (_ours if who == "ours" else _httpx)(base_url)
    warm = [await begin() for _ in range(_WARM)]
    before = _size()
    held = await asyncio.gather(*(begin() for _ in range(streams)))
    sys.stdout.write(f"{(_size() - before) // streams}\n")
    sys.stdout.flush()
    del warm, held  # they were to be there until now
    os._exit(0)  # at once: to close them all says nothing


def _size() -> int:
    return int(_SIZE.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    asyncio.run(_held(sys.argv[1], sys.argv[2], int(sys.argv[3])))
