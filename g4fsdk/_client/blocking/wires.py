"""What comes from a socket of http.client: reads that keep our clocks, and heads by the letter."""

from __future__ import annotations

import socket
from contextvars import ContextVar
from http.client import HTTPResponse, RemoteDisconnected, parse_headers
from io import BufferedReader, RawIOBase
from typing import Any

import urllib3

from g4fsdk._client.clocks import Clocks

_READ_BYTES = 65536
_INFORMATIONAL = range(102, 200)  # 100 is http.client's own business, 101 an answer
# http.client takes no more than 100 lines; heads of more come from proxies. Limit of h11 for a whole head.
_HEAD_BYTES, _LINES_AT_ONCE = 100 * 1024, 16

#: The clocks of the call that this thread is sending a request of.
CLOCKS: ContextVar[Clocks | None] = ContextVar("clocks", default=None)


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


class Answered(HTTPResponse):
    """An answer as http.client reads it, whose buffer takes what a fast service sends at once (not 8 KiB).

    Its head may have more lines than 100, and must have its end.
    """

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp: Any = BufferedReader(Wire(self.fp.detach(), sock, CLOCKS.get()), _READ_BYTES)

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


def wire_of(raw: urllib3.HTTPResponse) -> Wire | None:
    """Return what the body of *raw* is read from, None where that is no socket (a replay, a mock)."""
    body = getattr(raw, "_fp", None)
    # To look at the `fp` of urllib3-future's makes a file, which would hold the socket open.
    wire = getattr(body.fp, "raw", None) if isinstance(body, HTTPResponse) else None
    return wire if isinstance(wire, Wire) else None
