"""Async streams: the events of an answer, as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Self

from g4fsdk._call import chunks_of
from g4fsdk._completions import Chunk, Completion
from g4fsdk._errors import G4FError
from g4fsdk._events import Event, TextDelta
from g4fsdk._httpx import Answer
from g4fsdk._reading import Reading


class OpenStream:
    """A stream that gives its events in batches: the first ones at `start`, then those of `rest`."""

    def __init__(self, reading: Reading, answer: Answer) -> None:
        self._reading = reading
        self._batches = _read(reading, answer)
        self._first: list[Event] = []

    @property
    def model(self) -> str:
        return self._reading.model

    async def start(self) -> Self:
        self._first = await anext(self._batches, [])
        return self

    def first(self) -> list[Event]:
        """Return the events that came first, once."""
        first, self._first = self._first, []
        return first

    def rest(self) -> AsyncIterator[list[Event]]:
        """Give the other events, some at a time, with nothing in between: this is the hot path."""
        return self._batches

    async def completion(self) -> Completion:
        """Read to the end, and return the whole answer."""
        async for _ in self._batches:
            pass
        return self._reading.completion()

    async def aclose(self) -> None:
        """Free the connection. What has not been read is lost."""
        await self._batches.aclose()


async def _read(reading: Reading, answer: Answer) -> AsyncGenerator[list[Event], None]:
    """Give the events of *answer* in batches.

    Whoever holds this generator is all that keeps it going: a stream that is dropped frees its connection.
    """
    parser, clocks, feed = reading.parser, reading.clocks, reading.parser.feed
    failures: tuple[type[Exception], ...] = (G4FError, *answer.failures)
    try:
        async for data in answer.timed(clocks):
            if events := feed(data):
                clocks.first_event_came()
                yield events
            if parser.done:
                break
        else:
            async for data in answer.rest():
                if events := feed(data):
                    yield events
                if parser.done:
                    break
        if events := parser.close():
            yield events
        reading.is_over = True
    except failures as cause:
        error = reading.failed(cause if isinstance(cause, G4FError) else answer.broken(cause, clocks), cause)
        if error.events:
            yield [*error.events]
        if error is cause:
            raise
        raise error from cause
    finally:
        try:
            if parser.done:
                await answer.drain()
        finally:
            await answer.aclose()


class AsyncChunkStream:
    """The OpenAI-shaped chunks of an answer. Leaving the block early frees the connection."""

    def __init__(self, opened: OpenStream) -> None:
        self._opened = opened
        self._chunks = _chunks(opened)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._chunks

    async def __anext__(self) -> Chunk:
        return await anext(self._chunks)

    async def close(self) -> None:
        """Free the connection."""
        await self._chunks.aclose()
        await self._opened.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _chunks(opened: OpenStream) -> AsyncGenerator[Chunk, None]:
    model = opened.model
    for chunk in chunks_of(opened.first(), model):
        yield chunk
    async for batch in opened.rest():
        for chunk in chunks_of(batch, model):
            yield chunk


class AsyncChatStream:
    """The typed events of an answer; each is given once, whether by iteration or by `text_stream`."""

    def __init__(self, open_stream: Callable[[], Awaitable[OpenStream]]) -> None:
        self._opening = _Opening(open_stream)
        self._events = _events(self._opening)

    async def __aenter__(self) -> Self:
        await self._opening.opened()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events

    async def __anext__(self) -> Event:
        return await anext(self._events)

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The text of choice 0, piece by piece."""
        return self._texts()

    async def _texts(self) -> AsyncGenerator[str, None]:
        async for event in self._events:
            if type(event) is TextDelta and not event.choice:
                yield event.text

    async def get_final_completion(self) -> Completion:
        """Read to the end, and return the whole answer.

        Raises:
            G4FError: The answer is not complete.
        """
        return await (await self._opening.opened()).completion()

    async def close(self) -> None:
        """Free the connection. What has not been read is lost."""
        await self._events.aclose()
        await self._opening.aclose()


class _Opening:
    """Opens the stream when it is first asked for, once."""

    def __init__(self, open_stream: Callable[[], Awaitable[OpenStream]]) -> None:
        self._open_stream = open_stream
        self._opened: OpenStream | None = None

    async def opened(self) -> OpenStream:
        if self._opened is None:
            self._opened = await self._open_stream()
        return self._opened

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()


async def _events(opening: _Opening) -> AsyncGenerator[Event, None]:
    opened = await opening.opened()
    for event in opened.first():
        yield event
    async for batch in opened.rest():
        for event in batch:
            yield event
