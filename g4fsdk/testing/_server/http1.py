"""Requests read off an HTTP/1.1 connection, as far as a replay server needs it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from g4fsdk.testing._cassette.values import Headers, RecordedRequest

MAX_HEAD_BYTES = 1 << 20  # a cookie jar fits many times; what is longer is no HTTP
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BadRequestError(ValueError):
    """What came is not an HTTP/1.1 request."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a request. *target* is path and query."""

    method: str
    target: str
    version: str
    headers: Headers

    def value_of(self, name: str) -> str:
        """Return the value of a header, several joined by commas; "" when it is absent."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    @property
    def is_last(self) -> bool:
        """Whether the client sends no other request on this connection."""
        return self.version == "HTTP/1.0" or "close" in self.value_of("connection").lower()

    def with_body(self, origin: str, body: bytes) -> RecordedRequest:
        return RecordedRequest(self.method, origin + self.target, self.headers, body)


async def read_head(reader: asyncio.StreamReader) -> RequestHead | None:
    """Return the next request's head; None when the client closed the connection instead.

    Raises:
        BadRequestError: It is none.
    """
    try:
        block = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadRequestError("the connection ended inside the head of a request") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequestError("the head of the request is too long") from error
    first, *lines = block.decode("latin-1").strip("\r\n").split("\r\n")
    match first.split(" "):
        case [method, target, version] if version.startswith("HTTP/"):
            return RequestHead(method, _path_of(target), version, [_header(line) for line in lines])
    raise BadRequestError(f"not a request line: {first[:80]!r}")


def _path_of(target: str) -> str:
    if target.startswith("/"):
        return target
    parts = urlsplit(target)  # a client that takes us for its proxy sends the whole URL
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise BadRequestError(f"not a header: {line[:80]!r}")
    return name, value.strip()


async def read_body(head: RequestHead, reader: asyncio.StreamReader) -> bytes:
    """Return the body that follows *head*, the transfer coding undone.

    Raises:
        BadRequestError: It is not framed as the head says.
    """
    try:
        if "chunked" in head.value_of("transfer-encoding").lower():
            return await _read_chunks(reader)
        return await reader.readexactly(int(head.value_of("content-length") or 0))
    except (ValueError, asyncio.IncompleteReadError) as error:
        raise BadRequestError(f"the body of the request is broken: {error}") from error


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readline()).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    while (await reader.readline()).strip():  # trailers
        pass
    return bytes(body)
