"""How far a request is, and which clock runs meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any

import anyio

from g4fsdk._client.asynchronous.alarms import alarm
from g4fsdk._client.asynchronous.pools import Trace
from g4fsdk._client.clocks import Clocks
from g4fsdk._client.sending import SEND_BYTES
from g4fsdk._core.model.errors import Clock

# The library's own limits come first, and say what was waited for; ours ends what drips.
_GRACE_S = 0.2


class Phases:
    """Rings *alarm* when the clock that runs is over; *clock* is which, *connecting* and *silence* are those
    that the library knows of.

    While a connection is made that is connecting: httpx has a limit for each of its steps, a proxy's answer
    being a read to it. While a long body goes out, each part has the time of a silence. Where nobody tells of
    connections, the library's own limits are all there is.
    """

    clock: Clock
    connecting: Clock
    silence: Clock

    def __init__(self, clocks: Clocks, then: Trace | None) -> None:
        """*then* is told what the library tells."""
        (connecting, self.connecting), (silence, self.silence) = clocks.left("connect"), clocks.left()
        # Waiting for the pool is part of connecting; a write that stalls is silence.
        self.limits = {"connect": connecting, "pool": connecting, "write": silence, "read": silence}
        self.alarm = alarm()
        self._clocks = clocks
        self._then = then
        self._silences: dict[str, float | None] = {}  # kept while they don't run
        self._wire: Any = None
        self._let_run(None)

    def _let_run(self, clock: Clock | None, grace: float = _GRACE_S) -> None:
        """Let *clock* run beside those of the whole call."""
        seconds, self.clock = self._clocks.left(clock)
        self.alarm.set(None if seconds is None else seconds + grace)

    def watch(self, built: Any, size: int) -> None:
        """Follow *built*, a request with a body of *size* bytes, until it goes out: each step heard costs."""
        self._extensions = built.extensions
        self._extensions.update(timeout=self.limits, trace=self._hear)
        if size > SEND_BYTES:
            built.stream.__class__ = _in_parts(built.stream.__class__)
            built.stream.phases = self

    async def _hear(self, step: str, said: Mapping[str, Any]) -> None:
        if step.endswith("send_request_headers.started") and said["request"].method != b"CONNECT":
            self._goes_out()
        elif step.endswith("connect_tcp.started"):
            self._connects()
        elif step.endswith("connect_tcp.complete"):
            self._wire = said["return_value"]
        elif step.endswith("start_tls.failed"):
            await self._hang_up()
        if self._then is not None:
            await self._then(step, said)

    def _connects(self) -> None:
        if not self._silences:  # a library may try again
            self._silences = {"read": self.limits["read"], "write": self.limits["write"]}
        self.limits.update(read=None, write=None)
        self._let_run("connect", grace=0.0)

    def _goes_out(self) -> None:
        self._extensions.pop("trace", None)
        if self._silences:
            self.limits.update(self._silences)
            self._let_run(None)

    async def give_up(self) -> None:
        """Close the connection that was made for this request, if that never went out: httpcore keeps it."""
        self.alarm.close()
        if self._wire is not None and "trace" in self._extensions:
            await self._hang_up()

    async def _hang_up(self) -> None:
        """Close the connection: httpcore 1.0.9 leaves it open where a TLS handshake is cancelled."""
        with anyio.CancelScope(shield=True):
            await self._wire.aclose()

    async def parts(self, data: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Give *data* in parts: a body that moves is not silent, however long the whole takes."""
        async for each in data:
            for start in range(0, len(each), SEND_BYTES):
                self._let_run("idle")
                yield each[start : start + SEND_BYTES]
        self._let_run(None)


@cache
def _in_parts(kind: Any) -> Any:
    """Return a *kind* of body that goes out in the parts that its phases give."""
    return type("InParts", (kind,), {"__aiter__": lambda body: body.phases.parts(kind.__aiter__(body))})
