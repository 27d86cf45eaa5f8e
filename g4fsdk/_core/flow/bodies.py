"""Requests to send, and whole answers read."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import isfinite

import msgspec

from g4fsdk._core.decoding.decoder import load_json
from g4fsdk._core.decoding.refusals import failure_in, is_html, page_error
from g4fsdk._core.model.chat import Message
from g4fsdk._core.model.errors import ProtocolError, UsageError
from g4fsdk._core.model.http import JSON, Request, Response
from g4fsdk._version import __version__

USER_AGENT = f"g4fsdk/{__version__}"
# What both HTTP libraries can undo without further packages, so that both clients send the same.
BASE_HEADERS: Mapping[str, str] = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"}


def merge_headers(*layers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of all *layers*; a later one wins, whatever the case of its name."""
    merged: dict[str, tuple[str, str]] = {}
    for layer in layers:
        for name, value in layer.items():
            merged[name.lower()] = (merged.get(name.lower(), (name, ""))[0], value)
    return dict(merged.values())


def get(url: str, headers: Mapping[str, str]) -> Request:
    return Request("GET", url, merge_headers(BASE_HEADERS, headers))


def post_json(url: str, value: JSON, headers: Mapping[str, str]) -> Request:
    content = {"Content-Type": "application/json"}
    return Request("POST", url, merge_headers(BASE_HEADERS, content, headers), _encoded(value))


_encode = msgspec.json.Encoder(decimal_format="number").encode
_ODD_NUMBERS = (b"null", b"NaN", b"Infinity")


def _encoded(value: JSON) -> bytes:
    try:
        encoded = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:  # a set, half an emoji, a list in itself
        raise UsageError(f"this cannot be sent as JSON: {error}") from error
    if any(odd in encoded for odd in _ODD_NUMBERS) and (odd := _no_number(value)) is not None:
        raise UsageError(f"this cannot be sent as JSON, which has no {odd}: give a number, or leave it out")
    return encoded


def _no_number(value: JSON) -> float | Decimal | None:
    """Return a NaN or infinity in *value*, in place of which msgspec would send null or letters."""
    left = [msgspec.to_builtins(value, builtin_types=(Decimal,))]
    while left:
        match left.pop():
            case dict() as found:
                left += found.values()
            case list() | tuple() as found:
                left += found
            case float() as number if not isfinite(number):
                return number
            case Decimal() as number if not number.is_finite():
                return number
    return None


def post_multipart(url: str, part: tuple[str, JSON], boundary: str, headers: Mapping[str, str]) -> Request:
    """Return a form with one JSON field, *part*: its name and value. *boundary* must not occur in it."""
    name, value = part
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'
        "Content-Type: application/json\r\n\r\n".encode()
        + _encoded(value)
        + f"\r\n--{boundary}--\r\n".encode()
    )
    content = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return Request("POST", url, merge_headers(BASE_HEADERS, content, headers), body)


def base64_messages(messages: Iterable[Message]) -> str:
    """Return *messages* as base64 of their JSON text, ASCII only, as Autonomous AI's own page sends them."""
    encoded = _encoded([message.to_dict() for message in messages])
    text = json.dumps(msgspec.json.decode(encoded))
    return base64.b64encode(text.encode("ascii")).decode("ascii")


def read_json(response: Response, what: str) -> JSON:
    """Return the JSON body of a success.

    Raises:
        BlockedError: A challenge page came.
        ProviderError: It reports a failure.
        ProtocolError: It is no JSON; *what* says what was expected.
    """
    if is_html(response.body):
        raise page_error(response.status, response.body, response.headers)
    try:
        value = load_json(response.body)
    except ValueError as error:
        raise ProtocolError(f"expected {what}, got {response.body[:200]!r}", excerpt=response.body) from error
    failure = failure_in(value)
    if failure is not None:
        raise failure
    return value
