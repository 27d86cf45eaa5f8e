"""What a client sends with: a session of requests of our own, or the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from g4fsdk._client.blocking.connections import timed
from g4fsdk._client.network import Network
from g4fsdk._client.transport import Transport
from g4fsdk._core.model.http import Request

# A thread that finds the pool full opens a connection and throws it away afterwards.
_POOL_SIZE = 100


def session_of(transport: Transport | None, network: Network) -> requests.Session:
    """Return a session that sends over *transport*, or as *network* says."""
    session = _Session()
    adapter = _adapter(transport, network)
    for prefix in ("http://", "https://"):
        session.mount(prefix, adapter)
    return session


class _Session(requests.Session):
    """A session that adds nothing of its own: what the environment says of the network, ours says."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.pop("User-Agent")  # every request of ours has its own
        self.headers.pop("Accept-Encoding")
        # Cookies belong to conversations, not to the client: two of them must not share a session.
        self.cookies.set_policy(_NoCookies())

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Check the address and headers; there are no cookies, parameters or hooks to merge."""
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method)
        prepared.url = _sent_url(request.url)
        prepared.prepare_headers({**self.headers, **request.headers})
        prepared.body = request.data or None
        prepared.prepare_content_length(prepared.body)
        return prepared


@lru_cache(maxsize=64)
def _sent_url(url: str) -> str | None:
    """Return *url* as requests sends it; to see to that costs as much as all else it prepares."""
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.url


def _adapter(transport: Transport | None, network: Network) -> BaseAdapter:
    own = None if transport and not transport.wraps else _Adapter(network)
    adapter: BaseAdapter | None = transport.requests_adapter(own) if transport else own
    assert adapter is not None
    return adapter


class _Adapter(HTTPAdapter):
    """Connections that keep our clocks, to the service and to a proxy, and trust whom *network* trusts."""

    def __init__(self, network: Network) -> None:
        self._network = network
        super().__init__(pool_maxsize=_POOL_SIZE)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] != "https":
            return host, pool
        return host, {**pool, "ssl_context": self._network.tls, "cert_reqs": self._cert_reqs}

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        if proxy.startswith("https:"):
            settings["proxy_ssl_context"] = self._network.tls
        return super().proxy_manager_for(proxy, **settings)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave it to the context: requests would trust certifi's authorities, too."""

    @property
    def _cert_reqs(self) -> str:
        return "CERT_NONE" if self._network.is_trusting else "CERT_REQUIRED"

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        return timed(super().get_connection_with_tls_context(*args, **options))

    def close(self) -> None:
        """Close all connections, which urllib3 leaves to the garbage collector: a kept error holds them."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            keys = getattr(manager.pools, "keys", tuple)  # urllib3-future closes them itself
            for key in keys():
                manager.pools[key].close()
        super().close()


def keep_time(
    session: requests.Session, request: requests.PreparedRequest, settings: Mapping[str, Any]
) -> None:
    """Let the connections of a caller's own adapter keep our clocks, if it is one that has any."""
    adapter = session.get_adapter(request.url or "")
    if isinstance(adapter, HTTPAdapter):
        timed(
            adapter.get_connection_with_tls_context(
                request, settings["verify"], proxies=settings["proxies"], cert=settings["cert"]
            )
        )


class _NoCookies(DefaultCookiePolicy):
    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False


def prepared(session: requests.Session, request: Request) -> requests.PreparedRequest:
    """Return *request* as *session* sends it, with no redirect to follow."""
    # Without an auth of its own, requests would put a password from ~/.netrc in place of the key.
    auth = session.auth or _keep_headers
    made = session.prepare_request(
        requests.Request(
            request.method,
            request.url,
            headers=dict(request.headers),
            data=request.body or None,
            auth=auth,
        )
    )
    made.hooks["response"] = [*made.hooks["response"], _stay]
    return made


def _stay(answer: requests.Response, *_: Any, **__: Any) -> None:
    """Hide the next place from requests, which would read the whole body to get there, asked to or not."""
    answer.headers.pop("location", None)


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
