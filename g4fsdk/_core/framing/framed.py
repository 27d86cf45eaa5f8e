"""Units that are framed alike, and read by templates where they fit.

All shortcuts past the plain path stand here and in `templates`, to be argued in one place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import ClassVar

import msgspec

from g4fsdk._core.decoding.buffers import MANY_PIECES
from g4fsdk._core.decoding.decoder import Decoder, Kind
from g4fsdk._core.framing.parser import MAX_BYTES, Parser
from g4fsdk._core.framing.templates import (
    JOINT,
    NO_TEMPLATE,
    NOT_A_STRING,
    Template,
    decode_string,
    learn,
)
from g4fsdk._core.model.errors import G4FError
from g4fsdk._core.model.events import Event, TextDelta

#: What reading a line by its size raises: it has no such string, or no line of such a size has come.
NOT_AS_BEFORE = (KeyError, *NOT_A_STRING)
# Templates may be learned so often in vain; one that served this many units has paid for the next. After two
# in vain (the second is for a hole) none is learned for as many units, then for twice as many, and so on.
_LESSONS = 10
_UNITS_THAT_PAY = 8
MAX_LESSON = 65536  # no service says so much around a few letters
# A chunk of so many units is looked at as a block. In one above that size, they are cheaper read all at once.
_MANY_UNITS = 4
_LONG_BLOCK = 4096
# After so many bytes, the plain path is taken once: it makes room for what is kept of them.
_WINDOW = 1 << 18
# The sizes of lines whose ends are remembered: so many, and none above.
_MAX_ENDS = 256
_MAX_LINE = 1024


class FastParser(Parser):
    """A parser of framed units, each a JSON document, that takes the shortcuts where they hold.

    `_fast_until` says where: the framing sets it between two units, once a first was read, while the
    decoder has nothing to tell, hold back or join before a text.
    """

    __slots__ = (
        *("_behind", "_counted", "_event", "_framed", "_kind", "_kinds", "_learned_at"),
        *("_lesson_at", "_lessons", "_prefix", "_read", "_read_unit", "_reads_any", "_reads_quickly"),
        *("_suffix", "_template", "_texts"),
    )

    #: What frames a unit on the wire, in front and behind.
    before: ClassVar[bytes] = b""
    behind: ClassVar[bytes] = b"\n"

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder, max_bytes=max_bytes)
        self._kinds = decoder.kinds()
        self._lessons = _LESSONS
        self._learned_at = self._lesson_at = self._counted = 0
        self._behind = self.behind
        self._framed = len(self.before) + len(self.behind)
        self._use(NO_TEMPLATE)

    def _use(self, template: Template, kind: Kind | None = None) -> None:
        """From now on, expect what *template* fits; without one, until the next lesson, any of *kind*."""
        self._template = template
        self._kind = kind or self._kinds[template.event]
        self._event = self._kind.event
        self._texts = self._kind.texts.new
        self._prefix, self._suffix = template.prefix, template.suffix
        self._read: Callable[[bytes], str | None] = template.read
        self._reads_any = reads_any = template is NO_TEMPLATE and self._seen < self._lesson_at
        if reads_any:
            self._prefix, self._suffix, self._read = self.before, self._behind, self._kind.read_quickly
        self._read_unit: Callable[[bytes], str | None] = self._kind.read if reads_any else template.text
        # Of many units, that is cheaper than to fill a hole; and than the other, as long as it fits.
        self._reads_quickly = reads_any or template.has_hole

    def _allow(self, is_between: bool) -> int:
        """Open the fast paths if they hold *is_between* two units, and never for long: memory is seen to.

        Return up to which byte they would hold.
        """
        if len(self._texts) >= MANY_PIECES:
            self._kind.texts.settle()
        self._counted = len(self._texts)
        until = self._seen + min(self.max_bytes, _WINDOW)
        if self._reads_any:
            until = min(until, self._lesson_at)
            if self._seen >= self._lesson_at:
                self._use(NO_TEMPLATE, self._kind)
        until = until if self.decoder.is_plain else -1
        self._fast_until = until if is_between else -1
        return until

    def _say_texts(self, texts: list[str], out: list[Event]) -> None:
        self._texts.append("".join(texts))
        out += map(self._event, filter(None, texts))

    def _say_units(self, units: Iterator[bytes], out: list[Event]) -> bytes | None:
        """Say the texts of bare *units* up to the first that says something else, and return that one."""
        if not self.decoder.is_plain:
            return next(units, None)
        read = self._reader()
        texts, size, odd = [], 0, None
        for unit in units:
            text = read(unit)
            if text is None:
                odd = unit
                break
            texts.append(text)
            size += len(unit)
        if texts:
            self._say_texts(texts, out)
            self._seen += size + len(texts) * self._framed
        return odd

    def _reader(self) -> Callable[[bytes], str | None]:
        """Return what reads the text of one unit of many."""
        return self._kind.read_quickly if self._reads_quickly else self._read_unit

    def _learn_if_text(self, unit: bytes, said: list[Event]) -> None:
        """Learn from *unit*, which no template fitted, when the last it *said* is text; not often in vain."""
        kind = self._kinds.get(type(said[-1])) if said else None
        if kind is None or len(unit) > MAX_LESSON:
            return
        if self._seen >= self._lesson_at:
            self._count_lesson(len(unit) + self._framed)
        if self._seen < self._lesson_at:
            self._use(NO_TEMPLATE, kind)
            self._reads_quickly = kind.read(unit) is None
            return
        framing = (self.before, self._behind)
        found = learn(unit, framing, kind, self.decoder.padding) if self.decoder.is_plain else None
        self._use((found and self._template.with_hole(found, kind)) or found or NO_TEMPLATE)
        self._reads_quickly = self._reads_quickly and kind.read_quickly(unit) is not None

    def _count_lesson(self, size: int) -> None:
        """Say that units of *size* fit no template; put the next lesson off after two in vain."""
        is_in_vain = self._seen - self._learned_at < _UNITS_THAT_PAY * size
        self._learned_at = self._seen
        self._lessons -= is_in_vain
        if self._lessons <= 0:
            self._lesson_at = sys.maxsize
        elif is_in_vain and self._lessons % 2 and self._lessons < _LESSONS - 1:
            times = (_LESSONS - 3 - self._lessons) // 2
            self._lesson_at = self._seen + (_UNITS_THAT_PAY << times) * size


class FastEvents(FastParser):
    """The fast paths of server-sent events of one data line each."""

    __slots__ = ("_block_size", "_line_until", "_tail")

    before = b"data: "
    behind = b"\n\n"

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder, max_bytes=max_bytes)
        self._line_until = -1  # as `_fast_until`, for a line that is unfinished

    def feed(self, data: bytes) -> list[Event]:
        if (seen := self._seen + len(data)) <= self._fast_until:
            rest = data.removeprefix(self._prefix)
            if rest is not data:
                string = rest.removesuffix(self._suffix)
                read, event = self._read, self._event  # as attributes, they'd be looked up as methods
                try:
                    text = read(string) if string is not rest else None
                except NOT_A_STRING:
                    text = None
                if text and string.strip() is string:
                    self._seen = seen
                    self._texts.append(text)
                    return [event(text)]
        line = self._line
        if line and 10 not in data and 13 not in data and len(line) + len(data) <= self.max_bytes:
            line += data
            return []
        events = self._end_line(data) if 13 not in data else self._end_line_in_crlf(data)
        return super().feed(data) if events is None else events

    def _fail(self, error: G4FError) -> None:
        super()._fail(error)
        self._line_until = -1

    def _end_line(self, data: bytes) -> list[Event] | None:
        """Return what `feed` gives for *data*, in which a line ends, if all in it fits the template.

        Behind it the next line may begin.

        Exact: the line is what it would be in one chunk, where nothing else is unfinished.
        """
        if self._seen + len(self._line) + len(data) > self._line_until:
            return None
        if len(data) >= self._block_size:
            return self._end_lines(data)
        head, behind, rest = data.partition(b"\n\n")
        if not behind or 10 in rest:
            return self._end_lines(data)
        line = b"".join((self._line, head, behind))
        bare = line.removeprefix(self._prefix)
        string = bare.removesuffix(self._tail)  # where that is not there, the line ends are
        try:
            text = None if bare is line or string.strip() is not string else self._read(string)
        except NOT_A_STRING:
            return None
        if not text:
            return None
        self._texts.append(text)
        self._begin_line(rest, len(line))
        return [self._event(text)]

    def _end_line_in_crlf(self, data: bytes) -> list[Event] | None:
        """The same where each line ends in CRLF, of which none is cut."""
        whole = data.replace(b"\r\n", b"\n")
        return self._end_line(whole) if 13 not in whole else None

    def _end_lines(self, data: bytes) -> list[Event] | None:
        """The same for a block, in which more than one line may end."""
        if _LONG_BLOCK < len(data) < self._block_size:
            return None
        first, *units = data.split(JOINT)
        if not units or not self.decoder.is_plain or len(self._line) > MAX_LESSON:
            return None
        last, behind, rest = units.pop().partition(b"\n\n")
        if behind:
            units.append(last)
        else:
            rest = self.before + last
        line = b"".join((self._line, first))
        unit = line.removeprefix(self.before)
        if unit is line or 10 in rest:
            return None
        texts = self._read_units(unit, units, data, len(first) + len(JOINT))
        if texts is None:
            return None
        self._begin_line(rest, len(line) + len(data) - len(first) - len(rest))
        out: list[Event] = []
        self._say_texts(texts, out)
        return out

    def _read_units(self, first: bytes, units: list[bytes], data: bytes, at: int) -> list[str] | None:
        """Return the texts of *first* and of *units*, which *data* has joined *at*, or None where one says
        anything else.
        """
        read = self._reader()
        text = read(first)
        if text is None:
            return None
        texts = [text]
        if len(data) > _LONG_BLOCK:
            others = self._template.texts(units, data, at)
            return None if others is None else texts + others
        for text in map(read, units):
            if text is None:
                return None
            texts.append(text)
        return texts

    def _begin_line(self, line: bytes, size: int) -> None:
        """Say that *size* more bytes were whole events, and that *line* is the beginning of the next."""
        self._seen += size
        self._counted += 1  # text, whose line ends are counted as they should be
        self._line[:] = line
        self._fast_until = -1 if line else self._line_until

    def _expect_crlf(self) -> None:
        """From now on, expect events whose lines end in CRLF."""
        self._behind = b"\r\n\r\n"
        self._use(NO_TEMPLATE)
        self._counted = len(self._texts)

    def _use(self, template: Template, kind: Kind | None = None) -> None:
        super()._use(template, kind)
        self._tail = self._suffix.replace(b"\r\n", b"\n")
        has_blocks = template is not NO_TEMPLATE and not template.has_hole
        self._block_size = _MANY_UNITS * len(template.prefix) if has_blocks else sys.maxsize


class FastLines(FastParser):
    """The fast paths of JSON lines whose texts may be filled up, and of a line that says nothing."""

    __slots__ = ("_bare_ends", "_ends", "_padding", "_quoted", "_silent")

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder, max_bytes=max_bytes)
        self._padding = msgspec.json.encode(decoder.padding)[1:-1]

    def _use(self, template: Template, kind: Kind | None = None) -> None:
        super()._use(template, kind)
        self._quoted = self._prefix + b'"'
        # What lines of one size end with, padding included: as they stand on the wire, and bare.
        self._ends: dict[int, bytes] = {}
        self._bare_ends: dict[int, bytes] = {}
        self._silent = b""  # the last line that said nothing, whenever it comes: a keep-alive

    def _allow(self, is_between: bool) -> int:
        return super()._allow(is_between and self._template is not NO_TEMPLATE)

    def feed(self, data: bytes) -> list[Event]:
        size = len(data)
        if (seen := self._seen + size) <= self._fast_until:
            try:
                # Six bytes a NUL, the padding is most of an ordinary line: it is cut off, not decoded.
                rest = data.removesuffix(self._ends[size])
                string = rest.removeprefix(self._quoted)
                if rest is not data and string is not rest:
                    # Without a quote, an escape or a control character, a string is what it says.
                    if 92 in string or 34 in string or not (text := string.decode()).isprintable():
                        text = decode_string(b'"' + string + b'"').rstrip(self.decoder.padding)
                    if text:
                        self._seen = seen
                        self._texts.append(text)
                        return [TextDelta(text)]
                elif data == self._silent:
                    self._seen = seen
                    return []
            except NOT_AS_BEFORE:
                pass
        return super().feed(data)

    def _reader(self) -> Callable[[bytes], str | None]:
        if self._template is NO_TEMPLATE:
            return super()._reader()
        start, ends, read_other = self._template.start, self._bare_ends, self._read_other
        padding = self.decoder.padding

        def read(line: bytes) -> str | None:
            try:
                rest = line.removesuffix(ends[len(line)])
                string = rest.removeprefix(start)
                if rest is not line and string is not rest:
                    return decode_string(string + b'"').rstrip(padding)
            except NOT_AS_BEFORE:
                pass
            return read_other(line)

        return read

    def _read_other(self, line: bytes) -> str | None:
        """Return the text of a bare *line* that ends unlike others of its size, "" if it says nothing."""
        wire = line + b"\n"
        if wire == self._silent:
            return ""
        text = self.decoder.read_text(line)
        if text is not None and len(line) <= _MAX_LINE:
            self._remember_end(line)
            self._silent = wire if not text else self._silent
        return text

    def _remember_end(self, line: bytes) -> None:
        """Remember what the bare *line* ends with, if it has the template's end; else, what fits nothing."""
        padding, end = self._padding, b'"' + self._template.end
        begins_at = line.find(padding) if padding else -1
        if begins_at >= 0:
            end = padding * ((len(line) - len(end) - begins_at) // len(padding)) + end
        if len(self._ends) >= _MAX_ENDS:
            self._ends.clear()
            self._bare_ends.clear()
            self._silent = b""
        self._bare_ends[len(line)] = end
        self._ends[len(line) + 1] = end + b"\n"
