"""The clocks of a call."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from threading import TIMEOUT_MAX

from g4fsdk._core.model.errors import Clock, DeadlineError, UsageError

# The last chunk of the body may still come behind the end marker, mostly in the same packet: how long both
# clients wait for that, and how much they read of it.
DRAIN_S = 0.05
DRAIN_BYTES = 65536
# A complete answer may still be followed by its usage, and a server may leave out the end marker.
LINGER_S = 2.0

_ADVICE = {
    "connect": "check the address, the network and any proxy",
    "first_event": "the service may be busy: ask again, or raise Timeouts(first_event=...)",
    "idle": "ask again, or raise Timeouts(idle=...)",
    "total": "raise Timeouts(total=...)",
}
_WHOLE_ADVICE = "a whole answer comes when it is done: stream it, or raise Timeouts(whole=...)"
_FIRST_EVENT_S = _IDLE_S = 60.0
_WHOLE_S = 600.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The clocks, in seconds; None switches one off.

    *connect*: until the connection stands, names and TLS included. *first_event*: from the start of an
    attempt to its first event; a keep-alive is no event. *idle*: the longest silence between two reads; any
    byte resets it. *total*: the whole call, retries and waits included. *whole*: in place of *first_event*
    and *idle* where nothing is streamed, since a service says nothing then until its answer is done; one of
    those two that is given counts for both, unless *whole* is given as well.
    """

    connect: float | None = 10.0
    first_event: float | None = _FIRST_EVENT_S
    idle: float | None = _IDLE_S
    total: float | None = None
    whole: float | None = _WHOLE_S

    def for_whole(self) -> Timeouts:
        """Return the clocks of an answer that is not streamed."""
        if self.whole != _WHOLE_S:
            return replace(self, first_event=self.whole, idle=self.whole)
        first = self.whole if self.first_event == _FIRST_EVENT_S else self.first_event
        idle = self.whole if self.idle == _IDLE_S else self.idle
        return replace(self, first_event=first, idle=idle)


#: In place of a timeout: the one that there is stays.
UNCHANGED = Timeouts()


def read_timeouts(timeout: Timeouts | float | None) -> Timeouts:
    """Return *timeout* as clocks: a number is the limit of each clock but the total, None is no limit.

    Raises:
        UsageError: A limit that is no time to wait.
    """
    if timeout is None:
        return Timeouts(None, None, None, None, None)
    if isinstance(timeout, Timeouts):
        for clock in fields(timeout):
            _check_seconds(getattr(timeout, clock.name))
        return timeout
    _check_seconds(timeout)
    return Timeouts(min(timeout, 10.0), timeout, timeout, None, timeout)


def _check_seconds(seconds: object) -> None:
    if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds <= TIMEOUT_MAX):
        raise UsageError(f"a timeout is a positive number of seconds, or None for no limit, not {seconds!r}")


