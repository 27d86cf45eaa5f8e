"""HTTP with requests: sends what the core decides, gives back bytes as they come. The only importer of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException, HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar, Protocol

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import exceptions as low

from g4fsdk._clocks import Clocks
from g4fsdk._errors import Clock, G4FError, ProtocolError, TransportError, UsageError
from g4fsdk._inflate import CodingError, Inflater
from g4fsdk._parsers import MAX_BYTES
from g4fsdk._redirects import MAX_REDIRECTS, redirected
from g4fsdk._types import Request, Response

_READ_BYTES = 65536
# What may still come behind the end marker: the last chunk of the body, mostly in the same packet.
_DRAIN_S = 0.05
_DRAIN_BYTES = 65536
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
)
_NOT_SENT = (
    *(requests.exceptions.SSLError, requests.exceptions.ProxyError),
    *(low.NewConnectionError, low.ConnectTimeoutError, low.SSLError, low.ProxyError),
)


class SyncTransport(Protocol):
    """What `transport=` takes: a Recorder, a Replay, or anything that makes a requests adapter."""

    def requests_adapter(self) -> BaseAdapter: ...


class Connections:
    """Sends requests through one session. *session* is the caller's own, who closes it."""

    def __init__(
        self, session: requests.Session | None, transport: SyncTransport | None, proxy: str | None
    ) -> None:
        if session is not None and (transport is not None or proxy):
            raise UsageError("session= brings its own transport and proxy; give one or the other")
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
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._send(request, clocks, repeatable)
            follow = redirected(request, answer.head)
            if follow is None:
                return answer
            answer.close()
            request = follow
        raise ProtocolError(f"more than {MAX_REDIRECTS} redirects in a row; check base_url")

    def fetch(self, request: Request, clocks: Clocks) -> Response:
        """Return the whole answer to a set-up request, which may be sent again."""
        answer = self.send(request, clocks, repeatable=True)
        body = bytearray()
        try:
            for data in answer.timed(clocks):
                body += data
                _check_size(body)
            for data in answer.rest():
                body += data
                _check_size(body)
        except answer.failures as cause:
            error = answer.broken(cause, clocks)
            error.retryable = True
            raise error from cause
        finally:
            answer.close()
        head = answer.head
        return Response(head.status, head.headers, bytes(body), head.received_at)

    def _send(self, request: Request, clocks: Clocks, repeatable: bool) -> Answer:
        seconds, clock = clocks.left()
        try:
            prepared = self._prepared(request)
            settings = self._session.merge_environment_settings(
                request.url, dict(self._proxies), True, None, None
            )
            answer = self._session.send(
                prepared,
                stream=True,
                timeout=(clocks.timeouts.connect, seconds),
                allow_redirects=False,
                proxies=settings["proxies"],
                verify=settings["verify"],
                cert=settings["cert"],
            )
        except (requests.RequestException, low.HTTPError, OSError) as cause:
            raise _unanswered(cause, clocks, clock, repeatable) from cause
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
        self._socket = _socket_of(self._raw)
        self._clock: Clock = "idle"
        inflater = Inflater.of(self.head.header("content-encoding"))
        pieces = _pieces(self._raw, decodes=inflater is None)
        self._pieces = pieces if inflater is None else _inflated(pieces, inflater)

    def timed(self, clocks: Clocks) -> Iterator[bytes]:
        """Give the pieces of the body while more than the idle clock runs."""
        while not clocks.is_idle_only:
            seconds, self._clock = clocks.left()
            self._set_timeout(seconds)
            data = next(self._pieces, b"")
            if not data:
                return
            yield data
        self._clock = "idle"
        self._set_timeout(clocks.timeouts.idle)

    def rest(self) -> Iterator[bytes]:
        """Give the other pieces, with nothing in between: this is the hot path."""
        return self._pieces

    def broken(self, cause: Exception, clocks: Clocks) -> G4FError:
        """Return what *cause*, raised while reading, means."""
        if isinstance(cause, low.ReadTimeoutError | TimeoutError):
            return clocks.expired(self._clock)
        return TransportError(_words(cause), sent=True)

    def drain(self) -> None:
        """Read what little follows the end marker, so that the connection can be used again."""
        left, until = _DRAIN_BYTES, time.monotonic() + _DRAIN_S
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


