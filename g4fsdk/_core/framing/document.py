"""Answers that are not streamed: one JSON document."""

from __future__ import annotations

from g4fsdk._core.framing.parser import Parser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.model.errors import G4FError
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
        stream = self._as_stream()
        if stream is None:
            super()._end(out)
            return
        stream._take(bytes(self._whole or b""), out)
        stream._end(out)

    def _broken(self, cause: str, out: list[Event]) -> G4FError:
        """Return the error for a body that broke off; of a stream, what had come is read before."""
        stream = self._as_stream()
        try:
            if stream is not None:
                stream._take(bytes(self._whole or b""), out)
        except G4FError as error:
            return error
        return super()._broken(cause, out)

    def _as_stream(self) -> SSEParser | None:
        """Return what reads the body where it is an event stream."""
        is_stream = self._whole is not None and self._whole.startswith(_STREAM_MARKS)
        return SSEParser(self.decoder, max_bytes=self.max_bytes) if is_stream else None
