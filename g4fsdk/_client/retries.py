"""What to try again and how long to wait, with tenacity. Decided here; the clients only obey.

tenacity is imported when something failed: it brings asyncio, which would be a tenth of a blocking client's
start. What may be tried again is written on the error (`retryable`) where it is made, and only what failed
before the first event gets here at all: a stream that has shown text is never repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from g4fsdk._core.model.errors import G4FError, StatusError, UsageError

if TYPE_CHECKING:
    from tenacity import RetryCallState

logger = logging.getLogger("g4fsdk")
Wait: TypeAlias = "Callable[[RetryCallState], float]"


def full_jitter(state: RetryCallState) -> float:
    """Wait up to half a second, and up to twice as long each time, eight seconds at most."""
    import tenacity

    return tenacity.wait_random_exponential(multiplier=0.5, max=8)(state)


@dataclass(frozen=True, slots=True)
class RetryEvent:
    """What a retry hook is told: *error* ended try *attempt* (from 1), the next is *wait_s* seconds away."""

    provider: str
    attempt: int
    wait_s: float
    error: G4FError


@dataclass(frozen=True, slots=True)
class Retries:
    """How often to try and how long to wait.

    *attempts* counts all tries together; 0 and 1 both mean one request. *wait* is a tenacity wait, or any
    callable of its retry state that gives seconds; the service's Retry-After wins over it, and one of
    more than *max_retry_after* seconds ends the trying. *on_retry* is called before each wait.

    Source: RFC 9110, 10.2.3; full jitter as in "Exponential Backoff And Jitter", AWS, 2015.
    """

    attempts: int = 3
    wait: Wait = field(default=full_jitter, repr=False)
    max_retry_after: float = 60.0
    on_retry: Callable[[RetryEvent], None] | None = None

    def policy(self, seconds_left: Callable[[], float | None]) -> dict[str, Any]:
        """Return the arguments of tenacity's `Retrying`; *seconds_left* is what the total clock leaves."""
        import tenacity

        return {
            "stop": _GivesUp(self.attempts, self.max_retry_after, seconds_left),
            "wait": self.wait_seconds,
            "retry": tenacity.retry_if_exception(is_retryable),
            "reraise": True,
        }

    def wait_seconds(self, state: RetryCallState) -> float:
        asked = _retry_after(state)
        return self.wait(state) if asked is None else asked

    def told(self, state: RetryCallState) -> RetryEvent:
        """Log what ended a try, tell it *on_retry*, and return it."""
        error = _error(state)
        event = RetryEvent(error.provider or "", state.attempt_number, state.upcoming_sleep, error)
        logger.info("attempt %d failed, next in %.1f s: %s", event.attempt, event.wait_s, error)
        if self.on_retry is not None:
            self.on_retry(event)
        return event


class Tries:
    """The tries of one call: what follows one that failed, tenacity is asked then, and not before."""

    def __init__(self, retries: Retries, seconds_left: Callable[[], float | None]) -> None:
        self._retries = retries
        self._seconds_left = seconds_left
        self._since = time.monotonic()
        self._state: RetryCallState | None = None

    def after(self, error: G4FError) -> RetryEvent:
        """Return what is told of a try that *error* ended, before the next. Raises *error* for no next."""
        state = self._state = self._state or self._begun()
        state.set_exception((type(error), error, error.__traceback__))
        state.retry_object.iter(retry_state=state)
        event = self._retries.told(state)
        state.prepare_for_next_attempt()
        return event

    def _begun(self) -> RetryCallState:
        import tenacity

        retrying = tenacity.Retrying(**self._retries.policy(self._seconds_left))
        retrying.begin()
        state = tenacity.RetryCallState(retrying, fn=None, args=(), kwargs={})
        state.start_time = self._since
        return state


class _GivesUp:
    """Stops after the last try, or when the service asks for a longer wait than we grant, or the call's time
    ends before it.
    """

    def __init__(
        self, attempts: int, max_retry_after: float, seconds_left: Callable[[], float | None]
    ) -> None:
        self._attempts = attempts
        self._max_retry_after = max_retry_after
        self._seconds_left = seconds_left

    def __call__(self, retry_state: RetryCallState) -> bool:
        if retry_state.attempt_number >= self._attempts:
            return True
        left = self._seconds_left()
        too_long = (_retry_after(retry_state) or 0.0) > self._max_retry_after
        return too_long or (left is not None and retry_state.upcoming_sleep >= left)


def is_retryable(error: BaseException) -> bool:
    return isinstance(error, G4FError) and error.retryable


def _error(state: RetryCallState) -> G4FError:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, G4FError)
    return error


def _retry_after(state: RetryCallState) -> float | None:
    error = _error(state)
    return error.retry_after if isinstance(error, StatusError) else None


def read_retries(retries: Retries | int) -> Retries:
    """Return *retries*; a number is how often to try. Raises UsageError for anything else."""
    if isinstance(retries, Retries):
        return retries
    if not isinstance(retries, int):
        raise UsageError(f"retries must be a number of tries or a Retries(...), not {retries!r}")
    return Retries(attempts=retries)


__all__ = [
    "Retries",
    "RetryEvent",
    "Tries",
    "is_retryable",
    "read_retries",
]
