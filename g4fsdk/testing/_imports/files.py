"""Sessions that others recorded, as cassettes: browser HAR, JSON captures, plain vcrpy files.

Nothing here removes secrets: scrub what these functions return before it is written.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from http.client import responses as reason_phrases
from pathlib import Path
from typing import Any

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.codings import decode_pieces
from g4fsdk.testing._cassette.document import CODING_HEADERS
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.values import (
    End,
    Headers,
    Interaction,
    RecordedRequest,
    RecordedResponse,
)
from g4fsdk.testing._imports.har import cassette_of_har

CAPTURE_ENDS: dict[str, End] = {
    "complete": "complete",
    "reset": "reset",
    "truncated": "truncated",
    "timeout": "timeout",
    "client closed": "client_closed",
}


def import_file(path: str | Path, provider: str | None = None) -> Cassette:
    """Return the cassette in the file at *path*: HAR, JSON capture, or a cassette, told by what it holds.

    *provider* says whose entries of a HAR file are meant; see `from_har`.

    Raises:
        CassetteError: The file is none of these, or not usable.
        OSError: The file can't be read.
    """
    try:
        document = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except ValueError:  # no JSON: a cassette is YAML
        return Cassette.load(path)
    match document:
        case {"log": dict()}:
            return from_har(document, provider)
        case {"exchanges": list()} | {"request": dict(), "response": dict()}:
            return from_capture(document)
    return Cassette.load(path)


def from_har(
    har: str | Path | Mapping[str, Any], provider: str | None = None, *, url_contains: str = ""
) -> Cassette:
    """Return the cassette of a session that a browser saved as HAR, one chunk a response, all at 0 ms.

    *har* is a path or the parsed document. Kept are the requests of *provider*, known by their URLs, on
    whatever host; without a name, those of the one provider that the file has requests of. Of these,
    only the ones whose URL has *url_contains* in it.

    Raises:
        CassetteError: It is no HAR, has no such request or those of several providers, or lacks a body.
    """
    return cassette_of_har(_read_json(har), provider, url_contains)


def from_capture(capture: str | Path | Mapping[str, Any]) -> Cassette:
    """Return the cassette that holds a JSON capture.

    *capture* is a path or the parsed document: ``provenance`` and ``exchanges``, each with a
    ``request`` (``method``, ``url``, ``headers``, ``body_b64``) and a ``response`` (``status``,
    ``headers``, ``http_version``, ``chunks`` of ``t_ms`` and ``b64``, ``end``) or an ``error``; or
    one exchange whose response has ``body_b64`` in place of chunks. Reason phrases are not
    captured, so the standard ones stand in.

    Raises:
        CassetteError: The document has another shape, or does not say what answered.
    """
    document = _read_json(capture)
    try:
        exchanges = document.get("exchanges", [document])
        interactions = [_capture_interaction(exchange) for exchange in exchanges]
    except (KeyError, TypeError, ValueError) as error:
        raise CassetteError(f"not a capture: {type(error).__name__} at {error}") from error
    return Cassette(interactions, _capture_metadata(document))


def _read_json(source: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    try:
        document = json.loads(Path(source).read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise CassetteError(f"{source} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise CassetteError(f"{source} holds no JSON object")
    return document


def _capture_metadata(document: Mapping[str, Any]) -> dict[str, Any]:
    match document:
        case {"provenance": {"kind": "reconstructed", "provider": str(provider), **said}}:
            text = _sentence("reconstructed from the protocol", said, ("note",))
        case {"provenance": {"kind": "live capture of a real server on loopback", **said}}:
            provider, text = "openai", _real_software(said)
        case {"provenance": {"server": "huggingface/chat-ui", **said}}:
            provider, text = "cohere-c4ai", _real_software(document["provenance"])
        case {"vendor": str(), "source": str(source), **said}:
            text = f"recorded from the live service by others ({source}); chunk boundaries and times unknown"
            provider = "openai"
        case _:
            raise CassetteError("the capture does not say what answered (provenance)")
    return {"provider": provider, "provenance": text, "recorded_at": said.get("recorded")}


def _real_software(said: Mapping[Any, Any]) -> str:
    return _sentence(
        "recorded from the real server software on loopback", said, ("server", "version", "commit", "note")
    )


def _sentence(kind: str, said: Mapping[Any, Any], keys: Iterable[str]) -> str:
    details = "; ".join(str(said[key]) for key in keys if said.get(key))
    return f"{kind}: {details}" if details else kind


def _capture_interaction(exchange: Mapping[str, Any]) -> Interaction:
    sent = exchange["request"]
    body = json.dumps(sent["json"]).encode() if "json" in sent else b64decode(sent.get("body_b64") or "")
    request = RecordedRequest(sent["method"], sent["url"], _pairs(sent["headers"]), body)
    return Interaction(request, _capture_response(exchange))


def _capture_response(exchange: Mapping[str, Any]) -> RecordedResponse:
    if "response" not in exchange and "error" in exchange:
        return RecordedResponse(status=0, end="reset")
    came = exchange["response"]
    headers = _pairs(came["headers"])
    pieces = came["chunks"] if "chunks" in came else [{"t_ms": 0.0, "b64": came["body_b64"]}]
    coding = ",".join(v for n, v in headers if n.lower() == "content-encoding") if "chunks" in came else ""
    decoded = decode_pieces(coding, (b64decode(piece["b64"]) for piece in pieces))
    timed = [(data, float(piece["t_ms"])) for data, piece in zip(decoded, pieces, strict=True) if data]
    return RecordedResponse(
        status=came["status"],
        reason=reason_phrases.get(came["status"], ""),
        headers=[(name, value) for name, value in headers if name.lower() not in CODING_HEADERS],
        chunks=[data for data, _ in timed],
        at_ms=[at for _, at in timed],
        end=_capture_end(came.get("end", "complete")),
        http_version=came.get("http_version", "HTTP/1.1").removeprefix("HTTP/"),
    )


def _capture_end(said: str) -> End:
    if said.startswith("protocol error"):  # the peer closed inside the body, in the recorder's words
        return "truncated"
    return CAPTURE_ENDS[said]


def _pairs(headers: Mapping[str, str] | list[list[str]]) -> Headers:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(str(name), str(value)) for name, value in pairs]
