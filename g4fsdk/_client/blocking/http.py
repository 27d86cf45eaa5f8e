"""HTTP with requests: sends what the core decides, gives back bytes as they come. The only importer of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar, Protocol

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import exceptions as low

from g4fsdk._client.blocking.bodies import pieces_of
from g4fsdk._client.blocking.connections import shut, timed, under, wire_of
from g4fsdk._client.blocking.waiting import OfProcess, exhaust
from g4fsdk._client.clocks import DRAIN_BYTES, DRAIN_S, Clocks
from g4fsdk._client.hooks import Terms
from g4fsdk._client.inflate import CodingError, Codings
from g4fsdk._client.network import Network
from g4fsdk._client.sending import (
    MAX_REDIRECTS,
    NEEDS_SOCKS,
    WholeAnswer,
    addressed,
    redirected,
    too_many_redirects,
    unanswered,
    unsendable,
)
from g4fsdk._client.transport import Transport
from g4fsdk._core.model.errors import Clock, G4FError, TransportError, UsageError
from g4fsdk._core.model.http import Request, Response

# A thread that finds the pool full opens a connection and throws it away afterwards.
_POOL_SIZE = 100

_USAGE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidProxyURL,
    low.LocationValueError,
    low.ProxySchemeUnknown,
    UnicodeError,  # a host name with an empty label, or one of more than 63 characters
)
_NOT_SENT = (
    *(requests.exceptions.SSLError, requests.exceptions.ProxyError),
    *(low.NewConnectionError, low.ConnectTimeoutError, low.SSLError, low.ProxyError),
)
# urllib3 counts a connection that was refused among those that took too long.
_CONNECT_TIMEOUTS = (requests.exceptions.ConnectTimeout, low.ConnectTimeoutError)
_READ_TIMEOUTS = (requests.exceptions.ReadTimeout, low.ReadTimeoutError, TimeoutError)


class AdapterMaker(Protocol):
    """The least that `transport=` takes: what makes a requests adapter."""

    def requests_adapter(self) -> BaseAdapter: ...


class Connections:
    """Sends requests through one session. *session* is the caller's own, who closes it."""

    def __init__(
        self, session: requests.Session | None, transport: Transport | None, network: Network
    ) -> None:
        given: object = session
        if given is not None and not isinstance(given, requests.Session):
            kind = type(given)
            raise UsageError(f"session= takes a requests.Session, not {kind.__module__}.{kind.__name__}")
        self._theirs = session
        self._network = network
        self._session = OfProcess(lambda: session or _session(transport, network))

    def close(self) -> None:
        if self._theirs is None:
            self._session().close()

    def send(self, request: Request, terms: Terms, *, repeatable: bool) -> Answer:
        """Return the answer to *request*, its head read, redirects within the service followed.

        Raises:
            TransportError: There is none; `retryable` says whether sending again can do no harm.
            UsageError: The request cannot be sent.
        """
        terms, request = terms.knowing(request), addressed(request)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._told(request, terms, repeatable)
            follow = redirected(request, answer.head)
            if follow is None:
                return answer
            answer.close()
            request = addressed(follow)
        raise too_many_redirects()

    def fetch(self, request: Request, terms: Terms) -> Response:
        """Return the whole answer to a set-up request, which may be sent again."""
        answer = self.send(request, terms, repeatable=True)
        whole = WholeAnswer(answer.head, terms.max_bytes)
        failures: tuple[type[Exception], ...] = (G4FError, *answer.failures)
        try:
            while (data := answer.piece()) is not None:
                whole.add(data)
        except failures as cause:
            error = whole.cut(cause if isinstance(cause, G4FError) else answer.broken(cause))
            if error is cause:
                raise
            if error is not None:
                raise error from cause
        finally:
            answer.close()
        return whole.response()

    def _told(self, request: Request, terms: Terms, repeatable: bool) -> Answer:
        exhaust(terms.asking(request))
        answer = self._send(request, terms.clocks, terms.max_bytes, repeatable)
        try:
            exhaust(terms.answered(request, answer.head))
        except BaseException:
            answer.close()
            raise
        return answer

    def _send(self, request: Request, clocks: Clocks, max_bytes: int, repeatable: bool) -> Answer:
        connecting, reading = clocks.left("connect"), clocks.left()
        session = self._session()
        try:
            with under(clocks):
                answer = self._answer(session, request, (connecting[0], reading[0]))
        except (requests.RequestException, low.HTTPError, HTTPException, OSError, ValueError) as cause:
            clocks.check()
            raise _unanswered(cause, request, clocks, connecting[1], reading[1], repeatable) from cause
        return Answer(answer, clocks, max_bytes)

    def _answer(
        self, session: requests.Session, request: Request, limits: tuple[float | None, float | None]
    ) -> requests.Response:
        prepared = self._prepared(session, request)
        settings = self._sending(session, request.url)
        if self._theirs is not None:
            _time(session, prepared, settings)
        return session.send(prepared, stream=True, timeout=limits, allow_redirects=False, **settings)

    def _sending(self, session: requests.Session, url: str) -> dict[str, Any]:
        """Return proxies, verify and cert for *url*: what a caller's session says, or our own network."""
        if self._theirs is not None:
            merged = session.merge_environment_settings(url, {}, True, None, None)
            return {name: merged[name] for name in ("proxies", "verify", "cert")}
        proxy = self._network.proxy_for(url)
        return {"proxies": {"all": proxy} if proxy else {}, "verify": True, "cert": None}

    def _prepared(self, session: requests.Session, request: Request) -> requests.PreparedRequest:
        # Without an auth of its own, requests would put a password from ~/.netrc in place of the key.
        auth = session.auth or _keep_headers
        prepared = session.prepare_request(
            requests.Request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body or None,
                auth=auth,
            )
        )
        prepared.hooks["response"] = [*prepared.hooks["response"], _stay]
        return prepared


