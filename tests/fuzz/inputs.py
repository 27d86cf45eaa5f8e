"""What a fuzzer's bytes mean, and the bytes to begin with: bodies out of the cassettes."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

from g4fsdk.testing import Cassette, Interaction

CASSETTES = Path(__file__).parent.parent.parent / "cassettes"
_SIZES = 4  # bytes that say how long the pieces are
HEAD = _SIZES + 4
_TYPES = ("", "text/plain", "text/html", "application/json", "text/event-stream")


@dataclass(frozen=True, slots=True)
class Input:
    """A body, where it is cut, and what stands around it, as the first bytes of a fuzzer's input say."""

    body: bytes
    pieces: list[bytes]
    content_type: str
    choice: int
    is_cut: bool

    @classmethod
    def read(cls, data: bytes) -> Input:
        head, body = data[:HEAD].ljust(HEAD, b"\0"), data[HEAD:]
        kind, choice, cut = head[_SIZES : _SIZES + 3]
        pieces = _cut(body, head[:_SIZES])
        return cls(body, pieces, _TYPES[kind % len(_TYPES)], choice, bool(cut & 1))


def _cut(body: bytes, sizes: bytes) -> list[bytes]:
    """Return *body* in pieces of *sizes*, over and over; the size 0 means empty."""
    pieces, at = [], 0
    for size in cycle(sizes if any(sizes) else b"\xff"):
        if at >= len(body):
            break
        pieces.append(body[at : at + size])
        at += size
    return pieces or [body]


Seeds = Callable[[], list[bytes]]


@cache
def recorded(provider: str) -> list[Interaction]:
    paths = sorted((CASSETTES / provider).glob("*.yaml"))
    return [interaction for path in paths for interaction in Cassette.load(path).interactions]


def bodies(*names: str, path: str = "", success: bool = True, method: str = "POST") -> Seeds:
    """Return the seeds that are answers of the providers of these *names*, at URLs with *path* in them."""

    def seeds() -> list[bytes]:
        found = [
            one.response.body
            for name in names
            for one in recorded(name)
            if path in one.request.url
            and one.request.method == method
            and (200 <= one.response.status < 300) is success
        ]
        return [b"\0" * HEAD + body for body in dict.fromkeys(found)]

    return seeds


def cassette_files() -> list[bytes]:
    return [b"\0" * HEAD + path.read_bytes() for path in sorted(CASSETTES.glob("*/*.yaml"))]


def har_files() -> list[bytes]:
    """Return a HAR file for each recorded exchange of the services without set-up."""
    found = [one for name in ("amigo", "yqcloud") for one in recorded(name)]
    return [b"\0" * HEAD + json.dumps({"log": {"entries": [_entry(one)]}}).encode() for one in found]


def _entry(one: Interaction) -> dict[str, Any]:
    request, response = one.request, one.response
    return {
        "startedDateTime": "2026-11-20T12:00:00.000Z",
        "request": {
            "method": request.method,
            "url": request.url,
            "headers": _pairs(request.headers),
            "postData": {"mimeType": "application/json", "text": request.body.decode()},
        },
        "response": {
            "status": response.status,
            "statusText": response.reason,
            "httpVersion": "HTTP/2",
            "headers": _pairs(response.headers),
            "content": {
                "size": len(response.body),
                "text": b64encode(response.body).decode(),
                "encoding": "base64",
            },
        },
    }


def _pairs(headers: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]
