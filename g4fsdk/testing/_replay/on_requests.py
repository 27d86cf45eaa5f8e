"""Replay for requests: http.client and urllib3 read a recorded connection as they would read a socket.

Only the socket is ours. What a broken, stalled or early end raises is thus what the libraries raise.
"""

from __future__ import annotations

import errno
import gc
import http.client
import io
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.models import REDIRECT_STATI
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from g4fsdk._core.model.redact import redact_url
from g4fsdk.testing._cassette.values import values_of
from g4fsdk.testing._replay.planned import beats
from g4fsdk.testing._traffic.sent import sent_by_requests
from g4fsdk.testing._traffic.wire import (
    LAST_CHUNK,
    encode_chunk,
    encode_head,
    has_body,
    played_headers,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from g4fsdk.testing._cassette.values import RecordedResponse
    from g4fsdk.testing._replay.answers import RecordedAnswers
    from g4fsdk.testing._replay.planned import PlannedAnswer
    from g4fsdk.testing._traffic.clock import MonotonicClock


class ReplayAdapter(HTTPAdapter):
    """Answers a session's requests from a recording."""

    def __init__(self, answers: RecordedAnswers, factor: float, clock: MonotonicClock) -> None:
        super().__init__()
        self._answers = answers
        self._factor = factor
        self._clock = clock

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {self._answers.unplayed} to play>"

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Return the recorded response; see `requests.adapters.BaseAdapter.send`.

        Raises:
            MismatchError: Nothing recorded answers the request.
            requests.ConnectionError, requests.ReadTimeout: The recorded connection ended without an answer.
        """
        answer = self._answers.claim(sent_by_requests(request))
        if target := _redirected(request, answer.response):
            self._check_held(target)
        wire = _WireReader(answer, request.method or "GET", self._factor, self._clock, _read_timeout(timeout))
        try:
            raw = _open(wire, request)
        except TimeoutError as error:
            slow = ReadTimeoutError(None, request.url, "Read timed out.")  # type: ignore[arg-type]  # there is no pool
            raise requests.ReadTimeout(slow, request=request) from error
        except (http.client.HTTPException, OSError) as error:
            aborted = ProtocolError("Connection aborted.", error)
            raise requests.ConnectionError(aborted, request=request) from error
        return self.build_response(request, raw)

    def _check_held(self, target: str) -> None:
        """Raise MismatchError when a session that holds this adapter would ask somebody else for *target*."""
        for held in gc.get_referrers(self):
            if isinstance(held, OrderedDict):  # `Session.adapters`: an adapter is not told who has it
                found = next((held[one] for one in held if target.lower().startswith(one.lower())), self)
                if not isinstance(found, ReplayAdapter):
                    self._answers.refuse(
                        f"the recording redirects to {redact_url(target)}, for which the session has another "
                        "adapter: mount this one for http:// and for https://"
                    )


def _redirected(request: requests.PreparedRequest, response: RecordedResponse) -> str:
    """Return where a session may go on to after *response*, or ""."""
    location = next(iter(values_of(response.headers, "location")), "")
    return urljoin(request.url or "", location) if response.status in REDIRECT_STATI and location else ""


def _open(wire: _WireReader, request: requests.PreparedRequest) -> urllib3.HTTPResponse:
    parsed = http.client.HTTPResponse(_Socket(wire), method=request.method)  # type: ignore[arg-type]  # makefile is all it needs
    try:
        parsed.begin()
    except (http.client.HTTPException, OSError):
        parsed.close()  # left to the garbage collector, it complains from Python 3.13 on
        raise
    return urllib3.HTTPResponse(
        body=parsed,
        headers=urllib3.HTTPHeaderDict(parsed.msg.items()),
        status=parsed.status,
        version=parsed.version,
        version_string="HTTP/1.1",
        reason=parsed.reason,
        preload_content=False,
        decode_content=False,
        original_response=parsed,
        request_method=request.method,
        request_url=request.path_url,
    )


def _read_timeout(timeout: Any) -> float | None:
    """Return the seconds that a read may take, from the forms which requests accepts."""
    match timeout:
        case urllib3.Timeout():
            read = timeout.read_timeout
        case (_, read):
            pass
        case read:
            pass
    return read if isinstance(read, (int, float)) else None


class _Socket:
    """As much of a socket as `http.client.HTTPResponse` uses."""

    def __init__(self, wire: _WireReader) -> None:
        self._wire = wire

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._wire)


class _WireReader(io.RawIOBase):
    """The bytes of a recorded connection, each piece at its time."""

    def __init__(
        self, answer: PlannedAnswer, method: str, factor: float, clock: MonotonicClock, timeout: float | None
    ) -> None:
        self._planned = answer
        self._frames = _frames(answer, method, factor)
        self._clock = clock
        self._start = clock.now()
        self._timeout = timeout
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while not self._pending:
            frame = next(self._frames, None)
            if frame is None:
                return self._end()
            self._wait_until(self._start + frame[0])
            self._pending = frame[1]
        data, self._pending = self._pending[: len(view)], self._pending[len(view) :]
        view[: len(data)] = data
        return len(data)

    def _wait_until(self, due: float) -> None:
        delay = due - self._clock.now()
        if self._timeout is not None and delay > self._timeout:
            self._clock.sleep(self._timeout)
            raise TimeoutError("timed out")
        if delay > 0:
            self._clock.sleep(delay)

    def _end(self) -> int:
        match self._planned.response.end:
            case "reset":
                raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
            case "timeout":
                raise TimeoutError("timed out")
        return 0


def _frames(answer: PlannedAnswer, method: str, factor: float) -> Iterator[tuple[float, bytes]]:
    response = answer.response
    if response.status == 0:
        return
    yield 0.0, encode_head(response, played_headers(method, response))
    if not has_body(method, response.status):
        return
    due = 0.0
    for due, data in beats(answer.pieces, factor):
        yield due, encode_chunk(data)
    if response.end == "complete":
        yield due, LAST_CHUNK
