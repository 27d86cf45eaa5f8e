"""HTTP with httpx: sends what the core decides, gives back bytes as they come. The only importer of it."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any, Protocol

import anyio
import httpx
from anyio.lowlevel import cancel_shielded_checkpoint

from g4fsdk._client.asynchronous.pools import Place, Pools, Single, Trace
from g4fsdk._client.asynchronous.routes import HTTP, MAKERS, Maker, Routes, client_over
from g4fsdk._client.asynchronous.waiting import OfLoop, exhaust, is_in_trio
from g4fsdk._client.clocks import DRAIN_BYTES, DRAIN_S, Clocks
from g4fsdk._client.hooks import Terms
from g4fsdk._client.inflate import CodingError, Codings
from g4fsdk._client.network import Network
from g4fsdk._client.sending import (
    MAX_REDIRECTS,
    SEND_BYTES,
    WholeAnswer,
    addressed,
    chain_of,
    redirected,
    too_many_redirects,
    unanswered,
    unsendable,
)
from g4fsdk._client.transport import Transport
from g4fsdk._core.model.errors import (
    Clock,
    G4FError,
    TransportError,
    UsageError,
)
from g4fsdk._core.model.http import Request, Response

# How many calls there are at once is for Pools to say. With as many kept alive as open, httpx's pool takes
# seconds to hand out 200 connections again (benchmarks/crowd.py).
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
# Around what records no connection is kept: in a fixture nobody may have a loop left to close it in. Nor in
# the pools behind the first: httpx looks at each idle one whenever a call begins or ends.
NONE_KEPT = httpx.Limits(max_keepalive_connections=0)
# httpx's own limits come first, and say what was waited for; this one ends what drips.
_GRACE_S = 0.2

# httpx's classes by name, since a client of its fork httpx2 brings classes of its own.
_USAGE = ("InvalidURL", "UnsupportedProtocol", "LocalProtocolError")
_NOT_SENT = ("ConnectError", "ProxyError", "PoolTimeout")
_CONNECT_CLOCK = ("ConnectTimeout", "PoolTimeout")
_IDLE_CLOCK = ("ReadTimeout", "WriteTimeout")


class AdapterMaker(Protocol):
    """The least that `transport=` takes: what makes an httpx transport."""

    def httpx_transport(self) -> Any: ...


class Connections:
    """Sends requests through one httpx client. *http_client* is the caller's own, who closes it."""

    def __init__(self, http_client: Any, transport: Transport | None, network: Network, http: HTTP) -> None:
        if http_client is not None and not hasattr(http_client, "aclose"):
            raise UsageError(f"http_client= takes an httpx.AsyncClient, not {type(http_client).__name__}")
        if http not in MAKERS:
            raise UsageError(f"http= takes 'httpx' or 'aiohttp', not {http!r}")
        self._owns = http_client is None
        self._pools = OfLoop(partial(_pools, http_client, transport, MAKERS[http](network)))
        self.failures = _failures(http_client)

    async def aclose(self) -> None:
        if self._owns and (pools := self._pools.made) is not None:
            await pools.aclose()  # what belongs to a loop that is over goes with its sockets

    async def send(self, request: Request, terms: Terms, *, repeatable: bool) -> Answer:
        """Return the answer to *request*, its head read, redirects within the service followed.

        Raises:
            TransportError: There is none; `retryable` says whether sending again can do no harm.
            UsageError: The request cannot be sent.
        """
        terms, request = terms.knowing(request), addressed(request)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._told(request, terms, repeatable)
            follow = redirected(request, answer.head)
            if follow is None:
                return answer
            await answer.aclose()
            request = addressed(follow)
        raise too_many_redirects()

    async def fetch(self, request: Request, terms: Terms) -> Response:
        """Return the whole answer to a set-up request, which may be sent again."""
        answer = await self.send(request, terms, repeatable=True)
        whole = WholeAnswer(answer.head, terms.max_bytes)
        failures: tuple[type[Exception], ...] = (G4FError, *self.failures)
        try:
            while (data := await answer.piece()) is not None:
                whole.add(data)
        except failures as cause:
            error = whole.cut(cause if isinstance(cause, G4FError) else answer.broken(cause))
            if error is cause:
                raise
            if error is not None:
                raise error from cause
        finally:
            await answer.leave()
        return whole.response()

    async def _told(self, request: Request, terms: Terms, repeatable: bool) -> Answer:
        await exhaust(terms.asking(request))
        answer = await self._send(request, terms.clocks, terms.max_bytes, repeatable)
        try:
            await exhaust(terms.answered(request, answer.head))
        except BaseException:
            await answer.aclose()
            raise
        return answer

    async def _send(self, request: Request, clocks: Clocks, max_bytes: int, repeatable: bool) -> Answer:
        place = await self._pools().enter(clocks)
        try:
            return await self._sent(place, request, clocks, max_bytes, repeatable)
        except BaseException:
            place.leave()
            raise

    async def _sent(
        self, place: Place, request: Request, clocks: Clocks, max_bytes: int, repeatable: bool
    ) -> Answer:
        connecting, reading, whole = clocks.left("connect"), clocks.left(), clocks.left(None)
        # Waiting for the pool is part of connecting; a write that stalls is silence.
        limits = {"connect": connecting[0], "pool": connecting[0], "write": reading[0], "read": reading[0]}
        try:
            with anyio.fail_after(whole[0] and whole[0] + _GRACE_S) as scope:
                clocks.hold(scope.cancel)
                built = _built(place, request)
                phase = _Connecting(scope, limits, place.trace, built.extensions)
                answer = await place.client.send(built, stream=True, follow_redirects=False)
            clocks.check()  # a call that was stopped leaves the scope without an answer
        except TimeoutError as cause:
            was_connecting = phase.goes_on  # pyright: ignore[reportPossiblyUnboundVariable]  # waits for all
            raise clocks.expired(connecting[1] if was_connecting else whole[1]) from cause
        except self.failures as cause:
            raise _unanswered(cause, request, clocks, connecting[1], reading[1], repeatable) from cause
        limits["read"] = clocks.timeouts.idle  # of the body, whose reading has not begun
        return Answer(answer, self.failures, clocks, place, max_bytes)


