"""The ways of an async client: directly or through proxies, with httpx alone or over aiohttp."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any, Literal, TypeAlias

import httpx

from g4fsdk._client.asynchronous.pools import Pools, Single
from g4fsdk._client.asynchronous.waiting import addresses_of
from g4fsdk._client.network import Network, family_of
from g4fsdk._client.sending import NEEDS_SOCKS
from g4fsdk._client.transport import Transport
from g4fsdk._core.model.errors import UsageError

HTTP: TypeAlias = Literal["httpx", "aiohttp"]

# How many calls there are at once is for Pools to say. With as many kept alive as open, httpx's pool takes
# seconds to hand out 200 connections again (benchmarks/crowd.py).
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
# Around what records no connection is kept: in a fixture nobody may have a loop left to close it in. Nor in
# the pools behind the first: httpx looks at each idle one whenever a call begins or ends.
_NONE_KEPT = httpx.Limits(max_keepalive_connections=0)


class Routes(httpx.AsyncBaseTransport):
    """Sends each request the way that the network says: directly or through a proxy."""

    def __init__(self, maker: Maker, limits: httpx.Limits) -> None:
        self._maker = maker
        self._limits = limits
        self._transports: dict[tuple[str, str | None], httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        scheme, network = request.url.scheme, self._maker.network
        proxy = None if network.is_direct else network.proxy_for(str(request.url))
        if (scheme, proxy) not in self._transports:
            self._transports[scheme, proxy] = self._maker.transport(scheme, proxy, self._limits)
        return await self._transports[scheme, proxy].handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()


class Maker:
    """Makes what sends with httpx alone."""

    #: Whether a pool of it has to be kept small (see `pools`).
    has_limits = True

    def __init__(self, network: Network) -> None:
        self.network = network

    def transport(self, scheme: str, proxy: str | None, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
        try:
            made = httpx.AsyncHTTPTransport(
                verify=self._tls(scheme), limits=limits, trust_env=False, proxy=self._proxy(proxy)
            )
        except ImportError as error:
            raise UsageError(NEEDS_SOCKS) from error
        made._pool._network_backend = _sockets()  # which httpcore takes as an argument, and httpx does not
        return made

    def _tls(self, scheme: str) -> ssl.SSLContext:
        return self.network.tls if scheme == "https" else _no_tls()

    def _proxy(self, proxy: str | None) -> httpx.Proxy | None:
        if proxy is None:
            return None
        # A name is resolved by the proxy in either case; httpx 0.27 does not know the second.
        where = re.sub("^socks5h:", "socks5:", proxy)
        return httpx.Proxy(where, ssl_context=self.network.tls if where.startswith("https:") else None)


class AiohttpMaker(Maker):
    """Makes what sends with aiohttp, which takes half the CPU time for many streams."""

    has_limits = False

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        try:
            self._aiohttp, self._over = import_module("aiohttp"), import_module("httpx_aiohttp")
        except ImportError as error:
            raise UsageError("http='aiohttp' needs other packages: pip install 'g4fsdk[aiohttp]'") from error

    def transport(self, scheme: str, proxy: str | None, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
        if proxy is not None and proxy.startswith("socks"):
            raise UsageError("aiohttp knows no SOCKS proxies; leave http='aiohttp' out for this one")
        tls = self._tls(scheme)
        return _InParts(
            self._over.AiohttpTransport(
                verify=tls,
                trust_env=False,
                proxy=self._proxy(proxy),
                client=partial(self._session, tls, limits),
            )
        )

    def _session(self, tls: ssl.SSLContext, limits: httpx.Limits) -> Any:
        is_kept = limits.max_keepalive_connections != 0
        connector = self._aiohttp.TCPConnector(
            ssl=tls, limit=0, force_close=not is_kept, resolver=_Resolver()
        )
        return self._aiohttp.ClientSession(connector=connector, cookie_jar=self._aiohttp.DummyCookieJar())


class _InParts(httpx.AsyncBaseTransport):
    """Sends by way of *transport*, which has no eye for parts where a body is there as a whole."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if hasattr(request.stream, "phases"):
            request = httpx.Request(
                request.method,
                request.url,
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Resolver:
    """What aiohttp asks for addresses."""

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[dict[str, Any]]:
        found = await addresses_of(host, port, family)
        same = {"hostname": host, "port": port, "proto": 0, "flags": 0}
        return [{**same, "host": address, "family": family_of(address)} for address in found]

    async def close(self) -> None:
        """There is nothing to close."""


MAKERS: Mapping[str, Callable[[Network], Maker]] = {"httpx": Maker, "aiohttp": AiohttpMaker}


@cache
def _no_tls() -> ssl.SSLContext:
    """What plain http needs of it: made at once, it trusts nobody."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@cache
def _sockets() -> Any:
    from g4fsdk._client.asynchronous.sockets import Sockets  # httpcore is imported once there is a transport

    return Sockets()


def pools_of(http_client: Any, transport: Transport | None, maker: Maker) -> Single | Pools:
    """Return pools of our own, unless the connections are the caller's or a transport's."""
    if http_client is not None:
        return Single(http_client)
    if transport is not None:
        own = _Own(_client(Routes(maker, _NONE_KEPT))) if transport.wraps else None
        return Single(_client(transport.httpx_transport(own)))
    if not maker.has_limits:
        return Single(_client(Routes(maker, _LIMITS)))
    return Pools(
        lambda: _client(Routes(maker, _LIMITS)),
        lambda: _client(Routes(maker, _NONE_KEPT)),
    )


class _Own(httpx.AsyncBaseTransport):
    """Sends as *client* does: through proxies, too, which httpx leaves to clients."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        await self._client.aclose()


def _client(transport: Any) -> httpx.AsyncClient:
    # A client looks for certificates even when it needs none, and at the environment, as the network did.
    return _Client(transport=transport, trust_env=False)


class _Client(httpx.AsyncClient):
    """Keeps no cookies, nor looks for any, which costs a twentieth of a short call.

    They belong to conversations, not to the client: two of them must not share a session.
    """

    @property
    def cookies(self) -> httpx.Cookies:
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        """There are none."""

    def _build_redirect_request(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        """Read no Location, which may be no address: where to follow one, both clients decide alike."""
        return request


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Leave them."""


_NO_COOKIES = _NoCookies()
