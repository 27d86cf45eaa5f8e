"""One entry of a HAR file as an interaction, whichever browser or proxy wrote it."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any
from urllib.parse import urlencode

import msgspec

from g4fsdk.testing._cassette.bodies import kept_headers, plain_body, plain_headers
from g4fsdk.testing._cassette.codings import coding_of
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.values import (
    End,
    Headers,
    Interaction,
    RecordedRequest,
    RecordedResponse,
    check_address,
    check_header,
    check_status,
)

# How a body ended, by a word of the error's name; every other error broke it off.
ENDS: dict[str, End] = {"ABORTED": "client_closed", "RESET": "reset", "TIMED_OUT": "timeout"}
BOUNDARY = re.compile(r'boundary="?([^";,\s]+)', re.IGNORECASE)


class _Pair(msgspec.Struct):
    name: str
    value: str | int | float | None = None


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
    comment: str | None = None


class _Sent(msgspec.Struct, rename="camel"):
    method: str
    url: str
    headers: list[_Pair]
    post_data: _Posted | None = None
    body_size: float | None = None

    def __post_init__(self) -> None:
        check_address(self.url)
        if "://" not in self.url:
            raise ValueError(f"expected a whole address, found {self.url!r}")


class _Came(msgspec.Struct, rename="camel"):
    status: int
    headers: list[_Pair]
    status_text: str | None = None
    http_version: str | None = None
    content: _Content | None = None
    body_size: float | None = None
    error: str | None = msgspec.field(default=None, name="_error")  # Chrome's
    failure: str | None = msgspec.field(default=None, name="_failureText")  # Playwright's

    def __post_init__(self) -> None:
        check_status(self.status)


class _Entry(msgspec.Struct):
    """What is read of an entry; nothing is asked of those that are not kept."""

    request: _Sent
    response: _Came


def interaction_of(entry: Any) -> Interaction:
    """Return *entry*, whose bodies are in it, as an interaction: one chunk, at 0 ms.

    Raises:
        msgspec.ValidationError: It is of another shape.
        CassetteError: It lacks a body that there was.
    """
    read = msgspec.convert(entry, _Entry)
    return Interaction(_request(read.request), _response(read))


def _request(sent: _Sent) -> RecordedRequest:
    headers = _headers(sent.headers)
    body = _posted(sent.post_data or _Posted(), sent.body_size)
    return RecordedRequest(sent.method, sent.url.partition("#")[0], headers, body)


def _headers(pairs: list[_Pair]) -> Headers:
    # HTTP/2 pseudo headers are no headers; Chrome writes several Set-Cookie as the lines of one value.
    named = [pair for pair in pairs if not pair.name.startswith(":")]
    for pair in named:
        check_header(pair.name)
    return [
        (pair.name, line)
        for pair in named
        for line in str("" if pair.value is None else pair.value).split("\n")
    ]


def _posted(data: _Posted, size: float | None) -> bytes:
    """Return the body: as text, or made again from the parameters, which is all that some versions keep."""
    if data.text:
        return _text_bytes(data.text, data.encoding, size)
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
    headers, body = _plain(_headers(came.headers), _content(entry), came.body_size, entry.request.url)
    return RecordedResponse(
        status=came.status,
        reason=came.status_text or "",
        headers=headers,
        chunks=[body] if body else [],
        at_ms=[0.0] if body else [],
        end=_end(came.error or came.failure),
        http_version=_version(came.http_version or ""),
    )


def _end(error: str | None) -> End:
    """Return how an answer ended, by the browser's word for what went wrong."""
    if not error:
        return "complete"
    found: list[End] = [end for word, end in ENDS.items() if word in error]
    return found[0] if found else "truncated"


def _plain(headers: Headers, body: bytes, size: float | None, url: str) -> tuple[Headers, bytes]:
    """Return headers and body without the content coding, which some programs leave in it."""
    plain = plain_body(body, coding_of(headers), f"{url.partition('?')[0]}: the body of the answer")
    if plain is None and size == len(body):  # as many bytes as on the wire: still coded
        return kept_headers(headers), body
    return plain_headers(headers), body if plain is None else plain


def _content(entry: _Entry) -> bytes:
    came = entry.response
    content = came.content or _Content(size=-1)
    if not content.text and _had_body(entry, content):
        raise CassetteError(
            f"{entry.request.url.partition('?')[0]}: the browser did not save the body of the answer; "
            "save the HAR with content, while the developer tools are still open"
            + (f" (it says: {content.comment})" if content.comment else "")
        )
    return _text_bytes(content.text or "", content.encoding, content.size)


def _had_body(entry: _Entry, content: _Content) -> bool:
    """Tell whether there was a body that is not in the file; Safari says -1 for what it doesn't know."""
    came = entry.response
    if entry.request.method == "HEAD" or came.status < 200 or came.status in (204, *range(300, 400)):
        return False
    return content.size not in (0, None) or (came.body_size or 0) > 0 or bool(content.comment)


def _text_bytes(text: str, encoding: str | None, size: float | None) -> bytes:
    """Return the bytes that *text* stands for; *size* is how many they were, where the file says so."""
    data = text.encode("utf-8", "surrogatepass")
    if encoding and encoding.lower() == "base64":
        coded = from_base64(text)
        # Firefox says base64 of any text, too.
        return data if coded is None or (size == len(data) and size != len(coded)) else coded
    return data if size in (None, len(data)) else _from_letters(text, size, data)


def from_base64(text: str) -> bytes | None:
    """Return the bytes that *text* codes, with or without padding; None where it is no base64."""
    coded = "".join(text.split()).rstrip("=")
    try:
        return b64decode(coded + "=" * (-len(coded) % 4), validate=True)
    except ValueError:
        return None


def _from_letters(text: str, size: float | None, data: bytes) -> bytes:
    """Return the bytes that mitmproxy and others wrote as letters, a letter a byte; else *data*."""
    for charset in ("latin-1", "cp1252"):
        try:
            letters = text.encode(charset)
            letters.decode("utf-8")
        except UnicodeError:
            continue
        if len(letters) == size:
            return letters
    return data


def _version(said: str) -> str:
    """Return ``1.1``, ``2`` or ``3`` for the many ways to write it: ``HTTP/2.0``, ``h2``, ``http/2+quic``."""
    number = re.search(r"\d(?:\.[1-9])?", said)
    return number[0] if number else "1.1"