class _Connecting:
    """Lets one clock run until a new connection stands: httpx has one for each of its steps, and a proxy's
    answer is a read to it. Where nobody traces, the library's own clocks are all. *extensions* are those of
    the request, which is traced until it goes out: each step that somebody hears costs."""

    def __init__(
        self,
        scope: anyio.CancelScope,
        limits: dict[str, float | None],
        then: Trace | None,
        extensions: dict[str, Any],
    ) -> None:
        self._scope = scope
        self._extensions = extensions
        extensions.update(timeout=limits, trace=self.hear)
        self._limits = limits
        self._later = {**limits}, scope.deadline
        self._then = then
        self._wire: Any = None
        self.goes_on = False

    async def hear(self, step: str, said: Mapping[str, Any]) -> None:
        if step.endswith("connect_tcp.started"):
            self.goes_on, seconds = True, self._limits["connect"]
            if seconds is not None:
                self._scope.deadline = min(self._scope.deadline, anyio.current_time() + seconds)
            self._limits |= {"read": None, "write": None}
        elif step.endswith("connect_tcp.complete"):
            self._wire = said["return_value"]
        elif step.endswith("start_tls.failed"):
            await self._hang_up()
        elif step.endswith("send_request_headers.started") and said["request"].method != b"CONNECT":
            self.goes_on = False
            limits, self._scope.deadline = self._later
            self._limits |= limits
            self._extensions.pop("trace", None)
        if self._then is not None:
            await self._then(step, said)

    async def _hang_up(self) -> None:
        """Close the connection: httpcore 1.0.9 leaves it open where a TLS handshake is cancelled."""
        with anyio.CancelScope(shield=True):
            await self._wire.aclose()


def _built(place: Place, request: Request) -> Any:
    built = place.client.build_request(
        request.method, request.url, headers=dict(request.headers), content=request.body or None
    )
    if len(request.body) > SEND_BYTES:
        built.stream.__class__ = _in_parts(built.stream.__class__)
    return built


@cache
def _in_parts(kind: Any) -> Any:
    """Return a *kind* of body that goes out in parts: one that moves is not silent, however long it takes."""

    async def parts(whole: Any) -> AsyncIterator[bytes]:
        async for data in kind.__aiter__(whole):
            for start in range(0, len(data), SEND_BYTES):
                yield data[start : start + SEND_BYTES]

    return type("InParts", (kind,), {"__aiter__": parts})


