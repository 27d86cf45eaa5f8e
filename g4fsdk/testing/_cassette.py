"""Cassettes: recorded sessions in vcrpy's format 1, with the wire kept beside them.

A cassette is a YAML file that plain vcrpy plays. Two additions, which vcrpy ignores, make it true to
the wire: ``metadata.g4fsdk`` says what was recorded and what answered, and each response's ``wire``
block says where the body was cut into chunks, when each chunk came, and how the body ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

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


@dataclass(slots=True)
class Cassette:
    """A recorded session. *metadata* is the ``metadata.g4fsdk`` block."""

    interactions: list[Interaction] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
