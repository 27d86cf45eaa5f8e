"""Many rows, so many at once, each in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from g4fsdk._client.clocks import Calls, Clocks
from g4fsdk._client.pace import Pace
from g4fsdk._core.flow.rows import Asked, checked_concurrency, checked_rows, read_row
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import G4FError, UsageError

R = TypeVar("R")
Ask = Callable[..., Completion]


def answers(
    crew: Crew[R], calls: Calls, begin: Callable[[], Clocks]
) -> Generator[tuple[R, Completion | G4FError], None, None]:
    """Give what *crew* brings. At its end, early or not, all *calls* end.

    Raises:
        UsageError: The client is closed, or was closed meanwhile.
    """
    clocks = begin()

    def stop() -> None:
        crew.stop()
        calls.close()

    def cut() -> None:
        crew.fail(UsageError("the client was closed in the middle of a batch"))
        stop()

    clocks.hold(cut)
    try:
        yield from crew.answers()
    finally:
        stop()
        clocks.over()


class Crew(Generic[R]):
    """Threads that take one row after the other, no more of them than are needed.

    A row is taken when there is a place for its answer, so that no more than *concurrency* are asked or
    answered and not yet handed out.
    """

    def __init__(
        self, ask: Ask, rows: Iterable[R], concurrency: int, rate: str | None, options: Mapping[str, Any]
    ) -> None:
        """Raises UsageError for rows that are none, or a concurrency or rate that cannot be."""
        self._ask = ask
        self._rows: Iterator[R] = iter(checked_rows(rows))
        self._places = threading.Semaphore(checked_concurrency(concurrency))
        self.pace: Pace = Pace(rate)
        self._options = options
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._concurrency, self._hired, self._working = concurrency, 0, 0
        self._over = threading.Event()
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._brought = SimpleQueue[tuple[R, Completion | G4FError] | None]()

    def answers(self) -> Iterator[tuple[R, Completion | G4FError]]:
        """Give each row with its answer or error, as they come; then raise what the rows or a hook raised."""
        self._hire()
        while (brought := self._brought.get()) is not None:
            self._places.release()
            yield brought
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Take no more rows, and bring nothing more."""
        self._stopped.set()
        self._over.set()
        self._places.release(self._concurrency)

    def fail(self, failure: BaseException) -> None:
        """Take no more rows, and raise *failure* behind what is under way."""
        self._failure = self._failure or failure
        self._over.set()

    def _hire(self) -> None:
        with self._lock:
            if self._hired == self._concurrency:
                return
            self._hired += 1
            self._working += 1
        work = partial(copy_context().run, self._work)  # a thread alone would begin without the caller's
        threading.Thread(target=work, name="g4fsdk-batch", daemon=True).start()

    def _work(self) -> None:
        try:
            while (taken := self._take()) is not None:
                row, asked = taken
                self._hire()
                result = self._answer(asked)
                if self._stopped.is_set():
                    break
                self._brought.put((row, result))
        except BaseException as failure:  # noqa: BLE001  # it is raised where the answers are read
            self.fail(failure)
            self._places.release()
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._working -= 1
            is_last = not self._working
        if is_last:
            self._brought.put(None)

    def _take(self) -> tuple[R, Asked | G4FError] | None:
        """Return the next row and what it asks, when it may be asked; None when there is none."""
        self._places.acquire()
        with self._turn:
            if not self._over.is_set():
                for row in self._rows:
                    return row, self._asked(row)
                self._over.set()
        self._places.release()
        return None

    def _asked(self, row: R) -> Asked | G4FError:
        try:
            asked = read_row(row, self._options)
        except G4FError as error:
            return error
        while (seconds := self.pace.begin()) and not self._stopped.wait(seconds):
            pass
        return asked

    def _answer(self, asked: Asked | G4FError) -> Completion | G4FError:
        if isinstance(asked, G4FError):
            return asked
        try:
            return self._ask(**asked.call)
        except G4FError as error:
            return error
