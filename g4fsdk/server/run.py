"""Running the gateway: it listens, says where, and ends when it is told to."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from g4fsdk.server.app import Gateway

_KEEP_ALIVE_S = 60
_BACKLOG = 2048
_LAST_WORDS_S = 5  # for what has to be told when it is over


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at *host*. Raises OSError where it can't."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def address_of(listener: socket.socket) -> str:
    """Return the address to give to clients as base URL."""
    host, port, *_ = listener.getsockname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


class Server(uvicorn.Server):
    """Serves *gateway*; *ready* is called once it does. `should_exit = True` ends it.

    Calls that go on when it ends have *grace_s* seconds; then they are told that they were stopped.
    """

    def __init__(self, gateway: Gateway, ready: Callable[[], object], grace_s: int = 10) -> None:
        self._ready, self._calls, self._grace_s = ready, gateway.calls, grace_s
        config = uvicorn.Config(
            gateway.app(),
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=grace_s + _LAST_WORDS_S,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        stopping = asyncio.get_running_loop().call_later(self._grace_s, self._calls.stop)
        try:
            await super().shutdown(sockets=sockets)
        finally:
            stopping.cancel()


def serve_forever(gateway: Gateway, host: str, port: int, ready: Callable[[str], object]) -> None:
    """Serve *gateway* until Ctrl-C or SIGTERM; *ready* is told the address.

    Raises:
        OSError: There is no such address to listen at.
    """
    with listen(host, port) as listener:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _nothing)  # uvicorn ends by them, and then raises them again
        Server(gateway, lambda: ready(address_of(listener))).run(sockets=[listener])


def _nothing(number: int, frame: Any) -> None:
    """Ending as asked is no failure."""
