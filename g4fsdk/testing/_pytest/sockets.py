"""No network while a test runs: in every thread of the process, asyncio, trio and uvloop included.

What is refused: connecting and sending to IPv4 and IPv6 addresses, and looking up names. What is not: sockets
that never leave the machine (Unix sockets, socket pairs), listening, and connections that are open already.
Libraries that bring a network stack of their own (libcurl, gRPC) are out of reach.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from g4fsdk.testing._pytest.patches import Patches

Address: TypeAlias = tuple[object, object]  # host and port, as the program gives them
Addressed: TypeAlias = Callable[..., Address | None]

_NETWORK = (socket.AF_INET, socket.AF_INET6)
_PORTS = {"http": 80, "https": 443}
_lock = threading.Lock()
_guards: list[SocketGuard] = []
_patches = Patches()
_thread = threading.local()


class SocketBlockedError(RuntimeError):
    """A program wanted to reach the network in a test that plays a recording.

    It is no OSError, so that no library takes it for a bad network and tries again.
    """

    def __init__(self, host: object, port: object) -> None:
        super().__init__(
            f"this test plays a recording, so sockets are blocked: {host}:{port}. Give the code under test "
            "g4f_client, g4f_async_client or g4f_replay, let it ask by way of requests, httpx or httpx2, or "
            "give it the address of g4f_server; to record, run pytest --g4f-record=once; for a server of "
            "your own, take the fixture g4f_sockets: g4f_sockets.allow('127.0.0.1:8000')"
        )


class SocketGuard:
    """Refuses the network while its `with` block lasts; what *allow* names is let through.

    Several may last at a time: what one of them allows is allowed.
    """

    def __init__(self) -> None:
        self._allowed: set[Address] = set()
        #: What was refused while it lasted, as "host:port", each once.
        self.refused: dict[str, None] = {}

    def allow(self, address: str) -> None:
        """Let connections to *address* through: "host:port", or a URL that names both.

        Raises:
            ValueError: It names no host or no port.
        """
        parts = urlsplit(address if "//" in address else f"//{address}")
        if not parts.hostname or not parts.port:
            raise ValueError(f"address {address!r}: expected 'host:port' or a URL with both")
        self._allowed.add((parts.hostname, parts.port))

    def allows(self, url: str) -> bool:
        """Whether the address in *url* is let through."""
        if not self._allowed:
            return False
        parts = urlsplit(url)
        return (parts.hostname, parts.port or _PORTS.get(parts.scheme)) in self._allowed

    def __enter__(self) -> SocketGuard:
        with _lock:
            if not _guards:
                _install()
            _guards.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _lock:
            _guards.remove(self)
            if not _guards:
                _patches.undo()


def _install() -> None:
    """Put checks in front of what reaches the network."""
    for owner, table in _tables():
        for name, address_of in table.items():
            if hasattr(owner, name):
                _patches.put(owner, name, _checked(getattr(owner, name), address_of))
    _patches.put(socket, "getaddrinfo", _looked_up(socket.getaddrinfo))
    _patches.put(socket, "socketpair", _paired(socket.socketpair))


def _tables() -> Iterator[tuple[Any, dict[str, Addressed]]]:
    yield socket, {"create_connection": lambda address, *_, **__: address[:2]}
    yield socket.socket, _SOCKET
    for module, name, table in _OTHERS:
        if module in sys.modules:
            owner: Any = sys.modules[module]
            yield (getattr(owner, name) if name else owner), table


def _of_socket(sock: socket.socket, address: Any) -> Address | None:
    return address[:2] if sock.family in _NETWORK else None


_SOCKET: dict[str, Addressed] = {
    "connect": _of_socket,
    "connect_ex": _of_socket,
    "sendto": lambda sock, *args: _of_socket(sock, args[-1]),  # (data, address) or (data, flags, address)
    "sendmsg": lambda sock, *args: _of_socket(sock, args[3]) if len(args) > 3 and args[3] else None,
}
# What somebody may have loaded that doesn't connect by way of `socket`; or, as anyio does, from tasks of its
# own, which would wrap the error in an ExceptionGroup.
_OTHERS: tuple[tuple[str, str, dict[str, Addressed]], ...] = (
    ("anyio", "", {"connect_tcp": lambda remote_host, remote_port, *_, **__: (remote_host, remote_port)}),
    (
        "asyncio.proactor_events",
        "BaseProactorEventLoop",
        {"sock_connect": lambda loop, sock, address: _of_socket(sock, address)},
    ),
    (
        "uvloop",
        "Loop",
        {
            "create_connection": lambda loop, factory, host=None, port=None, **_: host and (host, port),
            "create_datagram_endpoint": lambda loop, factory, local=None, remote_addr=None, **_: remote_addr,
            "getaddrinfo": lambda loop, host, port, **_: host and (host, port),
        },
    ),
)


def _checked(original: Callable[..., Any], address_of: Addressed) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        address = address_of(*args, **kwargs)
        if address:
            try:
                _check(*address[:2])
            except SocketBlockedError:
                _close(args)
                raise
        return original(*args, **kwargs)

    return call


def _close(args: tuple[Any, ...]) -> None:
    """Close the socket among *args*: libraries that expect nothing but OSErrors would leave it open."""
    for one in args:
        if isinstance(one, socket.socket):
            one.close()


def _looked_up(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return getaddrinfo with a check; where an allowed name leads is allowed too."""

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_a_name(host):
            return original(host, port, *args, **kwargs)
        guards = _check(host, port)
        found = original(host, port, *args, **kwargs)
        for guard in guards:
            guard._allowed.update(address[:2] for *_, address in found)
        return found

    return getaddrinfo


def _is_a_name(host: Any) -> bool:
    """Whether *host* has to be looked up; a numeric address is refused when something connects to it."""
    try:
        ipaddress.ip_address(host.decode("ascii", "replace") if isinstance(host, bytes) else host or "::")
    except ValueError:
        return True
    return False


def _check(host: object, port: object) -> list[SocketGuard]:
    """Return the guards that allow the address; raises SocketBlockedError when there is none."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    guards = [*_guards]
    allowing = [guard for guard in guards if (name, port) in guard._allowed]
    if guards and not allowing and not getattr(_thread, "pairs", False):
        for guard in guards:
            guard.refused[f"{name}:{port}"] = None
        raise SocketBlockedError(name, port)
    return allowing


def _paired(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return socketpair, which event loops need and which some systems make of two sockets on loopback."""

    def socketpair(*args: Any, **kwargs: Any) -> Any:
        with _pairing():
            return original(*args, **kwargs)

    return socketpair


@contextmanager
def _pairing() -> Iterator[None]:
    _thread.pairs = True
    try:
        yield
    finally:
        _thread.pairs = False
