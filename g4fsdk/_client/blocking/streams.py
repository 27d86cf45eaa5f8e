"""Blocking streams: the events of an answer, as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import chain
from typing import Self

from g4fsdk._client.blocking.http import Answer
from g4fsdk._client.reading import Reading
from g4fsdk._client.settings import chunks_of
from g4fsdk._core.model.completions import Chunk, Completion
from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.events import Event, TextDelta


class OpenStream:
    """A stream that has given its first events, and gives the others in batches."""

    def __init__(self, reading: Reading, answer: Answer) -> None:
        self._reading = reading
        self._batches = _read(reading, answer)
        self._first = next(self._batches, [])

    @property
    def model(self) -> str:
        return self._reading.model

    def batches(self) -> Iterator[list[Event]]:
        """Give the events of the answer, some at a time. Every event is given once."""
        first, self._first = self._first, []
        return chain((first,), self._batches) if first else self._batches

    def completion(self) -> Completion:
        """Read to the end, and return the whole answer."""
        for _ in self._batches:
            pass
        return self._reading.completion()

    def close(self) -> None:
        """Free the connection. What has not been read is lost."""
        self._batches.close()


def _read(reading: Reading, answer: Answer) -> Generator[list[Event], None, None]:
    """Give the events of *answer* in batches.

    Whoever holds this generator is all that keeps it going: a stream that is dropped frees its connection.
    """
    parser, clocks, feed = reading.parser, reading.clocks, reading.parser.feed
    failures: tuple[type[Exception], ...] = (G4FError, *answer.failures)
    events: list[Event] = []
    try:
        for data in answer.timed(clocks):
            if events := feed(data):
                clocks.first_event_came()
                yield events
            if parser.done:
                break
        else:
            for data in answer.rest():
                if events := feed(data):
                    yield events
                if parser.done:
                    break
        if events := parser.close():
            yield events
        reading.is_over = True
    except failures as cause:
        error = reading.failed(cause if isinstance(cause, G4FError) else answer.broken(cause, clocks), cause)
        if events := [*error.events]:
            yield events
        if error is cause:
            raise
        raise error from cause
    finally:
        events.clear()  # whoever closes the stream has some in hand
        try:
            if parser.done:
                answer.drain()
        finally:
            answer.close()


def _chunks(opened: OpenStream, in_hand: list[Chunk]) -> Iterator[list[Chunk]]:
    model = opened.model
    for batch in opened.batches():
        in_hand[:] = chunks_of(batch, model)
        yield in_hand


class ChunkStream:
    """The OpenAI-shaped chunks of an answer. Leaving it early, or the block, frees the connection."""

    def __init__(self, opened: OpenStream) -> None:
        self._opened = opened
        self._in_hand: list[Chunk] = []
        self._chunks = chain.from_iterable(_chunks(opened, self._in_hand))

    def __iter__(self) -> Iterator[Chunk]:
        return self._chunks

    def __next__(self) -> Chunk:
        return next(self._chunks)

    def close(self) -> None:
        """Free the connection. What has not been read is lost."""
        self._in_hand.clear()
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
        self._is_closed = False
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
        opened, self._events = self._open(), iter(())
        return opened.completion()

    def close(self) -> None:
        """Free the connection. What has not been read is lost."""
        self._is_closed = True
        if self._opened is not None:
            self._opened.close()

    def _open(self) -> OpenStream:
        if self._opened is None:
            if self._is_closed:
                raise UsageError("this stream is closed; ask for another one")
            self._opened = self._open_stream()
            self._events = chain.from_iterable(self._opened.batches())
        return self._opened
