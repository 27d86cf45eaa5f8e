"""HTTP with requests: sends what the core decides, gives back bytes as they come."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any, ClassVar, Protocol

import requests
import urllib3
from requests.adapters import BaseAdapter
from urllib3 import exceptions as low

from g4fsdk._client.blocking.bodies import pieces_of
from g4fsdk._client.blocking.connections import shut, under, watched
from g4fsdk._client.blocking.failures import unanswered_by, words_of
from g4fsdk._client.blocking.sessions import keep_time, prepared, session_of
from g4fsdk._client.blocking.waiting import OfProcess, exhaust
from g4fsdk._client.blocking.wires import wire_of
from g4fsdk._client.clocks import DRAIN_BYTES, DRAIN_S, Clocks
from g4fsdk._client.hooks import Terms
from g4fsdk._client.inflate import CodingError, Codings
from g4fsdk._client.network import Network
from g4fsdk._client.sending import (
    MAX_REDIRECTS,
    WholeAnswer,
    addressed,
    redirected,
    too_many_redirects,
)
from g4fsdk._client.transport import Transport
from g4fsdk._core.model.errors import Clock, G4FError, TransportError, UsageError
from g4fsdk._core.model.http import Request, Response


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
        self._session = OfProcess(lambda: session or session_of(transport, network))

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
        whole = WholeAnswer(answer.head, request.url, terms.max_bytes)
        failures: tuple[type[Exception], ...] = (G4FError, *answer.failures)
        try:
            while (data := answer.piece()) is not None:
                whole.add(data)
            terms.clocks.check_wanted()
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
            raise unanswered_by(cause, request, clocks, connecting[1], reading[1], repeatable) from cause
        return Answer(answer, clocks, max_bytes)

    def _answer(
        self, session: requests.Session, request: Request, limits: tuple[float | None, float | None]
    ) -> requests.Response:
        made = prepared(session, request)
        settings = self._sending(session, request.url)
        if self._theirs is not None:
            keep_time(session, made, settings)
        return session.send(made, stream=True, timeout=limits, allow_redirects=False, **settings)

    def _sending(self, session: requests.Session, url: str) -> dict[str, Any]:
        """Return proxies, verify and cert for *url*: what a caller's session says, or our own network."""
        if self._theirs is not None:
            merged = session.merge_environment_settings(url, {}, True, None, None)
            return {name: merged[name] for name in ("proxies", "verify", "cert")}
        proxy = self._network.proxy_for(url)
        return {"proxies": {"all": proxy} if proxy else {}, "verify": True, "cert": None}


class Answer:
    """One answer: its head, and its body as it comes."""

    failures: ClassVar[tuple[type[Exception], ...]] = (low.HTTPError, HTTPException, CodingError, OSError)

    def __init__(self, answer: requests.Response, clocks: Clocks, max_bytes: int) -> None:
        self._raw: urllib3.HTTPResponse = answer.raw
        self._clocks = clocks
        pairs = [(str(name), str(value)) for name, value in self._raw.headers.items()]
        self.head: Response = Response(answer.status_code, pairs, received_at=time.time())
        self._clock: Clock = "idle"
        self._wire = wire_of(self._raw)
        self._sock = self._wire.sock if self._wire else _socket_of(self._raw)
        codings = Codings.of(self.head.header_values("content-encoding"), max_bytes)
        self._pieces = pieces_of(self._raw, codings)
        clocks.hold(self._cut)

    def piece(self) -> bytes | None:
        """Return the next piece of the body, None at its end. Every clock that runs limits the wait."""
        seconds, self._clock = self._clocks.left()
        if self._wire is not None:
            self._wire.clocks = self._clocks
        elif self._sock is not None:
            return self._watched_piece(seconds)
        return next(self._pieces, None)

    def _watched_piece(self, seconds: float | None) -> bytes | None:
        self._set_timeout(seconds)
        with watched(self._clocks):
            data = next(self._pieces, None)
        if data is None:
            self._clocks.check()
        return data

    def pieces(self) -> Iterator[bytes]:
        """Give the other pieces; with nothing in between where the idle clock alone runs: the hot path."""
        if not self._clocks.is_idle_only:
            return iter(self.piece, None)
        self._clock = "idle"
        self._leave_to_the_socket(self._clocks.timeouts.idle)
        return self._pieces

    def broken(self, cause: Exception) -> G4FError:
        """Return what *cause*, raised while reading, means."""
        if isinstance(cause, low.ReadTimeoutError | TimeoutError):
            return self._clocks.expired(self._clock)
        return TransportError(words_of(cause), sent=True)

    def drain(self) -> None:
        """Read what little follows the end marker, so that the connection can be used again."""
        left, until = DRAIN_BYTES, time.monotonic() + DRAIN_S
        try:
            while left > 0 and (seconds := until - time.monotonic()) > 0:
                self._leave_to_the_socket(seconds)
                data = next(self._pieces, None)
                if data is None:
                    return
                left -= len(data)
        except self.failures:  # the answer is complete: a connection in doubt is only not used again
            if self._sock is not None:
                shut(self._sock)
            self._raw.close()

    def close(self) -> None:
        self._clocks.hold(None)
        if self._wire is None:  # others keep a connection whose body was left
            self._cut()
        self._raw.close()
        release = getattr(self._raw, "release_conn", None)  # an answer that vcrpy 8 plays has none
        if release is not None:
            release()

    def _cut(self) -> None:
        # Without a connection the body was read to its end, and another call may have it by now.
        if self._sock is not None and self._raw._connection is not None:
            shut(self._sock)

    def _leave_to_the_socket(self, seconds: float | None) -> None:
        """Let each read take *seconds*, whatever the clocks say."""
        if self._wire is not None:
            self._wire.clocks = None
        self._set_timeout(seconds)

    def _set_timeout(self, seconds: float | None) -> None:
        # Behind the last byte of a body with `Connection: close`, http.client has closed it already.
        if self._sock is not None and self._sock.fileno() >= 0:
            self._sock.settimeout(seconds)


def _socket_of(raw: urllib3.HTTPResponse) -> socket.socket | None:
    """Return what the connection of *raw* reads from, None where that is no socket."""
    sock = getattr(getattr(raw, "_connection", None), "sock", None)
    return sock if isinstance(sock, socket.socket) else None
