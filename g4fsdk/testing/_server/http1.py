"""Requests read off a connection, with h11. The answers are ours, as they have to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from g4fsdk.testing._cassette.values import Headers, RecordedRequest, values_of

MAX_HEAD_BYTES = 1 << 20  # a cookie jar fits many times; what is longer is no HTTP
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
READ_BYTES = 1 << 16


class BadRequestError(ValueError):
    """What came is not an HTTP/1.1 request."""


def is_closing(headers: Headers) -> bool:
    """Tell whether who sent *headers* closes the connection behind the message."""
    return any("close" in value.lower() for value in values_of(headers, "connection"))


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A whole request. *target* is path and query, *version* ``1.1`` or ``1.0``.

    *is_proxied*: it came with its whole URL, as to a proxy.
    """

    method: str
    target: str
    version: str
    headers: Headers
    body: bytes
    is_proxied: bool = False

    def header(self, name: str) -> str:
        """Return the value of the header *name*, given in lower case; "" when there is none."""
        return next(iter(values_of(self.headers, name)), "")

    @property
    def is_last(self) -> bool:
        """Whether the client sends no other request on this connection."""
        return self.version == "1.0" or is_closing(self.headers)

    def recorded(self, origin: str) -> RecordedRequest:
        return RecordedRequest(self.method, origin + self.target, self.headers, self.body)


class RequestReader:
    """Reads the requests of one connection, one after another; what is left of a read begins the next."""

    def __init__(self, reader: asyncio.StreamReader, say_continue: Callable[[], None]) -> None:
        self._reader = reader
        self._say_continue = say_continue
        self._left = b""

    async def read(self) -> ReceivedRequest | None:
        """Return the next request; None when the client closed the connection instead.

        Raises:
            BadRequestError: It is none.
        """
        # One for each request: h11 would go on to the next only if it also made our answers.
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        if self._left:
            parser.receive_data(self._left)
        try:
            return await self._read(parser)
        except h11.RemoteProtocolError as error:
            raise BadRequestError(f"not an HTTP/1.1 request: {error}") from error

    async def _read(self, parser: h11.Connection) -> ReceivedRequest | None:
        head = await self._next_event(parser)
        if not isinstance(head, h11.Request):
            return None
        if parser.they_are_waiting_for_100_continue:
            self._say_continue()
        body = bytearray()
        while isinstance(event := await self._next_event(parser), h11.Data):
            body += event.data
        self._left = parser.trailing_data[0]
        return _received(head, bytes(body))

    async def _next_event(self, parser: h11.Connection) -> object:
        while (event := parser.next_event()) is h11.NEED_DATA:
            parser.receive_data(await self._reader.read(READ_BYTES))
        return event


def _received(head: h11.Request, body: bytes) -> ReceivedRequest:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items()]
    target = head.target.decode("latin-1")
    if head.method == b"CONNECT":
        raise BadRequestError("https is not replayed by way of a proxy: ask this server itself, over http")
    is_proxied = not target.startswith(("/", "*"))
    return ReceivedRequest(
        head.method.decode(), _path_of(target), head.http_version.decode(), headers, body, is_proxied
    )


def _path_of(target: str) -> str:
    if target.startswith("/"):
        return target
    try:
        parts = urlsplit(target)  # a client that takes us for its proxy sends the whole URL
    except ValueError as error:
        raise BadRequestError(f"not an address: {error}") from error
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
