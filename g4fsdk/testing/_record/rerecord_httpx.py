"""Recording what isn't recorded yet, for httpx, blocking and async."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from g4fsdk._client.asynchronous.http import NONE_KEPT
from g4fsdk.testing._cassette.errors import MismatchError

if TYPE_CHECKING:
    from g4fsdk.testing._record.recorder import Recorder
    from g4fsdk.testing._replay.on_httpx import ReplayTransport


class PlayOrRecordTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers through *play*, and what that has no answer for through *recorder*."""

    def __init__(
        self, play: ReplayTransport, recorder: Recorder, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._play = play
        self._blocking = recorder.httpx_transport()
        self._async = recorder.httpx_transport(inner or httpx.AsyncHTTPTransport(limits=NONE_KEPT))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response, or the live one."""
        with suppress(MismatchError):
            return self._play.handle_request(request)
        return self._blocking.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response, or the live one."""
        with suppress(MismatchError):
            return await self._play.handle_async_request(request)
        return await self._async.handle_async_request(request)

    def close(self) -> None:
        self._blocking.close()

    async def aclose(self) -> None:
        await self._async.aclose()
