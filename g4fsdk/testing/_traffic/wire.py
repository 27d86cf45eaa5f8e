"""Answers as HTTP/1.1 bytes: chunked, one HTTP chunk a piece, so that the pieces can be seen on a socket."""

from __future__ import annotations

import re
from http import HTTPStatus

from g4fsdk.testing._cassette.bodies import kept_headers
from g4fsdk.testing._cassette.values import Headers, RecordedResponse

_FOLD = re.compile(r"[ \t]*[\r\n]+[ \t]*")  # RFC 9112, 5.2
LAST_CHUNK = b"0\r\n\r\n"
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})  # RFC 9110, 6.4.1


def has_body(method: str, status: int) -> bool:
    """Say whether a response with *status* to *method* has a body at all, be it empty."""
    return method.upper() != "HEAD" and status not in _WITHOUT_BODY


def played_headers(method: str, response: RecordedResponse) -> Headers:
    """Return the headers a program sees: the recorded ones, and how the body is framed now."""
    headers = [(name, on_one_line(value)) for name, value in response.headers]
    if not has_body(method, response.status):
        return headers
    return [*kept_headers(headers), ("Transfer-Encoding", "chunked")]


def on_one_line(text: str) -> str:
    """Return *text* of a head without line ends, which some libraries keep of values on several lines."""
    return _FOLD.sub(" ", text) if "\n" in text or "\r" in text else text


def encode_head(response: RecordedResponse, headers: Headers) -> bytes:
    """Return status line and *headers*, the blank line included."""
    lines = [
        f"HTTP/1.1 {response.status} {on_one_line(response.reason)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return b"".join(encode_text(line) + b"\r\n" for line in [*lines, ""])


def encode_text(text: str) -> bytes:
    """Return a header's *text* as the bytes that were recorded: Latin-1, which any bytes can be read as.

    What that can't hold, others recorded or wrote by hand: it is UTF-8, which libraries read without error.
    """
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def encode_chunk(data: bytes) -> bytes:
    """Return *data* as one HTTP chunk; nothing for nothing, since an empty chunk would end the body."""
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""
