"""What other programs and older versions of vcrpy wrote, in the layout of today's vcrpy."""

from __future__ import annotations

import json
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
        case {"responses": [{"response": _}, *_]}:
            raise CassetteError(f"{name}: a recording of responses; only vcrpy's are read")
        case {"interactions": [{"request": {"url": _, "method": _}, "response": {"code": _}}, *_]}:
            raise CassetteError(f"{name}: a cassette of go-vcr; only vcrpy's are read")
        case str() if document.startswith("version https://git-lfs"):
            raise CassetteError(f"{name}: a pointer of Git LFS; `git lfs pull` gets what it stands for")
        case {"log": {"entries": _}}:
            raise CassetteError(f"{name}: a HAR file; `g4fsdk cassette import` makes a cassette of it")
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
    """Return *message* with its body, where it is written down parsed, as pydantic-ai has it."""
    body = message.get("body")
    if "parsed_body" in message and body in (None, "", b""):
        return {**message, "body": _written_out(message["parsed_body"], f"{place}.parsed_body")}
    return message


def _written_out(parsed: Any, place: str) -> str:
    try:
        return json.dumps(parsed, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CassetteError(f"{place}: it can't be written as JSON: {error}") from error