class Answer:
    """One answer: its head, and its body as it comes."""

    failures: ClassVar[tuple[type[Exception], ...]] = (low.HTTPError, HTTPException, CodingError, OSError)

    def __init__(self, answer: requests.Response, clocks: Clocks, max_bytes: int) -> None:
        self._raw: urllib3.HTTPResponse = answer.raw
        self._clocks = clocks
        pairs = [(str(name), str(value)) for name, value in self._raw.headers.items()]
        self.head = Response(answer.status_code, pairs, received_at=time.time())
        self._clock: Clock = "idle"
        self._wire = wire_of(self._raw)
        codings = Codings.of(self.head.header_values("content-encoding"), max_bytes)
        self._pieces = pieces_of(self._raw, codings)
        clocks.hold(self._cut)

    def piece(self) -> bytes | None:
        """Return the next piece of the body, None at its end. Every clock that runs limits the wait."""
        _, self._clock = self._clocks.left()
        if self._wire is not None:
            self._wire.clocks = self._clocks
        return next(self._pieces, None)

    def pieces(self) -> Iterator[bytes]:
        """Give the other pieces; with nothing in between where the idle clock alone runs: the hot path."""
        if not self._clocks.is_idle_only:
            return iter(self.piece, None)
        self._clock = "idle"
        if self._wire is not None:
            self._wire.clocks = None
            self._set_timeout(self._clocks.timeouts.idle)
        return self._pieces

    def broken(self, cause: Exception) -> G4FError:
        """Return what *cause*, raised while reading, means."""
        if isinstance(cause, low.ReadTimeoutError | TimeoutError):
            return self._clocks.expired(self._clock)
        return TransportError(_words(cause), sent=True)

    def drain(self) -> None:
        """Read what little follows the end marker, so that the connection can be used again."""
        if self._wire is not None:
            self._wire.clocks = None
        left, until = DRAIN_BYTES, time.monotonic() + DRAIN_S
        try:
            while left > 0 and (seconds := until - time.monotonic()) > 0:
                self._set_timeout(seconds)
                data = next(self._pieces, None)
                if data is None:
                    return
                left -= len(data)
        except self.failures:
            self._raw.close()  # the answer is complete: a connection in doubt is only not used again

    def close(self) -> None:
        self._clocks.hold(None)
        self._raw.close()
        release = getattr(self._raw, "release_conn", None)  # an answer that vcrpy 8 plays has none
        if release is not None:
            release()

    def _cut(self) -> None:
        # Without a connection the body was read to its end, and another call may have it by now.
        if self._wire is not None and self._raw._connection is not None:
            shut(self._wire.sock)

    def _set_timeout(self, seconds: float | None) -> None:
        # Behind the last byte of a body with `Connection: close`, http.client has closed it already.
        if self._wire is not None and self._wire.sock.fileno() >= 0:
            self._wire.sock.settimeout(seconds)


def _session(transport: Transport | None, network: Network) -> requests.Session:
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
        prepared.prepare_url(request.url, None)
        prepared.prepare_headers({**self.headers, **request.headers})
        prepared.body = request.data or None
        prepared.prepare_content_length(prepared.body)
        return prepared


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


def _time(session: requests.Session, request: requests.PreparedRequest, settings: Mapping[str, Any]) -> None:
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


def _stay(answer: requests.Response, *_: Any, **__: Any) -> None:
    """Hide the next place from requests, which would read the whole body to get there, asked to or not."""
    answer.headers.pop("location", None)


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _unanswered(
    cause: Exception, request: Request, clocks: Clocks, connecting: Clock, reading: Clock, repeatable: bool
) -> G4FError:
    if isinstance(cause, requests.exceptions.InvalidSchema) and "SOCKS" in str(cause):
        return UsageError(NEEDS_SOCKS)
    if isinstance(cause, _USAGE):
        return unsendable(_words(cause))
    inner = _innermost(cause)
    if isinstance(inner, _CONNECT_TIMEOUTS) and not isinstance(inner, low.NewConnectionError):
        return clocks.expired(connecting)
    if isinstance(inner, _READ_TIMEOUTS):
        return clocks.expired(reading)
    sent = not (isinstance(cause, _NOT_SENT) or isinstance(inner, _NOT_SENT))
    return unanswered(_words(cause), request.url, sent=sent, repeatable=repeatable, cause=cause)


def _innermost(cause: Exception) -> Exception:
    """Return what urllib3, or the socket under it, says inside of what requests says."""
    while True:
        inner = getattr(cause, "reason", None) or (cause.args[-1] if cause.args else None)
        if not isinstance(inner, Exception):
            return cause
        cause = inner


def _words(cause: Exception) -> str:
    inner = _innermost(cause)
    words = str(inner) or type(inner).__name__
    if isinstance(inner, low.NewConnectionError):
        words = words.removeprefix(f"{inner.conn}: ")  # the address is said anyway
    return words[:300]
