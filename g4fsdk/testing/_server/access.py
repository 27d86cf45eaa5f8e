"""Whom a replay server answers: not the pages of strangers, unless it was told to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from g4fsdk._core.model.hosts import address_of, is_own
from g4fsdk.testing._cassette.values import Headers
from g4fsdk.testing._server.http1 import ReceivedRequest


@dataclass(frozen=True, slots=True)
class Access:
    """*names* are hosts under which the server is known besides its address; "*" stands for any.

    With *cors*, pages of other origins may read what is answered.
    """

    names: frozenset[str]
    cors: bool

    def is_own(self, request: ReceivedRequest) -> bool:
        """Tell whether *request* is for this server, and not for a name that somebody has pointed at it.

        No page sends a request as to a proxy, or one without a host.
        """
        host = request.header("host")
        return not host or request.is_proxied or "*" in self.names or is_own(host, self.names)

    def is_preflight(self, request: ReceivedRequest) -> bool:
        """Tell whether *request* is a browser's question whether a page may ask."""
        asks = request.method == "OPTIONS" and request.header("access-control-request-method")
        return bool(self.cors and asks)

    def preflight(self, request: ReceivedRequest) -> Headers:
        """Return the headers that say yes to what *request* asks for."""
        wanted = {name: request.header(f"access-control-request-{name}") for name in ("method", "headers")}
        return [
            *_shared_with(request),
            ("Access-Control-Allow-Methods", wanted["method"]),
            *([("Access-Control-Allow-Headers", wanted["headers"])] if wanted["headers"] else []),
            ("Access-Control-Allow-Private-Network", "true"),
        ]

    def shared(self, request: ReceivedRequest, headers: Headers) -> Headers:
        """Return *headers*, those of an answer, with the page's origin in place of who was recorded."""
        if not (self.cors and request.header("origin")):
            return headers
        kept = [pair for pair in headers if not pair[0].lower().startswith("access-control-")]
        return [*kept, *_shared_with(request), ("Access-Control-Expose-Headers", _names(kept))]


def _shared_with(request: ReceivedRequest) -> Headers:
    return [
        ("Access-Control-Allow-Origin", request.header("origin")),
        ("Access-Control-Allow-Credentials", "true"),
        ("Vary", "Origin"),
    ]


def _names(headers: Headers) -> str:
    return ", ".join(dict.fromkeys(name for name, _ in headers))  # "*" would mean itself to some


def names_of(host: str, names: str | Iterable[str]) -> frozenset[str]:
    """Return the names of a server that listens at *host*; away from this machine, it answers to any."""
    own = {host, *([names] if isinstance(names, str) else names)}
    address = address_of(host)
    away = address is not None and not address.is_loopback
    return frozenset({*own, "*"} if away or not host else own)
