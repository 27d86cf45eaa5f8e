"""What goes over the wire: requests and responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from g4fsdk._core.model.redact import redact_headers, redact_url

JSON: TypeAlias = Any  # crosses one line, from the decoder into `match`
#: Headers as they came: names in lower case, each as often as it came.
Headers: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One HTTP request, ready to send. Its repr shows no key, cookie or password."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<Request {self.method} {redact_url(self.url)}, {len(self.body)} bytes>"

    def redacted(self) -> Request:
        """Return the request without its secrets, fit for an error or a log."""
        return replace(self, url=redact_url(self.url), headers=redact_headers(self.headers))


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Response:
    """One whole HTTP response, its content coding removed.

    *headers* may be given as a mapping or as pairs, and is kept as pairs with lower-case names.
    *received_at* is the wall clock in Unix seconds, where the transport knows it; *url* what was asked.
    """

    status: int
    headers: Headers
    body: bytes
    received_at: float | None
    url: str

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        received_at: float | None = None,
        url: str = "",
    ) -> None:
        pairs: Iterable[Any] = headers.items() if isinstance(headers, Mapping) else headers
        object.__setattr__(self, "status", status)
        kept = tuple((str(name).lower(), value) for name, value in pairs)
        object.__setattr__(self, "headers", kept)
        object.__setattr__(self, "body", body)
        object.__setattr__(self, "received_at", received_at)
        object.__setattr__(self, "url", url)

    def whole(self, body: bytes, url: str) -> Response:
        """Return this head with its *body*, and the *url* that it answers."""
        return Response(self.status, self.headers, body, self.received_at, url)

    def header(self, name: str) -> str | None:
        """Return the first value of the header, or None."""
        return next(iter(self.header_values(name)), None)

    def header_values(self, name: str) -> list[str]:
        """Return every value of the header, in the order received."""
        return [value for key, value in self.headers if key == name.lower()]

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.body)} bytes>"


@dataclass(frozen=True, slots=True, repr=False)
class AnswerHead:
    """The HTTP side of an answer: its *status*, and *headers*, names in lower case and cookies left out."""

    status: int
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        """The service's name for the request, or None."""
        return self.headers.get("x-request-id") or self.headers.get("request-id")

    @classmethod
    def of(cls, response: Response) -> AnswerHead:
        """Return the head of *response*; a header that came more than once has its values joined."""
        headers: dict[str, str] = {}
        for name, value in response.headers:
            if "cookie" not in name:
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return cls(response.status, headers)

    def __repr__(self) -> str:
        return f"<AnswerHead {self.status}, {len(self.headers)} headers>"
