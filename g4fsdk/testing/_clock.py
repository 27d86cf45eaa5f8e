"""Time, as a value that tests replace."""

from __future__ import annotations

import time


class Clock:
    """Monotonic time and waiting, in seconds."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)
