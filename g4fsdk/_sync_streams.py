"""Blocking streams: the events of an answer, as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import chain
from typing import Self

from g4fsdk._call import Task, chunks_of
from g4fsdk._clocks import Clocks
from g4fsdk._completions import Chunk, Completion
from g4fsdk._errors import DeadlineError, G4FError, UsageError
from g4fsdk._events import Event, TextDelta
from g4fsdk._flow import Stream
from g4fsdk._requests import Answer


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

    def run(self) -> Generator[list[Event], None, None]:
        answer = self._answer
        try:
            yield from self._body()
            yield from self._end()
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
                if self.parser.done:
                    answer.drain()
            finally:
                answer.close()

    def _body(self) -> Generator[list[Event], None, None]:
        answer, parser, feed = self._answer, self.parser, self.parser.feed
        for data in answer.timed(self._clocks):
            events = feed(data)
            if events:
                self._clocks.first_event_came()
                yield events
            if parser.done:
                return
        for data in answer.rest():
            events = feed(data)
            if events:
                yield events
            if parser.done:
                return

    def _end(self) -> Generator[list[Event], None, None]:
        try:
            events = self.parser.close()
        except G4FError as error:
            if error.events:
                yield [*error.events]
            raise
        if events:
            yield events

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
    """A stream that has given its first events, and gives the others in batches."""

    def __init__(self, task: Task, stream: Stream, answer: Answer, clocks: Clocks) -> None:
        self.task = task
        self.model = stream.model
        self._reading = _Reading(task, stream, answer, clocks)
        self._batches = self._reading.run()
        self._first = next(self._batches, [])

    def batches(self) -> Iterator[list[Event]]:
        """Give the events of the answer, some at a time. Every event is given once."""
        first, self._first = self._first, []
        return chain((first,), self._batches) if first else self._batches

    def completion(self) -> Completion:
        """Read to the end, and return the whole answer."""
        for _ in self._batches:
            pass
        if self._reading.error is not None:
            raise self._reading.error
        if not self._reading.is_over:
            raise UsageError("the stream was closed before its end, so there is no complete answer")
        return self._reading.parser.answer.completion(self.task.provider.name, self.model)

    def close(self) -> None:
        """Free the connection. What has not been read is lost."""
        self._batches.close()


class ChunkStream:
    """The OpenAI-shaped chunks of an answer. Leaving it early, or the block, frees the connection."""

    def __init__(self, opened: OpenStream) -> None:
        self._opened = opened
        model = opened.model
        self._chunks = chain.from_iterable(chunks_of(batch, model) for batch in opened.batches())

    def __iter__(self) -> Iterator[Chunk]:
        return self._chunks

    def __next__(self) -> Chunk:
        return next(self._chunks)

    def close(self) -> None:
        """Free the connection."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ChatStream:
    """The typed events of an answer; each is given once, whether by iteration or by `text_stream`."""

    def __init__(self, open_stream: Callable[[], OpenStream]) -> None:
        self._open_stream = open_stream
        self._opened: OpenStream | None = None
        self._events: Iterator[Event] = iter(())

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        self._open()
        return self._events

    def __next__(self) -> Event:
        self._open()
        return next(self._events)

    @property
    def text_stream(self) -> Iterator[str]:
        """The text of choice 0, piece by piece."""
        self._open()
        return (event.text for event in self._events if type(event) is TextDelta and not event.choice)

    def get_final_completion(self) -> Completion:
        """Read to the end, and return the whole answer.

        Raises:
            G4FError: The answer is not complete.
        """
        return self._open().completion()

    def close(self) -> None:
        """Free the connection. What has not been read is lost."""
        if self._opened is not None:
            self._opened.close()

    def _open(self) -> OpenStream:
        if self._opened is None:
            self._opened = self._open_stream()
            self._events = chain.from_iterable(self._opened.batches())
        return self._opened
