"""The connection pools of one event loop, and who waits for them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from g4fsdk._client.asynchronous.waiting import wait_in
from g4fsdk._client.clocks import Clocks
from g4fsdk._client.room import Room

# httpcore looks through all connections of a pool when a call begins and when it ends: at a thousand calls
# at once that is most of the work (benchmarks/crowd.py). Several small pools cost the same for any number.
_CALLS_OF_A_POOL = 50
# Of five thousand that connect at once each waits for the work of all, longer than a connect clock.
_CONNECTING = 100
_MOST_CALLS = 20_000
_OTHER_FILES = 64


#: What hears how far a call is: the extension "trace" of httpcore.
Trace: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class Place:
    """Where one call is sent from."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def trace(self) -> Trace | None:
        """Who wants to know how far the call is."""
        return None

    def leave(self) -> None:
        """Say that the call is over."""


class Single:
    """One client that knows its own limits: the caller's, or one over a transport."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def enter(self, _: Clocks) -> Place:
        return Place(self._client)

    async def aclose(self) -> None:
        await self._client.aclose()


class Pools:
    """As many pools as the calls at once need. Calls for which there is no room wait."""

    def __init__(self, first: Callable[[], Any], more: Callable[[], Any]) -> None:
        """*first* makes what the first pool sends with, *more* what each further one does."""
        self._first = first
        self._more = more
        self._room = Room(_most_calls())
        self._door = Room(_CONNECTING)
        self._pools: list[_Pool] = []

    async def enter(self, clocks: Clocks) -> Place:
        """Return a place for one call, once there is one.

        Raises:
            DeadlineError: The total clock ran out, the only one that runs here: nobody is silent.
        """
        await wait_in(self._room, clocks)
        place = _PlaceInPool(self._pool(), self._room, self._door)
        try:
            await wait_in(self._door, clocks)
        except BaseException:
            place.leave()
            raise
        place.is_connecting = True
        return place

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.client.aclose()

    def _pool(self) -> _Pool:
        for pool in self._pools:
            if pool.calls < _CALLS_OF_A_POOL:
                return pool
        self._pools.append(_Pool(self._more() if self._pools else self._first()))
        return self._pools[-1]


class _Pool:
    """One client of httpx, and how many calls are on it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.calls = 0


class _PlaceInPool(Place):
    """A place in a pool, and in the door until its connection stands."""

    def __init__(self, pool: _Pool, room: Room, door: Room) -> None:
        super().__init__(pool.client)
        self._pool: _Pool | None = pool
        self._room = room
        self._door = door
        self.is_connecting = False
        pool.calls += 1

    @property
    def trace(self) -> Trace:
        return self._hear

    async def _hear(self, step: str, said: Mapping[str, Any]) -> None:
        if not step.startswith("connection."):
            self._connected()

    def leave(self) -> None:
        self._connected()
        if self._pool is not None:
            self._pool.calls -= 1
            self._pool = None
            self._room.leave()

    def _connected(self) -> None:
        if self.is_connecting:
            self.is_connecting = False
            self._door.leave()


def _most_calls() -> int:
    """Return how many connections leave room for as many on the other side, where that is in this process."""
    if sys.platform == "win32":
        return _MOST_CALLS
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    known = _MOST_CALLS if files == resource.RLIM_INFINITY else (files - _OTHER_FILES) // 2
    return max(1, min(_MOST_CALLS, known))
