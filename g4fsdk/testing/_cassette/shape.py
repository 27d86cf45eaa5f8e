"""The shape of a session: which requests it makes and what its answers are built of, not what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from g4fsdk.providers import PROVIDERS
from g4fsdk.testing._cassette.match import unfolded
from g4fsdk.testing._cassette.services import provider_of
from g4fsdk.testing._cassette.values import (
    Interaction,
    RecordedRequest,
    RecordedResponse,
    Session,
    values_of,
)
from g4fsdk.testing._cassette.wire_events import BOM, wire_format

Fields: TypeAlias = frozenset[tuple[str, str]]

# What differs from one answer to the next although nothing changed.
PASSING_HEADERS: Final = frozenset({"date", "connection", "keep-alive", "age", "content-length"})
ID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{16,}|\d{5,}"
    r"|SCRUBBED-[a-z-]+-\d+|(?=[\w-]*\d)[A-Za-z0-9_-]{20,}",
    re.IGNORECASE,
)
PART: Final = re.compile(rb'name="([^"]*)"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)
# chat-ui's page data is a flat list of values, and what is in it depends on the conversation: only what is
# read of it counts, nothing of the deferred chunks.
FLATTENED: Final = re.compile(
    r"(?:data: )?nodes\[\]\.data\[\](?:\[\]|\.(?!(?:messages|id)$))|chunk: data\[\]"
)
TYPES: Final = {str: "str", bool: "bool", int: "number", float: "number", dict: "object", list: "list"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """The shape of all requests of one kind in a session, and of what answered them.

    The fields are (key path, type) pairs, ``("choices[].delta.content", "str")``; in JSON lines the path
    begins with the line's type, ``"stream: token"``. *kinds* are those types and the names of SSE events.
    """

    method: str
    path: str
    request: Fields
    statuses: frozenset[str]
    headers: frozenset[str]
    content_types: frozenset[str]
    formats: frozenset[str]
    kinds: frozenset[str]
    answer: Fields
    markers: frozenset[str]
    ends: frozenset[str]

    @property
    def where(self) -> str:
        return f"{self.method} {self.path}"

    def __str__(self) -> str:
        words = {
            "sends": _listed(self.request),
            "status": ", ".join(sorted(self.statuses)),
            "headers": ", ".join(sorted(self.headers)),
            "content type": ", ".join(sorted(self.content_types)),
            "format": ", ".join(sorted(self.formats)),
            "event types": ", ".join(sorted(self.kinds)),
            "answers": _listed(self.answer),
            "end marker": ", ".join(sorted(self.markers)),
            "ends": ", ".join(sorted(self.ends)),
        }
        return "\n".join([self.where, *(f"  {name}: {text}" for name, text in words.items() if text)])


def _listed(fields: Fields) -> str:
    return "".join(f"\n    {path}: {kind}" for path, kind in sorted(fields))


@dataclass(frozen=True, slots=True)
class Shape:
    """The exchanges of a session, one for each kind of request, and who reads the answers.

    *file* is the provider's, or the folder of all when none is known; *reads* are the keys it reads.
    """

    exchanges: tuple[Exchange, ...]
    file: str
    reads: frozenset[str]

    def __str__(self) -> str:
        return "\n".join(map(str, self.exchanges))


def shape(cassette: Session) -> Shape:
    """Return the shape of *cassette*: ids, texts, counts and chunks do not show in it."""
    kinds: dict[tuple[str, str], Exchange] = {}
    for interaction in cassette.interactions:
        one = _exchange(interaction)
        before = kinds.get((one.method, one.path))
        kinds[one.method, one.path] = _together(before, one) if before else one
    provider = provider_of(cassette)
    file = f"{provider.__module__.replace('.', '/')}.py" if provider else "g4fsdk/providers/"
    reads = provider.reads if provider else frozenset().union(*(kind.reads for kind in PROVIDERS.values()))
    return Shape(tuple(kinds.values()), file, reads)


def _exchange(interaction: Interaction) -> Exchange:
    request, response = interaction.request, interaction.response
    kind_of_body = _format(response)
    documents = list(_documents(response.body, kind_of_body))
    return Exchange(
        method=request.method.upper(),
        path=path_template(request.url),
        request=frozenset(_request_fields(request)),
        statuses=frozenset({str(response.status or "no answer")}),
        headers=frozenset({name.lower() for name, _ in response.headers} - PASSING_HEADERS),
        content_types=frozenset(_media_types(response)),
        formats=frozenset({kind_of_body}),
        kinds=frozenset(kind for kind, _ in documents) - {"", "[DONE]"},
        answer=frozenset(field for field in _answer_fields(documents) if not FLATTENED.match(field[0])),
        markers=frozenset(_markers(documents)) or frozenset({"end of body"}),
        ends=frozenset({response.end}),
    )


def _answer_fields(documents: list[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    for kind, document in documents:
        yield from ((f"{kind}: {path}" if kind else path, name) for path, name in key_types(document))


def _together(one: Exchange, other: Exchange) -> Exchange:
    unions = {
        name: getattr(one, name) | getattr(other, name)
        for name in Exchange.__slots__
        if name not in ("method", "path")
    }
    # A session whose answers have an end marker has it, even when one of them was cut off.
    unions["markers"] = unions["markers"] - {"end of body"} or unions["markers"]
    return Exchange(one.method, one.path, **unions)


def path_template(url: str) -> str:
    """Return the path of *url* and the names of its query, ids replaced: ``/conversation/{id}``."""
    parts = urlsplit(url)
    path = "/".join("{id}" if ID.fullmatch(step) else step for step in parts.path.split("/"))
    names = "&".join(sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}))
    return f"{path or '/'}?{names}" if names else path or "/"


def _media_types(response: RecordedResponse) -> Iterator[str]:
    for value in values_of(response.headers, "content-type"):
        yield value.partition(";")[0].strip().lower()


def _format(response: RecordedResponse) -> str:
    body = response.body.removeprefix(BOM).strip()
    framing = wire_format(response)
    if not body:
        return "empty"
    if framing != "chunks":
        return {"sse": "SSE", "json lines": "JSON lines"}[framing]
    if _json(body) is not None:
        return "JSON"
    return "HTML" if re.match(rb"<!doctype html|<html", body, re.IGNORECASE) else "text"


def _json(data: bytes | str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _documents(body: bytes, kind_of_body: str) -> Iterator[tuple[str, Any]]:
    """Yield the JSON documents of *body*, each with its kind; ``[DONE]`` is one of that kind."""
    body = body.removeprefix(BOM)
    if kind_of_body == "JSON":
        yield "", _json(body.strip())
    elif kind_of_body == "JSON lines":
        for line in body.split(b"\n"):
            if isinstance(document := _json(line.strip()), dict):
                yield _line_kind(document), document
    elif kind_of_body == "SSE":
        yield from _sse_documents(body)


def _line_kind(document: dict[str, Any]) -> str:
    return "/".join(str(document[key]) for key in ("type", "subtype") if isinstance(document.get(key), str))


def _sse_documents(body: bytes) -> Iterator[tuple[str, Any]]:
    for block in re.split(r"\n\n+", re.sub(r"\r\n?", "\n", body.decode("utf-8", "replace"))):
        lines = [line.partition(":") for line in block.split("\n")]
        data = "\n".join(text.removeprefix(" ") for name, _, text in lines if name == "data")
        kind = next((text.strip() for name, _, text in lines if name == "event"), "")
        if data.strip() == "[DONE]":
            yield "[DONE]", None
        elif (document := _json(data)) is not None:
            yield kind, document


def _markers(documents: list[tuple[str, Any]]) -> Iterator[str]:
    for kind, document in documents:
        if kind in ("[DONE]", "finalAnswer"):
            yield kind
        if isinstance(document, dict) and any(_finishes(document)):
            yield "finish_reason"


def _finishes(document: dict[str, Any]) -> Iterator[bool]:
    yield bool(document.get("finish_reason"))
    choices = document.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        yield isinstance(choice, dict) and bool(choice.get("finish_reason"))


def key_types(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the (key path, type) pairs of the JSON *value*; keys that are ids count as one."""
    if path:
        yield path, TYPES.get(type(value), "null")
    if isinstance(value, dict):
        for key, inner in value.items():
            step = "{id}" if ID.fullmatch(key) else key
            yield from key_types(inner, f"{path}.{step}" if path else step)
    elif isinstance(value, list):
        for inner in value:
            yield from key_types(inner, f"{path}[]")


def _request_fields(request: RecordedRequest) -> Iterator[tuple[str, str]]:
    kind = " ".join(values_of(request.headers, "content-type")).lower()
    if "multipart/" in kind:
        for found in PART.finditer(request.body):
            yield from _part_fields(found[1].decode("utf-8", "replace"), found[2])
    elif "urlencoded" in kind:
        yield from (
            (name, "str") for name, _ in parse_qsl(request.body.decode("latin-1"), keep_blank_values=True)
        )
    elif request.body:
        document = _json(request.body)
        yield from key_types(unfolded(document)) if document is not None else [("body", "text")]


def _part_fields(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    document = _json(content)
    yield from (
        key_types(document, f"part {name}") if isinstance(document, dict) else [(f"part {name}", "text")]
    )