class Clocks:
    """Deadlines of one call, counted on a monotonic clock, in seconds; and whether it was stopped."""

    def __init__(
        self,
        timeouts: Timeouts,
        now: Callable[[], float] = time.monotonic,
        *,
        is_streamed: bool = True,
        calls: Calls | None = None,
    ) -> None:
        self.timeouts: Timeouts = timeouts if is_streamed else timeouts.for_whole()
        self._is_streamed = is_streamed
        self._now = now
        self._total = _after(now(), timeouts.total)
        self._first_event: float | None = None
        self._connecting: float | None = None
        self._lingering: float | None = None
        self._has_begun = False
        self._calls = calls
        #: Whether the caller wants nothing more of this call.
        self.is_stopped: bool = False
        self._sleeping: threading.Event | None = None
        self._cut: Callable[[], object] | None = None
        self._leave: Callable[[], object] | None = None

    def hold(self, cut: Callable[[], object] | None) -> None:
        """Take *cut*, which ends what the call waits for; None when it waits for nothing that is its own."""
        self._cut = cut
        if cut is not None and self.is_stopped:
            cut()

    def stop(self) -> object:
        """End the call, from whatever thread: what waits for it wakes up, and nothing is tried again.

        What ending it gives is returned: in the async client there may be something to await.
        """
        self.is_stopped = True
        if self._sleeping is not None:
            self._sleeping.set()
        return self.cut()

    def cut(self) -> object:
        """End what the call waits for, and return what ending it gives."""
        cut = self._cut  # another thread may let go of it meanwhile
        return cut() if cut is not None else None

    @property
    def has_place(self) -> bool:
        """Whether the call is one of those that go on."""
        return self._leave is not None

    def take_place(self, leave: Callable[[], object]) -> None:
        """Let the call go on; *leave* is called when it has ended."""
        self._leave = leave

    def over(self) -> None:
        """Say that the call has ended."""
        self._cut = None
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()
        if self._calls is not None:
            self._calls.end(self)

    def attempt_over(self) -> bool:
        """Say that an attempt has ended; return whether the call has, too, or another may follow."""
        is_over = self._has_begun or self.is_stopped
        if is_over:
            self.over()
        return is_over

    def sleep(self, seconds: float) -> None:
        """Wait before the next attempt, until the call is stopped."""
        self._sleeping = threading.Event()
        if not self.is_stopped:
            self._sleeping.wait(min(seconds, TIMEOUT_MAX))

    def start_attempt(self) -> None:
        """Start the first_event clock anew. Raises DeadlineError when the total time is over."""
        self._first_event = _after(self._now(), self.timeouts.first_event)
        self._has_begun = False
        self.check()

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Let the connect clock run, in place of that of silence."""
        self._connecting = _after(self._now(), self.timeouts.connect)
        try:
            yield
        finally:
            self._connecting = None

    @contextmanager
    def queueing(self) -> Iterator[None]:
        """Let the total clock alone run: the call waits for others of its client."""
        since = self._now()
        try:
            yield
        finally:
            self._first_event = _after(self._now() - since, self._first_event)

    def linger(self) -> None:
        """The answer is complete: wait LINGER_S from now for what may follow it, under the name "idle"."""
        self._lingering = _after(self._now(), LINGER_S)

    def first_event_came(self) -> bool:
        """Stop the first_event clock; return whether this is the attempt's first event."""
        is_first, self._has_begun, self._first_event = not self._has_begun, True, None
        return is_first

    @property
    def is_idle_only(self) -> bool:
        """Whether the first event has come, and nothing but the idle clock runs any more."""
        return self._has_begun and self._total is None

    def total_left(self) -> float | None:
        """Return the seconds left of the whole call, or None."""
        return None if self._total is None else self._total - self._now()

    def left(self, silence: Clock | None = "idle") -> tuple[float | None, Clock]:
        """Return the seconds that the next wait may take, and whose limit that is.

        *silence* is the clock of that wait alone: "idle", "connect", or None where the library keeps it.

        Raises:
            DeadlineError: A clock has run out.
        """
        now = self._now()
        self._check(now)
        limits: list[tuple[float, Clock]] = []
        if self._connecting is not None:
            limits.append((self._connecting - now, "connect"))
        elif silence is not None and (own := getattr(self.timeouts, silence)) is not None:
            limits.append((own, silence))
        if self._lingering is not None:
            limits.append((self._lingering - now, "idle"))
        if self._first_event is not None:
            limits.append((self._first_event - now, "first_event"))
        if self._total is not None:
            limits.append((self._total - now, "total"))
        return min(limits) if limits else (None, silence or "idle")

    def check(self) -> None:
        """Raise DeadlineError when a clock has run out."""
        self._check(self._now())

    def _check(self, now: float) -> None:
        self.check_wanted()
        if self._total is not None and now >= self._total:
            raise self.expired("total")
        if self._first_event is not None and now >= self._first_event:
            raise self.expired("first_event")
        if self._connecting is not None and now >= self._connecting:
            raise self.expired("connect")
        if self._lingering is not None and now >= self._lingering:
            raise self.expired("idle")

    def check_wanted(self) -> None:
        """Raise UsageError when the call was stopped: what seems to be the end of a body may be that."""
        if self.is_stopped:
            raise UsageError("it was closed while it waited for the service; ask again")

    def expired(self, clock: Clock) -> DeadlineError:
        """Return the error for *clock*."""
        seconds = getattr(self.timeouts, clock)
        is_whole = not self._is_streamed and seconds == self.timeouts.whole
        advice = _WHOLE_ADVICE if is_whole and clock in ("first_event", "idle") else _ADVICE[clock]
        return DeadlineError(
            f"nothing came in time: the {clock} clock of {seconds} s ran out; {advice}",
            clock=clock,
            sent=clock != "connect",
            retryable=clock == "connect",
        )


class Calls:
    """The calls of one client that go on."""

    def __init__(self) -> None:
        self._open: set[Clocks] = set()
        self._process = os.getpid()
        self._is_closed = False

    def begin(self, timeouts: Timeouts, *, is_streamed: bool) -> Clocks:
        """Return the clocks of a new call. Raises UsageError when the client is closed."""
        clocks = Clocks(timeouts, is_streamed=is_streamed, calls=self)
        self._own().add(clocks)
        if self._is_closed:  # asked last: whoever closes after that sees this call
            self.end(clocks)
            raise UsageError("this client is closed; make a new one")
        return clocks

    def end(self, clocks: Clocks) -> None:
        self._open.discard(clocks)

    def close(self) -> list[object]:
        """End every call, and let none begin; return what ending them gives."""
        self._is_closed = True
        return [clocks.stop() for clocks in [*self._own()]]

    def _own(self) -> set[Clocks]:
        """Return the calls of this process: those before a fork are the parent's, to end them too."""
        if self._process != os.getpid():
            self._open, self._process = set(), os.getpid()
        return self._open


def _after(now: float, seconds: float | None) -> float | None:
    return None if seconds is None else now + seconds
