"""What a request of a library sends, as it is recorded and compared."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from g4fsdk.testing._cassette.values import RecordedRequest

if TYPE_CHECKING:
    import httpx
    from requests import PreparedRequest


def sent_by_httpx(request: httpx.Request) -> RecordedRequest:
    """Return *request*, whose body was read already, as it is sent."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    return RecordedRequest(request.method, str(request.url), headers, request.content)


def sent_by_requests(request: PreparedRequest) -> RecordedRequest:
    """Return *request* as it is sent; it can still be sent afterwards."""
    headers = [(name, _text(value)) for name, value in request.headers.items()]
    return RecordedRequest(request.method or "GET", request.url or "", headers, _read_body(request))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _read_body(request: PreparedRequest) -> bytes:
    body: Any = request.body
    match body:
        case None:
            return b""
        case bytes() | bytearray():
            return bytes(body)
        case str():
            return body.encode("utf-8")
    if hasattr(body, "read"):
        return _read_file(request, body)
    pieces = _read_pieces(body)
    request.body = iter(pieces)  # type: ignore[assignment]  # the stub forgets that requests takes iterators
    return b"".join(pieces)


def _read_file(request: PreparedRequest, file: Any) -> bytes:
    try:
        start = file.tell()
    except (AttributeError, OSError):  # a pipe, which is read once
        data = _as_bytes(file.read())
        request.body = io.BytesIO(data)  # type: ignore[assignment]  # the stub forgets that requests takes files
        return data
    data = _as_bytes(file.read())
    file.seek(start)
    return data


def _as_bytes(data: Any) -> bytes:
    return data.encode("utf-8") if isinstance(data, str) else bytes(data)


def _read_pieces(body: Iterable[str | bytes]) -> list[bytes]:
    return [piece.encode("utf-8") if isinstance(piece, str) else piece for piece in body]
