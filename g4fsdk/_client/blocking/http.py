"""HTTP with requests: sends what the core decides, gives back bytes as they come. The only importer of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar, Protocol

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import exceptions as low

from g4fsdk._client.blocking.connections import (
    CLOCKS,
    POOLS,
    pieces_of,
    socket_of,
)
from g4fsdk._client.clocks import DRAIN_BYTES, DRAIN_S, Clocks
from g4fsdk._client.inflate import CodingError
from g4fsdk._client.sending import (
    MAX_REDIRECTS,
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
        self, session: requests.Session | None, transport: Transport | None, proxy: str | None
    ) -> None:
        if session is not None and not hasattr(session, "merge_environment_settings"):
            raise UsageError(f"session= takes a requests.Session, not {type(session).__name__}")
        self._owns = session is None
        self._session = _session(transport) if session is None else session
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}

    def close(self) -> None:
        if self._owns:
            self._session.close()

    def send(self, request: Request, clocks: Clocks, *, repeatable: bool) -> Answer:
        """Return the answer to *request*, its head read, redirects within the service followed.

        Raises:
            TransportError: There is none; `retryable` says whether sending again can do no harm.
            UsageError: The request cannot be sent.
        """
        request = addressed(request)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._send(request, clocks, repeatable)
            follow = redirected(request, answer.head)
            if follow is None:
                return answer
            answer.close()
            request = addressed(follow)
        raise too_many_redirects()

    def fetch(self, request: Request, clocks: Clocks) -> Response:
        """Return the whole answer to a set-up request, which may be sent again."""
        answer = self.send(request, clocks, repeatable=True)
        whole = WholeAnswer(answer.head)
        try:
            while (data := answer.piece(clocks)) is not None:
                whole.add(data)
        except answer.failures as cause:
            error = whole.cut(answer.broken(cause, clocks))
            if error is not None:
                raise error from cause
        finally:
            answer.close()
        return whole.response()

    def _send(self, request: Request, clocks: Clocks, repeatable: bool) -> Answer:
        connecting, reading = clocks.left("connect"), clocks.left()
        token = CLOCKS.set(clocks)
        try:
            prepared = self._prepared(request)
            settings = self._session.merge_environment_settings(
                request.url, dict(self._proxies), True, None, None
            )
            answer = self._session.send(
                prepared,
                stream=True,
                timeout=(connecting[0], reading[0]),
                allow_redirects=False,
                proxies=settings["proxies"],
                verify=settings["verify"],
                cert=settings["cert"],
            )
        except (requests.RequestException, low.HTTPError, OSError, ValueError) as cause:
            raise _unanswered(cause, request, clocks, connecting[1], reading[1], repeatable) from cause
        finally:
            CLOCKS.reset(token)
        return Answer(answer)

    def _prepared(self, request: Request) -> requests.PreparedRequest:
        # Without an auth of its own, requests would put a password from ~/.netrc in place of the key.
        auth = self._session.auth or _keep_headers
        return self._session.prepare_request(
            requests.Request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body or None,
                auth=auth,
            )
        )


class Answer:
    """One answer: its head, and its body as it comes."""

    failures: ClassVar[tuple[type[Exception], ...]] = (low.HTTPError, HTTPException, CodingError, OSError)

    def __init__(self, answer: requests.Response) -> None:
        self._raw: urllib3.HTTPResponse = answer.raw
        pairs = [(str(name), str(value)) for name, value in self._raw.headers.items()]
        self.head = Response(answer.status_code, pairs, received_at=time.time())
        self._socket = socket_of(self._raw)
        self._clock: Clock = "idle"
        self._pieces = pieces_of(self._raw, self.head.header("content-encoding"))

    def piece(self, clocks: Clocks) -> bytes | None:
        """Return the next piece of the body, None at its end. Every clock that runs limits the wait."""
        seconds, self._clock = clocks.left()
        self._set_timeout(seconds)
        return next(self._pieces, None)

    def pieces(self, clocks: Clocks) -> Iterator[bytes]:
        """Give the other pieces; with nothing in between where the idle clock alone runs: the hot path."""
        if not clocks.is_idle_only:
            return iter(partial(self.piece, clocks), None)
        self._clock = "idle"
        self._set_timeout(clocks.timeouts.idle)
        return self._pieces

    def broken(self, cause: Exception, clocks: Clocks) -> G4FError:
        """Return what *cause*, raised while reading, means."""
        if isinstance(cause, low.ReadTimeoutError | TimeoutError):
            return clocks.expired(self._clock)
        return TransportError(_words(cause), sent=True)

    def drain(self) -> None:
        """Read what little follows the end marker, so that the connection can be used again."""
        left, until = DRAIN_BYTES, time.monotonic() + DRAIN_S
        try:
            while left > 0 and (seconds := until - time.monotonic()) > 0:
                self._set_timeout(seconds)
                data = next(self._pieces, b"")
                if not data:
                    return
                left -= len(data)
        except self.failures:
            self._raw.close()  # the answer is complete: a connection in doubt is only not used again

    def close(self) -> None:
        self._raw.close()
        self._raw.release_conn()

    def _set_timeout(self, seconds: float | None) -> None:
        # Behind the last byte of a body with `Connection: close`, http.client has closed it already.
        if self._socket is not None and self._socket.fileno() >= 0:
            self._socket.settimeout(seconds)


def _session(transport: Transport | None) -> requests.Session:
    session = _Session()
    # Cookies belong to conversations, not to the client: two of them must not share a session.
    session.cookies.set_policy(_NoCookies())
    adapter = _adapter(transport)
    for prefix in ("http://", "https://"):
        session.mount(prefix, adapter)
    return session


def _adapter(transport: Transport | None) -> BaseAdapter:
    own = None if transport and not transport.wraps else _Adapter(pool_maxsize=_POOL_SIZE)
    adapter: BaseAdapter | None = transport.requests_adapter(own) if transport else own
    assert adapter is not None
    return adapter


class _Adapter(HTTPAdapter):
    """Connections that keep our clocks, to the service and to a proxy. SOCKS has its own."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = POOLS
        return manager


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none: requests reads the whole body to find the next one, asked to or not."""


class _NoCookies(DefaultCookiePolicy):
    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _unanswered(
    cause: Exception, request: Request, clocks: Clocks, connecting: Clock, reading: Clock, repeatable: bool
) -> G4FError:
    if isinstance(cause, _USAGE):
        return unsendable(_words(cause))
    inner = _innermost(cause)
    if isinstance(inner, _CONNECT_TIMEOUTS) and not isinstance(inner, low.NewConnectionError):
        return clocks.expired(connecting)
    if isinstance(inner, _READ_TIMEOUTS):
        return clocks.expired(reading)
    sent = not (isinstance(cause, _NOT_SENT) or isinstance(inner, _NOT_SENT))
    return unanswered(_words(cause), request.url, sent=sent, repeatable=repeatable)


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
        words = words.removeprefix(f"{inner.conn}: ")  # a class of ours, and the address that is said anyway
    return words[:300]
