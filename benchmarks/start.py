"""What it takes to begin: importing, and memory after a first answer. Each in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks._bench import Bench, Table
from benchmarks.server import Server

BARE, OURS, REQUESTS = "bare interpreter", "import g4fsdk", "import requests"
IMPORTS = "a process that imports, CPU time"
_ROOT = Path(__file__).parents[1]
_IMPORTS: dict[str, tuple[str, tuple[str, ...]]] = {
    BARE: ("pass", ()),
    OURS: ("import g4fsdk", ()),
    "from g4fsdk import Client": ("from g4fsdk import Client", ()),
    "from g4fsdk import AsyncClient": ("from g4fsdk import AsyncClient", ()),
    REQUESTS: ("import requests", ()),
    "import httpx": ("import httpx", ()),
    "import openai": ("import openai", ("openai",)),
    "import anthropic": ("import anthropic", ("anthropic",)),
    "import g4f.client": ("import g4f.client", ("g4f",)),
}
_ASK = 'c.chat.completions.create(messages=[{"role": "user", "content": "Hi"}], model="m", stream=True)'
_MEMORY: dict[str, tuple[str, tuple[str, ...]]] = {
    BARE: ("", ()),
    "g4fsdk Client": (
        f"from g4fsdk import Client\nc = Client('openai', base_url=URL)\nfor _ in {_ASK}: pass",
        (),
    ),
    "g4fsdk AsyncClient": (
        "import asyncio\nfrom g4fsdk import AsyncClient\n"
        "async def main():\n    async with AsyncClient('openai', base_url=URL) as c:\n"
        f"        async for _ in await {_ASK}: pass\nasyncio.run(main())",
        (),
    ),
    "openai OpenAI": (
        f"import openai\nc = openai.OpenAI(base_url=URL, api_key='none')\nfor _ in {_ASK}: pass",
        ("openai",),
    ),
    "g4f client, imported": ("import g4f.client", ("g4f",)),
}
_PEAK = "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"


def run(bench: Bench) -> None:
    """Measure imports, then memory."""
    _judge_imports(bench)
    _judge_memory(bench)


def _judge_imports(bench: Bench) -> None:
    table = Table(IMPORTS, 1, children_cpu.__name__)
    runs = {}
    for name, (code, needs) in _IMPORTS.items():
        why = bench.missing(*needs)
        if why:
            table.missing[name] = why
        else:
            runs[name] = partial(_python, code)
    bench.timed(table, runs, children_cpu, rounds=bench.scale.processes)
    took = {name: each.median for name, each in table.samples.items()}
    best = {name: each.best for name, each in table.samples.items()}
    ours, theirs = took[OURS] - took[BARE], took[REQUESTS] - took[BARE]
    bench.judge(OURS, f"over the {BARE}", ours * 1e3, 15, best=(best[OURS] - best[BARE]) * 1e3, unit="ms")
    least = (best[OURS] - best[BARE]) / (best[REQUESTS] - best[BARE])
    bench.judge(OURS, f"/ {REQUESTS}, both over the {BARE}", ours / theirs, 0.3, best=least)


def _judge_memory(bench: Bench) -> None:
    with Server() as server:
        where = f"URL = {server.base_url('events', 100)!r}\n"
        for name, (code, needs) in _MEMORY.items():
            why = bench.missing(*needs)
            if not why and not Path("/proc/self/status").exists():
                why = "only where /proc is"
            if why:
                bench.judge("memory after a first answer", name, None, None, unit="MB", note=why)
                continue
            peaks = sorted(int(_python(where + code + _PEAK)) / 1024 for _ in range(3))
            bench.series[f"peak memory, MB, {name}"] = peaks
            bench.judge("memory after a first answer", name, peaks[1], None, best=peaks[0], unit="MB")


def children_cpu() -> float:
    """Return the CPU time of the processes that have ended: others on the machine do not count."""
    import resource  # not on Windows

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _python(code: str) -> str:
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        cwd=_ROOT.anchor,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
