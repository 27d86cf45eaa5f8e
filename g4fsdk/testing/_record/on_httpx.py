"""Recording for httpx and httpx2, blocking and async: a transport around the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from g4fsdk._client.sending import chain_of
from g4fsdk.testing._cassette.errors import MismatchError
from g4fsdk.testing._record.exchange import UNASKED
from g4fsdk.testing._traffic.libraries import library_of, stream_class
from g4fsdk.testing._traffic.sent import sent_by_httpx
from g4fsdk.testing._traffic.wire import has_body

if TYPE_CHECKING:
    from g4fsdk.testing._cassette.values import End, RecordedRequest
    from g4fsdk.testing._record.exchange import RecordingExchange

# What the end of a connection is called, by the first class that an error has.
_ENDS: tuple[tuple[str, End], ...] = (
    ("TimeoutException", "timeout"),
    ("RemoteProtocolError", "truncated"),
    ("UnsupportedProtocol", "client_closed"),
    ("LocalProtocolError", "client_closed"),
    ("TransportError", "reset"),
)


class BothWays(Protocol):
    """Answers requests of both kinds of clients, or raises MismatchError."""

    def handle_request(self, request: httpx.Request) -> httpx.Response: ...

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response: ...


class RecordingTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends requests through *inner* and keeps what comes; what *player* has an answer for, it answers.

    For blocking and async clients of httpx and httpx2: an inner transport of one kind leaves the other to
    their own.
    """

    def __init__(
        self,
        begin: Callable[[RecordedRequest], RecordingExchange],
        inner: Any = None,
        player: BothWays | None = None,
    ) -> None:
        self._begin = begin
        self._blocking = _Senders(inner, "handle_request", _blocking_transport)
        self._async = _Senders(inner, "handle_async_request", _async_transport)
        self._player = player

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response, or the live one."""
        if self._player is not None:
            with suppress(MismatchError):
                return self._player.handle_request(request)
        request.read()
        library = library_of(request)
        sender = self._blocking.of(library)  # first: it reads certificates for 50 ms
        exchange = self._begin(sent_by_httpx(request))
        with _noting_the_end(exchange, library):
            response: httpx.Response = sender.handle_request(request)
        return _recording(request, response, exchange)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response, or the live one."""
        if self._player is not None:
            with suppress(MismatchError):
                return await self._player.handle_async_request(request)
        await request.aread()
        library = library_of(request)
        sender = self._async.of(library)
        exchange = self._begin(sent_by_httpx(request))
        with _noting_the_end(exchange, library):
            response: httpx.Response = await sender.handle_async_request(request)
        return _recording(request, response, exchange)

    def close(self) -> None:
        for sender in self._blocking.made:
            sender.close()

    async def aclose(self) -> None:
        for sender in self._async.made:
            await sender.aclose()


class _Senders:
    """What sends requests of one kind: the caller's *inner* with *method*, or one made for each library."""

    def __init__(self, inner: Any, method: str, make: Callable[[Any], Any]) -> None:
        self._given = inner if hasattr(inner, method) else None
        self._make = make
        self._made: dict[str, Any] = {}

    @property
    def made(self) -> list[Any]:
        """All there are."""
        return [*self._made.values(), *([] if self._given is None else [self._given])]

    def of(self, library: Any) -> Any:
        if self._given is not None:
            return self._given
        if library.__name__ not in self._made:
            self._made[library.__name__] = self._make(library)
        return self._made[library.__name__]


def _blocking_transport(library: Any) -> Any:
    return library.HTTPTransport()


def _async_transport(library: Any) -> Any:
    # An event loop may be over before anybody closes what it kept open.
    return library.AsyncHTTPTransport(limits=library.Limits(max_keepalive_connections=0))


@contextmanager
def _noting_the_end(exchange: RecordingExchange, library: Any) -> Iterator[None]:
    try:
        yield
    except library.TransportError as error:
        is_unasked = any(isinstance(cause, UNASKED) for cause in chain_of(error))
        ends: Iterator[End] = (end for kind, end in _ENDS if isinstance(error, getattr(library, kind)))
        exchange.ended("client_closed" if is_unasked else next(ends))
        raise
    except (Exception, GeneratorExit):
        raise  # not the connection's end: the caller's own, or it reads no more
    except BaseException:
        exchange.ended("timeout")  # cancelled, in whichever event loop, while it waited: nothing came
        raise


def _recording(
    request: httpx.Request, response: httpx.Response, exchange: RecordingExchange
) -> httpx.Response:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
    version = response.http_version.removeprefix("HTTP/")
    exchange.answered(response.status_code, response.reason_phrase, headers, version)
    library = library_of(request)
    length = _length(request, response)
    response.stream = stream_class(_RecordingStream, library)(response.stream, exchange, library, length)
    return response


def _length(request: httpx.Request, response: httpx.Response) -> int | None:
    """Return the bytes that are still to come; None when only the end of the body tells."""
    if not has_body(request.method, response.status_code):
        return 0
    announced = response.headers.get("content-length", "")
    return int(announced) if announced.isdecimal() else None


class _RecordingStream:
    """A response body of *library* whose bytes are kept while they are read."""

    def __init__(self, inner: Any, exchange: RecordingExchange, library: Any, length: int | None) -> None:
        self._inner = inner
        self._exchange = exchange
        self._library = library
        self._left = length
        self._keep(b"")

    def __iter__(self) -> Iterator[bytes]:
        with _noting_the_end(self._exchange, self._library):
            for data in self._inner:
                self._keep(data)
                yield data
        self._exchange.ended("complete")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _noting_the_end(self._exchange, self._library):
            async for data in self._inner:
                self._keep(data)
                yield data
        self._exchange.ended("complete")

    def close(self) -> None:
        self._inner.close()

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _keep(self, data: bytes) -> None:
        self._exchange.heard(data, is_coded=True)
        if self._left is not None:
            self._left -= len(data)
            if self._left <= 0:
                self._exchange.ended("complete")
