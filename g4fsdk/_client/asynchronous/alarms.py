"""Ends what a call waits for once its time is over."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, Self

import anyio

from g4fsdk._client.asynchronous.waiting import ending_in, is_in_trio


class Alarm:
    """Ends the wait inside of its block with TimeoutError, when it is time or when it is rung.

    There is one for a request and its answer, set anew for each wait. A scope of anyio for each would be
    what half an event costs to read, or more than the event where each piece is waited for.
    """

    def __init__(self) -> None:
        self._is_rung = False

    def set(self, seconds: float | None) -> Self:
        """Let it be time in *seconds*; None is never."""
        raise NotImplementedError

    def ring(self) -> None:
        """End what is waited for, now and from now on."""
        self._is_rung = True
        self._end()

    def close(self) -> None:
        """Forget the time: nothing is waited for any more."""

    def _end(self) -> None:
        """End what is waited for, if anything is."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        if self._is_rung:
            raise TimeoutError
        self._begin()
        return self

    def _begin(self) -> None:
        raise NotImplementedError

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        raise NotImplementedError


class _Timer(Alarm):
    """That of asyncio: one timer. A time behind its own is seen when it goes off, and costs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._due = self._next = inf
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._has_ended = False

    def set(self, seconds: float | None) -> Self:
        self._due = inf if seconds is None else self._loop.time() + seconds
        if self._due < self._next:
            self._start()
        return self

    def _start(self) -> None:
        self.close()
        self._next, self._timer = self._due, self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        was_due, self._next = self._next, inf
        if was_due >= self._due:
            self._end()
        elif self._due < inf:
            self._start()

    def close(self) -> None:
        self._next = inf
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        if self._task is not None and not self._has_ended:
            self._has_ended = True
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.current_task()
        assert self._task is not None  # a coroutine runs in one
        self._cancelling = self._task.cancelling()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        task, self._task = self._task, None
        if not self._has_ended or task is None:
            return
        self._has_ended = False
        if task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error  # else others cancel it, too


class _Scopes(Alarm):
    """That of trio, whose scopes cost little: one a wait."""

    _due = inf
    _scope: anyio.CancelScope | None = None

    def set(self, seconds: float | None) -> Self:
        self._due = ending_in(seconds)
        if self._scope is not None:
            self._scope.deadline = self._due
        return self

    def _end(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def _begin(self) -> None:
        self._scope = anyio.CancelScope(deadline=self._due).__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        scope, self._scope = self._scope, None
        if scope is not None:
            scope.__exit__(kind, error, trace)
            if scope.cancelled_caught:
                raise TimeoutError from error


def alarm() -> Alarm:
    """Return one for the loop that runs."""
    return _Scopes() if is_in_trio() else _Timer()