class Answer:
    """One answer: its head, and its body as it comes."""

    def __init__(
        self,
        answer: Any,
        failures: tuple[type[Exception], ...],
        clocks: Clocks,
        place: Place,
        max_bytes: int,
    ) -> None:
        self._answer = answer
        self._place = place
        self._clocks = clocks
        self.failures = failures
        pairs = answer.headers.multi_items()
        self.head: Response = Response(answer.status_code, pairs, received_at=time.time())
        self._clock: Clock = "idle"
        self._is_over = False
        clocks.hold(self.aclose)
        codings = Codings.of(self.head.header_values("content-encoding"), max_bytes)
        # The transport's own stream: `aiter_raw` only counts and cuts its bytes.
        pieces: AsyncIterator[bytes] = aiter(answer.stream)
        self._pieces = pieces if codings is None else _undone(answer.aiter_raw(), codings)

    async def piece(self) -> bytes | None:
        """Return the next piece of the body, None at its end. Every clock that runs limits the wait."""
        seconds, self._clock = self._clocks.left(None)
        with anyio.fail_after(seconds):
            data = await anext(self._pieces, None)
        self._is_over = data is None
        return data

    def pieces(self) -> AsyncIterator[bytes]:
        """Give the other pieces; with nothing in between where the idle clock alone runs: the hot path."""
        if not self._clocks.is_idle_only:
            return self._timed()
        self._clock = "idle"
        return self._pieces

    async def _timed(self) -> AsyncIterator[bytes]:
        while (data := await self.piece()) is not None:
            yield data

    def broken(self, cause: Exception) -> G4FError:
        """Return what *cause*, raised while reading, means."""
        if type(cause).__name__ in _IDLE_CLOCK:
            return self._clocks.expired("idle")
        if isinstance(cause, TimeoutError):
            return self._clocks.expired(self._clock)
        return TransportError(_words(cause), sent=True)

    async def drain(self) -> None:
        """Read what little follows the end marker, so that the connection can be used again."""
        if self._is_over:
            return
        left = DRAIN_BYTES
        with anyio.move_on_after(DRAIN_S):
            try:
                while left > 0 and (data := await anext(self._pieces, b"")):
                    left -= len(data)
            except self.failures:
                return  # the answer is complete: a connection in doubt is only not used again

    async def leave(self) -> None:
        """Close the connection, from where the body is read."""
        try:
            if is_in_trio():
                await self._end()
            else:  # a loop that ends waits for the generators of the libraries: let those come first
                await cancel_shielded_checkpoint()
        finally:
            await self.aclose()

    async def _end(self) -> None:
        """End the reading.

        The libraries read with one generator inside of another; none closes the next, and trio warns of each
        that is dropped: cancelled where it waits, the innermost ends them all. asyncio ends them itself.
        """
        try:
            with anyio.CancelScope() as scope:
                scope.cancel()
                while await anext(self._pieces, None) is not None:
                    pass
        except self.failures:
            return  # it has ended, too

    async def aclose(self) -> None:
        """Close the connection, from wherever."""
        try:
            with anyio.CancelScope(shield=True):
                await self._answer.aclose()
        finally:
            self._place.leave()


async def _undone(pieces: AsyncIterator[bytes], codings: Codings) -> AsyncIterator[bytes]:
    async for data in pieces:
        for piece in codings.feed(data):
            yield piece
    codings.close()


def _pools(http_client: Any, transport: Transport | None, maker: Maker) -> Single | Pools:
    """Return pools of our own, unless the connections are the caller's or a transport's."""
    if http_client is not None:
        return Single(http_client)
    if transport is not None:
        own = _Own(client_over(Routes(maker, NONE_KEPT))) if transport.wraps else None
        return Single(client_over(transport.httpx_transport(own)))
    if not maker.has_limits:
        return Single(client_over(Routes(maker, _LIMITS)))
    return Pools(
        lambda: client_over(Routes(maker, _LIMITS)),
        lambda: client_over(Routes(maker, NONE_KEPT)),
    )


class _Own(httpx.AsyncBaseTransport):
    """Sends as *client* does: through proxies, too, which httpx leaves to clients."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        await self._client.aclose()


def _failures(http_client: Any) -> tuple[type[Exception], ...]:
    """Return what the library behind *http_client* raises; None means httpx."""
    modules = {kind.__module__.split(".")[0] for kind in type(http_client).__mro__} | {"httpx"}
    modules |= {"aiohttp"} & sys.modules.keys()  # not all of its own comes as an error of httpx
    names = ("HTTPError", "InvalidURL", "ClientError")
    kinds = (getattr(import_module(at), name, None) for at in modules for name in names)
    found = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*found, CodingError, TimeoutError, OSError, UnicodeError)


def _unanswered(
    cause: Exception, request: Request, clocks: Clocks, connecting: Clock, reading: Clock, repeatable: bool
) -> G4FError:
    name = type(cause).__name__
    # UnicodeError: a host name with an empty label, or one of more than 63 characters.
    if name in _USAGE or isinstance(cause, UnicodeError):
        return unsendable(_words(cause))
    if name in _CONNECT_CLOCK and _is_late(cause):
        return clocks.expired(connecting)
    if name in _IDLE_CLOCK:
        return clocks.expired(reading)
    sent = name not in _NOT_SENT and "ClientConnectorError" not in _kinds_below(cause)
    return unanswered(_words(cause), request.url, sent=sent, repeatable=repeatable, cause=cause)


def _is_late(cause: Exception) -> bool:
    """Whether a clock ran out: over aiohttp, every connection that fails is called a timeout."""
    kinds = _kinds_below(cause)
    return "ClientConnectionError" not in kinds or "TimeoutError" in kinds


def _kinds_below(cause: Exception) -> set[str]:
    """Return the names of the classes of all that *cause* was made of."""
    return {kind.__name__ for one in chain_of(cause) for kind in type(one).__mro__}


def _words(cause: Exception) -> str:
    return (str(cause) or type(cause).__name__)[:300]
