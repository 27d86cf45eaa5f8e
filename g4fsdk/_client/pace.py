"""How fast the rows of a batch are asked, and tried again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from g4fsdk._core.flow.rows import read_rate
from g4fsdk._core.model.errors import UsageError

if TYPE_CHECKING:
    from pyrate_limiter import InMemoryBucket


class Pace:
    """Lets so many calls begin in any window of the rate's length; no *rate* is no limit. How to wait, each
    client knows.

    Raises:
        UsageError: A rate that is none, or its library is not there.
    """

    def __init__(self, rate: str | None, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._bucket = None if rate is None else _bucket(*read_rate(rate))

    def begin(self) -> float:
        """Return 0.0 when the next call may begin, which counts it; else how many seconds to wait first."""
        if self._bucket is None:
            return 0.0
        from pyrate_limiter import RateItem

        with self._lock:
            item = RateItem("", int(self._now() * 1000))
            self._bucket.leak(item.timestamp)
            if self._bucket.put(item):
                return 0.0
            waiting = self._bucket.waiting(item)
        assert isinstance(waiting, int)  # else the bucket is an async one
        return (waiting + 1) / 1000  # milliseconds, cut off


def _bucket(calls: int, seconds: int) -> InMemoryBucket:
    try:
        from pyrate_limiter import InMemoryBucket, Rate
    except ImportError as error:
        raise UsageError("a rate needs another package: pip install 'g4fsdk[batch]'") from error
    return InMemoryBucket([Rate(calls, seconds * 1000)])
