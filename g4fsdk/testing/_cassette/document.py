"""A cassette to and from the document that its file holds."""

from __future__ import annotations

import re
from datetime import date
from itertools import accumulate, pairwise
from math import isfinite
from typing import Annotated, Any, get_args

import msgspec

from g4fsdk.testing._cassette.bodies import (
    kept_headers,
    plain_body,
    plain_headers,
    read_body,
    read_headers,
)
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.foreign import modern
from g4fsdk.testing._cassette.values import (
    End,
    Headers,
    Interaction,
    RecordedRequest,
    RecordedResponse,
    Session,
    check_address,
    check_status,
)
from g4fsdk.testing._cassette.yaml import FlowMapping

# A place in a document, as msgspec writes it.
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_WORDS = {
    "`object`": "a mapping",
    "`array`": "a list",
    "`str`": "text",
    "`int`": "a whole number",
    "`float`": "a number",
}


def to_document(cassette: Session) -> dict[str, Any]:
    """Return *cassette* as plain data in the layout of vcrpy's format 1."""
    document: dict[str, Any] = {"g4fsdk": cassette.metadata} if cassette.metadata else {}
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


class _Headers(list[tuple[str, str]]):
    """Headers as `read_headers` reads them, wherever vcrpy or we wrote them."""


class _Body(bytes):
    """A body as `read_body` reads it."""


class _Request(msgspec.Struct):
    method: str
    uri: str
    body: _Body
    headers: _Headers = msgspec.field(default_factory=_Headers)

    def __post_init__(self) -> None:
        check_address(self.uri)


class _Status(msgspec.Struct):
    code: int
    message: str | None = None

    def __post_init__(self) -> None:
        check_status(self.code)


class _Wire(msgspec.Struct):
    sizes: list[Annotated[int, msgspec.Meta(gt=0)]]
    at_ms: list[float]
    end: End = "complete"
    http_version: str = "1.1"


class _Response(msgspec.Struct):
    status: _Status
    body: _Body
    headers: _Headers = msgspec.field(default_factory=_Headers)
    wire: _Wire | msgspec.UnsetType = msgspec.UNSET


class _Interaction(msgspec.Struct):
    request: _Request
    response: _Response


class _Document(msgspec.Struct):
    """What a file holds; keys that are not named here are nothing to us."""

    interactions: list[_Interaction]
    g4fsdk: Any = None
    metadata: Any = None  # vcrpy's, for any program; in older files ours is under a key of it


def from_document(document: Any, name: str) -> tuple[list[Interaction], dict[str, Any]]:
    """Return the cassette that *document* describes; *name* is the file, for messages.

    Raises:
        CassetteError: Something is missing, of another type, or contradicts itself.
    """
    document = modern(document, name)
    try:
        read = msgspec.convert(document, _Document, dec_hook=_read)
    except msgspec.ValidationError as error:
        raise CassetteError(f"{name}: {_explained(str(error), document)}") from error
    except RecursionError as error:
        raise CassetteError(f"{name}: nested too deeply") from error
    interactions = [
        Interaction(_request(one.request), _response(one.response, f"{name}: interactions[{i}].response"))
        for i, one in enumerate(read.interactions)
    ]
    return interactions, _metadata(read, name)


def is_current(document: Any) -> bool:
    """Tell whether *document*, which can be read, has the layout that `to_document` writes."""
    metadata = document.get("metadata")
    is_old = isinstance(metadata, dict) and "g4fsdk" in metadata
    return not is_old and all("wire" in each["response"] for each in document["interactions"])


def _explained(message: str, document: Any) -> str:
    """Return msgspec's *message* with the place first, what was found last, and words for its types."""
    words, _, path = message.partition(" - at `$")
    place, found = path.removesuffix("`").removeprefix("."), document
    for key, index in _STEP.findall(path):
        found = found[key] if key else found[int(index)]
    if words.startswith("Invalid enum value"):
        words = f"expected one of {', '.join(get_args(End))}"
    words = words.partition(", got ")[0].replace("Object missing required field", "expected the key")
    for name, word in _WORDS.items():
        words = words.replace(name, word)
    words = f"{words[:1].lower()}{words[1:]}, found {repr(found)[:80]}"
    return f"{place}: {words}" if place else words


def _metadata(read: _Document, name: str) -> dict[str, Any]:
    older = read.metadata.get("g4fsdk") if isinstance(read.metadata, dict) else None
    for place, said in (("g4fsdk", read.g4fsdk), ("metadata.g4fsdk", older)):
        if isinstance(said, dict):
            return {str(key): _plain(value) for key, value in said.items()}
        if said is not None:
            raise CassetteError(f"{name}: {place}: expected a mapping, found {repr(said)[:80]}")
    return {}


def _plain(value: Any) -> Any:
    """Return *value* in what JSON has: a YAML reader makes times, dates and bytes of some texts."""
    match value:
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case set():
            return sorted(map(str, value))
        case list() | tuple():
            return [_plain(each) for each in value]
        case date():
            return value.isoformat()
        case bytes():
            return value.decode("utf-8", "backslashreplace")
    return value


def _request(read: _Request) -> RecordedRequest:
    return RecordedRequest(read.method, read.uri, list(read.headers), bytes(read.body))


def _response(read: _Response, place: str) -> RecordedResponse:
    response = RecordedResponse(read.status.code, read.status.message or "", kept_headers(read.headers))
    if isinstance(read.wire, _Wire):
        _take_wire(response, read.wire, read.body, f"{place}.wire")
        return response
    from g4fsdk.testing._cassette.codings import coding_of

    plain = plain_body(read.body, coding_of(read.headers), f"{place}.body")
    if plain is not None:
        response.headers = plain_headers(read.headers)
    if body := read.body if plain is None else plain:
        response.chunks, response.at_ms = [bytes(body)], [0.0]
    return response


def _take_wire(response: RecordedResponse, wire: _Wire, body: bytes, place: str) -> None:
    if sum(wire.sizes) != len(body):
        raise CassetteError(f"{place}.sizes: they sum to {sum(wire.sizes)}, the body has {len(body)} bytes")
    if not all(map(isfinite, wire.at_ms)):
        raise CassetteError(f"{place}.at_ms: expected times, found {wire.at_ms}"[:200])
    if len(wire.at_ms) != len(wire.sizes):
        raise CassetteError(f"{place}: {len(wire.sizes)} sizes, but {len(wire.at_ms)} entries in at_ms")
    ends = list(accumulate(wire.sizes, initial=0))
    response.chunks = [bytes(body[start:end]) for start, end in pairwise(ends)]
    response.at_ms, response.end, response.http_version = wire.at_ms, wire.end, wire.http_version


def _read(kind: type, value: Any) -> Any:
    """Read what has several forms, for msgspec."""
    return _Headers(read_headers(value)) if kind is _Headers else _Body(read_body(value))
