"""Where the wire events of a recorded body end, so that a fault can stand between them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from g4fsdk.testing._cassette.values import RecordedResponse, values_of

WireFormat: TypeAlias = Literal["sse", "json lines", "chunks"]

BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_SSE_START = re.compile(rb"[\r\n]*(?:data|event|id|retry)?:")
_JSON_LINES_TYPES = (
    "jsonl",
    "ndjson",
    "json-seq",
    "event-stream",
)  # chat-ui labels its JSON lines event-stream


def wire_format(response: RecordedResponse) -> WireFormat:
    """Return how the body of *response* is made of events; what it holds counts more than its label."""
    body = response.body.removeprefix(BOM)
    labels = " ".join(values_of(response.headers, "content-type")).lower()
    if _SSE_START.match(body):
        return "sse"
    if _looks_like_json_lines(body, labels):
        return "json lines"
    return "sse" if "event-stream" in labels else "chunks"


def _looks_like_json_lines(body: bytes, labels: str) -> bool:
    lines = body.split(b"\n")
    labelled = any(kind in labels for kind in _JSON_LINES_TYPES)
    # One line of JSON alone is a document, and nothing may be put in front of a document.
    return (labelled or len(lines) > 2) and _is_json_object(
        next((line for line in lines if line.strip()), b"")
    )


def _is_json_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def event_ends(response: RecordedResponse) -> list[int]:
    """Return the offset behind each whole wire event of the body.

    Events are SSE events (comments are none), JSON lines, or else chunks. What is left at the end of the
    body without its line end counts as an event.
    """
    match wire_format(response):
        case "sse":
            return list(_sse_ends(response.body))
        case "json lines":
            return [end for end, line in _lines(response.body) if line.strip()]
    return list(itertools.accumulate(len(chunk) for chunk in response.chunks))


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    separator = 0
    while (found := body.find(b"\n", separator)) >= 0:
        yield found + 1, body[separator : found + 1]
        separator = found + 1
    yield len(body), body[separator:]


def _sse_ends(body: bytes) -> Iterator[int]:
    has_field = False
    for found in _LINE.finditer(body):
        line = found[0].rstrip(b"\r\n")
        if line:
            has_field = has_field or not line.removeprefix(BOM).startswith(b":")
        elif has_field:
            yield found.end()
            has_field = False
    if has_field:
        yield len(body)
