"""What a process has of its own, and how its threads wait for each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from g4fsdk._client.clocks import Clocks
from g4fsdk._client.room import Room, checked_places

T = TypeVar("T")


class OfProcess(Generic[T]):
    """What *make* makes, once a process: what a fork inherits is the parent's."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made, self._process = make(), os.getpid()

    def __call__(self) -> T:
        if self._process != os.getpid():
            self._made, self._process = self._make(), os.getpid()
        return self._made


class Rooms:
    """Room for *max_concurrency* calls of this process at once; None is no limit."""

    def __init__(self, max_concurrency: int | None) -> None:
        room = partial(Room, checked_places(max_concurrency))
        self._here = None if max_concurrency is None else OfProcess(room)

    def enter(self, clocks: Clocks) -> None:
        """Wait until the call of *clocks* may go on, unless it does.

        Raises:
            DeadlineError: The total clock ran out, the only one that runs here: nobody is silent.
        """
        if self._here is not None and not clocks.has_place:
            room = self._here()
            if not room.take():
                _wait_in(room, clocks)
            clocks.take_place(room.leave)


def _wait_in(room: Room, clocks: Clocks) -> None:
    mailbox = SimpleQueue[bool]()  # which may be written to inside of any line
    wake = partial(mailbox.put, True)
    room.ask(wake)
    try:
        _wait(mailbox, clocks)
    except BaseException:
        room.give_up(wake)
        raise


def _wait(mailbox: SimpleQueue[bool], clocks: Clocks) -> None:
    if not mailbox.empty():
        return
    clocks.hold(partial(mailbox.put, False))
    try:
        with clocks.queueing():
            left = clocks.total_left()
            mailbox.get(timeout=left and max(left, 0.0))
    except Empty:
        raise clocks.expired("total") from None
    finally:
        clocks.hold(None)
    clocks.check()  # it may have been stopped


def exhaust(said: Iterator[object]) -> None:
    """Tell all that *said* tells."""
    for _ in said:
        pass
