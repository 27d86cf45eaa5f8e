"""What urllib3 leaves to us: connections that keep our clocks, and bodies read as they come.

urllib3 calls a TLS handshake that takes too long a slow read, and gives the sending of a request the time
that is meant for connecting. Here connecting ends when the connection stands, and sending is silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import partial
from http.client import HTTPResponse, IncompleteRead
from io import BufferedReader, RawIOBase
from socket import socket
from typing import Any

import urllib3
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

from g4fsdk._client.clocks import Clocks
from g4fsdk._client.inflate import Inflater

_READ_BYTES = 65536
# Those of http.client, for a line and for all header lines.
_MAX_LINE, _MAX_TRAILERS = 65536, 100
_END_OF_TRAILERS = (b"\r\n", b"\n", b"")

#: The clocks of the call that this thread is sending a request of.
CLOCKS: ContextVar[Clocks | None] = ContextVar("clocks", default=None)


class _Wire(RawIOBase):
    """What comes from a socket. Each part of a head is waited for no longer than the clocks allow."""

    def __init__(self, raw: RawIOBase, sock: socket) -> None:
        self._raw, self._sock = raw, sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        clocks = CLOCKS.get()
        if clocks is None:
            return self._raw.readinto(buffer)
        seconds, clock = clocks.left()
        self._sock.settimeout(seconds)
        try:
            return self._raw.readinto(buffer)
        except TimeoutError as error:
            raise clocks.expired(clock) from error

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """A body whose buffer takes what a fast service sends at once, in place of 8 KiB."""

    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = BufferedReader(_Wire(self.fp.detach(), sock), _READ_BYTES)


class _Timed(HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        token = CLOCKS.set(None)  # connecting has a limit of its own, which what a proxy says is a part of
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
        finally:
            CLOCKS.reset(token)

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is None:
            self.connect()
        clocks = CLOCKS.get()
        if clocks is not None:
            self.timeout = clocks.left()[0]
        super().request(*args, **options)


class _TimedTLS(_Timed, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Timed  # pyright: ignore[reportAssignmentType]  # its own classes don't fit urllib3's


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _TimedTLS  # pyright: ignore[reportAssignmentType]  # protocol either


#: What a pool manager of urllib3 takes as its `pool_classes_by_scheme`.
POOLS: Mapping[str, type[HTTPConnectionPool]] = {"http": _Pool, "https": _PoolTLS}


def pieces_of(raw: urllib3.HTTPResponse, coding: str | None) -> Iterator[bytes]:
    """Give the bytes of the body as they come, their content *coding* undone."""
    inflater = Inflater.of(coding)
    pieces = _pieces(raw, decodes=inflater is None)
    return pieces if inflater is None else _inflated(pieces, inflater)


def _pieces(raw: urllib3.HTTPResponse, *, decodes: bool) -> Iterator[bytes]:
    """Give the bytes of the body as they come; *decodes*: the library undoes their coding, if any.

    On chunked bodies urllib3's `stream` waits for the end of every chunk, and its `read1` costs six times as
    much as reading them here. On other bodies `stream` waits for the end of all.
    """
    raw.decode_content = decodes  # vcrpy's stand-in knows the attribute, and not the keyword of `read1`
    if not raw.chunked:
        return iter(partial(raw.read1, _READ_BYTES), b"")
    if type(raw) is urllib3.HTTPResponse and isinstance(raw._fp, HTTPResponse):
        if not decodes or "content-encoding" not in raw.headers:
            return _chunked(raw, raw._fp)
        return iter(partial(raw.read1, _READ_BYTES), b"")
    return raw.stream(_READ_BYTES, decode_content=decodes)


def _chunked(raw: urllib3.HTTPResponse, body: HTTPResponse) -> Iterator[bytes]:
    """Undo the chunked coding of *body*, giving each part of a chunk as it comes.

    http.client's own `read1` costs twice as much: most of it goes into asking again what it knows.

    Source: RFC 9112, 7.1.
    """
    file = body.fp
    while size := _chunk_size(file.readline(_MAX_LINE + 1)):
        while size > 0:
            data = file.read1(size if size < _READ_BYTES else _READ_BYTES)
            if not data:
                raise IncompleteRead(b"", size)
            size -= len(data)
            yield data
        file.readline(_MAX_LINE + 1)  # the line end behind the chunk
    for _ in range(_MAX_TRAILERS):
        if file.readline(_MAX_LINE + 1) in _END_OF_TRAILERS:
            break
    body.close()
    raw.release_conn()  # read to its end: the connection can be used again


def _chunk_size(line: bytes) -> int:
    """Return the size in a chunk's first line; extensions behind it mean nothing."""
    try:
        size = int(line if b";" not in line else line.partition(b";")[0], 16)
    except ValueError:
        size = -1
    if size < 0 or len(line) > _MAX_LINE:
        raise IncompleteRead(b"")
    return size


def _inflated(pieces: Iterator[bytes], inflater: Inflater) -> Iterator[bytes]:
    for data in pieces:
        yield from inflater.feed(data)
    inflater.close()


def socket_of(raw: urllib3.HTTPResponse) -> socket | None:
    """Return the socket under *raw*, or None where there is none (a replay).

    Neither requests nor urllib3 can change the timeout of a body that is being read, and a client with
    more than one clock has to. http.client keeps the socket in the body's file.
    """
    found: Any = raw
    for name in ("_fp", "fp", "raw", "_sock"):
        found = getattr(found, name, None)
    return found if hasattr(found, "settimeout") else None
