"""Replay for httpx, blocking and async: a transport that raises what httpx raises on a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import httpx

from g4fsdk.testing._cassette.values import End, RecordedRequest
from g4fsdk.testing._replay.planned import beats
from g4fsdk.testing._replay.wire import has_body, played_headers

if TYPE_CHECKING:
    from g4fsdk.testing._replay.clock import Clock
    from g4fsdk.testing._replay.planned import Take
    from g4fsdk.testing._replay.queue import Playlist

_CUT = "peer closed connection without sending complete message body (incomplete chunked read)"
_SILENT = "Server disconnected without sending a response."

# What a connection that ends so raises, before and after the response began.
_BREAKS: dict[End, tuple[type[httpx.TransportError], str, str]] = {
    "truncated": (httpx.RemoteProtocolError, _SILENT, _CUT),
    "client_closed": (httpx.RemoteProtocolError, _SILENT, _CUT),
    "complete": (httpx.RemoteProtocolError, _SILENT, _CUT),
    "reset": (httpx.ReadError, "", ""),
    "timeout": (httpx.ReadTimeout, "", ""),
}
# How long an answer stays silent where no timeout of the library ends it, and at most at the pace "instant".
_SILENCE_S, _INSTANT_S = 300.0, 5.0


class ReplayTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers a client's requests from a recording; for `httpx.Client` and `httpx.AsyncClient`."""

    def __init__(self, playlist: Playlist, factor: float, clock: Clock) -> None:
        self._playlist = playlist
        self._factor = factor
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response; raises MismatchError, or what httpx raises for a recorded break."""
        request.read()
        return self._answer(self._playlist.claim(record_request(request)), request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response; raises MismatchError, or what httpx raises for a recorded break."""
        await request.aread()
        take = self._playlist.claim(record_request(request))
        if take.response.status == 0:
            await _be_silent(take, _read_timeout(request), self._factor, self._clock)
        return self._answer(take, request)

    def _answer(self, take: Take, request: httpx.Request) -> httpx.Response:
        response = take.response
        if response.status == 0:
            kind, message, _ = _BREAKS[response.end]
            raise kind(message, request=request)
        return httpx.Response(
            response.status,
            headers=[
                (name.encode(), value.encode()) for name, value in played_headers(request.method, response)
            ],
            stream=_Body(take, request, self._factor, self._clock),
            extensions={
                "http_version": f"HTTP/{response.http_version}".encode(),
                "reason_phrase": response.reason.encode("ascii", "ignore"),
            },
        )


def record_request(request: httpx.Request) -> RecordedRequest:
    """Return *request*, whose body was read already, as it is sent."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    return RecordedRequest(request.method, str(request.url), headers, request.content)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The pieces of a take, each at its time, and its end."""

    def __init__(self, take: Take, request: httpx.Request, factor: float, clock: Clock) -> None:
        self._take = take
        self._request = request
        self._factor = factor
        self._clock = clock
        self._start = clock.now()
        self._timeout = _read_timeout(request)

    def __iter__(self) -> Iterator[bytes]:
        for due, data in self._beats():
            delay, expired = self._delay(due)
            if delay > 0:
                self._clock.sleep(delay)
            yield from self._deliver(data, expired)
        self._end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for due, data in self._beats():
            delay, expired = self._delay(due)
            if delay > 0:
                await self._clock.sleep_async(delay)
            for delivered in self._deliver(data, expired):
                yield delivered
        await _be_silent(self._take, self._timeout, self._factor, self._clock)
        self._end()

    def _beats(self) -> Iterator[tuple[float, bytes]]:
        with_body = has_body(self._request.method, self._take.response)
        return beats(self._take.pieces if with_body else (), self._factor)

    def _delay(self, due: float) -> tuple[float, bool]:
        """Return the seconds to wait, and whether the read times out after them."""
        delay = self._start + due - self._clock.now()
        if self._timeout is not None and delay > self._timeout:
            return self._timeout, True
        return delay, False

    def _deliver(self, data: bytes, expired: bool) -> list[bytes]:
        if expired:
            raise httpx.ReadTimeout("", request=self._request)
        return [data] if data else []

    def _end(self) -> None:
        response = self._take.response
        if response.end != "complete" and has_body(self._request.method, response):
            kind, _, message = _BREAKS[response.end]
            raise kind(message, request=self._request)


async def _be_silent(take: Take, limit_s: float | None, factor: float, clock: Clock) -> None:
    """Wait where nothing came, at any pace: which deadline of the program runs out first, only it knows."""
    if take.response.end == "timeout":
        seconds = limit_s or _SILENCE_S
        await clock.sleep_async(seconds if factor else min(seconds, _INSTANT_S))


def _read_timeout(request: httpx.Request) -> float | None:
    match request.extensions.get("timeout"):
        case {"read": int() | float() as seconds}:
            return float(seconds)
    return None
