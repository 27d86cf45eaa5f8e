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
from functools import partial
from http.client import HTTPConnection as HTTPClientConnection
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

from g4fsdk._client.blocking.wires import CLOCKS, Answered
from g4fsdk._client.clocks import Clocks
from g4fsdk._client.network import known_addresses, look_up
from g4fsdk._client.sending import SEND_BYTES
from g4fsdk._core.model.errors import G4FError

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
else:  # where vcrpy plays while we are imported, its own class stands in place of urllib3's
    _KINDS = urllib3.connection.HTTPConnection.__mro__
    HTTPConnection = next(kind for kind in _KINDS if kind.__module__.startswith("urllib3."))

#: Whether reads go through http.client, and so ask our clocks.
_ASKS = issubclass(HTTPConnection, HTTPClientConnection)


@contextmanager
def under(clocks: Clocks) -> Iterator[None]:
    """Let the connections that this thread uses keep *clocks*."""
    token = CLOCKS.set(clocks)
    try:
        with nullcontext() if _ASKS else watched(clocks):
            yield
    finally:
        CLOCKS.reset(token)


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
    response_class = Answered

    def connect(self) -> None:
        """Connect, whole: its clock is not that of a read, which urllib3 takes a slow handshake for."""
        clocks = CLOCKS.get()
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
        clocks = CLOCKS.get()
        if self.sock is None:
            self.connect()
        if clocks is not None and self.sock is not None:
            clocks.hold(partial(shut, self.sock))
            self.timeout = clocks.left()[0]
        super().request(*args, **options)

    def send(self, data: Any) -> None:
        """Send *data* in parts: one that moves is not silent, however long the whole takes."""
        clocks = CLOCKS.get()
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
        clocks = CLOCKS.get()
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
    clocks = CLOCKS.get()
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


def shut(sock: socket.socket) -> None:
    """End whatever a thread waits for on *sock*. It stays that thread's to close."""
    with suppress(OSError):  # it has been closed meanwhile
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # TLS's own `shutdown` is not for another thread
