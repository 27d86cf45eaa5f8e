"""Which recorded request a request is: method, URL, and what the body means."""

from __future__ import annotations

import base64
import binascii
import json
import re
from operator import itemgetter
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

from g4fsdk.testing._cassette.paths import JSON, UNFOLDED, Path, without
from g4fsdk.testing._cassette.values import RecordedRequest

_DEFAULT_PORTS = {"http": 80, "https": 443}
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_OF_THE_CONNECTION = frozenset(
    "accept-encoding connection content-length host keep-alive te transfer-encoding user-agent".split()
)
_PARAMETER = re.compile(r"""(?<![\w-])(name|filename)\*?=(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))""")
# base64 of a JSON object or array starts with "e" ("{") or "W" ("[").
_BASE64_JSON = re.compile(r"[eW][A-Za-z0-9+/_-]{7,}={0,2}")
_PATH_SAFE = ":@!$&'()*+,;=~-._"


def match_key(request: RecordedRequest) -> str:
    """Return what two requests share when they mean the same."""
    meaning: JSON = [request.method.upper(), url_meaning(request.url), body_meaning(request)]
    return json.dumps(meaning, sort_keys=True)


def url_meaning(url: str, *, with_origin: bool = True) -> dict[str, JSON]:
    """Return *url* in one spelling: letter case, default port, percent-coding, order of the query's names."""
    parts = urlsplit(url)
    path = "/".join(quote(unquote_to_bytes(step), safe=_PATH_SAFE) for step in (parts.path or "/").split("/"))
    query = sorted(_pairs(parts.query), key=itemgetter(0))
    meaning: dict[str, JSON] = {"path": path, "query": [*query]}
    if with_origin:
        scheme = parts.scheme.lower()
        port = parts.port if parts.port is not None else _DEFAULT_PORTS.get(scheme)
        meaning["origin"] = f"{scheme}://{(parts.hostname or '').lower()}:{port}"
    return meaning


def _pairs(text: str) -> list[list[JSON]]:
    """Return the names and values in *text*, a query or form; what is no UTF-8 stays told apart."""
    return [[*pair] for pair in parse_qsl(text, keep_blank_values=True, errors="surrogateescape")]


def body_meaning(request: RecordedRequest) -> JSON:
    """Return what the body says, whatever its spelling, as a tree; None for no body."""
    headers = {name.lower(): value for name, value in request.headers}
    return _content_meaning(headers.get("content-type", ""), request.body)


def header_meaning(request: RecordedRequest) -> list[JSON]:
    """Return the headers that the program chose, in one spelling: not those of its connection and library."""
    said = sorted((name.lower(), value) for name, value in request.headers)
    return [
        [name, _BOUNDARY.sub("boundary", value)] for name, value in said if name not in _OF_THE_CONNECTION
    ]


def body_without(meaning: JSON, path: Path) -> JSON:
    """Return *meaning*, a body, without what *path* leads to; parts and fields of forms have names."""
    match meaning:
        case {"json": value} if path:
            return {"json": without(value, path)}
        case {"form": list(fields)} if path:
            return {"form": [field for field in fields if path not in ((None,), (_name_in(field),))]}
        case {"parts": list(parts)} if path:
            named = [part for part in parts if isinstance(part, dict)]
            return {"parts": [kept for part in named if (kept := _part_without(part, path)) is not None]}
    return meaning if path else None


def _name_in(field: JSON) -> JSON:
    return field[0] if isinstance(field, list) else None


def _part_without(part: dict[str, JSON], path: Path) -> dict[str, JSON] | None:
    match part:
        case {"name": name} if path[0] in (None, name):
            return {**part, "content": body_without(part["content"], path[1:])} if path[1:] else None
    return part


def _content_meaning(content_type: str, body: bytes) -> JSON:
    if not body:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("multipart/") and (found := _BOUNDARY.search(content_type)):
        parts = _parts(body, (found[1] or found[2]).encode("latin-1"))
        return {"parts": parts} if parts else _text_meaning(body)
    if kind == "application/x-www-form-urlencoded":
        return {"form": [*_pairs(body.decode("latin-1"))]}
    return _text_meaning(body)


def _text_meaning(body: bytes) -> JSON:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return {"bytes": body.hex()}
    try:
        return {"json": unfolded(json.loads(text))}
    except (ValueError, RecursionError):
        return {"text": text}


def unfolded(value: JSON) -> JSON:
    """Return *value* with each string that is base64 of a JSON document replaced by that document."""
    match value:
        case dict():
            return {name: unfolded(inner) for name, inner in value.items()}
        case list():
            return [unfolded(inner) for inner in value]
        case str() if _BASE64_JSON.fullmatch(value):
            return _decode_base64_json(value)
    return value


def _decode_base64_json(text: str) -> JSON:
    try:
        document: JSON = json.loads(base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True))
    except (binascii.Error, ValueError):
        return text
    return {UNFOLDED: unfolded(document)} if isinstance(document, (dict, list)) else text


def _parts(body: bytes, boundary: bytes) -> list[JSON]:
    """Return the parts of a multipart body; the boundary, which is random, is in none of them."""
    delimiter = rb"\r\n--" + re.escape(boundary) + rb"(?=--|[ \t]*(?:\r\n|\Z))"
    pieces = re.split(delimiter, b"\r\n" + body)
    return [_part(piece) for piece in pieces[1:] if not piece.startswith(b"--")]


def _part(piece: bytes) -> JSON:
    head, _, content = piece.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "replace").strip().split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    found = _PARAMETER.findall(headers.get("content-disposition", ""))
    named: dict[str, JSON] = {name: quoted or bare for name, quoted, bare in found}
    content_type = headers.get("content-type", "")
    return {**named, "type": content_type, "content": _content_meaning(content_type, content)}
