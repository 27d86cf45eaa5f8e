"""What an event loop has of its own, and how its tasks wait for each other."""

from __future__ import annotations

import asyncio
import inspect
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import Generic, TypeVar

import anyio
from anyio.lowlevel import current_token

from g4fsdk._client.clocks import Clocks
from g4fsdk._client.network import known_addresses, look_up
from g4fsdk._client.room import Room, checked_places

T = TypeVar("T")


class OfLoop(Generic[T]):
    """What *make* makes, once a loop: what is another's can't be used. A thread runs one at a time."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._thread = threading.local()

    def __call__(self) -> T:
        made = self.made
        if made is None:
            made = self._thread.made = self._make()
            self._thread.loop = current_token()
        return made

    @property
    def made(self) -> T | None:
        """What this loop has, None where it has nothing yet."""
        is_here = getattr(self._thread, "loop", None) == current_token()
        made: T | None = self._thread.made if is_here else None
        return made


class Rooms:
    """Room for *max_concurrency* calls of this loop at once; None is no limit."""

    def __init__(self, max_concurrency: int | None) -> None:
        room = partial(Room, checked_places(max_concurrency))
        self._here = None if max_concurrency is None else OfLoop(room)

    async def enter(self, clocks: Clocks) -> None:
        """Wait until the call of *clocks* may go on, unless it does; errors are those of `wait_in`."""
        if self._here is not None and not clocks.has_place:
            room = self._here()
            await wait_in(room, clocks)
            clocks.take_place(room.leave)


async def wait_in(room: Room, clocks: Clocks) -> None:
    """Wait for a place in *room*.

    Raises:
        DeadlineError: The total clock ran out, the only one that runs here: nobody is silent.
    """
    if room.take():
        return
    event = anyio.Event()
    room.ask(event.set)
    try:
        if not event.is_set():
            await _wait(event, clocks)
    except BaseException:
        room.give_up(event.set)
        raise


async def _wait(event: anyio.Event, clocks: Clocks) -> None:
    with clocks.queueing(), anyio.CancelScope(deadline=ending_in(clocks.total_left())) as scope:
        clocks.hold(scope.cancel)
        await event.wait()
    if scope.cancelled_caught:
        clocks.check()
        raise clocks.expired("total")


def ending_in(seconds: float | None) -> float:
    """Return the deadline of a scope that lasts for *seconds*; None is no limit."""
    return inf if seconds is None else anyio.current_time() + seconds


async def exhaust(said: Iterator[object]) -> None:
    """Tell all that *said* tells, and await what wants to be."""
    for each in said:
        if inspect.isawaitable(each):
            await each


async def sleep(clocks: Clocks, seconds: float) -> None:
    """Wait before the next attempt, until the call is stopped."""
    with anyio.CancelScope() as scope:
        clocks.hold(scope.cancel)
        await anyio.sleep(seconds)


async def addresses_of(host: str, port: int, family: int = socket.AF_UNSPEC) -> list[str]:
    """Return the addresses of *host*: without the loop's own threads, for which asyncio waits at its end.

    Raises:
        OSError: It has none.
        UnicodeError: It is no name.
    """
    return known_addresses(host) or await asyncio.wrap_future(look_up(host, port, family))


def is_in_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_task())
