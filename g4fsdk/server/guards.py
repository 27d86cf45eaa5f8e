"""Who is let in, and how much: the host asked for, the key, the size of a body, how many at once."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

import anyio
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.hosts import address_of, is_own
from g4fsdk.server.refused import Refused

_BODY_S = 30.0  # how long a body may take to arrive
_OPEN = "/health"  # says nothing, costs nothing, and is asked by what knows no key


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gateway allows: a key, names it goes by, and bounds in bytes, calls and seconds."""

    api_key: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    names: frozenset[str] = frozenset()
    max_body: int = 16 << 20
    max_concurrency: int = 256
    max_seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.strip()):
            raise UsageError("the key of the gateway must be printable ASCII, and not empty")

    @property
    def is_away(self) -> bool:
        """Whether others than this machine may reach it."""
        address = address_of(self.host)
        return self.host != "localhost" if address is None else not address.is_loopback

    def knows(self, host: str) -> bool:
        """Tell whether *host*, of a request, means this server, and no name that a page has pointed at it."""
        return is_own(host, {self.host, *self.names})

    def check(self, headers: Headers) -> None:
        """Raise Refused for a request that has no business here."""
        is_any = self.is_away and (not self.host or address_of(self.host) is not None)  # by whatever name
        if not (is_any or self.knows(headers.get("host", ""))):
            raise Refused(421, "this server is not known under that host; --allow-host NAME lets it be")
        origin = headers.get("origin")
        if origin is not None and not self.knows(origin.partition("://")[2]):
            raise Refused(403, "pages of other origins may not ask here; --allow-host NAME lets them")
        if self.api_key is not None and not self._opens(headers.get("authorization", "")):
            raise Refused(
                401,
                "the key of this server is missing or wrong: Authorization: Bearer KEY",
                "invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )

    def _opens(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        wanted = (self.api_key or "").encode()
        return hmac.compare_digest(key.strip().encode(), wanted) and scheme.lower() == "bearer"


class Guard:
    """Lets in what *limits* allow, and no more at once."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == _OPEN:
            await self._app(scope, receive, send)
            return
        try:
            self._limits.check(Headers(scope=scope))
            if self._running >= self._limits.max_concurrency:
                wait = {"retry-after": "1"}
                raise Refused(429, "as many calls as may go on at once", "too_many_calls", headers=wait)
        except Refused as refused:
            await refused.response()(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1


async def read_body(request: Request, limits: Limits) -> bytes:
    """Return the body of *request*. Raises Refused for one that is none of JSON, too long or too slow."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # any page may send text to any address
        raise Refused(415, f"the body must be application/json, not {kind or 'of no type'}")
    if (coding := request.headers.get("content-encoding", "identity")) != "identity":
        raise Refused(415, f"the body must be as it is, not in the content coding {coding!r}")
    if int(request.headers.get("content-length", "0")) > limits.max_body:
        raise _too_long(limits)
    try:
        with anyio.fail_after(_BODY_S):
            return await _read(request, limits)
    except TimeoutError as error:
        raise Refused(408, f"the body took longer than {_BODY_S:g} s") from error
    except ClientDisconnect as error:
        raise Refused(400, "the body broke off") from error


async def _read(request: Request, limits: Limits) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limits.max_body:
            raise _too_long(limits)
    return bytes(body)


def _too_long(limits: Limits) -> Refused:
    return Refused(413, f"the body is longer than {limits.max_body} bytes", headers={"connection": "close"})
