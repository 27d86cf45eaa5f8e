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
_STRING = rb'"(?:[^"\\]|\\.)*"'
_PROBE = "probe\0x"
_PROBE_JSON = rb'"probe\u0000x"'
# Templates may be learned so often in vain; one that served this many units has paid for the next.
_LESSONS = 16
_UNITS_THAT_PAY = 8
# Below this, reading units one by one is cheaper than all at once.
_MANY_UNITS = 4


class Template:
    """The constant beginning and end of a stream's text units, bare and with what frames a unit."""

    __slots__ = ("_end", "_read", "_start", "prefix", "suffix")

    def __init__(
        self, start: bytes, end: bytes, framing: tuple[bytes, bytes], read: Callable[[bytes], str]
    ) -> None:
        """A unit is *start*, a JSON string, *end*; *framing* stands around it. *read* decodes the string."""
        self._start, self._end, self._read = start, end, read
        self.prefix = framing[0] + start
        self.suffix = end + framing[1]

    def text(self, unit: bytes) -> str | None:
        """Return the text of a bare *unit*, or None when it has another shape."""
        literal = unit.removeprefix(self._start)
        string = literal.removesuffix(self._end)
        if literal is unit or string is literal:
            return None
        try:
            return self._read(string)
        except NOT_A_STRING:
            return None

    def texts(self, units: list[bytes]) -> list[str] | None:
        """Return the texts of bare *units*, or None when one has another shape.

        A unit that lacks either end is found by the sum of the lengths.
        """
        start, end = self._start, self._end
        strings = [unit.removeprefix(start).removesuffix(end) for unit in units]
        if sum(map(len, units)) - sum(map(len, strings)) != len(units) * (len(start) + len(end)):
            return None
        try:
            return [*map(self._read, strings)]
        except NOT_A_STRING:
            return None


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

    `_is_ready` says where: the framing sets it between two units, once a first was read, while the decoder
    has nothing to tell, hold back or join before a text.
    """

    #: What frames a unit on the wire, in front and behind.
    before: ClassVar[bytes] = b""
    behind: ClassVar[bytes] = b"\n"

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder, max_bytes=max_bytes)
        self._write_text = decoder.answer.write_text
        self._read_string = decoder.read_string
        self._frame(self.behind)
        self._lessons = _LESSONS
        self._learned_at = 0

    def _frame(self, behind: bytes) -> None:
        """From now on, expect units with *behind* behind them."""
        self._behind = behind
        self._framed = len(self.before) + len(behind)
        self._surplus = behind.count(b"\r")  # each line end counts as one byte
        self._template = NO_TEMPLATE
        self._prefix = self._suffix = b""  # of the template

    def feed(self, data: bytes) -> list[Event]:
        if self._is_ready and (size := len(data)) <= self.max_bytes:
            literal = data.removeprefix(self._prefix)
            if literal is not data:
                string = literal.removesuffix(self._suffix)
                if string is not literal:
                    try:
                        text = self._read_string(string)
                    except NOT_A_STRING:
                        text = ""
                    if text:
                        self._seen += size - self._surplus
                        self._write_text(text)
                        return [TextDelta(text)]
            unit = data.removeprefix(self.before).removesuffix(self._behind)
            if size - len(unit) == self._framed and 10 not in unit and 13 not in unit:
                said = self.decoder.read_text(unit)
                if said:
                    self._seen += size - self._surplus
                    self._write_text(said)
                    if self._lessons:
                        self._learn(unit)
                    return [TextDelta(said)]
        elif self._line and 10 not in data and 13 not in data:
            held = self._line_size + len(data)
            if held <= self.max_bytes:
                self._line.append(data)
                self._line_size = held
                return []
        return super().feed(data)

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
        self._template = NO_TEMPLATE
        if self._lessons and self.decoder.is_plain:
            framing = (self.before, self._behind)
            self._template = learn(unit, framing, self.decoder, self._read_string) or NO_TEMPLATE
        self._prefix, self._suffix = self._template.prefix, self._template.suffix
