"""JSON lines: one JSON document a line."""

from __future__ import annotations

from collections.abc import Iterator

from g4fsdk._core.decoding.chatui import UpdateDecoder
from g4fsdk._core.decoding.decoder import Decoder
from g4fsdk._core.framing.framed import FastLines
from g4fsdk._core.framing.parser import BLANK, MAX_BYTES
from g4fsdk._core.model.events import Event


class JSONLinesParser(FastLines):
    """One JSON document a line, as chat-ui streams it: blank space around a line means nothing."""

    __slots__ = ()

    document_marks = b""

    def __init__(self, decoder: Decoder | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        """*decoder* says what the lines mean; without one they are chat-ui's updates."""
        super().__init__(decoder or UpdateDecoder(), max_bytes=max_bytes)

    def _stream(self, data: bytes, out: list[Event]) -> None:
        self._fast_until = -1
        if 10 not in data:
            self._hold(data)
            return
        data = self._with_line(data)
        lines = data.split(b"\n")
        rest = lines.pop()
        units = iter(lines)
        next_odd = self._say_units if len(data) <= self.max_bytes else _next
        while not self.decoder.done and (odd := next_odd(units, out)) is not None:
            self._take_line(odd, out)
            self._seen += len(odd) + 1
        if rest:
            self._hold(rest)
        self._allow(not rest and not self.decoder.done)

    def _take_line(self, line: bytes, out: list[Event]) -> None:
        self._check_size(len(line), self._seen, line)
        unit = line.strip(BLANK)
        if not unit:
            return
        said = len(out)
        self._decode(unit, b"", "a JSON line", self._seen, out)
        self._learn_if_text(line, out[said:])

    def _end_stream(self, out: list[Event]) -> None:
        self._ends_inside = True
        self._take_line(self._with_line(b""), out)


def _next(units: Iterator[bytes], out: list[Event]) -> bytes | None:
    return next(units, None)
