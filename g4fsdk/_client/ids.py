"""Ids and the time as they really are: the one place that draws them."""

from __future__ import annotations

import threading
import time
import uuid

from g4fsdk._core.model.chat import Ids


class SystemIds(Ids):
    """Random UUIDs, and a clock that gives no millisecond twice: Yqcloud tells conversations apart by it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = 0

    def uuid(self, name: str) -> str:
        return str(uuid.uuid4())

    def now_ms(self) -> int:
        with self._lock:
            self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
            return self._last_ms

    def child(self, number: int) -> Ids:
        return self


SYSTEM_IDS = SystemIds()
