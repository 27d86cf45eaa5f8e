"""Many rows, so many at once, each in a task."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Generic, Self, TypeVar

import anyio
from anyio.lowlevel import current_token

from g4fsdk._client.clocks import Clocks
from g4fsdk._client.pace import Pace
from g4fsdk._core.flow.rows import Asked, checked_concurrency, checked_rows, read_row
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import G4FError, UsageError

R = TypeVar("R")
Ask = Callable[..., Awaitable[Completion]]
_END: Any = object()


class AsyncBatch(Generic[R]):
    """Each row with its answer or error, as they come. Closing or dropping it ends what is under way."""

    def __init__(self, crew: Crew[R]) -> None:
        self._crew = crew

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[R, Completion | G4FError]:
        return await self._crew.brought()

    async def aclose(self) -> None:
        """End what is under way, and wait until it has ended."""
        await self._crew.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._crew.drop()


class Crew(Generic[R]):
    """Tasks that take one row after the other, no more of them than are needed.

    A row is taken when there is a place for its answer, so that no more than *concurrency* are asked or
    answered and not yet handed out. No task group is open meanwhile: who iterates may leave anywhere.
    """

    def __init__(
        self,
        ask: Ask,
        begin: Callable[[], Clocks],
        rows: Iterable[R] | AsyncIterable[R],
        concurrency: int,
        rate: str | None,
        options: Mapping[str, Any],
    ) -> None:
        """Raises UsageError for rows that are none, or a concurrency or rate that cannot be."""
        self._ask, self._begin = ask, begin
        self._next = _next_of(checked_rows(rows))
        self._places = anyio.Semaphore(checked_concurrency(concurrency))
        self.pace: Pace = Pace(rate)
        self._options = options
        self._turn = anyio.Lock()
        self._concurrency, self._hired = concurrency, 0
        self._scopes: set[anyio.CancelScope] = set()
        self._tasks: set[object] = set()
        self._clocks: Clocks | None = None
        self._loop: Any = None
        self._is_over = self._is_stopped = False
        self._failure: BaseException | None = None
        self._brought = deque[tuple[R, Completion | G4FError]]()
        self._ready = anyio.Semaphore(0)
        self._left = anyio.Event()

    async def brought(self) -> tuple[R, Completion | G4FError]:
        """Return the next row with its answer or error.

        Raises:
            StopAsyncIteration: There is none; what the rows or a hook raised comes first, once.
        """
        if self._clocks is None and not self._is_over:
            self._start()
        if self._clocks is not None:
            await self._ready.acquire()
        if self._brought:
            self._places.release()
            return self._brought.popleft()
        self._ready.release()  # for whoever else waits
        failure, self._failure = self._failure, None
        raise failure or StopAsyncIteration

    async def aclose(self) -> None:
        self._stop()
        if self._scopes:
            await self._left.wait()

    def drop(self) -> None:
        """End what is under way, from whatever thread: nobody can ask for it any more."""
        if self._scopes:
            with suppress(RuntimeError):  # the loop has ended, and with it the tasks
                _soon(self._loop, self._stop)

    def _start(self) -> None:
        self._clocks, self._loop = self._begin(), current_token().native_token
        self._clocks.hold(self._cut)
        self._hire()

    def _cut(self) -> None:
        self._fail(UsageError("the client was closed in the middle of a batch"))
        self._stop()

    def _fail(self, failure: BaseException) -> None:
        self._failure = self._failure or failure
        self._is_over = True

    def _stop(self) -> None:
        self._is_over = self._is_stopped = True
        self._brought.clear()
        for scope in self._scopes:
            scope.cancel()

    def _hire(self) -> None:
        if self._hired < self._concurrency and not self._is_over:
            self._hired += 1
            scope = anyio.CancelScope()
            self._scopes.add(scope)
            self._tasks.add(_spawn(self._loop, self._work, scope))

    async def _work(self, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self._bring_all()
        finally:
            self._scopes.discard(scope)
            if not self._scopes:
                self._end()

    def _end(self) -> None:
        if self._clocks is not None:
            self._clocks.over()
        self._left.set()
        self._ready.release()

    async def _bring_all(self) -> None:
        try:
            while (taken := await self._take()) is not None:
                row, asked = taken
                self._hire()
                self._brought.append((row, await self._answer(asked)))
                self._ready.release()
        except anyio.get_cancelled_exc_class():
            if not self._is_stopped:
                self._fail(UsageError("a task of the batch was cancelled, and not by the batch"))
            raise
        except BaseException as failure:  # noqa: BLE001  # it is raised where the answers are read
            self._fail(failure)
            self._places.release()

    async def _take(self) -> tuple[R, Asked | G4FError] | None:
        """Return the next row and what it asks, when it may be asked; None when there is none."""
        await self._places.acquire()
        async with self._turn:
            if not self._is_over:
                row = await self._next()
                if row is not _END:
                    return row, await self._asked(row)
                self._is_over = True
        self._places.release()
        return None

    async def _asked(self, row: R) -> Asked | G4FError:
        try:
            asked = read_row(row, self._options)
        except G4FError as error:
            return error
        while seconds := self.pace.begin():  # noqa: ASYNC110  # it waits for the time
            await anyio.sleep(seconds)
        return asked

    async def _answer(self, asked: Asked | G4FError) -> Completion | G4FError:
        if isinstance(asked, G4FError):
            return asked
        try:
            return await self._ask(**asked.call)
        except G4FError as error:
            return error


def _next_of(rows: Iterable[R] | AsyncIterable[R]) -> Callable[[], Awaitable[R]]:
    """Return what gives the next of *rows*, _END behind the last."""
    if isinstance(rows, AsyncIterable):
        several = aiter(rows)
        return lambda: anext(several, _END)
    each = iter(rows)

    async def following() -> R:
        return next(each, _END)

    return following


def _spawn(loop: Any, work: Callable[..., Coroutine[Any, Any, None]], scope: anyio.CancelScope) -> object:
    """Run *work* in a task that belongs to no group: asyncio's own, or a system task of trio."""
    if hasattr(loop, "create_task"):
        return loop.create_task(work(scope))
    return sys.modules["trio"].lowlevel.spawn_system_task(work, scope, context=copy_context())


def _soon(loop: Any, run: Callable[[], object]) -> None:
    """Have *run* called by *loop*, from whatever thread."""
    (loop.call_soon_threadsafe if hasattr(loop, "create_task") else loop.run_sync_soon)(run)
