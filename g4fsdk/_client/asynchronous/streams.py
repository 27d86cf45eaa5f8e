"""Async streams: the events of an answer, as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, Generic, Self, TypeVar

from g4fsdk._client.asynchronous.answers import Answer
from g4fsdk._client.asynchronous.waiting import exhaust
from g4fsdk._client.clocks import Clocks
from g4fsdk._client.reading import OfAnswer, Reading, as_they_come
from g4fsdk._core.model.chunks import Chunk
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.events import Event, TextDelta
from g4fsdk._core.model.http import AnswerHead

T = TypeVar("T")


class OpenStream(Generic[T]):
    """A stream that gives its items once it has begun: what a view makes of its events."""

    def __init__(self, reading: Reading[T], answer: Answer) -> None:
        self._reading = reading
        self.response: AnswerHead = reading.head
        told = _told(reading, answer) if reading.is_told else None
        self.items: AsyncGenerator[T] = told or _read(reading, answer, reading.items_of)

    async def begun(self) -> Self:
        """Wait for the first event."""
        await anext(self.items, None)
        return self

    def __str__(self) -> str:
        return str(self._reading)

    async def completion(self) -> Completion:
        """Read to the end, and return the whole answer."""
        async for _ in self.items:
            pass
        return self._reading.completion()

    async def aclose(self) -> None:
        """Free the connection. What has not been read is lost; whoever waits for it gets no more."""
        try:
            await self.items.aclose()
        except RuntimeError:  # another task is in it
            await stopped(self._reading.clocks)


async def stopped(clocks: Clocks) -> None:
    """End the call of *clocks*."""
    ending = clocks.stop()
    if isinstance(ending, Awaitable):
        await ending


_BEGUN: Any = None


async def _told(reading: Reading[T], answer: Answer) -> AsyncGenerator[T, None]:
    """Give what `_read` gives; the hooks are told the events first."""
    async with aclosing(_read(reading, answer, as_they_come)) as pieces:
        await anext(pieces, None)
        yield _BEGUN
        async for events in pieces:
            await exhaust(reading.tell(events))
            for item in reading.items_of(events):
                yield item


async def _read(
    reading: Reading[Any], answer: Answer, items_of: Callable[[list[Event]], Iterable[T]]
) -> AsyncGenerator[T, None]:
    """Give _BEGUN once there is an event, then what the events become.

    Whoever holds this generator is all that keeps it going: a stream that is dropped frees its connection.
    There is no other between the caller and the library: each would cost as much as the parsing.
    """
    decoder, feed = reading.parser.decoder, reading.parser.feed
    failures: tuple[type[Exception], ...] = (G4FError, *answer.failures)
    try:
        first = await _first(reading, answer)
        yield _BEGUN
        for item in items_of(first):
            yield item
        if reading.goes_on:
            async for data in answer.pieces():
                for item in items_of(feed(data)):
                    yield item
                if decoder.is_complete:  # the same of the parser is a call for each piece
                    break
        heard = True
        while reading.lingers(anew=heard) and (piece := await answer.piece()) is not None:
            heard = bool(events := feed(piece))
            for item in items_of(events):
                yield item
        for item in items_of(reading.end()):
            yield item
    except failures as cause:
        last, error = _broken(reading, answer, cause)
        if last and reading.clocks.first_event_came():
            yield _BEGUN
        for item in items_of(last):
            yield item
        if error is cause:
            raise
        if error is not None:
            raise error from cause
    except BaseException as reason:
        reading.left(reason)
        raise
    finally:
        await _over(reading, answer)


async def _first(reading: Reading[Any], answer: Answer) -> list[Event]:
    """Read to the first events, and return them."""
    parser, events = reading.parser, list[Event]()

    def take(data: bytes) -> bool:
        events.extend(parser.feed(data))
        return bool(events) or parser.is_complete

    await answer.read(take)
    found = events or reading.end()
    reading.clocks.first_event_came()
    return found


def _broken(reading: Reading[Any], answer: Answer, cause: Exception) -> tuple[list[Event], G4FError | None]:
    """Return the last events, and the error that *cause* is; neither where the caller has ended the call."""
    if reading.clocks.is_stopped:
        return [], None
    return reading.failed(cause if isinstance(cause, G4FError) else answer.broken(cause), cause)


async def _over(reading: Reading[Any], answer: Answer) -> None:
    """Free the connection, for the next call where the answer came to its end."""
    try:
        if reading.parser.done:
            await answer.drain()
    finally:
        reading.over()
        await answer.leave()


class AsyncChunkStream(OfAnswer):
    """The OpenAI-shaped chunks of an answer. Leaving the block early frees the connection."""

    def __init__(self, opened: OpenStream[Chunk]) -> None:
        self._opened = opened

    @property
    def _open_now(self) -> OpenStream[Chunk]:
        return self._opened

    @property
    def response(self) -> AnswerHead:
        """The HTTP side of the answer."""
        return self._opened.response

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._opened.items

    async def __anext__(self) -> Chunk:
        return await anext(self._opened.items)

    async def close(self) -> None:
        """Free the connection."""
        await self._opened.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncChatStream(OfAnswer):
    """The typed events of an answer; each is given once, whether by iteration or by `text_stream`."""

    def __init__(
        self, begin: Callable[[], Clocks], open_stream: Callable[[Clocks], Awaitable[OpenStream[Event]]]
    ) -> None:
        self._opening = _Opening(begin, open_stream)

    async def __aenter__(self) -> Self:
        await self._opening.opened()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self if self._opening.stream is None else self._opening.stream.items

    async def __anext__(self) -> Event:
        return await anext((await self._opening.opened()).items)

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The text of choice 0, piece by piece."""
        return _Texts(aiter(self))

    @property
    def _open_now(self) -> OpenStream[Event] | None:
        return self._opening.stream

    async def get_final_completion(self) -> Completion:
        """Read to the end, and return the whole answer.

        Raises:
            G4FError: The answer is not complete.
        """
        return await (await self._opening.opened()).completion()

    async def close(self) -> None:
        """Free the connection. What has not been read is lost."""
        await self._opening.close()


class _Opening:
    """Opens the stream when it is first asked for, once."""

    def __init__(
        self, begin: Callable[[], Clocks], open_stream: Callable[[Clocks], Awaitable[OpenStream[Event]]]
    ) -> None:
        self._begin = begin
        self._open_stream = open_stream
        self._clocks: Clocks | None = None
        self._is_opening = False
        self._is_closed = False
        self.stream: OpenStream[Event] | None = None

    async def close(self) -> None:
        self._is_closed = True
        if self.stream is not None:
            await self.stream.aclose()
        elif self._clocks is not None:  # another task is opening it
            await stopped(self._clocks)

    async def opened(self) -> OpenStream[Event]:
        if self.stream is None:
            if self._is_closed:
                raise UsageError("this stream is closed; ask for another one")
            if self._is_opening:
                raise UsageError("another task is opening this stream; give each task a stream of its own")
            self._is_opening = True
            try:
                self._clocks = self._begin()
                self.stream = await self._open_stream(self._clocks)
                del self._begin, self._open_stream  # and with them all that was asked
            finally:
                self._is_opening = False
        return self.stream


class _Texts:
    """The text in *events*, which belong to somebody else; no generator, so there is nothing to close."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events

    def __repr__(self) -> str:
        return "<text_stream>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        async for event in self._events:
            if type(event) is TextDelta and not event.choice:
                return event.text
        raise StopAsyncIteration
