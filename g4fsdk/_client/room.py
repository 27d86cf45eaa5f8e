"""Room for so many calls at once."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable

from g4fsdk._core.model.errors import UsageError


class Room:
    """Places; who finds none is woken in the order of coming. How to wait, each client knows.

    A stream that is dropped gives its place back wherever the collector finds it, which may be inside of any
    line here: what is said first stays true, and the lock lets the same thread in again.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[Callable[[], object]] = deque()
        self._lock = threading.RLock()

    def take(self) -> bool:
        """Take a place that is free and nobody waits for; say whether there was one."""
        with self._lock:
            is_free = self._free > 0 and not self._waiting
            if is_free:
                self._free -= 1
            return is_free

    def ask(self, wake: Callable[[], object]) -> None:
        """Have *wake* called as soon as there is a place: now, maybe."""
        with self._lock:
            self._waiting.append(wake)
            self._serve()

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self._free += 1
            self._serve()

    def give_up(self, wake: Callable[[], object]) -> None:
        """Want no place any more, whether *wake* was called or not."""
        with self._lock:
            try:
                self._waiting.remove(wake)
            except ValueError:  # it has one
                self.leave()

    def _serve(self) -> None:
        while self._free > 0 and self._waiting:
            self._free -= 1
            self._waiting.popleft()()


def checked_places(max_concurrency: object) -> int:
    """Return how many calls may go on at once; None is no limit. Raises UsageError for what is no number."""
    if max_concurrency is None:
        return sys.maxsize
    if isinstance(max_concurrency, bool) or not isinstance(max_concurrency, int) or max_concurrency < 1:
        raise UsageError(
            f"max_concurrency must be a number of calls like 8, or None, not {max_concurrency!r}"
        )
    return max_concurrency
