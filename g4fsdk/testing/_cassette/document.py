"""A cassette to and from the document that its file holds."""

from __future__ import annotations

from typing import Any, get_args

from g4fsdk.testing._cassette.codings import CodingError, decode_pieces
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.values import (
    End,
    Headers,
    Interaction,
    RecordedRequest,
    RecordedResponse,
    Session,
)
from g4fsdk.testing._cassette.yaml import FlowMapping

# Headers that speak of the coded body; the cassette keeps the plain one.
CODING_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def to_document(cassette: Session) -> dict[str, Any]:
    """Return *cassette* as plain data in the layout of vcrpy's format 1."""
    document: dict[str, Any] = {"metadata": {"g4fsdk": cassette.metadata}} if cassette.metadata else {}
    document["interactions"] = [
        {"request": _write_request(one.request), "response": _write_response(one.response)}
        for one in cassette.interactions
    ]
    document["version"] = 1
    return document


def _write_request(request: RecordedRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "uri": request.url,
        "body": _write_body(request.body) if request.body else None,
        "headers": _write_headers(request.headers),
    }


def _write_response(response: RecordedResponse) -> dict[str, Any]:
    return {
        "status": {"code": response.status, "message": response.reason},
        "headers": _write_headers(response.headers),
        "body": {"string": _write_body(response.body)},
        "wire": FlowMapping(
            sizes=[len(chunk) for chunk in response.chunks],
            at_ms=list(response.at_ms),
            end=response.end,
            http_version=response.http_version,
        ),
    }


def _write_headers(headers: Headers) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in headers:
        grouped.setdefault(name, []).append(value)
    return grouped


def _write_body(body: bytes) -> str | bytes:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body


def from_document(document: Any, name: str) -> tuple[list[Interaction], dict[str, Any]]:
    """Return the cassette that *document* describes; *name* is the file, for messages.

    Raises:
        CassetteError: Something is missing, of another type, or contradicts itself.
    """
    match document:
        case {"interactions": list(interactions)}:
            read = [
                _read_interaction(one, f"{name}: interactions[{i}]") for i, one in enumerate(interactions)
            ]
            return read, _read_metadata(document.get("metadata"), name)
    raise _expected(name, "a mapping with a list of interactions", document)


def _read_metadata(metadata: Any, name: str) -> dict[str, Any]:
    match metadata:
        case {"g4fsdk": dict(ours)}:
            return ours
        case {"g4fsdk": other} if other is not None:
            raise _expected(f"{name}: metadata.g4fsdk", "a mapping", other)
    return {}


def _read_interaction(interaction: Any, place: str) -> Interaction:
    match interaction:
        case {"request": dict(request), "response": dict(response)}:
            return Interaction(
                _read_request(request, f"{place}.request"), _read_response(response, f"{place}.response")
            )
    raise _expected(place, "a mapping with request and response", interaction)


def _read_request(request: dict[str, Any], place: str) -> RecordedRequest:
    return RecordedRequest(
        method=_read(str, request.get("method"), f"{place}.method"),
        url=_read(str, request.get("uri"), f"{place}.uri"),
        headers=_read_headers(request.get("headers"), f"{place}.headers"),
        body=_read_body(request.get("body"), f"{place}.body"),
    )


def _read_response(response: dict[str, Any], place: str) -> RecordedResponse:
    headers = _read_headers(response.get("headers"), f"{place}.headers")
    body = _read_body(response.get("body"), f"{place}.body")
    status, reason = _read_status(response.get("status"), f"{place}.status")
    read = RecordedResponse(status, reason, [h for h in headers if h[0].lower() not in CODING_HEADERS])
    if "wire" in response:
        _read_wire(read, response["wire"], body, f"{place}.wire")
    else:
        _assume_one_chunk(read, _plain(body, headers))
    return read


def _assume_one_chunk(response: RecordedResponse, body: bytes) -> None:
    response.chunks = [body] if body else []
    response.at_ms = [0.0] * len(response.chunks)


def _plain(body: bytes, headers: Headers) -> bytes:
    coding = ",".join(value for name, value in headers if name.lower() == "content-encoding")
    try:
        return b"".join(decode_pieces(coding, [body])) or body
    except CodingError:  # vcrpy keeps the header in some versions when it has decoded the body itself
        return body


def _read_status(status: Any, place: str) -> tuple[int, str]:
    match status:
        case {"code": int(code)}:
            return code, _read(str, status.get("message") or "", f"{place}.message")
    raise _expected(place, "a mapping with a code", status)


def _read_wire(response: RecordedResponse, wire: Any, body: bytes, place: str) -> None:
    match wire:
        case {"sizes": list(sizes), "at_ms": list(at_ms)}:
            pass
        case _:
            raise _expected(place, "a mapping with the lists sizes and at_ms", wire)
    response.chunks = _cut(body, sizes, f"{place}.sizes")
    response.at_ms = [float(_read((int, float), ms, f"{place}.at_ms")) for ms in at_ms]
    if len(at_ms) != len(sizes):
        raise CassetteError(f"{place}: {len(sizes)} sizes, but {len(at_ms)} entries in at_ms")
    response.end = _read_end(wire.get("end", "complete"), f"{place}.end")
    response.http_version = _read(str, wire.get("http_version", "1.1"), f"{place}.http_version")


def _cut(body: bytes, sizes: list[Any], place: str) -> list[bytes]:
    if not all(type(size) is int and size > 0 for size in sizes):
        raise _expected(place, "whole numbers above 0", sizes)
    if sum(sizes) != len(body):
        raise CassetteError(f"{place}: they sum to {sum(sizes)}, the body has {len(body)} bytes")
    chunks, start = [], 0
    for size in sizes:
        chunks.append(body[start : start + size])
        start += size
    return chunks


def _read_end(end: Any, place: str) -> End:
    for known in get_args(End):
        if end == known:
            found: End = known
            return found
    raise _expected(place, f"one of {', '.join(get_args(End))}", end)


def _read_headers(headers: Any, place: str) -> Headers:
    match headers:
        case None:
            return []
        case dict():
            return [
                (str(name), value) for name in headers for value in _values(headers[name], f"{place}.{name}")
            ]
    raise _expected(place, "a mapping", headers)


def _values(values: Any, place: str) -> list[str]:
    match values:
        case str() | bytes():
            return [_text(values)]
        case list() | tuple():
            return [_text(_read((str, bytes), value, place)) for value in values]
    raise _expected(place, "a list of strings", values)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _read_body(body: Any, place: str) -> bytes:
    match body:
        case None:
            return b""
        case bytes():
            return body
        case str():
            return body.encode("utf-8", "surrogatepass")
        case {"string": inner}:
            return _read_body(inner, f"{place}.string")
        case list():  # vcrpy keeps the pieces of an iterator body
            return b"".join(_read_body(piece, f"{place}[{i}]") for i, piece in enumerate(body))
    raise _expected(place, "text, bytes or null", body)


def _read(kind: Any, value: Any, place: str) -> Any:
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
    raise _expected(place, names, value)


def _expected(place: str, expected: str, value: Any) -> CassetteError:
    return CassetteError(f"{place}: expected {expected}, found {repr(value)[:80]}")
