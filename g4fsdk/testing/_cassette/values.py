"""What was recorded: requests, responses, and which answered which."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

from g4fsdk._core.model.redact import redact_url

End: TypeAlias = Literal["complete", "reset", "truncated", "timeout", "client_closed"]
Headers: TypeAlias = list[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


def check_address(url: str) -> None:
    """Raise ValueError when the parts of *url* can't be told: `http://[x`, `http://host:port`."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise ValueError("Expected an address") from None


def check_header(name: str) -> None:
    """Raise ValueError when *name* is none of a header: what follows it on a wire would be misread."""
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(f"expected the name of a header, found {name!r}")


def check_status(code: int) -> None:
    """Raise ValueError when no answer can have the status *code*; 0 stands for no answer at all."""
    if code and not 100 <= code <= 999:
        raise ValueError("expected a status from 100 to 999")


def values_of(headers: Headers, name: str) -> list[str]:
    """Return the values of the header *name*, which is given in small letters, in their order."""
    return [value for key, value in headers if key.lower() == name]


@dataclass(slots=True)
class RecordedRequest:
    """One request as it was sent. *body* is ``b""`` when there was none. Its repr shows no key or cookie."""

    method: str
    url: str
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<RecordedRequest {self.method} {redact_url(self.url)}, {len(self.body)} bytes>"


@dataclass(slots=True)
class RecordedResponse:
    """One response as it came.

    *chunks* are the pieces of the content-decoded body, never empty ones; *at_ms* has one entry a
    chunk, milliseconds since the request was sent; *end* says how the body ended. *status* is 0 when
    the connection ended before any response. Its repr shows neither headers nor body.
    """

    status: int
    reason: str = ""
    headers: Headers = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    at_ms: list[float] = field(default_factory=list)
    end: End = "complete"
    http_version: str = "1.1"

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def __repr__(self) -> str:
        size = sum(map(len, self.chunks))
        return f"<RecordedResponse {self.status}, {size} bytes in {len(self.chunks)} chunks, {self.end}>"


@dataclass(slots=True)
class Interaction:
    """A request and what answered it."""

    request: RecordedRequest
    response: RecordedResponse


class Session(Protocol):
    """What was recorded in a row, and what is said of it: a cassette, as what stands below it sees one."""

    @property
    def interactions(self) -> list[Interaction]: ...

    @property
    def metadata(self) -> dict[str, Any]: ...
