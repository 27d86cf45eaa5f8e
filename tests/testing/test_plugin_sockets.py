"""Sockets are blocked in marked tests, and nowhere else."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import types
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest
import requests

from g4fsdk.testing import SocketBlockedError
from g4fsdk.testing.plugin import SocketGuard
from tests.support.loopback import Reply, Server
from tests.support.plugin_project import Project

HOST, PORT = "192.0.2.1", 80  # kept for examples (RFC 5737): nobody is there, should a check let it through
NAME = "example.invalid"


@contextmanager
def open_socket(kind: int = socket.SOCK_STREAM, family: int = socket.AF_INET) -> Iterator[socket.socket]:
    with socket.socket(family, kind) as opened:
        yield opened


def connect() -> None:
    with open_socket() as opened:
        opened.connect((HOST, PORT))


def connect_ex() -> None:
    with open_socket() as opened:
        opened.connect_ex((HOST, PORT))


def connect_to_ipv6() -> None:
    with open_socket(family=socket.AF_INET6) as opened:
        opened.connect(("2001:db8::1", PORT, 0, 0))


def send_to() -> None:
    with open_socket(socket.SOCK_DGRAM) as opened:
        opened.sendto(b"x", (HOST, PORT))


def send_to_with_flags() -> None:
    with open_socket(socket.SOCK_DGRAM) as opened:
        opened.sendto(b"x", 0, (HOST, PORT))


def send_message() -> None:
    with open_socket(socket.SOCK_DGRAM) as opened:
        opened.sendmsg([b"x"], [], 0, (HOST, PORT))


BLOCKING: list[Callable[[], object]] = [
    *(connect, connect_ex, connect_to_ipv6, send_to, send_to_with_flags, send_message),
    lambda: socket.create_connection((HOST, PORT)),
    lambda: socket.create_connection(address=(NAME, PORT)),
    lambda: socket.getaddrinfo(NAME, PORT),
    lambda: socket.getaddrinfo(host=NAME.encode(), port=PORT, type=socket.SOCK_STREAM),
    lambda: requests.get(f"http://{NAME}"),
    lambda: requests.get(f"http://{HOST}"),
    lambda: httpx.get(f"https://{HOST}"),
    lambda: urllib.request.urlopen(f"http://{HOST}", timeout=1),
]


@pytest.mark.parametrize("reach", BLOCKING)
def test_the_network_is_refused(reach: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")

    with (
        SocketGuard(),
        pytest.raises(SocketBlockedError, match=r"sockets are blocked: [\w.:]+:(80|443)\. Give"),
    ):
        reach()


async def get_async(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(url)


async def connect_in_loop() -> None:
    with open_socket() as opened:
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, (HOST, PORT))


def open_datagrams() -> Awaitable[object]:
    return asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, None, (HOST, PORT))


ASYNC: list[Callable[[], Awaitable[object]]] = [
    lambda: asyncio.open_connection(HOST, PORT),
    lambda: asyncio.open_connection(NAME, PORT),
    connect_in_loop,
    open_datagrams,
    lambda: asyncio.get_running_loop().getaddrinfo(NAME, PORT),
    lambda: get_async(f"http://{HOST}"),
    lambda: get_async(f"https://{NAME}"),
]


@pytest.mark.parametrize("reach", ASYNC)
async def test_the_network_is_refused_to_asyncio(reach: Callable[[], Awaitable[object]]) -> None:
    with SocketGuard(), pytest.raises(SocketBlockedError):
        await reach()


def test_threads_are_blocked_too() -> None:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            connect()
        except SocketBlockedError as error:
            caught.append(error)

    with SocketGuard():
        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(caught) == 8


def test_no_library_takes_it_for_a_bad_network() -> None:
    assert not issubclass(SocketBlockedError, OSError)
    assert issubclass(SocketBlockedError, RuntimeError)


def test_nothing_is_left_behind() -> None:
    before = dict(vars(socket.socket)), dict(vars(socket))

    with SocketGuard():
        assert vars(socket.socket)["connect"] is not before[0].get("connect")

    assert (dict(vars(socket.socket)), dict(vars(socket))) == before


def test_an_allowed_address_is_reached_and_no_other_port_of_it() -> None:
    with Server(Reply([b"hello"])) as server, SocketGuard() as guard:
        guard.allow(server.url)

        assert requests.get(server.url, timeout=5).text == "hello"
        with pytest.raises(SocketBlockedError):
            socket.create_connection(("127.0.0.1", server.port + 1))


async def test_an_allowed_name_is_reached_where_it_leads() -> None:
    with Server(Reply([b"hello"])) as server, SocketGuard() as guard:
        guard.allow(f"localhost:{server.port}")

        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://localhost:{server.port}")).text == "hello"
        with closing(socket.create_connection(("localhost", server.port))):
            pass


@pytest.mark.parametrize("address", ["localhost", "http://localhost", ":80", ""])
def test_an_address_without_host_or_port_is_an_error(address: str) -> None:
    with pytest.raises(ValueError, match="expected 'host:port' or a URL with both"):
        SocketGuard().allow(address)


def test_what_one_guard_allows_is_allowed_and_the_last_to_leave_opens() -> None:
    first, second = SocketGuard(), SocketGuard()
    with Server(Reply([b"hello"])) as server:
        first.allow(server.url)
        first.__enter__()
        second.__enter__()
        assert requests.get(server.url, timeout=5).text == "hello"

        first.__exit__(None, None, None)
        with pytest.raises(SocketBlockedError):
            requests.get(server.url, timeout=5)

        second.__exit__(None, None, None)
        assert requests.get(server.url, timeout=5).text == "hello"


def test_what_stays_on_the_machine_goes_on() -> None:
    with SocketGuard():
        one, other = socket.socketpair()
        with one, other:
            one.sendall(b"x")
            assert other.recv(1) == b"x"
        assert asyncio.run(asyncio.sleep(0, "a loop starts")) == "a loop starts"
        with socket.create_server(("127.0.0.1", 0)):
            assert socket.getaddrinfo("127.0.0.1", 80)
            assert socket.getaddrinfo(None, 80)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
def test_unix_sockets_go_on(tmp_path: Any) -> None:
    name = str(tmp_path / "s")
    with (
        SocketGuard(),
        open_socket(family=socket.AF_UNIX) as server,
        open_socket(family=socket.AF_UNIX) as one,
    ):
        server.bind(name)
        server.listen()
        one.connect(name)


def test_socket_pairs_made_of_two_sockets_on_loopback_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no others, and event loops need them."""

    def pair() -> tuple[socket.socket, socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            one = socket.socket()
            one.connect(server.getsockname())
            return one, server.accept()[0]

    monkeypatch.setattr(socket, "socketpair", pair)

    with SocketGuard():
        assert asyncio.run(asyncio.sleep(0, "a loop starts")) == "a loop starts"
        with pytest.raises(SocketBlockedError):
            connect()


def test_loops_that_do_not_use_sockets_are_blocked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loop:
        def create_connection(self, factory: object, host: str | None = None, port: int | None = None) -> str:
            return "connected"

        create_datagram_endpoint = getaddrinfo = create_connection

    module = types.ModuleType("uvloop")
    module.__dict__["Loop"] = Loop
    monkeypatch.setitem(sys.modules, "uvloop", module)

    with SocketGuard() as guard:
        guard.allow("localhost:1")
        with pytest.raises(SocketBlockedError, match=f"{NAME}:80"):
            Loop().create_connection(None, NAME, 80)
        assert Loop().create_connection(None, "localhost", 1) == "connected"
        assert Loop().create_connection(None) == "connected"
    assert Loop().create_connection(None, NAME, 80) == "connected"


def test_real_uvloop_is_blocked_too() -> None:
    uvloop = pytest.importorskip("uvloop")

    for reach in ASYNC:
        with SocketGuard(), pytest.raises(SocketBlockedError):
            uvloop.run(_await(reach))


async def _await(reach: Callable[[], Awaitable[object]]) -> None:
    await reach()


def test_the_marker_alone_blocks_and_only_while_its_test_runs(project: Project) -> None:
    project.copy("yqcloud/normal")
    project.add_test("""
        import socket
        from g4fsdk import Client
        from g4fsdk.testing.plugin import SocketBlockedError

        @pytest.fixture(scope="module")
        def database():
            with socket.create_server(("127.0.0.1", 0)) as server:
                with socket.create_connection(server.getsockname()):
                    yield server.getsockname()

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_marked(database):
            with pytest.raises(SocketBlockedError):
                socket.create_connection(database)
            Client("yqcloud").chat.completions.create("Question.", stream=True).close()

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_allowed(database, g4f_sockets):
            g4f_sockets.allow("%s:%s" % database)
            socket.create_connection(database).close()
            Client("yqcloud").chat.completions.create("Question.", stream=True).close()

        def test_unmarked(database):
            assert "connect" not in vars(socket.socket)
            socket.create_connection(database).close()
    """)

    project.run().assert_outcomes(passed=3)


def test_a_client_of_another_kind_is_told_what_to_take_instead(project: Project) -> None:
    project.copy("yqcloud/normal")
    project.add_test("""
        import urllib.request

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it():
            urllib.request.urlopen("https://api.binjie.fun/api/generateStream")
    """)

    result = project.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E   *SocketBlockedError: *api.binjie.fun:443. Give the code under test g4f_client*"]
    )
    result.stdout.fnmatch_lines(["test_it.py:*: SocketBlockedError"])


def test_a_refusal_that_the_program_swallows_is_told_with_what_it_left_unplayed(project: Project) -> None:
    project.copy("yqcloud/normal")
    project.add_test("""
        import contextlib, urllib.request

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it():
            with contextlib.suppress(Exception):
                urllib.request.urlopen("https://api.binjie.fun/api/generateStream")
    """)

    result = project.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["connections to api.binjie.fun:443 were refused*the address of g4f_server"])
