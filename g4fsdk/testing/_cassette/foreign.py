"""What other programs and older versions of vcrpy wrote, in the layout of today's vcrpy."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

from g4fsdk.testing._cassette.errors import CassetteError

Message = dict[str, Any]


def modern(document: Any, name: str) -> Any:
    """Return *document*, which was read from the file *name*, with its messages in today's layout.

    Raises:
        CassetteError: It is of another kind, or a body that is written out can't be written.
    """
    match document:
        case [{"request": _}, *_]:
            raise CassetteError(
                f"{name}: a cassette of vcrpy before 1.0; `python -m vcr.migration FILE` makes one of today"
            )
        case {"http_interactions": _}:
            raise CassetteError(f"{name}: a cassette of betamax or Ruby's VCR; only vcrpy's are read")
        case {"interactions": list(interactions)}:
            read = [_interaction(each, f"{name}: interactions[{i}]") for i, each in enumerate(interactions)]
            return {**document, "interactions": read}
    return document


def _interaction(interaction: Any, place: str) -> Any:
    match interaction:
        case {"request": dict(request), "response": dict(response)}:
            return {
                **interaction,
                "request": _with_body(request, f"{place}.request"),
                "response": _with_body(_with_status(response), f"{place}.response"),
            }
    return interaction


def _with_status(response: Message) -> Message:
    """Return *response* in the layout of all libraries: that of httpx was another before vcrpy 8."""
    if "status_code" not in response or "status" in response:
        return response
    return {"body": response.get("content"), **response, "status": {"code": response["status_code"]}}


def _with_body(message: Message, place: str) -> Message:
    """Return *message* with its body, however it is written down: parsed (pydantic-ai), or in base64."""
    body = message.get("body")
    if "parsed_body" in message and body in (None, "", b""):
        return {**message, "body": _written_out(message["parsed_body"], f"{place}.parsed_body")}
    if isinstance(body, dict) and isinstance(coded := body.get("base64_string"), str):
        return {**message, "body": _decoded(coded, f"{place}.body.base64_string")}
    return message


def _written_out(parsed: Any, place: str) -> str:
    try:
        return json.dumps(parsed, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CassetteError(f"{place}: it can't be written as JSON: {error}") from error


def _decoded(coded: str, place: str) -> bytes:
    try:
        return b64decode(coded, validate=True)
    except ValueError as error:
        raise CassetteError(f"{place}: not base64: {error}") from error
