"""A stream through `g4fsdk serve`: what an event costs there, beside what it costs our client to read it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks._bench import Bench, Table
from benchmarks.server import Server
from benchmarks.wire import BODY
from g4fsdk import AsyncClient

_GATEWAY, _CLIENT = "g4fsdk serve", "g4fsdk AsyncClient, chunks"
_ROW = "CPU of an event that goes through the gateway"
_READ_BYTES = 1 << 18


def run(bench: Bench) -> None:
    """Send a long stream through a gateway in a process of its own, and read the same with a client."""
    events = bench.scale.events
    if not Path("/proc/self/stat").exists():
        bench.judge(_ROW, f"{_GATEWAY} / {_CLIENT}", None, None, note="there is no /proc here")
        return
    with Server() as server, _gateway(server.base_url("events", events)) as (address, process):
        table = Table("a stream through the gateway", events, "cpu_of_both")
        runs = {
            _CLIENT: partial(_read_ours, server.base_url("events", events)),
            _GATEWAY: partial(_read_raw, address, events),
        }
        bench.timed(table, runs, lambda: _cpu_of(process) + time.process_time())
    bench.ratio(_ROW, table, _GATEWAY, _CLIENT, None)
    bench.judge(_ROW, _GATEWAY, table.per_unit(_GATEWAY) / 1e3, None, unit="us")


@contextmanager
def _gateway(base_url: str) -> Iterator[tuple[str, int]]:
    """Serve what is at *base_url*; give the address, and the number of the process."""
    command = [sys.executable, "-m", "g4fsdk", "serve", "--base-url", base_url, "-m", "m", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.communicate()


def _cpu_of(process: int) -> float:
    """Return the seconds that *process* has taken so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read_ours(base_url: str) -> None:
    async def main() -> None:
        async with AsyncClient("openai", base_url=base_url, model="m") as client:
            async for _ in await client.chat.completions.create("Hi", stream=True):
                pass

    asyncio.run(main())


def _read_raw(address: str, events: int) -> None:
    """Read the stream at *address* with what costs least."""
    place = urlsplit(address)
    body = json.dumps(BODY).encode()
    head = (
        f"POST {place.path}/chat/completions HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    seen = 0
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        connection.sendall(head.encode() + body)
        while data := connection.recv(_READ_BYTES):
            seen += data.count(b"data: ")
    assert seen >= events, f"{seen} events of {events} came"
