"""One connection to a replay server: requests in, answers out, ended as the recorded connection was."""

from __future__ import annotations

import array
import asyncio
import json
import socket
import struct
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from g4fsdk.testing._cassette.errors import MismatchError
from g4fsdk.testing._cassette.values import End, Headers, RecordedRequest, RecordedResponse
from g4fsdk.testing._replay.answers import RecordedAnswers
from g4fsdk.testing._replay.planned import PlannedAnswer, beats
from g4fsdk.testing._server.access import Access
from g4fsdk.testing._server.http1 import (
    CONTINUE,
    BadRequestError,
    ReceivedRequest,
    RequestReader,
    is_closing,
)
from g4fsdk.testing._traffic.wire import (
    LAST_CHUNK,
    encode_chunk,
    encode_head,
    has_body,
    played_headers,
)

MAX_SILENCE_S = 300.0  # a client without a timeout must not keep a server busy for ever
GONE_CHECK_S = 0.05  # how soon a wait notices that its client has gone
MAX_FLUSH_MS = 5000

_PLAIN: Headers = [("Content-Type", "text/plain; charset=utf-8")]
# The header is OpenAI's: its packages ask a 501 again without it.
_NOT_AGAIN: Headers = [("Content-Type", "application/json"), ("x-should-retry", "false")]
_FOREIGN = (
    "this replay server doesn't go by the name in the Host header, which a foreign page may have made stand "
    "for its address; if the name is yours, say so: ReplayServer(..., hosts=[name])"
)


@dataclass(slots=True)
class ServerState:
    """What the connections of one server share."""

    answers: RecordedAnswers
    factor: float
    requests: deque[RecordedRequest]
    access: Access
    origin: str = ""


class Connection:
    """A client's connection."""

    def __init__(
        self, server: ServerState, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._requests = RequestReader(reader, lambda: writer.write(CONTINUE))

    @property
    def is_open(self) -> bool:
        """Whether the client still holds its side, and we ours."""
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def serve(self) -> None:
        """Answer requests until either side ends the connection."""
        try:
            while await self._serve_one():
                pass
        except BadRequestError as error:
            await self._say(400, "Bad Request", _PLAIN, str(error).encode("utf-8"))
        except ConnectionError:
            pass  # the client left, which is its right
        except asyncio.CancelledError:
            self.abort()  # a close would first wait for the client to read on
            raise
        finally:
            await self._close()

    def abort(self) -> None:
        """Let go of the connection at once."""
        self._writer.transport.abort()

    async def _close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _serve_one(self) -> bool:
        """Answer the next request; say whether the connection goes on."""
        sent = await self._requests.read()
        if sent is None:
            return False
        access = self._server.access
        if not access.is_own(sent):
            await self._say(421, "Misdirected Request", _NOT_AGAIN, _refusal(_FOREIGN, "foreign_host"))
            return False
        if access.is_preflight(sent):
            await self._say(200, "OK", access.preflight(sent))
            return not sent.is_last
        return await self._answer(sent)

    async def _answer(self, sent: ReceivedRequest) -> bool:
        request = sent.recorded(self._server.origin)
        self._server.requests.append(request)
        try:
            answer = self._server.answers.claim(request)
        except MismatchError as error:
            headers = self._server.access.shared(sent, _NOT_AGAIN)
            await self._say(501, "Not Recorded", headers, _refusal(str(error), "not_recorded"))
            return not sent.is_last
        return await self._play(answer, sent)

    async def _say(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        whole = [*headers, ("Content-Length", str(len(body)))]
        self._writer.write(encode_head(RecordedResponse(status, reason), whole) + body)
        await self._writer.drain()

    async def _play(self, answer: PlannedAnswer, sent: ReceivedRequest) -> bool:
        response = answer.response
        if response.status:
            await self._send(answer, sent)
        return await _ENDS[response.end](self, answer, sent)

    async def _send(self, answer: PlannedAnswer, sent: ReceivedRequest) -> None:
        start = asyncio.get_running_loop().time()
        headers = self._server.access.shared(sent, played_headers(sent.method, answer.response))
        is_chunked = sent.version != "1.0"
        if not is_chunked:
            headers = [pair for pair in headers if pair[0] != "Transfer-Encoding"]
        self._writer.write(encode_head(answer.response, headers))
        if not has_body(sent.method, answer.response.status):
            return
        for due, data in beats(answer.pieces, self._server.factor):
            await self._wait_until(start + due)
            self._writer.write(encode_chunk(data) if is_chunked else data)
            await self._writer.drain()

    async def _wait_until(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        while (left := due - loop.time()) > 0:
            if not self.is_open:
                raise ConnectionResetError("the client has gone")
            await asyncio.sleep(min(left, GONE_CHECK_S))

    async def _end_complete(self, answer: PlannedAnswer, sent: ReceivedRequest) -> bool:
        response = answer.response
        if not response.status:
            return False
        if has_body(sent.method, response.status) and sent.version != "1.0":
            self._writer.write(LAST_CHUNK)
        await self._writer.drain()
        return not (sent.is_last or is_closing(response.headers))

    async def _end_truncated(self, answer: PlannedAnswer, sent: ReceivedRequest) -> bool:
        return False  # closing now is the FIN without the end of the body

    async def _end_reset(self, answer: PlannedAnswer, sent: ReceivedRequest) -> bool:
        connected: socket.socket = self._writer.get_extra_info("socket")
        await self._flush(connected)
        # Lingering for 0 s makes the close an RST.
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        return False

    async def _flush(self, connected: socket.socket) -> None:
        """Wait until the client's machine has what was sent: an RST throws away what is still on its way."""
        for _ in range(MAX_FLUSH_MS):
            if not (self._writer.transport.get_write_buffer_size() or _unsent(connected)):
                return
            await asyncio.sleep(0.001)

    async def _end_timeout(self, answer: PlannedAnswer, sent: ReceivedRequest) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._reader.read(1), MAX_SILENCE_S)
        return False


_ENDS: dict[End, Callable[[Connection, PlannedAnswer, ReceivedRequest], Awaitable[bool]]] = {
    "complete": Connection._end_complete,
    "truncated": Connection._end_truncated,
    "client_closed": Connection._end_truncated,
    "reset": Connection._end_reset,
    "timeout": Connection._end_timeout,
}


def _refusal(text: str, code: str) -> bytes:
    """Return an error as OpenAI's services write it, which clients show whole."""
    error = {"message": text, "type": "g4fsdk_replay_error", "param": None, "code": code}
    return json.dumps({"error": error}).encode("ascii")


def _unsent(connected: socket.socket) -> int:
    """Return how many bytes the kernel holds that were not acknowledged; 0 when it can't say."""
    if sys.platform != "linux":  # pragma: no cover  # elsewhere the write buffer is all we see
        return 0
    import fcntl
    import termios

    count = array.array("i", [0])
    fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, count)
    return count[0]
