"""Answers of httpx, whose bodies are read as they come."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from anyio.lowlevel import cancel_shielded_checkpoint

from g4fsdk._client.asynchronous.alarms import Alarm
from g4fsdk._client.asynchronous.failures import is_silence, words_of
from g4fsdk._client.asynchronous.pools import Place
from g4fsdk._client.asynchronous.waiting import is_in_trio
from g4fsdk._client.clocks import DRAIN_BYTES, DRAIN_S, Clocks
from g4fsdk._client.inflate import Codings
from g4fsdk._core.model.errors import Clock, G4FError, TransportError
from g4fsdk._core.model.http import Response


class Answer:
    """One answer: its head, and its body as it comes. *failures* is what its library raises."""

    def __init__(
        self,
        answer: Any,
        failures: tuple[type[Exception], ...],
        clocks: Clocks,
        alarm: Alarm,
        place: Place,
        max_bytes: int,
    ) -> None:
        self._answer = answer
        self._alarm = alarm
        self._place = place
        self._clocks = clocks
        self.failures = failures
        self.head: Response = Response(
            answer.status_code, answer.headers.multi_items(), received_at=time.time()
        )
        self._clock: Clock = "idle"
        self._is_over = False
        clocks.hold(self.aclose)
        codings = Codings.of(self.head.header_values("content-encoding"), max_bytes)
        # The transport's own stream: `aiter_raw` only counts and cuts its bytes.
        pieces: AsyncIterator[bytes] = aiter(answer.stream)
        self._pieces = pieces if codings is None else _undone(answer.aiter_raw(), codings)

    async def read(self, take: Callable[[bytes], object]) -> None:
        """Give *take* the next pieces of the body, until it has enough or there are no more.

        Every clock that runs limits the wait.
        """
        with self._limited():
            while (data := await self._next()) is not None and not take(data):
                pass

    async def piece(self) -> bytes | None:
        """Return the next piece of the body, None at its end. Every clock that runs limits the wait."""
        with self._limited():
            return await self._next()

    def _limited(self) -> Alarm:
        seconds, self._clock = self._clocks.left(None)
        return self._alarm.set(seconds)

    async def _next(self) -> bytes | None:
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
        if is_silence(cause):
            return self._clocks.expired("idle")
        if isinstance(cause, TimeoutError):
            return self._clocks.expired(self._clock)
        return TransportError(words_of(cause), sent=True)

    async def drain(self) -> None:
        """Read what little follows the end marker, so that the connection can be used again."""
        left = 0 if self._is_over else DRAIN_BYTES
        try:
            with self._alarm.set(DRAIN_S):
                while left > 0 and (data := await self._next()):
                    left -= len(data)
        except self.failures:
            return  # the answer is complete: a connection in doubt is only not used again

    async def leave(self) -> None:
        """Close the connection, from where the body is read."""
        try:
            if not self._is_over:
                await self._end()
        finally:
            await self.aclose()

    async def _end(self) -> None:
        """End the reading.

        The libraries read with one generator inside of another; none closes the next, and trio warns of each
        that is dropped: cancelled where it waits, the innermost ends them all. asyncio ends them itself, and
        a loop that ends waits for them: let those come first.
        """
        if not is_in_trio():
            await cancel_shielded_checkpoint()
            return
        try:
            with anyio.CancelScope() as scope:
                scope.cancel()
                while await self._next() is not None:
                    pass
        except self.failures:
            return  # it has ended, too

    async def aclose(self) -> None:
        """Close the connection, from wherever."""
        try:
            with anyio.CancelScope(shield=True):
                await self._answer.aclose()
        except BaseException:  # asyncio cancels what is shielded, too, for instance where its loop ends
            await self._hang_up()
            raise
        finally:
            self._alarm.close()
            self._place.leave()

    async def _hang_up(self) -> None:
        """Close the connection, unless it is that of others, too, by HTTP/2."""
        known = self._answer.extensions
        if "network_stream" in known and "stream_id" not in known:
            await known["network_stream"].aclose()


async def _undone(pieces: AsyncIterator[bytes], codings: Codings) -> AsyncIterator[bytes]:
    async for data in pieces:
        for piece in codings.feed(data):
            yield piece
    codings.close()
