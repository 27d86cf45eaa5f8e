"""What it takes to begin: importing, the way to a first token, and memory after a first answer.

Each in processes of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from benchmarks._bench import Bench, Table
from benchmarks.server import Server

BARE, OURS, REQUESTS = "bare interpreter", "import g4fsdk", "import requests"
IMPORTS = "a process that imports, CPU time"
_ROOT = Path(__file__).parents[1]
Python: TypeAlias = Callable[[str], str]
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
FIRST, BY_REQUESTS, BY_HTTPX = "to the first token, CPU time of a process", "requests", "httpx, async"
CLIENT, ASYNC_CLIENT, CHAT, HELP = "g4fsdk Client", "g4fsdk AsyncClient", "g4fsdk chat", "g4fsdk --help"
_BODY = '{"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}'
_READ = "if line.startswith('data: '): print(json.loads(line[6:])['choices'][0]['delta']['content']); break"
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
_FIRST: dict[str, tuple[str, tuple[str, ...]]] = {
    BY_REQUESTS: (
        "import json, requests\n"
        f"with requests.post(URL + '/chat/completions', json={_BODY}, stream=True) as r:\n"
        f"    for line in r.iter_lines(decode_unicode=True):\n        {_READ}",
        (),
    ),
    CLIENT: (
        "from g4fsdk import Client\nc = Client('openai', base_url=URL)\n"
        f"for chunk in {_ASK}:\n    print(chunk.choices[0].delta.content)\n    break",
        (),
    ),
    BY_HTTPX: (
        "import asyncio, json, httpx\nasync def main():\n    async with httpx.AsyncClient() as c:\n"
        f"        async with c.stream('POST', URL + '/chat/completions', json={_BODY}) as r:\n"
        f"            async for line in r.aiter_lines():\n                {_READ}\nasyncio.run(main())",
        (),
    ),
    ASYNC_CLIENT: (
        "import asyncio\nfrom g4fsdk import AsyncClient\n"
        "async def main():\n    async with AsyncClient('openai', base_url=URL) as c:\n"
        f"        async for chunk in await {_ASK}:\n"
        "            print(chunk.choices[0].delta.content)\n            break\nasyncio.run(main())",
        (),
    ),
    "openai": (
        "import openai\nc = openai.OpenAI(base_url=URL, api_key='none')\n"
        f"for chunk in {_ASK}:\n    print(chunk.choices[0].delta.content)\n    break",
        ("openai",),
    ),
    CHAT: (
        "import sys\nsys.argv = ['g4fsdk', 'chat', '-p', 'openai', '--base-url', URL, '-m', 'm', 'Hi']\n"
        "from g4fsdk.cli import main\nmain()",
        ("typer", "rich"),
    ),
    HELP: (
        "import sys\nsys.argv = ['g4fsdk', '--help']\nfrom g4fsdk.cli import main\nmain()",
        ("typer", "rich"),
    ),
}
_PEAK = "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"


def run(bench: Bench) -> None:
    """Measure imports, the way to a first token, then memory."""
    with tempfile.TemporaryDirectory() as home:
        python = partial(_python, home=home)
        _judge_imports(bench, python)
        _judge_first(bench, python)
        _judge_memory(bench, python)


def _judge_imports(bench: Bench, python: Python) -> None:
    table = _in_processes(bench, IMPORTS, _IMPORTS, python)
    took = {name: each.median for name, each in table.samples.items()}
    best = {name: each.best for name, each in table.samples.items()}
    ours, theirs = took[OURS] - took[BARE], took[REQUESTS] - took[BARE]
    bench.judge(OURS, f"over the {BARE}", ours * 1e3, 15, best=(best[OURS] - best[BARE]) * 1e3, unit="ms")
    least = (best[OURS] - best[BARE]) / (best[REQUESTS] - best[BARE])
    bench.judge(OURS, f"/ {REQUESTS}, both over the {BARE}", ours / theirs, 0.3, best=least)


def _judge_first(bench: Bench, python: Python) -> None:
    with Server() as server:
        where = f"URL = {server.base_url('events', 24)!r}\n"
        codes = {name: (where + code, needs) for name, (code, needs) in _FIRST.items()}
        table = _in_processes(bench, FIRST, codes, python)
    bench.ratio(FIRST, table, CLIENT, BY_REQUESTS, 1.15)
    bench.ratio(FIRST, table, ASYNC_CLIENT, BY_HTTPX, 1.15)
    bench.ratio(FIRST, table, CHAT, BY_REQUESTS, 2.0)
    if HELP in table.samples:
        took = table.samples[HELP]
        bench.judge(HELP, "CPU time", took.median * 1e3, 250, best=took.best * 1e3, unit="ms")


def _in_processes(
    bench: Bench, name: str, codes: Mapping[str, tuple[str, tuple[str, ...]]], python: Python
) -> Table:
    """Time processes that run *codes*, those that have what they need."""
    table = Table(name, 1, children_cpu.__name__)
    runs = {}
    for each, (code, needs) in codes.items():
        why = bench.missing(*needs)
        if why:
            table.missing[each] = why
        else:
            runs[each] = partial(python, code)
    return bench.timed(table, runs, children_cpu, rounds=bench.scale.processes)


def _judge_memory(bench: Bench, python: Python) -> None:
    with Server() as server:
        where = f"URL = {server.base_url('events', 100)!r}\n"
        for name, (code, needs) in _MEMORY.items():
            why = bench.missing(*needs)
            if not why and not Path("/proc/self/status").exists():
                why = "only where /proc is"
            if why:
                bench.judge("memory after a first answer", name, None, None, unit="MB", note=why)
                continue
            peaks = sorted(int(python(where + code + _PEAK)) / 1024 for _ in range(3))
            bench.series[f"peak memory, MB, {name}"] = peaks
            bench.judge("memory after a first answer", name, peaks[1], None, best=peaks[0], unit="MB")


def children_cpu() -> float:
    """Return the CPU time of the processes that have ended: others on the machine do not count."""
    import resource  # not on Windows

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _python(code: str, home: str) -> str:
    """Run *code* as where it is installed: with compiled modules, here those under *home*."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    own = {
        "PYTHONPATH": path,
        "PYTHONPYCACHEPREFIX": home,
        "PYTHONDONTWRITEBYTECODE": "",
        "G4FSDK_HOME": home,
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **own},
        cwd=_ROOT.anchor,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
