"""Replay for httpx and httpx2, blocking and async: a transport that raises what they raise on a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import httpx

from g4fsdk.testing._cassette.values import End
from g4fsdk.testing._replay.planned import beats
from g4fsdk.testing._traffic.libraries import library_of, stream_class
from g4fsdk.testing._traffic.sent import sent_by_httpx
from g4fsdk.testing._traffic.wire import encode_text, has_body, on_one_line, played_headers

if TYPE_CHECKING:
    from g4fsdk.testing._replay.answers import RecordedAnswers
    from g4fsdk.testing._replay.planned import PlannedAnswer
    from g4fsdk.testing._traffic.clock import MonotonicClock

_CUT = "peer closed connection without sending complete message body (incomplete chunked read)"
_SILENT = "Server disconnected without sending a response."

# What a connection that ends so raises, by its name, before and after the response began.
_BREAKS: dict[End, tuple[str, str, str]] = {
    "truncated": ("RemoteProtocolError", _SILENT, _CUT),
    "client_closed": ("RemoteProtocolError", _SILENT, _CUT),
    "complete": ("RemoteProtocolError", _SILENT, _CUT),
    "reset": ("ReadError", "", ""),
    "timeout": ("ReadTimeout", "", ""),
}
# How long an answer stays silent where no timeout of the library ends it, and at most at the pace "instant".
_SILENCE_S, _INSTANT_S = 300.0, 5.0


class ReplayTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers the requests of clients of httpx and httpx2, blocking and async, from a recording."""

    def __init__(self, answers: RecordedAnswers, factor: float, clock: MonotonicClock) -> None:
        self._answers = answers
        self._factor = factor
        self._clock = clock

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {self._answers.unplayed} to play>"

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response; raises MismatchError, or what the library raises for its end."""
        request.read()
        return self._respond(self._answers.claim(sent_by_httpx(request)), request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response; raises MismatchError, or what the library raises for its end."""
        await request.aread()
        answer = self._answers.claim(sent_by_httpx(request))
        if answer.response.status == 0:
            await _be_silent(answer, _read_timeout(request), self._factor, self._clock)
        return self._respond(answer, request)

    def _respond(self, answer: PlannedAnswer, request: httpx.Request) -> httpx.Response:
        response = answer.response
        if response.status == 0:
            kind, message, _ = _BREAKS[response.end]
            raise _error(kind, message, request)
        library, headers = library_of(request), played_headers(request.method, response)
        answered: httpx.Response = library.Response(
            response.status,
            headers=[(encode_text(name), encode_text(value)) for name, value in headers],
            stream=stream_class(_Body, library)(answer, request, self._factor, self._clock),
            extensions={
                "http_version": f"HTTP/{response.http_version}".encode(),
                "reason_phrase": on_one_line(response.reason).encode("ascii", "ignore"),
            },
        )
        return answered


class _Body:
    """The pieces of an answer, each at its time, and its end."""

    def __init__(
        self, answer: PlannedAnswer, request: httpx.Request, factor: float, clock: MonotonicClock
    ) -> None:
        self._planned = answer
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
        await _be_silent(self._planned, self._timeout, self._factor, self._clock)
        self._end()

    def _beats(self) -> Iterator[tuple[float, bytes]]:
        with_body = has_body(self._request.method, self._planned.response.status)
        return beats(self._planned.pieces if with_body else (), self._factor)

    def _delay(self, due: float) -> tuple[float, bool]:
        """Return the seconds to wait, and whether the read times out after them."""
        delay = self._start + due - self._clock.now()
        if self._timeout is not None and delay > self._timeout:
            return self._timeout, True
        return delay, False

    def _deliver(self, data: bytes, expired: bool) -> list[bytes]:
        if expired:
            raise _error("ReadTimeout", "", self._request)
        return [data] if data else []

    def _end(self) -> None:
        response = self._planned.response
        if response.end != "complete" and has_body(self._request.method, response.status):
            kind, _, message = _BREAKS[response.end]
            raise _error(kind, message, self._request)


def _error(name: str, message: str, request: httpx.Request) -> Exception:
    error: Exception = getattr(library_of(request), name)(message, request=request)
    return error


async def _be_silent(
    answer: PlannedAnswer, limit_s: float | None, factor: float, clock: MonotonicClock
) -> None:
    """Wait where nothing came, at any pace: which deadline of the program runs out first, only it knows."""
    if answer.response.end == "timeout":
        seconds = limit_s or _SILENCE_S
        await clock.sleep_async(seconds if factor else min(seconds, _INSTANT_S))


def _read_timeout(request: httpx.Request) -> float | None:
    match request.extensions.get("timeout"):
        case {"read": int() | float() as seconds}:
            return float(seconds)
    return None
