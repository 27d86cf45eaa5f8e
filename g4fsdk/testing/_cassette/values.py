"""What was recorded: requests, responses, and which answered which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

End: TypeAlias = Literal["complete", "reset", "truncated", "timeout", "client_closed"]
Headers: TypeAlias = list[tuple[str, str]]


@dataclass(slots=True)
class RecordedRequest:
    """One request as it was sent. *body* is ``b""`` when there was none."""

    method: str
    url: str
    headers: Headers = field(default_factory=list)
    body: bytes = b""


@dataclass(slots=True)
class RecordedResponse:
    """One response as it came.

    *chunks* are the pieces of the content-decoded body, never empty ones; *at_ms* has one entry a
    chunk, milliseconds since the request was sent; *end* says how the body ended. *status* is 0 when
    the connection ended before any response.
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
