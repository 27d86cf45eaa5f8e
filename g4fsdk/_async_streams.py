"""Async streams: the events of an answer, as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Self

from g4fsdk._call import Task, chunks_of
from g4fsdk._clocks import Clocks
from g4fsdk._completions import Chunk, Completion
from g4fsdk._errors import DeadlineError, G4FError, UsageError
from g4fsdk._events import Event, TextDelta
from g4fsdk._flow import Stream
from g4fsdk._httpx import Answer


class _Reading:
    """Reads one answer to its end. Whoever holds the generator of `run` is all that keeps it going.

    A stream that is dropped frees its connection at once for that reason: nothing here refers to it.
    """

    def __init__(self, task: Task, stream: Stream, answer: Answer, clocks: Clocks) -> None:
        self.parser = stream.accept(answer.head)
        self.error: G4FError | None = None
        self.is_over = False
        self._task = task
        self._request = stream.request
        self._answer = answer
        self._clocks = clocks

    async def run(self) -> AsyncGenerator[list[Event], None]:
        answer, parser, feed = self._answer, self.parser, self.parser.feed
        try:
            async for data in answer.timed(self._clocks):
                events = feed(data)
                if events:
                    self._clocks.first_event_came()
                    yield events
                if parser.done:
                    break
            else:
                async for data in answer.rest():
                    events = feed(data)
                    if events:
                        yield events
                    if parser.done:
                        break
            try:
                events = parser.close()
            except G4FError as error:
                if error.events:
                    yield [*error.events]
                raise
            if events:
                yield events
            self.is_over = True
        except answer.failures as cause:
            broken = self._cut(answer.broken(cause, self._clocks))
            if broken.events:
                yield [*broken.events]
            raise self._blamed(broken) from cause
        except G4FError as error:
            self._blamed(error)
            raise
        finally:
            try:
                if parser.done:
                    await answer.drain()
            finally:
                await answer.aclose()

    def _cut(self, error: G4FError) -> G4FError:
        cut = self.parser.cut(error.message)
        if not isinstance(error, DeadlineError):
            return cut
        error.events = cut.events
        return error

    def _blamed(self, error: G4FError) -> G4FError:
        self.parser.mark(error)
        self._task.blame(error, self._request)
        self.error = error
        return error


class OpenStream:
    """A stream that gives its events in batches; `start` waits for the first."""

    def __init__(self, task: Task, stream: Stream, answer: Answer, clocks: Clocks) -> None:
        self.task = task
        self.model = stream.model
        self._reading = _Reading(task, stream, answer, clocks)
        self._batches = self._reading.run()
        self._first: list[Event] = []

    async def start(self) -> Self:
        self._first = await anext(self._batches, [])
        return self

    async def batches(self) -> AsyncGenerator[list[Event], None]:
        """Give the events of the answer, some at a time. Every event is given once."""
        first, self._first = self._first, []
        if first:
            yield first
        async for batch in self._batches:
            yield batch

    async def completion(self) -> Completion:
        """Read to the end, and return the whole answer."""
        async for _ in self._batches:
            pass
        if self._reading.error is not None:
            raise self._reading.error
        if not self._reading.is_over:
            raise UsageError("the stream was closed before its end, so there is no complete answer")
        return self._reading.parser.answer.completion(self.task.provider.name, self.model)

    async def aclose(self) -> None:
        """Free the connection. What has not been read is lost."""
        await self._batches.aclose()


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
    async for batch in opened.batches():
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
    async for batch in (await opening.opened()).batches():
        for event in batch:
            yield event
