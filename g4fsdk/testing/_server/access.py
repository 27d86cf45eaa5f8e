"""Whom a replay server answers: not the pages of strangers, unless it was told to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

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

        A page can make its own name stand for 127.0.0.1 (DNS rebinding) and would then be of the same origin.
        It can't do so with an address or a name without a dot, and sends no request as to a proxy.
        """
        host = _name_of(request.header("host"))
        local = "." not in host or _is_address(host) or host.endswith(".localhost")
        return request.is_proxied or local or not self.names.isdisjoint((host, "*"))

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


def _name_of(host: str) -> str:
    name = host.lower()
    return name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def names_of(host: str, names: str | Iterable[str]) -> frozenset[str]:
    """Return the names of a server that listens at *host*; away from this machine, it answers to any."""
    own = {host.lower(), *(name.lower() for name in ([names] if isinstance(names, str) else names))}
    away = _is_address(host) and not ipaddress.ip_address(host).is_loopback
    return frozenset({*own, "*"} if away or not host else own)
