"""Exact shortcuts for the shape that nearly every event of a chat stream has.

A text event is a constant beginning, one JSON string, and a constant end:

    data: {"id":"c1","choices":[{"delta":{"content":  "Hello"  },"finish_reason":null}]}

Once a unit has been read in full, another with the same beginning and end only needs its string decoded.
That is no guess. Behind equal beginnings the JSON lexer is in the same state; a string decoder accepts one
whole string literal and nothing else, so no line end either; so what stands between beginning and end is
one value, and the rest of the document says what it said before. Anything else takes the plain path.
`tests/test_fast.py` holds both paths against each other. All shortcuts stand here, long as
it makes the module: what has to be exact is argued and tested in one place.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import ClassVar

import msgspec

from g4fsdk._buffers import MANY_PIECES
from g4fsdk._decoder import Decoder
from g4fsdk._events import Event, TextDelta
from g4fsdk._parsers import MAX_BYTES, Parser

decode_string = msgspec.json.Decoder(str).decode
#: What `decode_string` raises for anything but one whole JSON string in valid UTF-8.
NOT_A_STRING = (msgspec.DecodeError, UnicodeDecodeError)
# Possessive: a string that doesn't fit must not be tried in another way, which takes memory for each byte.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKENS = re.compile(_STRING + rb'|[^"]+')
#: The same for a line, whose size may be new.
NOT_AS_BEFORE = (KeyError, *NOT_A_STRING)
# Two, since a unit may say one of them itself.
_PROBES = {"probe\0x": rb'"probe\u0000x"', "probe\0y": rb'"probe\u0000y"'}
# Templates may be learned so often in vain; one that served this many units has paid for the next.
_LESSONS = 16
_UNITS_THAT_PAY = 8
_MAX_LESSON = 65536  # no service says so much around a few letters
# Below this, reading units one by one is cheaper than all at once.
_MANY_UNITS = 4
# After so many bytes, the plain path is taken once: it makes room for what is kept of them.
_WINDOW = 1 << 18
# Between two events of one data line each.
_JOINT = b"\n\ndata: "
_MAX_ENDS = 256  # sizes of lines whose ends are remembered


class Template:
    """The constant beginning and end of a stream's text units, bare and with what frames a unit.

    The end may have a hole: one string value, under a key that says nothing, that differs from unit to
    unit, as OpenAI's `obfuscation` does. *middle* and *tail* are the end in front of and behind the hole.
    """

    __slots__ = ("_framing", "end", "framed_tail", "middle", "prefix", "read", "start", "suffix", "tail")

    def __init__(
        self,
        start: bytes,
        end: bytes,
        framing: tuple[bytes, bytes],
        read: Callable[[bytes], str],
        middle: bytes = b"",
        tail: bytes = b"",
    ) -> None:
        """A unit is *start*, a JSON string, *end*; *framing* stands around it. *read* decodes the string."""
        self.start, self.end, self.read = start, end, read
        self.middle, self.tail = middle, tail
        self._framing = framing
        self.prefix = framing[0] + start
        self.suffix = end + framing[1]
        self.framed_tail = tail + framing[1]

    def text(self, unit: bytes) -> str | None:
        """Return the text of a bare *unit*, or None when it has another shape."""
        literal = unit.removeprefix(self.start)
        string = literal.removesuffix(self.end)
        if literal is unit or (string is literal and not self.middle):
            return None
        try:
            return self.read(string) if string is not literal else self.text_before_hole(literal, self.tail)
        except NOT_A_STRING:
            return None

    def text_before_hole(self, literal: bytes, tail: bytes) -> str | None:
        """Return the text of *literal*, a unit without its start, or None when it is not string, middle,
        string, *tail*. Raises NOT_A_STRING.

        Exact: a string can't hold the middle, which has a quote in it; and what fills the hole is looked at.
        """
        string, middle, rest = literal.rpartition(self.middle)
        hole = rest.removesuffix(tail)
        if hole is rest or not middle:
            return None
        decode_string(hole)
        return self.read(string)

    def texts(self, units: list[bytes], joint: bytes, data: bytes, at: int) -> list[str] | None:
        """Return the texts of *units*, which stand in *data* from *at*, with *joint* between them, or None
        when one has another shape.

        All have this one if they are what its ends make of the strings that lie where they would.
        """
        begin, end = len(self.start), -len(self.end)
        strings = [unit[begin:end] for unit in units]
        glued = (self.end + joint + self.start).join(strings)
        is_known = units and units[0].startswith(self.start) and units[-1].endswith(self.end)
        if not is_known or not data.startswith(glued, at + begin):
            return None
        try:
            return [*map(self.read, strings)]
        except NOT_A_STRING:
            return None

    def with_hole(self, unit: bytes, decoder: Decoder) -> Template | None:
        """Return this template with a hole where *unit* differs from it, or None when that can't be."""
        other = learn(unit, self._framing, decoder, self.read)
        if other is None or other.start != self.start:
            return None
        ours, theirs = _TOKENS.findall(self.end), _TOKENS.findall(other.end)
        differ = [at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]]
        if len(ours) != len(theirs) or len(differ) != 1:
            return None
        middle, tail = b"".join(ours[: differ[0]]), b"".join(ours[differ[0] + 1 :])
        # A value, never a key; and one that says nothing, whatever string it is.
        is_value = middle.rstrip().endswith(b":") and ours[differ[0]][:1] == theirs[differ[0]][:1] == b'"'
        if not is_value or not _says_probes(decoder, self.start, middle + b'"x"' + tail):
            return None
        return Template(self.start, self.end, self._framing, self.read, middle, tail)


