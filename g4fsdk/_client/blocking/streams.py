"""Blocking streams: the events of an answer, as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, Generic, Self, TypeVar

from g4fsdk._client.blocking.http import Answer
from g4fsdk._client.blocking.waiting import exhaust
from g4fsdk._client.clocks import Clocks
from g4fsdk._client.reading import OfAnswer, Reading, as_they_come
from g4fsdk._core.model.chunks import Chunk
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.events import Event, TextDelta
from g4fsdk._core.model.http import AnswerHead

T = TypeVar("T")


class OpenStream(Generic[T]):
    """A stream that has given an event, and gives its items: what a view makes of the events."""

    def __init__(self, reading: Reading[T], answer: Answer) -> None:
        self._reading = reading
        self.response: AnswerHead = reading.head
        told = _told(reading, answer) if reading.is_told else None
        self.items: Generator[T] = told or _read(reading, answer, reading.items_of)
        next(self.items, None)

    def __str__(self) -> str:
        return str(self._reading)

    def completion(self) -> Completion:
        """Read to the end, and return the whole answer."""
        for _ in self.items:
            pass
        return self._reading.completion()

    def close(self) -> None:
        """Free the connection. What has not been read is lost; whoever waits for it gets no more."""
        try:
            self.items.close()
        except ValueError:  # another thread is in it
            self._reading.clocks.stop()


_BEGUN: Any = None


def _told(reading: Reading[T], answer: Answer) -> Generator[T, None, None]:
    """Give what `_read` gives; the hooks are told the events first."""
    with closing(_read(reading, answer, as_they_come)) as pieces:
        next(pieces, None)
        yield _BEGUN
        for events in pieces:
            exhaust(reading.tell(events))
            yield from reading.items_of(events)


def _read(
    reading: Reading[Any], answer: Answer, items_of: Callable[[list[Event]], Iterable[T]]
) -> Generator[T, None, None]:
    """Give _BEGUN once there is an event, then what the events become.

    Whoever holds this generator is all that keeps it going: a stream that is dropped frees its connection.
    """
    parser, decoder, clocks = reading.parser, reading.parser.decoder, reading.clocks
    feed = parser.feed
    failures: tuple[type[Exception], ...] = (G4FError, *answer.failures)
    try:
        first = _first(reading, answer)
        yield _BEGUN
        yield from items_of(first)
        if reading.goes_on:
            for data in answer.pieces():
                yield from items_of(feed(data))
                if decoder.is_complete:  # the same of the parser is a call for each piece
                    break
        heard = True
        while reading.lingers(anew=heard) and (piece := answer.piece()) is not None:
            heard = bool(events := feed(piece))
            yield from items_of(events)
        yield from items_of(reading.end())
    except failures as cause:
        if clocks.is_stopped:
            return
        last, error = reading.failed(cause if isinstance(cause, G4FError) else answer.broken(cause), cause)
        if last and clocks.first_event_came():
            yield _BEGUN
        yield from items_of(last)
        if error is cause:
            raise
        if error is not None:
            raise error from cause
    except BaseException as reason:
        reading.left(reason)
        raise
    finally:
        try:
            if parser.done:
                answer.drain()
        finally:
            reading.over()
            answer.close()


def _first(reading: Reading[Any], answer: Answer) -> list[Event]:
    """Read to the first events, and return them."""
    events: list[Event] = []
    while reading.goes_on and not events and (data := answer.piece()) is not None:
        events = reading.parser.feed(data)
    events = events or reading.end()
    reading.clocks.first_event_came()
    return events


class ChunkStream(OfAnswer):
    """The OpenAI-shaped chunks of an answer. Leaving it early, or the block, frees the connection."""

    def __init__(self, opened: OpenStream[Chunk]) -> None:
        self._opened = opened

    @property
    def _open_now(self) -> OpenStream[Chunk]:
        return self._opened

    @property
    def response(self) -> AnswerHead:
        """The HTTP side of the answer."""
        return self._opened.response

    def __iter__(self) -> Iterator[Chunk]:
        return self._opened.items

    def __next__(self) -> Chunk:
        return next(self._opened.items)

    def close(self) -> None:
        """Free the connection. What has not been read is lost."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ChatStream(OfAnswer):
    """The typed events of an answer; each is given once, whether by iteration or by `text_stream`."""

    def __init__(
        self, begin: Callable[[], Clocks], open_stream: Callable[[Clocks], OpenStream[Event]]
    ) -> None:
        self._begin = begin
        self._open_stream = open_stream
        self._clocks: Clocks | None = None
        self._opened: OpenStream[Event] | None = None
        self._turn = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self._open().items

    def __next__(self) -> Event:
        return next(self._open().items)

    @property
    def text_stream(self) -> Iterator[str]:
        """The text of choice 0, piece by piece."""
        events = self._open().items
        return (event.text for event in events if type(event) is TextDelta and not event.choice)

    @property
    def _open_now(self) -> OpenStream[Event] | None:
        return self._opened

    def get_final_completion(self) -> Completion:
        """Read to the end, and return the whole answer.

        Raises:
            G4FError: The answer is not complete.
        """
        return self._open().completion()

    def close(self) -> None:
        """Free the connection. What has not been read is lost."""
        self._is_closed = True
        if self._opened is not None:
            self._opened.close()
        elif self._clocks is not None:  # another thread is opening it
            self._clocks.stop()

    def _open(self) -> OpenStream[Event]:
        if self._opened is not None:
            return self._opened
        if not self._turn.acquire(blocking=False):
            raise UsageError("another thread is opening this stream; give each thread a stream of its own")
        try:
            return self._once()
        finally:
            self._turn.release()

    def _once(self) -> OpenStream[Event]:
        if self._opened is None:
            self._clocks = self._begin()
            if self._is_closed:  # asked last: whoever closes after that ends the call
                self._clocks.over()
                raise UsageError("this stream is closed; ask for another one")
            self._opened = self._open_stream(self._clocks)
            del self._begin, self._open_stream  # and with them all that was asked
        return self._opened
