"""Names that are looked up, and where they lead: the connect clock holds, and nothing waits for longer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from g4fsdk import DeadlineError, Timeouts
from tests.support.command_line import ENVIRONMENT
from tests.support.loopback import Server
from tests.support.loopback_clients import Colour, answer, ask, both

SOON_S = 10.0  # for a process on a busy machine to end; the name hangs for longer
HUNG = """
import asyncio, importlib, socket, sys, time
from g4fsdk import AsyncClient, Client, DeadlineError, Timeouts
known = socket.getaddrinfo
def hang(host, port, family=0, type=0, proto=0, flags=0):
    if flags & socket.AI_NUMERICHOST:
        return known(host, port, family, type, proto, flags)
    print("asked", flush=True)
    time.sleep(60)
socket.getaddrinfo = hang
way, seconds = sys.argv[1], float(sys.argv[2])
said = dict(base_url="http://name.test/v1", model="m", retries=1, timeout=Timeouts(connect=seconds))
async def main():
    async with AsyncClient("openai", http="aiohttp" if way == "aiohttp" else "httpx", **said) as client:
        try:
            await client.chat.completions.create("Hi")
        except DeadlineError as error:
            print(error.clock, flush=True)
if way == "sync":
    try:
        Client("openai", **said).chat.completions.create("Hi")
    except DeadlineError as error:
        print(error.clock, flush=True)
elif way in ("trio", "uvloop"):
    importlib.import_module(way).run(main if way == "trio" else main())
else:
    asyncio.run(main())
"""
ways = pytest.mark.parametrize("way", ["sync", "asyncio", "aiohttp", "trio", "uvloop"])


@contextmanager
def hung(way: str, connect: float) -> Iterator[subprocess.Popen[str]]:
    """Run a program that waits for a name, from when it does so."""
    pytest.importorskip({"sync": "socket", "aiohttp": "httpx_aiohttp"}.get(way, way))
    command = [sys.executable, "-c", HUNG, way, str(connect)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT)
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "asked\n"
            yield process
        finally:
            process.kill()


@ways
def test_nothing_waits_for_a_name_once_the_connect_clock_ran_out(way: str) -> None:
    with hung(way, 0.2) as process:
        said, complained = process.communicate(timeout=SOON_S)

    assert (said, complained, process.returncode) == ("connect\n", "", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
@ways
def test_nothing_waits_for_a_name_once_the_program_is_interrupted(way: str) -> None:
    with hung(way, 60.0) as process:
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=SOON_S)

    assert said == ""
    assert complained.rstrip().endswith("KeyboardInterrupt")


# ---- several addresses

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address on Linux only")


@contextmanager
def silent(*addresses: str, port: int = 0) -> Iterator[int]:
    """Let *addresses* take no connection and refuse none, at one port; give it."""
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            listener = socket.create_server((address, port), backlog=0)
            opened.append(listener)
            port = listener.getsockname()[1]
            for _ in range(4):  # more than the system keeps for it
                waiting = socket.socket()
                opened.append(waiting)
                waiting.setblocking(False)
                waiting.connect_ex((address, port))
        yield port
    finally:
        for one in opened:
            one.close()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let name.test have the addresses that are given."""

    def name(*addresses: str) -> None:
        def look_up(host: str, port: int, *_: Any, **__: Any) -> Any:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return name


@on_linux
@both
def test_a_silent_address_leaves_time_for_the_next(colour: Colour, named: Any) -> None:
    named("127.0.0.2", "127.0.0.3", "127.0.0.1")
    with Server(answer("openai", "Hello")) as server, silent("127.0.0.2", "127.0.0.3", port=server.port):
        outcome = ask(colour, "openai", f"http://name.test:{server.port}", timeout=Timeouts(connect=3.0))

    assert outcome.text == "Hello"


@on_linux
@both
def test_silent_addresses_share_one_connect_clock(colour: Colour, named: Any) -> None:
    addresses = [f"127.0.0.{last}" for last in range(2, 7)]
    named(*addresses)
    with silent(*addresses) as port:
        started = time.monotonic()
        outcome = ask(colour, "openai", f"http://name.test:{port}", timeout=Timeouts(connect=0.5))
        took = time.monotonic() - started

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "connect"
    assert 0.4 < took < 2.0


@both
def test_a_body_does_not_wait_for_the_receipt_of_its_head(
    colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_option, options = socket.socket.setsockopt, list[tuple[Any, ...]]()

    def noted(sock: socket.socket, *option: Any) -> None:
        options.append(option)
        set_option(sock, *option)

    monkeypatch.setattr(socket.socket, "setsockopt", noted)
    with Server(answer("openai", "Hello")) as server:
        assert ask(colour, "openai", server.url).text == "Hello"

    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options
