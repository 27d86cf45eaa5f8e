"""What vcrpy recorded, as a recording of ours: said to be what it is, with what can be known of it."""

from __future__ import annotations

import json
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from g4fsdk._core.model.errors import UsageError
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.services import providers_of
from g4fsdk.testing._cassette.values import values_of
from g4fsdk.testing._record.update import updated

OF_VCR = "recorded with vcrpy; chunk boundaries and times unknown"


def adopted(cassette: Cassette, *, provider: str | None = None, provenance: str | None = None) -> Cassette:
    """Return *cassette*, of which nothing is said, with what can be told of it.

    *provider* is known by the URLs, unless it is given, the time by the Date of the first answer.
    """
    said = {
        "provider": provider or _provider(cassette),
        "provenance": provenance or OF_VCR,
        "recorded_at": _answered_at(cassette),
    }
    return Cassette(cassette.interactions, {name: value for name, value in said.items() if value})


def _provider(cassette: Cassette) -> str | None:
    found = providers_of(each.request.url for each in cassette.interactions)
    return found[0] if len(found) == 1 else None


def _answered_at(cassette: Cassette) -> str | None:
    """Return when the first answer says that it was made."""
    dates = (date for each in cassette.interactions for date in values_of(each.response.headers, "date"))
    return next(map(_moment, dates), None)


def _moment(date: str) -> str | None:
    try:
        return parsedate_to_datetime(date).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return None


def with_call(cassette: Cassette) -> Cassette:
    """Return *cassette* with what was asked, where that is plain.

    It is for a single request to an OpenAI-compatible service, if asking so sends that request.
    """
    bodies = [each.request.body for each in cassette.interactions]
    call = _call(bodies[0]) if len(bodies) == 1 and cassette.metadata.get("provider") == "openai" else None
    if call is None:
        return cassette
    asked = Cassette(cassette.interactions, {**cassette.metadata, "call": call})
    try:
        asked = updated(asked)
    except (CassetteError, UsageError):
        return cassette
    return asked if [each.request.body for each in asked.interactions] == bodies else cassette


def _call(body: bytes) -> dict[str, Any] | None:
    """Return the arguments of `create` that *body* holds."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_chat = isinstance(document, dict) and isinstance(document.get("messages"), list)
    return {"stream": False, **document} if is_chat else None
