"""Recording for httpx, blocking and async: a transport around the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from g4fsdk.testing._replay.on_httpx import record_request
from g4fsdk.testing._replay.wire import WITHOUT_BODY

if TYPE_CHECKING:
    from g4fsdk.testing._cassette.values import End, RecordedRequest
    from g4fsdk.testing._record.exchange import Tape

# What the end of a connection is called, by the first class that an error has.
_ENDS: tuple[tuple[type[httpx.TransportError], End], ...] = (
    (httpx.TimeoutException, "timeout"),
    (httpx.RemoteProtocolError, "truncated"),
    (httpx.TransportError, "reset"),
)


class RecordingTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends requests through *inner* and keeps what comes; for `httpx.Client` and `httpx.AsyncClient`."""

    def __init__(
        self,
        begin: Callable[[RecordedRequest], Tape],
        inner: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._begin = begin
        self._blocking = inner if isinstance(inner, httpx.BaseTransport) else None
        self._async = inner if isinstance(inner, httpx.AsyncBaseTransport) else None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return what the inner transport returns."""
        request.read()
        self._blocking = self._blocking or httpx.HTTPTransport()  # first: it reads certificates for 50 ms
        tape = self._begin(record_request(request))
        with _noting_the_end(tape):
            response = self._blocking.handle_request(request)
        return _taped(request, response, tape)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return what the inner transport returns."""
        await request.aread()
        self._async = self._async or httpx.AsyncHTTPTransport()
        tape = self._begin(record_request(request))
        with _noting_the_end(tape):
            response = await self._async.handle_async_request(request)
        return _taped(request, response, tape)

    def close(self) -> None:
        if self._blocking:
            self._blocking.close()

    async def aclose(self) -> None:
        if self._async:
            await self._async.aclose()


@contextmanager
def _noting_the_end(tape: Tape) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        tape.ended(next(end for kind, end in _ENDS if isinstance(error, kind)))
        raise
    except (Exception, GeneratorExit):
        raise  # not the connection's end: the caller's own, or it reads no more
    except BaseException:
        tape.ended("timeout")  # cancelled, in whichever event loop, while it waited: nothing came
        raise


def _taped(request: httpx.Request, response: httpx.Response, tape: Tape) -> httpx.Response:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
    version = response.http_version.removeprefix("HTTP/")
    tape.answered(response.status_code, response.reason_phrase, headers, version)
    response.stream = _TapedStream(response.stream, tape, _length(request, response))
    return response


def _length(request: httpx.Request, response: httpx.Response) -> int | None:
    """Return the bytes that are still to come; None when only the end of the body tells."""
    if request.method == "HEAD" or response.status_code in WITHOUT_BODY:
        return 0
    announced = response.headers.get("content-length", "")
    return int(announced) if announced.isdecimal() else None


class _TapedStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A response body whose bytes are kept while they are read."""

    def __init__(
        self, inner: httpx.SyncByteStream | httpx.AsyncByteStream, tape: Tape, length: int | None
    ) -> None:
        self._inner = inner
        self._tape = tape
        self._left = length
        self._keep(b"")

    def __iter__(self) -> Iterator[bytes]:
        assert isinstance(self._inner, httpx.SyncByteStream)
        with _noting_the_end(self._tape):
            for data in self._inner:
                self._keep(data)
                yield data
        self._tape.ended("complete")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._inner, httpx.AsyncByteStream)
        with _noting_the_end(self._tape):
            async for data in self._inner:
                self._keep(data)
                yield data
        self._tape.ended("complete")

    def close(self) -> None:
        assert isinstance(self._inner, httpx.SyncByteStream)
        self._inner.close()

    async def aclose(self) -> None:
        assert isinstance(self._inner, httpx.AsyncByteStream)
        await self._inner.aclose()

    def _keep(self, data: bytes) -> None:
        self._tape.heard(data, is_coded=True)
        if self._left is not None:
            self._left -= len(data)
            if self._left <= 0:
                self._tape.ended("complete")
