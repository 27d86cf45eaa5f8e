"""What others recorded, as cassettes: a browser's HAR 1.2, as Chrome and Firefox write it, and vcrpy's files.

Nothing here removes secrets: scrub what these functions return before it is written.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from g4fsdk.providers import PROVIDERS
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.document import plain_headers
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.services import provider_of_url, providers_of
from g4fsdk.testing._cassette.values import (
    Headers,
    Interaction,
    RecordedRequest,
    RecordedResponse,
)
from g4fsdk.testing._imports.vcr import adopted

PROVENANCE = "captured in a browser (HAR); chunk boundaries and times unknown"
BOUNDARY = re.compile(r'boundary="?([^";,\s]+)', re.IGNORECASE)


class _Pair(msgspec.Struct):
    name: str
    value: str


class _Param(msgspec.Struct, rename="camel"):
    name: str
    value: str = ""
    file_name: str | None = None
    content_type: str | None = None


class _Posted(msgspec.Struct, rename="camel"):
    text: str | None = None
    encoding: str | None = None
    params: list[_Param] | None = None
    mime_type: str | None = None


class _Content(msgspec.Struct):
    text: str | None = None
    encoding: str | None = None
    size: float | None = None


class _Sent(msgspec.Struct, rename="camel"):
    method: str
    url: str
    headers: list[_Pair]
    post_data: _Posted | None = None


class _Came(msgspec.Struct, rename="camel"):
    status: int
    headers: list[_Pair]
    status_text: str | None = None
    http_version: str | None = None
    content: _Content | None = None


class _Entry(msgspec.Struct):
    """What is read of an entry; nothing is asked of those that are not kept."""

    request: _Sent
    response: _Came


def import_file(path: str | Path, provider: str | None = None) -> Cassette:
    """Return the cassette in the file at *path*: HAR, or a cassette, told by what it holds.

    *provider* says whose entries of a HAR file are meant, see `from_har`, or whose a cassette of vcrpy is.

    Raises:
        CassetteError: The file is neither, or not usable.
        OSError: The file can't be read.
    """
    try:
        document = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError):  # no JSON: a cassette is YAML
        document = None
    match document:
        case {"log": dict()}:
            return from_har(document, provider)
    cassette = Cassette.load(path)
    return cassette if cassette.metadata else adopted(cassette, provider=provider)


def from_har(document: Mapping[str, Any], provider: str | None = None, *, url_contains: str = "") -> Cassette:
    """Return the cassette of a session that a browser saved as HAR, one chunk a response, all at 0 ms.

    Kept are the requests of *provider*, known by their URLs, on whatever host; without a name, those of
    the one provider that *document* has requests of. Of these, only the ones whose URL has *url_contains*
    in it.

    Raises:
        CassetteError: It is no HAR, has no such request or those of several providers, or lacks a body.
    """
    if provider is not None and provider not in PROVIDERS:
        raise CassetteError(f"unknown provider {provider!r}; known: {', '.join(PROVIDERS)}")
    try:
        entries = [each for each in document["log"]["entries"] if each["request"]["method"] != "OPTIONS"]
        entries = [each for each in entries if url_contains in each["request"]["url"]]
        provider = provider or _only_provider([each["request"]["url"] for each in entries])
        wanted = [each for each in entries if PROVIDERS[provider].is_asked_at(each["request"]["url"])]
        interactions = [_interaction(msgspec.convert(each, _Entry)) for each in wanted]
    except msgspec.ValidationError as error:
        raise CassetteError(f"not a HAR file: in an entry of {provider}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, CassetteError):
            raise
        raise CassetteError(f"not a HAR file: {type(error).__name__} at {error}") from error
    if not interactions:
        raise CassetteError(f"no entry of the HAR file is a request of {provider}")
    recorded_at = wanted[0].get("startedDateTime")
    return Cassette(
        interactions, {"provider": provider, "provenance": PROVENANCE, "recorded_at": recorded_at}
    )


def _only_provider(urls: list[str]) -> str:
    found = providers_of(url for url in urls if provider_of_url(url))
    if len(found) != 1:
        seen = f"requests of {', '.join(found)}" if found else f"{len(urls)} entries and no known request"
        raise CassetteError(f"the HAR file holds {seen}: name the provider; known: {', '.join(PROVIDERS)}")
    return found[0]


def _interaction(entry: _Entry) -> Interaction:
    return Interaction(_request(entry.request), _response(entry))


def _request(sent: _Sent) -> RecordedRequest:
    headers = _headers(sent.headers)
    body = _posted(sent.post_data or _Posted(), headers)
    return RecordedRequest(sent.method, sent.url.partition("#")[0], headers, body)


def _headers(pairs: list[_Pair]) -> Headers:
    # HTTP/2 pseudo headers are no headers; Chrome writes several Set-Cookie as the lines of one value.
    return [
        (pair.name, line)
        for pair in pairs
        if not pair.name.startswith(":")
        for line in pair.value.split("\n")
    ]


def _posted(data: _Posted, headers: Headers) -> bytes:
    """Return the body: as text, or made again from the parameters, which is all that some versions keep."""
    if data.text:
        return _text_bytes(data.text, data.encoding)
    params = data.params or []
    boundary = BOUNDARY.search(data.mime_type or "")
    if boundary:
        return _multipart(params, boundary[1])
    return urlencode([(each.name, each.value) for each in params]).encode()


def _multipart(params: list[_Param], boundary: str) -> bytes:
    parts = "".join(f"--{boundary}\r\n{_part(each)}\r\n" for each in params)
    return f"{parts}--{boundary}--\r\n".encode() if params else b""


def _part(param: _Param) -> str:
    file = f'; filename="{param.file_name}"' if param.file_name else ""
    kind = f"Content-Type: {param.content_type}\r\n" if param.content_type else ""
    head = f'Content-Disposition: form-data; name="{param.name}"{file}\r\n{kind}'
    return f"{head}\r\n{param.value}"


def _response(entry: _Entry) -> RecordedResponse:
    came = entry.response
    if came.status == 0:  # blocked, aborted, or no connection: browsers do not say more
        return RecordedResponse(status=0, end="reset")
    body = _content(entry)
    return RecordedResponse(
        status=came.status,
        reason=came.status_text or "",
        headers=plain_headers(_headers(came.headers)),
        chunks=[body] if body else [],
        at_ms=[0.0] if body else [],
        http_version=_version(came.http_version or ""),
    )


def _content(entry: _Entry) -> bytes:
    content = entry.response.content or _Content()
    if not content.text and (content.size or 0) > 0:
        raise CassetteError(
            f"{entry.request.url.partition('?')[0]}: the browser did not save the body of the answer; "
            "save the HAR with content, while the developer tools are still open"
        )
    return _text_bytes(content.text or "", content.encoding)


def _text_bytes(text: str, encoding: str | None) -> bytes:
    return b64decode(text) if encoding == "base64" else text.encode("utf-8", "surrogatepass")


def _version(said: str) -> str:
    """Return ``1.1``, ``2`` or ``3`` for the many ways to write it: ``HTTP/2.0``, ``h2``, ``http/2+quic``."""
    number = re.search(r"\d(?:\.[1-9])?", said)
    return number[0] if number else "1.1"