#: Fits nothing: an empty beginning taken away leaves the same object.
NO_TEMPLATE = Template(b"", b"", (b"", b""), decode_string)


def learn(
    unit: bytes, framing: tuple[bytes, bytes], decoder: Decoder, read: Callable[[bytes], str]
) -> Template | None:
    """Return the template of *unit*, whose text stands under the decoder's key, or None when it has none.

    The template is tried with other strings first, on the plain path: so a key of the same name elsewhere
    in the unit can't be taken for it.
    """
    found = re.search(rb'[{,\s]"' + decoder.text_key + rb'"\s*:\s*(' + _STRING + rb")", unit)
    if found is None:
        return None
    start, end = unit[: found.start(1)], unit[found.end(1) :]
    return Template(start, end, framing, read) if _says_probes(decoder, start, end) else None


def _says_probes(decoder: Decoder, start: bytes, end: bytes) -> bool:
    return all(decoder.read_text(start + literal + end) == text for text, literal in _PROBES.items())


class FastParser(Parser):
    """A parser of framed units, each a JSON document, that takes the shortcuts where they hold.

    `_fast_until` says where: the framing sets it between two units, once a first was read, while the
    decoder has nothing to tell, hold back or join before a text.
    """

    __slots__ = (
        *("_behind", "_framed", "_learned_at", "_lessons", "_middle", "_prefix", "_read", "_reads_any"),
        *("_suffix", "_template", "_texts", "_window"),
    )

    #: What frames a unit on the wire, in front and behind.
    before: ClassVar[bytes] = b""
    behind: ClassVar[bytes] = b"\n"

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder, max_bytes=max_bytes)
        # Kept as a list for its `append`, which has an instruction of its own.
        self._texts = decoder.texts.new
        self._window = min(max_bytes, _WINDOW)
        self._lessons = _LESSONS
        self._learned_at = 0
        self._behind = self.behind
        self._framed = len(self.before) + len(self.behind)
        self._use(NO_TEMPLATE)

    def _use(self, template: Template) -> None:
        """From now on, expect what *template* fits; without one, any text unit, once learning is given up."""
        self._template = template
        self._prefix, self._suffix, self._middle = template.prefix, template.suffix, template.middle
        self._read: Callable[[bytes], str | None] = self.decoder.read_string
        self._reads_any = template is NO_TEMPLATE and not self._lessons
        if self._reads_any:
            self._prefix, self._suffix, self._read = self.before, self._behind, self.decoder.read_text

    def _allow(self, is_between: bool) -> None:
        """Open the fast paths if they hold *is_between* two units, and never for long: memory is seen to."""
        if len(self._texts) >= MANY_PIECES:
            self.decoder.texts.settle()
        self._fast_until = self._seen + self._window if is_between and self.decoder.is_plain else -1

    def _say_texts(self, texts: list[str], out: list[Event]) -> None:
        self._texts.append("".join(texts))
        out += map(TextDelta, filter(None, texts))

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
        # A hole costs more than it saves there.
        return self.decoder.read_text if self._reads_any or self._middle else self._template.text

    def _learn_if_text(self, unit: bytes, said: list[Event]) -> None:
        """Learn from *unit*, read in full, when the last it *said* is text."""
        if self._lessons and said and type(said[-1]) is TextDelta:
            self._learn(unit)

    def _learn(self, unit: bytes) -> None:
        """Learn the template of *unit*, a text that the present one did not fit, unless often in vain."""
        if self._seen - self._learned_at < _UNITS_THAT_PAY * len(unit):
            self._lessons -= 1
        self._learned_at = self._seen
        known, found = self._template, None
        if self._lessons and self.decoder.is_plain and len(unit) <= _MAX_LESSON:
            framing = (self.before, self._behind)
            found = known.with_hole(unit, self.decoder) if known is not NO_TEMPLATE else None
            found = found or learn(unit, framing, self.decoder, self.decoder.read_string)
        self._use(found or NO_TEMPLATE)


