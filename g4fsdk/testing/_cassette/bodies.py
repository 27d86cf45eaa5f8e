"""Headers and bodies, from the forms that files have them in; and without framing and codings."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.values import Headers, check_header

# Headers of a body that was framed or coded; a cassette keeps the plain one.
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding"})
_CODING = "content-encoding"


def kept_headers(headers: Headers) -> Headers:
    """Return those of *headers* that don't say how the body was framed on the wire."""
    return [pair for pair in headers if pair[0].lower() not in _FRAMING_HEADERS]


def plain_headers(headers: Headers) -> Headers:
    """Return those of *headers* that are true of the decoded body."""
    return [pair for pair in kept_headers(headers) if pair[0].lower() != _CODING]


def plain_body(body: bytes, coding: str, place: str) -> bytes | None:
    """Return *body* without its *coding*; None where nothing here undoes it, so that it stays coded.

    Raises:
        CassetteError: It is cut off, broken, or grows and grows.
    """
    from g4fsdk.testing._cassette.codings import CodingError, CutError, NoDecoderError, decode_pieces

    try:
        return b"".join(decode_pieces(coding, [body]))
    except CodingError as error:
        if not isinstance(error, CutError) and _is_decoded(body, coding):
            return body
        if isinstance(error, NoDecoderError):
            return None
        raise CassetteError(f"{place}: {error}") from error


def _is_decoded(body: bytes, coding: str) -> bool:
    """Tell whether vcrpy has decoded *body* itself, and kept the header: coded bytes are no text."""
    if coding.lower() == "gzip" and not body.startswith(b"\x1f\x8b"):
        return True
    try:
        return "\0" not in body.decode("utf-8")
    except UnicodeDecodeError:
        return False


def read_headers(headers: Any) -> Headers:
    """Return *headers*, in the form of any library; raises ValueError for what are none."""
    match headers:
        case None:
            return []
        case dict():
            return [(str(name), value) for name in headers for value in _values(name, headers[name])]
        case list() if all(
            isinstance(pair, list | tuple) and len(pair) == 2 for pair in headers
        ):  # tornado's
            return [(str(name), value) for name, values in headers for value in _values(name, values)]
    raise ValueError("expected a mapping of names to values")


def _values(name: Any, values: Any) -> list[str]:
    check_header(str(name))
    match values:
        case str() | bytes():
            return [_text(values)]
        case list() | tuple() if all(isinstance(value, str | bytes) for value in values):
            return [_text(value) for value in values]
    raise ValueError(f"expected text or a list of texts for {name}")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def read_body(body: Any) -> bytes:
    """Return *body*, however a file has it; raises ValueError for what is none."""
    match body:
        case None:
            return b""
        case bytes():
            return body
        case str():
            return body.encode("utf-8", "surrogatepass")
        case {"base64_string": str(coded)}:
            return _in_base64(coded)
        case {"string": inner}:
            return read_body(inner)
        case list():  # vcrpy keeps the pieces of an iterator body
            return b"".join(map(read_body, body))
    raise ValueError("expected text, bytes or null")


def _in_base64(coded: str) -> bytes:
    try:
        return b64decode(coded, validate=True)
    except ValueError as error:
        raise ValueError(f"base64_string: not base64: {error}") from error
