"""Server-sent events: one JSON document an event."""

from __future__ import annotations

import re
from collections.abc import Iterator

from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk._core.decoding.decoder import Decoder
from g4fsdk._core.framing.framed import MAX_LESSON, FastEvents
from g4fsdk._core.framing.parser import MAX_BYTES
from g4fsdk._core.framing.templates import JOINT
from g4fsdk._core.model.events import Event

_WHAT = "a JSON event"
_FIELD = re.compile(rb"[A-Za-z][\w.-]*")


class SSEParser(FastEvents):
    """A server-sent event stream, one JSON document an event.

    Lines end in LF, CR or CRLF; one space after the colon is dropped; comments and unknown fields are
    skipped; an `error:` line counts as an event of that name, as llama.cpp means it; a line of JSON counts as
    an event, and other words that are no field as nonsense; the last event may lack its blank line.

    Source: WHATWG HTML, "Interpreting an event stream".
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_data_size",
        "_event_at",
        "_has_event",
        "_name",
        "_stray",
        "_stray_at",
    )

    def __init__(self, decoder: Decoder | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        """*decoder* says what the events mean; without one they are OpenAI chat completion chunks."""
        super().__init__(decoder or ChatChunkDecoder(), max_bytes=max_bytes)
        self._after_cr = False
        self._data: list[bytes] = []  # data lines of the unfinished event
        self._data_size = 0
        self._name = b""
        self._event_at = 0
        self._stray, self._stray_at = b"", 0  # of this event, the first line that is but a word
        self._has_event = False

    def _stream(self, data: bytes, out: list[Event]) -> None:
        self._fast_until = -1
        if self._behind is not self.behind:  # a line end counts as one byte, on the fast path too
            self._seen -= 2 * (len(self._texts) - self._counted)
            self._counted = len(self._texts)
        if self._after_cr or 13 in data:
            self._line_until = -1
            data = self._with_lf(data)
        if 10 not in data:
            self._hold(data)
            return
        self._line_until = -1
        is_inside = self._data or self._name or self._stray or len(self._line) + len(data) > self.max_bytes
        events = None if is_inside or len(data) < self._block_size else self._end_lines(data)
        if events is not None:
            out += events
        else:
            take = self._take_lines if is_inside else self._take_frames
            take(self._with_line(data), out)
        is_inside = self._data or self._name or self._after_cr or self._stray
        is_open = self._has_event and not (self.decoder.done or is_inside)
        until = self._allow(is_open and not self._line)
        self._line_until = until if is_open else -1

    def _with_lf(self, data: bytes) -> bytes:
        """Make every line end one LF, also a CRLF that is cut in the middle."""
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data[-1] == 13
        if self._behind is self.behind and data.endswith(b"\r\n\r\n"):
            self._expect_crlf()
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take_frames(self, data: bytes, out: list[Event]) -> None:
        """The usual case: whole events of one data line each, between blank lines."""
        end = data.rfind(b"\n\n")
        if end >= 0:
            is_one = data.find(10) == end and data.startswith(self.before)
            # Nothing else may hold on to *data*: it may be most of the memory there is.
            whole, data = data[len(self.before) if is_one else 0 : end], data[end + 2 :]
            take = self._take_one if is_one else self._take_many if 10 in whole else self._take_whole
            take(whole, out)
            if self.decoder.done:
                return
        if 10 in data:
            self._take_lines(data, out)
        elif data:
            self._hold(data)

    def _take_one(self, unit: bytes, out: list[Event]) -> None:
        if self._says_as_before(unit, out):
            self._seen += len(unit) + self._framed
        else:
            self._take_unit(unit, out)

    def _says_as_before(self, unit: bytes, out: list[Event]) -> bool:
        """Say the text of a bare *unit* that is like those before it; return whether it is."""
        is_usual = self.decoder.is_plain and len(unit) <= MAX_LESSON
        text = self._read_unit(unit) if is_usual else None
        if text:
            self._texts.append(text)
            out.append(self._event(text))
        return text is not None

    def _take_many(self, data: bytes, out: list[Event]) -> None:
        first, *units = data.split(JOINT)
        unit = first.removeprefix(self.before)
        if unit is first:
            self._take_whole(first, out)
        else:
            units.insert(0, unit)
        if not self.decoder.done:
            self._take_units(iter(units), out)

    def _take_units(self, units: Iterator[bytes], out: list[Event]) -> None:
        while (odd := self._say_units(units, out)) is not None:
            if 10 in odd:
                self._take_whole(self.before + odd, out)
            else:
                self._take_unit(odd, out)
            if self.decoder.done:
                return

    def _take_whole(self, data: bytes, out: list[Event]) -> None:
        """Take whole events line by line, *data* without the last blank line."""
        self._take_lines_at([*data.split(b"\n"), b""], self._seen, out)
        self._seen += len(data) + len(self.behind)

    def _take_unit(self, unit: bytes, out: list[Event]) -> None:
        said = len(out)
        self._decode(unit, b"", _WHAT, self._seen, out)
        self._has_event = True
        self._seen += len(unit) + self._framed
        self._learn_if_text(unit, out[said:])

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
                self._take_line(line, at, out)
            else:
                self._dispatch(out)
            if self.decoder.done:
                return
            at += len(line) + 1

    def _take_line(self, line: bytes, at: int, out: list[Event]) -> None:
        self._check_size(len(line), at, line)
        if not self._data and not self._name:
            self._event_at = at
        field, colon, value = line.partition(b":")
        if field == b"data":
            self._add_data(value.removeprefix(b" "))
        elif field == b"event":
            self._name = value.removeprefix(b" ")
        elif colon and field.lower() == b"error":
            self._name = b"error"
            self._add_data(value)
        elif field and (not colon or not _FIELD.fullmatch(field)):
            self._take_stray(line, at, out)

    def _take_stray(self, line: bytes, at: int, out: list[Event]) -> None:
        """Take a *line* that is no field with a value: an event without `data:`, or words in place of one."""
        if line[0] in b"{[":
            self._dispatch(out)
            if not self.decoder.done:
                self._has_event = True
                self._decode(line, b"", _WHAT, at, out)
        elif _FIELD.fullmatch(line):
            self._stray = self._stray or line[:200]
            self._stray_at = at
        elif line.strip():
            self._dispatch(out)
            if not self.decoder.done:
                raise self._unreadable("an event", ValueError("a line that is no field"), at, line)

    def _add_data(self, value: bytes) -> None:
        self._data.append(value)
        # One for the line end that joins it to the next: endless empty data lines are an endless event.
        self._data_size += len(value) + 1
        if self._data_size > self.max_bytes:
            raise self._too_long(self._event_at, b"\n".join(self._data)[: self.max_bytes])

    def _dispatch(self, out: list[Event]) -> None:
        stray, self._stray = self._stray, b""
        if not self._data:
            self._name = b""
            if stray:
                raise self._unreadable(
                    "an event", ValueError("a line that is no field"), self._stray_at, stray
                )
            return
        payload = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        name = self._name
        self._data, self._data_size, self._name = [], 0, b""
        self._has_event = True
        if name or not self._says_as_before(payload, out):
            self._decode(payload, name, _WHAT, self._event_at, out)

    def _end_stream(self, out: list[Event]) -> None:
        rest = self._with_line(b"")
        # Words alone are no stream, whole or not.
        self._ends_inside = self._has_event or bool(self._data) or _is_begun(rest)
        if rest:
            self._take_line(rest, self._seen, out)
        if not self.decoder.done:
            self._dispatch(out)


def _is_begun(line: bytes) -> bool:
    """Whether *line* is the beginning of a data line."""
    return line.startswith(b"data:"[: len(line)])
