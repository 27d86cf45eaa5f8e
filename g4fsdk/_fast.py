"""Exact shortcuts for the shape that nearly every event of a chat stream has.

A text event is a constant beginning, one JSON string, and a constant end:

    data: {"id":"c1","choices":[{"delta":{"content":  "Hello"  },"finish_reason":null}]}

Once a unit has been read in full, another with the same beginning and end only needs its string decoded.
That is no guess. Behind equal beginnings the JSON lexer is in the same state; a string decoder accepts one
whole string literal and nothing else, so no line end either; so what stands between beginning and end is
one value, and the rest of the document says what it said before. Anything else takes the plain path.
`tests/test_fast.py` holds both paths against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

import msgspec

from g4fsdk._decoder import Decoder
from g4fsdk._events import Event, TextDelta
from g4fsdk._parsers import MAX_BYTES, Parser

decode_string = msgspec.json.Decoder(str).decode
#: What `decode_string` raises for anything but one whole JSON string in valid UTF-8.
NOT_A_STRING = (msgspec.DecodeError, UnicodeDecodeError)
# Possessive: a string that doesn't fit must not be tried in another way, which takes memory for each byte.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKENS = re.compile(_STRING + rb'|[^"]+')
_PROBE = "probe\0x"
_PROBE_JSON = rb'"probe\u0000x"'
# Templates may be learned so often in vain; one that served this many units has paid for the next.
_LESSONS = 16
_UNITS_THAT_PAY = 8
_MAX_LESSON = 65536  # no service says so much around a few letters
# Below this, reading units one by one is cheaper than all at once.
_MANY_UNITS = 4


class Template:
    """The constant beginning and end of a stream's text units, bare and with what frames a unit.

    The end may have a hole: one string value, under a key that says nothing, that differs from unit to
    unit, as OpenAI's `obfuscation` does. *middle* and *tail* are the end in front of and behind the hole.
    """

    __slots__ = ("_framing", "_tail", "end", "middle", "prefix", "read", "start", "suffix", "tail")

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
        self.middle, self._tail = middle, tail
        self._framing = framing
        self.prefix = framing[0] + start
        self.suffix = end + framing[1]
        self.tail = tail + framing[1]

    def text(self, unit: bytes) -> str | None:
        """Return the text of a bare *unit*, or None when it has another shape."""
        literal = unit.removeprefix(self.start)
        string = literal.removesuffix(self.end)
        if literal is unit or (string is literal and not self.middle):
            return None
        try:
            return self.read(string) if string is not literal else self.text_before_hole(literal, self._tail)
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

    def texts(self, units: list[bytes]) -> list[str] | None:
        """Return the texts of bare *units*, or None when one has another shape.

        A unit that lacks either end is found by the sum of the lengths.
        """
        start, end = self.start, self.end
        strings = [unit.removeprefix(start).removesuffix(end) for unit in units]
        if sum(map(len, units)) - sum(map(len, strings)) != len(units) * (len(start) + len(end)):
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
        says_nothing = decoder.read_text(self.start + _PROBE_JSON + middle + b'"x"' + tail) == _PROBE
        return (
            Template(self.start, self.end, self._framing, self.read, middle, tail)
            if is_value and says_nothing
            else None
        )


#: Fits nothing: an empty beginning taken away leaves the same object, and the same length.
NO_TEMPLATE = Template(b"", b"", (b"", b""), decode_string)


def learn(
    unit: bytes, framing: tuple[bytes, bytes], decoder: Decoder, read: Callable[[bytes], str]
) -> Template | None:
    """Return the template of *unit*, whose text stands under the decoder's key, or None when it has none.

    The template is tried with another string first, on the plain path: so a key of the same name elsewhere
    in the unit can't be taken for it.
    """
    found = re.search(rb'[{,\s]"' + decoder.text_key + rb'"\s*:\s*(' + _STRING + rb")", unit)
    if found is None:
        return None
    start, end = unit[: found.start(1)], unit[found.end(1) :]
    if decoder.read_text(start + _PROBE_JSON + end) != _PROBE:
        return None
    return Template(start, end, framing, read)


class FastParser(Parser):
    """A parser of framed units, each a JSON document, that takes the shortcuts where they hold.

    `_limit` says where: the framing sets it between two units, once a first was read, while the decoder
    has nothing to tell, hold back or join before a text.
    """

    __slots__ = (
        *("_behind", "_framed", "_learned_at", "_lessons", "_middle", "_prefix", "_read_string"),
        *("_read_text", "_suffix", "_surplus", "_template", "_write_text"),
    )

    #: What frames a unit on the wire, in front and behind.
    before: ClassVar[bytes] = b""
    behind: ClassVar[bytes] = b"\n"

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder, max_bytes=max_bytes)
        self._write_text = decoder.answer.write_text
        self._read_string = decoder.read_string
        self._read_text = decoder.read_text
        self._frame(self.behind)
        self._lessons = _LESSONS
        self._learned_at = 0

    def _frame(self, behind: bytes) -> None:
        """From now on, expect units with *behind* behind them."""
        self._behind = behind
        self._framed = len(self.before) + len(behind)
        self._surplus = behind.count(b"\r")  # each line end counts as one byte
        self._template = NO_TEMPLATE
        self._prefix = self._suffix = self._middle = b""  # of the template

    def feed(self, data: bytes) -> list[Event]:
        if (size := len(data)) <= self._limit:
            literal = data.removeprefix(self._prefix)
            if literal is not data:
                string = literal.removesuffix(self._suffix)
                try:
                    text = self._read_string(string) if string is not literal else self._before_hole(literal)
                except NOT_A_STRING:
                    text = ""
                if text:
                    self._seen += size - self._surplus
                    self._write_text(text)
                    return [TextDelta(text)]
            unit = data.removeprefix(self.before).removesuffix(self._behind)
            if size - len(unit) == self._framed and 10 not in unit and 13 not in unit:
                said = self._read_text(unit)
                if said is not None:
                    self._seen += size - self._surplus
                    if not said:
                        return []
                    self._write_text(said)
                    if self._lessons:
                        self._learn(unit)
                    return [TextDelta(said)]
        elif self._line and 10 not in data and 13 not in data:
            held = self._line_size + size
            if held <= self.max_bytes:
                self._line.append(data)
                self._line_size = held
                return []
        return super().feed(data)

    def _before_hole(self, literal: bytes) -> str:
        return self._template.text_before_hole(literal, self._template.tail) or "" if self._middle else ""

    def _may_be_many(self, data: bytes) -> bool:
        """Whether *data* may hold so many text units that reading them at once pays."""
        size = _MANY_UNITS * len(self._prefix)
        return 0 < size < len(data) <= self.max_bytes and self.decoder.is_plain

    def _known(self, units: list[bytes], out: list[Event]) -> bool:
        """Say the texts of *units* if all fit the template; say whether."""
        texts = self._template.texts(units)
        if texts is None:
            return False
        if "" in texts:
            texts = [text for text in texts if text]
        self._write_text("".join(texts))
        out += map(TextDelta, texts)
        return True

    def _learn(self, unit: bytes) -> None:
        """Learn the template of *unit*, a text that the present one did not fit, unless often in vain."""
        if self._seen - self._learned_at < _UNITS_THAT_PAY * len(unit):
            self._lessons -= 1
        self._learned_at = self._seen
        known, self._template = self._template, NO_TEMPLATE
        if self._lessons and self.decoder.is_plain and len(unit) <= _MAX_LESSON:
            framing = (self.before, self._behind)
            learned = known.with_hole(unit, self.decoder) if known is not NO_TEMPLATE else None
            learned = learned or learn(unit, framing, self.decoder, self._read_string)
            self._template = learned or NO_TEMPLATE
        found = self._template
        self._prefix, self._suffix, self._middle = found.prefix, found.suffix, found.middle
