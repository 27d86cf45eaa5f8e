"""HTTP with httpx: sends what the core decides, gives back bytes as they come."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Protocol

import httpx

from g4fsdk._client.asynchronous.answers import Answer
from g4fsdk._client.asynchronous.failures import failures_of, unanswered_by
from g4fsdk._client.asynchronous.phases import Phases
from g4fsdk._client.asynchronous.pools import Place
from g4fsdk._client.asynchronous.routes import HTTP, MAKERS, pools_of
from g4fsdk._client.asynchronous.waiting import OfLoop, exhaust
from g4fsdk._client.clocks import Clocks
from g4fsdk._client.hooks import Terms
from g4fsdk._client.network import Network
from g4fsdk._client.sending import (
    MAX_REDIRECTS,
    WholeAnswer,
    addressed,
    redirected,
    too_many_redirects,
    unanswered,
)
from g4fsdk._client.transport import Transport
from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.http import Request, Response


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
        self._pools = OfLoop(partial(pools_of, http_client, transport, MAKERS[http](network)))
        self._build: Callable[[Request], Any] = _built if self._owns else partial(_built_by, http_client)
        self.failures: tuple[type[Exception], ...] = failures_of(http_client)

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
        whole = WholeAnswer(answer.head, request.url, terms.max_bytes)
        failures: tuple[type[Exception], ...] = (G4FError, *self.failures)
        try:
            await answer.read(whole.add)
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
        phases, answer = Phases(clocks, place.trace), None
        clocks.hold(phases.alarm.ring)
        try:
            with phases.alarm:
                built = self._build(request)
                phases.watch(built, len(request.body))
                answer = await place.client.send(built, stream=True, follow_redirects=False)
        except TimeoutError as cause:
            clocks.check()  # it may have been stopped
            raise clocks.expired(phases.clock) from cause
        except self.failures as cause:
            raise unanswered_by(
                cause, request, clocks, phases.connecting, phases.silence, repeatable
            ) from cause
        finally:
            if answer is None:
                await phases.give_up()
        assert answer is not None  # else, something was raised
        phases.limits["read"] = clocks.timeouts.idle  # of the body, whose reading has not begun
        try:
            clocks.check()
            _check_asked(answer, request, repeatable)
        except G4FError:
            phases.alarm.close()
            await answer.aclose()
            raise
        return Answer(answer, self.failures, clocks, phases.alarm, place, max_bytes)


def _check_asked(answer: Any, request: Request, repeatable: bool) -> None:
    """Raise TransportError when *answer* was there before *request*, behind another: httpcore keeps it."""
    stream = answer.extensions.get("network_stream")
    if stream is not None and stream.get_extra_info("is_asked") is False:
        words = "what came was sent before it was asked, behind another answer"
        raise unanswered(words, request.url, sent=True, repeatable=repeatable)


def _built(request: Request) -> httpx.Request:
    """Return *request* for a client of ours: whole, since what httpx adds to one costs as much again."""
    url, body = _url(request.url), httpx.ByteStream(request.body)
    built = httpx.Request(request.method, url, headers=_completed(request, url), stream=body)
    built.read()
    return built


def _completed(request: Request, url: httpx.URL) -> list[tuple[str, str]]:
    own = {"Host": url.netloc.decode("ascii"), "Connection": "keep-alive"}
    if request.body or request.method != "GET":
        own["Content-Length"] = str(len(request.body))
    given = [name.lower() for name in request.headers]
    return [each for each in own.items() if each[0].lower() not in given] + [*request.headers.items()]


#: Reading one costs as much as the rest of a request.
_url = lru_cache(maxsize=64)(httpx.URL)


def _built_by(client: Any, request: Request) -> Any:
    """Return *request* as the caller's *client* wants it."""
    return client.build_request(
        request.method, request.url, headers=dict(request.headers), content=request.body or None
    )
