"""JSON lines: one JSON document a line."""

from __future__ import annotations

from g4fsdk._chatui import UpdateDecoder
from g4fsdk._decoder import Decoder
from g4fsdk._events import Event, TextDelta
from g4fsdk._fast import FastParser
from g4fsdk._parsers import BLANK, MAX_BYTES


class JSONLinesParser(FastParser):
    """One JSON document a line, as chat-ui streams it: blank space around a line means nothing."""

    __slots__ = ("_silent",)

    document_marks = b""

    def __init__(self, decoder: Decoder | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        """*decoder* says what the lines mean; without one they are chat-ui's updates."""
        super().__init__(decoder or UpdateDecoder(), max_bytes=max_bytes)
        self._silent = b""  # the last line that says nothing, whenever it comes: a keep-alive

    def _stream(self, data: bytes, out: list[Event]) -> None:
        self._limit = -1
        if 10 not in data:
            self._hold(data)
            return
        data = self._with_line(data)
        lines = data.split(b"\n")
        rest = lines.pop()
        if self._may_be_many(data) and self._known([line for line in lines if line != self._silent], out):
            self._seen += len(data) - len(rest)
        else:
            self._take_each(lines, out)
        if rest:
            self._hold(rest)
        self._limit = self.max_bytes if not rest and self.decoder.is_plain else -1

    def _take_each(self, lines: list[bytes], out: list[Event]) -> None:
        for line in lines:
            text = self._template.text(line)
            if text is not None and self.decoder.is_plain:
                self.decoder.say_text(text, out)
            else:
                self._decode(line, self._seen, out)
            self._seen += len(line) + 1

    def _decode(self, line: bytes, at: int, out: list[Event]) -> None:
        self._check_size(len(line), at, line)
        unit = line.strip(BLANK)
        if not unit:
            return
        said = len(out)
        try:
            self.decoder.decode(unit, b"", out)
        except ValueError as error:
            raise self._unreadable("a JSON line", error, at, unit) from error
        if len(out) == said and self._read_text(unit) == "":
            self._silent = line
        elif self._lessons and len(out) > said and type(out[-1]) is TextDelta:
            self._learn(line)

    def _end_stream(self, out: list[Event]) -> None:
        self._decode(self._with_line(b""), self._seen, out)
