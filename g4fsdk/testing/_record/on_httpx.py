"""Recording for httpx, blocking and async: a transport around the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

import httpx

from g4fsdk.testing._cassette.errors import MismatchError
from g4fsdk.testing._traffic.sent import sent_by_httpx
from g4fsdk.testing._traffic.wire import WITHOUT_BODY

if TYPE_CHECKING:
    from g4fsdk.testing._cassette.values import End, RecordedRequest
    from g4fsdk.testing._record.exchange import RecordingExchange

# What the end of a connection is called, by the first class that an error has.
_ENDS: tuple[tuple[type[httpx.TransportError], End], ...] = (
    (httpx.TimeoutException, "timeout"),
    (httpx.RemoteProtocolError, "truncated"),
    (httpx.TransportError, "reset"),
)
# An event loop may be over before anybody closes what it kept open.
_NONE_KEPT = httpx.Limits(max_keepalive_connections=0)


class BothWays(Protocol):
    """Answers requests of both kinds of clients, or raises MismatchError."""

    def handle_request(self, request: httpx.Request) -> httpx.Response: ...

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response: ...


class RecordingTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends requests through *inner* and keeps what comes; what *player* has an answer for, it answers.

    For `httpx.Client` and `httpx.AsyncClient`: an inner transport of one kind leaves the other to httpx.
    """

    def __init__(
        self,
        begin: Callable[[RecordedRequest], RecordingExchange],
        inner: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
        player: BothWays | None = None,
    ) -> None:
        self._begin = begin
        self._blocking = inner if isinstance(inner, httpx.BaseTransport) else None
        self._async = inner if isinstance(inner, httpx.AsyncBaseTransport) else None
        self._player = player

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response, or the live one."""
        if self._player is not None:
            with suppress(MismatchError):
                return self._player.handle_request(request)
        request.read()
        self._blocking = self._blocking or httpx.HTTPTransport()  # first: it reads certificates for 50 ms
        exchange = self._begin(sent_by_httpx(request))
        with _noting_the_end(exchange):
            response = self._blocking.handle_request(request)
        return _recording(request, response, exchange)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response, or the live one."""
        if self._player is not None:
            with suppress(MismatchError):
                return await self._player.handle_async_request(request)
        await request.aread()
        self._async = self._async or httpx.AsyncHTTPTransport(limits=_NONE_KEPT)
        exchange = self._begin(sent_by_httpx(request))
        with _noting_the_end(exchange):
            response = await self._async.handle_async_request(request)
        return _recording(request, response, exchange)

    def close(self) -> None:
        if self._blocking:
            self._blocking.close()

    async def aclose(self) -> None:
        if self._async:
            await self._async.aclose()


@contextmanager
def _noting_the_end(exchange: RecordingExchange) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        exchange.ended(next(end for kind, end in _ENDS if isinstance(error, kind)))
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
    response.stream = _RecordingStream(response.stream, exchange, _length(request, response))
    return response


def _length(request: httpx.Request, response: httpx.Response) -> int | None:
    """Return the bytes that are still to come; None when only the end of the body tells."""
    if request.method == "HEAD" or response.status_code in WITHOUT_BODY:
        return 0
    announced = response.headers.get("content-length", "")
    return int(announced) if announced.isdecimal() else None


class _RecordingStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A response body whose bytes are kept while they are read."""

    def __init__(
        self,
        inner: httpx.SyncByteStream | httpx.AsyncByteStream,
        exchange: RecordingExchange,
        length: int | None,
    ) -> None:
        self._inner = inner
        self._exchange = exchange
        self._left = length
        self._keep(b"")

    def __iter__(self) -> Iterator[bytes]:
        assert isinstance(self._inner, httpx.SyncByteStream)
        with _noting_the_end(self._exchange):
            for data in self._inner:
                self._keep(data)
                yield data
        self._exchange.ended("complete")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._inner, httpx.AsyncByteStream)
        with _noting_the_end(self._exchange):
            async for data in self._inner:
                self._keep(data)
                yield data
        self._exchange.ended("complete")

    def close(self) -> None:
        assert isinstance(self._inner, httpx.SyncByteStream)
        self._inner.close()

    async def aclose(self) -> None:
        assert isinstance(self._inner, httpx.AsyncByteStream)
        await self._inner.aclose()

    def _keep(self, data: bytes) -> None:
        self._exchange.heard(data, is_coded=True)
        if self._left is not None:
            self._left -= len(data)
            if self._left <= 0:
                self._exchange.ended("complete")
