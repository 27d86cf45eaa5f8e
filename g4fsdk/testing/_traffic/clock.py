"""Time, as a value that tests replace."""

from __future__ import annotations

import sys
import time


class MonotonicClock:
    """Monotonic time and waiting, in seconds."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        if _is_on_asyncio():
            import asyncio

            await asyncio.sleep(seconds)
        else:
            import anyio  # not always: its first sleep loads a backend, 40 ms which the pace would have

            await anyio.sleep(seconds)


def _is_on_asyncio() -> bool:
    if (asyncio := sys.modules.get("asyncio")) is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
