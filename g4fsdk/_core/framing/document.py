"""Answers that are not streamed: one JSON document."""

from __future__ import annotations

from g4fsdk._core.decoding.decoder import Decoder
from g4fsdk._core.framing.parser import MAX_BYTES, Parser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.model.events import Event

_STREAM_MARKS = (b"data:", b"event:", b":")


class DocumentParser(Parser):
    """One JSON document; or the event stream of a service that streams though it was asked not to."""

    __slots__ = ("_events",)

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder, max_bytes=max_bytes)
        self._events: SSEParser | None = None  # what reads the body, once it is known to be a stream

    def _open(self, data: bytes) -> bytes:
        body = super()._open(data)
        if self._whole is None and body:
            self._whole = bytearray()
        return body

    def _stream(self, data: bytes, out: list[Event]) -> None:
        self._whole = bytearray(data)  # half a byte order mark, and nothing else

    def _take(self, data: bytes, out: list[Event]) -> None:
        if self._events is not None:
            self._take_events(self._events, data, out)
            return
        super()._take(data, out)
        if self._whole is not None and self._whole.startswith(_STREAM_MARKS):
            data, self._whole = bytes(self._whole), None
            self._events = SSEParser(self.decoder, max_bytes=self.max_bytes)
            self._take_events(self._events, data, out)

    def _take_events(self, events: SSEParser, data: bytes, out: list[Event]) -> None:
        self._seen += len(data)
        events._take(data, out)

    def _end(self, out: list[Event]) -> None:
        if self._events is None:
            super()._end(out)
        else:
            self._events._end(out)
