"""Answers that are not streamed: one JSON document."""

from __future__ import annotations

from g4fsdk._core.framing.parser import Parser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.model.events import Event

_STREAM_MARKS = (b"data:", b"event:", b":")


class DocumentParser(Parser):
    """One JSON document; or the event stream of a service that streams though it was asked not to."""

    __slots__ = ()

    def _open(self, data: bytes) -> bytes:
        body = super()._open(data)
        if self._whole is None and body:
            self._whole = bytearray()
        return body

    def _stream(self, data: bytes, out: list[Event]) -> None:
        self._whole = bytearray(data)  # half a byte order mark, and nothing else

    def _end(self, out: list[Event]) -> None:
        if self._whole is None or not self._whole.startswith(_STREAM_MARKS):
            super()._end(out)
            return
        stream = SSEParser(self.decoder, max_bytes=self.max_bytes)
        stream._take(bytes(self._whole), out)
        stream._end(out)
