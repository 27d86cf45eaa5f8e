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

from g4fsdk.providers import PROVIDERS
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.document import CODING_HEADERS
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.services import provider_of_url, providers_of
from g4fsdk.testing._cassette.values import (
    Headers,
    Interaction,
    RecordedRequest,
    RecordedResponse,
)

PROVENANCE = "captured in a browser (HAR); chunk boundaries and times unknown"
BOUNDARY = re.compile(r'boundary="?([^";,\s]+)', re.IGNORECASE)


def import_file(path: str | Path, provider: str | None = None) -> Cassette:
    """Return the cassette in the file at *path*: HAR, or a cassette, told by what it holds.

    *provider* says whose entries of a HAR file are meant; see `from_har`.

    Raises:
        CassetteError: The file is neither, or not usable.
        OSError: The file can't be read.
    """
    try:
        document = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except ValueError:  # no JSON: a cassette is YAML
        return Cassette.load(path)
    match document:
        case {"log": dict()}:
            return from_har(document, provider)
    return Cassette.load(path)


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
        interactions = [Interaction(_request(each["request"]), _response(each)) for each in wanted]
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


def _request(sent: Mapping[str, Any]) -> RecordedRequest:
    headers = _headers(sent["headers"])
    url = sent["url"].partition("#")[0]
    return RecordedRequest(sent["method"], url, headers, _posted(sent.get("postData") or {}, headers))


def _headers(pairs: list[Mapping[str, str]]) -> Headers:
    # HTTP/2 pseudo headers are no headers; Chrome writes several Set-Cookie as the lines of one value.
    return [
        (pair["name"], line)
        for pair in pairs
        if not pair["name"].startswith(":")
        for line in pair["value"].split("\n")
    ]


def _posted(data: Mapping[str, Any], headers: Headers) -> bytes:
    """Return the body: as text, or made again from the parameters, which is all that some versions keep."""
    if data.get("text"):
        return _text_bytes(data["text"], data.get("encoding"))
    params = data.get("params") or []
    boundary = BOUNDARY.search(data.get("mimeType", ""))
    if boundary:
        return _multipart(params, boundary[1])
    return urlencode([(each["name"], each.get("value", "")) for each in params]).encode()


def _multipart(params: list[Mapping[str, str]], boundary: str) -> bytes:
    parts = "".join(f"--{boundary}\r\n{_part(each)}\r\n" for each in params)
    return f"{parts}--{boundary}--\r\n".encode() if params else b""


def _part(param: Mapping[str, str]) -> str:
    file = f'; filename="{param["fileName"]}"' if param.get("fileName") else ""
    kind = f"Content-Type: {param['contentType']}\r\n" if param.get("contentType") else ""
    head = f'Content-Disposition: form-data; name="{param["name"]}"{file}\r\n{kind}'
    return f"{head}\r\n{param.get('value', '')}"


def _response(entry: Mapping[str, Any]) -> RecordedResponse:
    came = entry["response"]
    if came["status"] == 0:  # blocked, aborted, or no connection: browsers do not say more
        return RecordedResponse(status=0, end="reset")
    body = _content(entry)
    return RecordedResponse(
        status=came["status"],
        reason=came.get("statusText", ""),
        headers=[pair for pair in _headers(came["headers"]) if pair[0].lower() not in CODING_HEADERS],
        chunks=[body] if body else [],
        at_ms=[0.0] if body else [],
        http_version=_version(came.get("httpVersion", "")),
    )


def _content(entry: Mapping[str, Any]) -> bytes:
    content = entry["response"].get("content") or {}
    if not content.get("text") and content.get("size", 0) > 0:
        raise CassetteError(
            f"{entry['request']['url'].partition('?')[0]}: the browser did not save the body of the answer; "
            "save the HAR with content, while the developer tools are still open"
        )
    return _text_bytes(content.get("text", ""), content.get("encoding"))


def _text_bytes(text: str, encoding: str | None) -> bytes:
    return b64decode(text) if encoding == "base64" else text.encode("utf-8", "surrogatepass")


def _version(said: str) -> str:
    """Return ``1.1``, ``2`` or ``3`` for the many ways to write it: ``HTTP/2.0``, ``h2``, ``http/2+quic``."""
    number = re.search(r"\d(?:\.[1-9])?", said)
    return number[0] if number else "1.1"
