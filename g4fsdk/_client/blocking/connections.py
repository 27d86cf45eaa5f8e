"""Connections of urllib3 that keep our clocks, whichever pool makes them.

A connection that a pool hands out is told, for as long as a request of ours is sent on it, how long each wait
may take: names, addresses, TLS and what a proxy says within the connect clock, and then every read of the
head and of the body, down to a single byte. A connection that reads in another way (where urllib3-future has
taken the place of urllib3) is shut down when a clock runs out. Where a library stands in for the connections
(vcrpy), or there are none (responses), nothing is touched.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from http.client import HTTPConnection as HTTPClientConnection
from http.client import HTTPResponse, RemoteDisconnected, parse_headers
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

from g4fsdk._client.clocks import Clocks
from g4fsdk._client.network import known_addresses, look_up
from g4fsdk._client.sending import SEND_BYTES
from g4fsdk._core.model.errors import G4FError

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
else:  # where vcrpy plays while we are imported, its own class stands in place of urllib3's
    _KINDS = urllib3.connection.HTTPConnection.__mro__
    HTTPConnection = next(kind for kind in _KINDS if kind.__module__.startswith("urllib3."))

_READ_BYTES = 65536
_INFORMATIONAL = range(102, 200)  # 100 is http.client's own business, 101 an answer
# http.client takes no more than 100 lines; heads of more come from proxies. Limit of h11 for a whole head.
_HEAD_BYTES, _LINES_AT_ONCE = 100 * 1024, 16

#: The clocks of the call that this thread is sending a request of.
_CLOCKS: ContextVar[Clocks | None] = ContextVar("clocks", default=None)

#: Whether reads go through http.client, and so ask our clocks.
_ASKS = issubclass(HTTPConnection, HTTPClientConnection)


@contextmanager
def under(clocks: Clocks) -> Iterator[None]:
    """Let the connections that this thread uses keep *clocks*."""
    token = _CLOCKS.set(clocks)
    try:
        with nullcontext() if _ASKS else watched(clocks):
            yield
    finally:
        _CLOCKS.reset(token)


@contextmanager
def watched(clocks: Clocks) -> Iterator[None]:
    """Let *clocks* end what is waited for by reads that don't ask them, from a thread.

    What fails meanwhile is a DeadlineError, if it was they. What seems to end may have been ended: ask them.
    """
    timer = threading.Timer(clocks.left(None)[0] or threading.TIMEOUT_MAX, clocks.cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        clocks.check()
        raise
    finally:
        timer.cancel()


def timed(pool: Any) -> Any:
    """Let the connections of *pool* keep the clocks of the call that uses them, and return it."""
    pool.__class__ = _timed(pool)
    return pool


class _Pool(HTTPConnectionPool):
    def _get_conn(self, timeout: float | None = None) -> Any:
        conn: Any = super()._get_conn(timeout)
        while not isinstance(conn, self.ConnectionCls):  # made before somebody stood in for it, or after
            conn.close()
            conn = super()._get_conn(timeout)
        kind = _timed(conn)
        if kind is not type(conn):  # vcrpy's would hand even its own class on to what it stands for
            conn.__class__ = kind
        return conn


class _Timed(HTTPConnection):
    def connect(self) -> None:
        """Connect, whole: its clock is not that of a read, which urllib3 takes a slow handshake for."""
        clocks = _CLOCKS.get()
        if clocks is None:
            super().connect()
            return
        with clocks.connecting(), nullcontext() if _ASKS else watched(clocks):
            try:
                super().connect()
            except TimeoutError as error:
                raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
            clocks.hold(partial(shut, self.sock))

    def request(self, *args: Any, **options: Any) -> None:
        """Send a request. Its time is silence, not that of connecting."""
        clocks = _CLOCKS.get()
        if self.sock is None:
            self.connect()
        if clocks is not None and self.sock is not None:
            clocks.hold(partial(shut, self.sock))
            self.timeout = clocks.left()[0]
        super().request(*args, **options)

    def send(self, data: Any) -> None:
        """Send *data* in parts: one that moves is not silent, however long the whole takes."""
        clocks = _CLOCKS.get()
        if clocks is None or not isinstance(data, bytes) or len(data) <= SEND_BYTES:
            super().send(data)
            return
        for start in range(0, len(data), SEND_BYTES):
            assert self.sock is not None  # the head has gone out
            self.sock.settimeout(clocks.left()[0])
            super().send(data[start : start + SEND_BYTES])

    def _tunnel(self) -> None:
        super()._tunnel()
        assert self.sock is not None  # the proxy answered on it
        _leave_the_rest(self.sock)


class _Connection(_Timed):
    def _new_conn(self) -> socket.socket:
        """Return a socket that is connected: names and all their addresses within one time."""
        clocks = _CLOCKS.get()
        addresses = _resolved(self, clocks.left()[0] if clocks else self.timeout)
        failure: OSError | None = None
        for at, address in enumerate(addresses):
            left = clocks.left()[0] if clocks else self.timeout
            try:
                sock = create_connection(
                    (address, self.port),
                    left and left / (len(addresses) - at),
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                failure = error
            else:
                _leave_the_rest(sock)
                return sock
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from failure
        raise NewConnectionError(self, f"Failed to establish a new connection: {failure}") from failure


def _leave_the_rest(sock: socket.socket) -> None:
    """Let what follows on *sock* (a proxy's answer, TLS) take what is left, not as long again.

    It is closed where no time is left, or nobody wants it any more.
    """
    clocks = _CLOCKS.get()
    if clocks is None:
        return
    clocks.hold(partial(shut, sock))
    try:
        sock.settimeout(clocks.left()[0])
    except G4FError:
        sock.close()
        raise


#: What stands in for each class of connections and pools that was met.
_TIMED: dict[type, type] = {}


def _timed(one: Any) -> type:
    """Return the class of *one* with our clocks; that of vcrpy, which has a cassette, as it is."""
    kind: type = type(one)
    if kind not in _TIMED:
        ours = _ours(kind)
        _TIMED[kind] = type(kind.__name__, (ours, kind), {}) if ours else kind
    return _TIMED[kind]


def _ours(kind: type) -> type | None:
    if issubclass(kind, _Pool | _Timed) or hasattr(kind, "cassette"):
        return None
    if issubclass(kind, HTTPConnectionPool):
        return _Pool
    if not issubclass(kind, HTTPConnection):
        return None
    # Another way to a socket (SOCKS, say) stays that class's own.
    return _Connection if kind._new_conn is HTTPConnection._new_conn else _Timed


def _resolved(conn: Any, seconds: float | None) -> list[str]:
    """Return the addresses of *conn*'s host."""
    host = conn._dns_host.strip("[]")
    try:
        return known_addresses(host) or look_up(host, conn.port, allowed_gai_family()).result(seconds)
    except socket.gaierror as error:
        raise NameResolutionError(conn.host, conn, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(conn, f"no address for {conn.host} in time") from error


class Wire(RawIOBase):
    """What comes from a socket; a read waits as long as *clocks* allow, or, with None, the socket itself."""

    def __init__(self, raw: RawIOBase, sock: socket.socket, clocks: Clocks | None) -> None:
        self._raw, self.sock, self.clocks = raw, sock, clocks

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.clocks is None:
            return self._raw.readinto(buffer)
        seconds, clock = self.clocks.left()
        self.sock.settimeout(seconds)
        try:
            return self._raw.readinto(buffer)
        except TimeoutError as error:
            raise self.clocks.expired(clock) from error

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """An answer as http.client reads it, whose buffer takes what a fast service sends at once (not 8 KiB).

    Its head may have more lines than 100, and must have its end.
    """

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp: Any = BufferedReader(Wire(self.fp.detach(), sock, _CLOCKS.get()), _READ_BYTES)

    def begin(self) -> None:
        body, self.fp = self.fp, _Head(self.fp)
        try:
            super().begin()
        finally:
            self.fp = None if body.closed else body

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            self.fp.is_status = True
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # http.client's own
            if found[1] not in _INFORMATIONAL:
                return found
            parse_headers(self.fp)


_Timed.response_class = _Response


class _Head:
    """The lines of a head, several at once behind the first: http.client counts how often it asks."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = _HEAD_BYTES
        self._next: bytes | None = None
        self.is_status = True

    def readline(self, limit: int = -1) -> bytes:
        """Return the next line, or behind the first several; an empty one comes alone: it is the end."""
        lines = [self._line()]
        while not (self.is_status or self._next) and len(lines) < _LINES_AT_ONCE and lines[0].strip():
            line = self._line()
            if line.strip():
                lines.append(line)
            else:
                self._next = line
        self.is_status = False
        return b"".join(lines)

    def close(self) -> None:
        self._file.close()

    def _line(self) -> bytes:
        if self._next is not None:
            line, self._next = self._next, None
            return line
        line = self._file.readline(self._left)
        self._left -= len(line)
        if not line.endswith(b"\n") and (line or not self.is_status):
            what = "is too long" if self._left <= 0 else "ended early"
            raise RemoteDisconnected(f"the head of the answer {what}")
        return bytes(line)


def shut(sock: socket.socket) -> None:
    """End whatever a thread waits for on *sock*. It stays that thread's to close."""
    with suppress(OSError):  # it has been closed meanwhile
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # TLS's own `shutdown` is not for another thread


def wire_of(raw: urllib3.HTTPResponse) -> Wire | None:
    """Return what the body of *raw* is read from, None where that is no socket (a replay, a mock)."""
    body = getattr(raw, "_fp", None)
    # To look at the `fp` of urllib3-future's makes a file, which would hold the socket open.
    wire = getattr(body.fp, "raw", None) if isinstance(body, HTTPResponse) else None
    return wire if isinstance(wire, Wire) else None
