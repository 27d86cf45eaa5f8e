"""Server-sent events: one JSON document an event."""

from __future__ import annotations

from g4fsdk._chat_chunks import ChatChunkDecoder
from g4fsdk._decoder import Decoder
from g4fsdk._events import Event, TextDelta
from g4fsdk._fast import FastParser
from g4fsdk._parsers import MAX_BYTES


class SSEParser(FastParser):
    """A server-sent event stream, one JSON document an event.

    Lines end in LF, CR or CRLF; one space after the colon is dropped; comments and unknown fields are
    skipped; an `error:` line counts as an event of that name, as llama.cpp means it; the last event may
    lack its blank line.

    Source: WHATWG HTML, "Interpreting an event stream".
    """

    __slots__ = ("_after_cr", "_data", "_data_size", "_event_at", "_has_event", "_name", "_stray")

    before = b"data: "
    behind = b"\n\n"

    def __init__(self, decoder: Decoder | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        """*decoder* says what the events mean; without one they are OpenAI chat completion chunks."""
        super().__init__(decoder or ChatChunkDecoder(), max_bytes=max_bytes)
        self._after_cr = False
        self._data: list[bytes] = []  # data lines of the unfinished event
        self._data_size = 0
        self._name = b""
        self._event_at = 0
        self._stray = b""  # the first line that is no field at all
        self._has_event = False

    def _stream(self, data: bytes, out: list[Event]) -> None:
        self._limit = -1
        if self._after_cr or 13 in data:
            data = self._with_lf(data)
        if 10 not in data:
            self._hold(data)
            return
        data = self._with_line(data)
        if self._data or self._name or len(data) > self.max_bytes:
            self._take_lines(data, out)
        else:
            self._take_frames(data, out)
        pending = self._line or self._data or self._name or self._after_cr
        may_skip = self._has_event and self.decoder.is_plain and not self.decoder.done
        self._limit = self.max_bytes if may_skip and not pending else -1

    def _with_lf(self, data: bytes) -> bytes:
        """Make every line end one LF, also a CRLF that is cut in the middle."""
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data[-1] == 13
        if not self._surplus and data.endswith(b"\r\n\r\n"):
            self._frame(b"\r\n\r\n")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take_frames(self, data: bytes, out: list[Event]) -> None:
        """The usual case: whole events of one data line each, between blank lines."""
        end = data.rfind(b"\n\n") if self._may_be_many(data) else 0
        if end > 0 and data.startswith(b"data: ") and self._known(data[6:end].split(b"\n\ndata: "), out):
            rest = data[end + 2 :]
            self._seen += end + 2
        else:
            frames = data.split(b"\n\n")
            rest = frames.pop()
            self._take_each(frames, out)
            if self.decoder.done:
                return
        if 10 in rest:
            self._take_lines(rest, out)
        elif rest:
            self._hold(rest)

    def _take_each(self, frames: list[bytes], out: list[Event]) -> None:
        for frame in frames:
            unit = frame.removeprefix(b"data: ")
            if unit is frame or 10 in unit:
                self._take_lines_at([*frame.split(b"\n"), b""], self._seen, out)
            elif (text := self._template.text(unit)) is not None and self.decoder.is_plain:
                self.decoder.say_text(text, out)
            else:
                self._take_unit(unit, out)
            self._seen += len(frame) + 2
            if self.decoder.done:
                return

    def _take_unit(self, unit: bytes, out: list[Event]) -> None:
        said = len(out)
        try:
            self.decoder.decode(unit, b"", out)
        except ValueError as error:
            raise self._unreadable("a JSON event", error, self._seen, unit) from error
        self._has_event = True
        if self._lessons and len(out) > said and type(out[-1]) is TextDelta:
            self._learn(unit)

    def _take_lines(self, data: bytes, out: list[Event]) -> None:
        lines = data.split(b"\n")
        rest = lines.pop()
        at = self._seen
        self._seen += len(data) - len(rest)
        self._take_lines_at(lines, at, out)
        if rest and not self.done:
            self._hold(rest)

    def _take_lines_at(self, lines: list[bytes], at: int, out: list[Event]) -> None:
        for line in lines:
            if line:
                self._take_line(line, at)
            else:
                self._dispatch(out)
                if self.decoder.done:
                    return
            at += len(line) + 1

    def _take_line(self, line: bytes, at: int) -> None:
        self._check_size(len(line), at, line)
        if not self._data and not self._name:
            self._event_at = at
        field, colon, value = line.partition(b":")
        if field == b"data":
            self._add_data(value.removeprefix(b" "))
        elif field == b"event":
            self._name = value.removeprefix(b" ")
        elif field == b"error" and colon:
            self._name = b"error"
            self._add_data(value)
        elif not colon and not self._stray:
            self._stray = line[:200]

    def _add_data(self, value: bytes) -> None:
        self._data.append(value)
        # One for the line end that joins it to the next: endless empty data lines are an endless event.
        self._data_size += len(value) + 1
        if self._data_size > self.max_bytes:
            raise self._too_long(self._event_at, b"\n".join(self._data)[: self.max_bytes])

    def _dispatch(self, out: list[Event]) -> None:
        if not self._data:
            self._name = b""
            return
        payload = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        name = self._name
        self._data, self._data_size, self._name = [], 0, b""
        self._has_event = True
        try:
            self.decoder.decode(payload, name, out)
        except ValueError as error:
            raise self._unreadable("a JSON event", error, self._event_at, payload) from error

    def _end_stream(self, out: list[Event]) -> None:
        if self._line:
            self._take_line(self._with_line(b""), self._seen)
        self._dispatch(out)
        if self._stray and not self._has_event:
            raise self._unreadable("an event stream", ValueError("no event in it"), 0, self._stray)