def _session(transport: SyncTransport | None) -> requests.Session:
    session = requests.Session()
    # Cookies belong to conversations, not to the client: two of them must not share a session.
    session.cookies.set_policy(_NoCookies())
    adapter = HTTPAdapter(pool_maxsize=_POOL_SIZE) if transport is None else transport.requests_adapter()
    for prefix in ("http://", "https://"):
        session.mount(prefix, adapter)
    return session


class _NoCookies(DefaultCookiePolicy):
    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _pieces(raw: urllib3.HTTPResponse, *, decodes: bool) -> Iterator[bytes]:
    """Give the bytes of the body as they come; *decodes*: the library undoes their coding, if any.

    On chunked bodies urllib3's `stream` waits for the end of every chunk, and its `read1` costs three times
    as much as http.client's. On other bodies `stream` waits for the end of all.
    """
    raw.decode_content = decodes  # vcrpy's stand-in knows the attribute, and not the keyword of `read1`
    if not raw.chunked:
        return iter(partial(raw.read1, _READ_BYTES), b"")
    if type(raw) is urllib3.HTTPResponse and isinstance(raw._fp, HTTPResponse):
        if not decodes or "content-encoding" not in raw.headers:
            return _chunked(raw, raw._fp)
        return iter(partial(raw.read1, _READ_BYTES), b"")
    return raw.stream(_READ_BYTES, decode_content=decodes)


def _chunked(raw: urllib3.HTTPResponse, body: HTTPResponse) -> Iterator[bytes]:
    read1 = body.read1
    while data := read1(_READ_BYTES):
        yield data
    raw.release_conn()  # read to its end: the connection can be used again


def _inflated(pieces: Iterator[bytes], inflater: Inflater) -> Iterator[bytes]:
    for data in pieces:
        yield from inflater.feed(data)
    inflater.close()


def _socket_of(raw: urllib3.HTTPResponse) -> socket.socket | None:
    """Return the socket under *raw*, or None where there is none (a replay).

    Neither requests nor urllib3 can change the timeout of a body that is being read, and a client with
    more than one clock has to. http.client keeps the socket in the body's file.
    """
    found: Any = raw
    for name in ("_fp", "fp", "raw", "_sock"):
        found = getattr(found, name, None)
    return found if hasattr(found, "settimeout") else None


def _unanswered(cause: Exception, clocks: Clocks, clock: Clock, repeatable: bool) -> G4FError:
    if isinstance(cause, _USAGE):
        return UsageError(f"the request cannot be sent: {_words(cause)}; check base_url, proxy and headers")
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return clocks.expired("connect")
    if isinstance(cause, requests.exceptions.ReadTimeout):
        return clocks.expired(clock)
    sent = not (isinstance(cause, _NOT_SENT) or isinstance(_innermost(cause), _NOT_SENT))
    error = TransportError(f"no answer: {_words(cause)}; check the address and the network", sent=sent)
    error.retryable = repeatable or not sent
    return error


def _innermost(cause: Exception) -> object:
    """Return what urllib3 says inside of what requests says."""
    inner: object = cause.args[0] if cause.args else None
    return inner.reason if isinstance(inner, low.MaxRetryError) else inner


def _words(cause: Exception) -> str:
    inner = _innermost(cause)
    return str(inner if isinstance(inner, Exception) else cause)[:300]


def _check_size(body: bytearray) -> None:
    if len(body) > MAX_BYTES:
        raise ProtocolError(f"the answer to a set-up request is longer than {MAX_BYTES} bytes")