class FastEvents(FastParser):
    """The fast paths of server-sent events of one data line each."""

    __slots__ = ("_block_size", "_counted")

    before = b"data: "
    behind = b"\n\n"

    def feed(self, data: bytes) -> list[Event]:
        if (seen := self._seen + len(data)) <= self._fast_until:
            rest = data.removeprefix(self._prefix)
            if rest is not data:
                string = rest.removesuffix(self._suffix)
                try:
                    text = self._read(string) if string is not rest else self._before_hole(rest)
                except NOT_A_STRING:
                    text = None
                if text:
                    self._seen = seen
                    self._texts.append(text)
                    return [TextDelta(text)]
        elif data and self._line and 10 not in data and 13 not in data:
            held = self._line_size + len(data)
            if held <= self.max_bytes:
                self._line.append(data)
                self._line_size = held
                return []
        return super().feed(data)

    def _before_hole(self, rest: bytes) -> str | None:
        return self._template.text_before_hole(rest, self._template.framed_tail) if self._middle else None

    def _end_lines_in_crlf(self) -> None:
        """From now on, expect events whose lines end in CRLF."""
        self._behind = b"\r\n\r\n"
        self._counted = len(self._texts)
        self._use(NO_TEMPLATE)

    def _use(self, template: Template) -> None:
        super()._use(template)
        is_known = template is not NO_TEMPLATE and not template.middle
        self._block_size = _MANY_UNITS * len(template.prefix) if is_known else sys.maxsize

    def _count_crlf(self) -> None:
        """Count each line end as one byte, also in the events that took the fast path since it was opened."""
        self._seen -= 2 * (len(self._texts) - self._counted)
        self._counted = len(self._texts)

    def _say_block(self, data: bytes, out: list[Event]) -> bool:
        """Say the events of *data*, behind the unfinished line, if all fit the template; say whether."""
        template = self._template
        if not self.decoder.is_plain:
            return False
        first, *units = data.split(_JOINT)
        rest = self._cut_rest(units)
        text = template.text(b"".join([*self._line, first]).removeprefix(self.before))
        texts = template.texts(units, _JOINT, data, len(first) + len(_JOINT))
        if text is None or texts is None or 10 in rest:
            return False
        self._seen += self._line_size + len(data) - len(rest)
        self._line, self._line_size = [rest] if rest else [], len(rest)
        self._say_texts([text, *texts], out)
        return True

    def _cut_rest(self, units: list[bytes]) -> bytes:
        """Make *units* whole ones, and return what the last was the beginning of."""
        last = units.pop() if units else b""
        if not last.endswith(b"\n\n"):
            return self.before + last
        units.append(last[:-2])
        return b""


class FastLines(FastParser):
    """The fast paths of JSON lines whose texts may be filled up, and of a line that says nothing."""

    __slots__ = ("_bare_ends", "_ends", "_quoted", "_silent")

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder, max_bytes=max_bytes)
        self._silent = b""  # the last line that said nothing, whenever it comes: a keep-alive

    def _use(self, template: Template) -> None:
        super()._use(template)
        self._quoted = self._prefix + b'"'
        # What lines of one size end with, padding included: as they stand on the wire, and bare.
        self._ends: dict[int, bytes] = {}
        self._bare_ends: dict[int, bytes] = {}

    def _allow(self, is_between: bool) -> None:
        super()._allow(is_between and self._template is not NO_TEMPLATE)

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
                        text = self.decoder.read_string(b'"' + string + b'"')
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
        fill = decode_string(b'"' + self.decoder.padding + b'"')

        def read(line: bytes) -> str | None:
            try:
                rest = line.removesuffix(ends[len(line)])
                string = rest.removeprefix(start)
                if rest is not line and string is not rest:
                    return decode_string(string + b'"').rstrip(fill)
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
        if text is not None:
            self._remember_end(line)
        if text == "":
            self._silent = wire
        return text

    def _remember_end(self, line: bytes) -> None:
        """Remember what the bare *line* ends with, if it has the template's end; else, what fits nothing."""
        padding, end = self.decoder.padding, b'"' + self._template.end
        begins_at = line.find(padding) if padding else -1
        if begins_at >= 0:
            end = padding * ((len(line) - len(end) - begins_at) // len(padding)) + end
        if len(self._ends) >= _MAX_ENDS:
            self._ends.clear()
            self._bare_ends.clear()
        self._bare_ends[len(line)] = end
        self._ends[len(line) + 1] = end + b"\n"
