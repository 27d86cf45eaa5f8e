"""Exact shortcuts for the shape that nearly every event of a chat stream has.

A text event is a constant beginning, one JSON string, and a constant end:

    data: {"id":"c1","choices":[{"delta":{"content":  "Hello"  },"finish_reason":null}]}

Once a unit has been read in full, another with the same beginning and end only needs its string decoded.
That is no guess. Behind equal beginnings the JSON lexer is in the same state; a string decoder accepts one
whole string literal and nothing else; so what stands between beginning and end is one value, and the rest
of the document says what it said before. Anything else takes the plain path. `tests/test_fast.py` holds
both paths against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

decode_string = msgspec.json.Decoder(str).decode
#: What `decode_string` raises for anything but one whole JSON string in valid UTF-8.
NOT_A_STRING = (msgspec.DecodeError, UnicodeDecodeError)
_STRING = rb'"(?:[^"\\]|\\.)*"'
_PROBE = "\x00probe\x00"
_PROBE_JSON = rb'"\u0000probe\u0000"'


class Template:
    """The constant beginning and end of a stream's text units, bare and with what frames a unit."""

    __slots__ = ("_after", "_before", "_between", "_end", "_start", "prefix", "suffix")

    def __init__(self, start: bytes, end: bytes, before: bytes = b"", after: bytes = b"") -> None:
        """A unit is *start*, a JSON string, *end*; on the wire *before* and *after* stand around it."""
        self._start, self._end = start, end
        self._before, self._after = before, after
        self._between = after + before
        self.prefix = before + start
        self.suffix = end + after

    def text(self, unit: bytes) -> str | None:
        """Return the text of a bare *unit*, or None when it has another shape."""
        literal = unit.removeprefix(self._start)
        string = literal.removesuffix(self._end)
        if literal is unit or string is literal:
            return None
        try:
            return decode_string(string)
        except NOT_A_STRING:
            return None

    def texts(self, block: bytes) -> list[str] | None:
        """Return the texts of *block*, whole units with their framing, or None when one differs.

        A separator inside of a unit would cut a string or leave a piece without its beginning, and so be
        found; so would a piece that lacks both ends, by the sum of the lengths.
        """
        body = block.removeprefix(self._before).removesuffix(self._after)
        units = body.split(self._between)
        start, end = self._start, self._end
        strings = [unit.removeprefix(start).removesuffix(end) for unit in units]
        framed = len(self.prefix) + len(self.suffix)
        if sum(map(len, strings)) != len(block) - len(units) * framed:
            return None
        try:
            return [*map(decode_string, strings)]
        except NOT_A_STRING:
            return None


#: Fits nothing: removing an empty prefix gives the same object.
NO_TEMPLATE = Template(b"", b"")


def learn(
    unit: bytes, key: bytes, framing: tuple[bytes, bytes], read_text: Callable[[bytes], str | None]
) -> Template | None:
    """Return the template of *unit*, whose text is the string under *key*, or None when it has none.

    *framing* is what stands before and behind a unit on the wire. *read_text* reads a unit on the plain
    path: the text of a unit that says nothing else, or None. The template is tried with another string
    first, so a key of the same name elsewhere in the unit can't be taken for it.
    """
    found = re.search(rb'[{,\s]"' + key + rb'"\s*:\s*(' + _STRING + rb")", unit)
    if found is None:
        return None
    prefix, suffix = unit[: found.start(1)], unit[found.end(1) :]
    if read_text(prefix + _PROBE_JSON + suffix) != _PROBE:
        return None
    return Template(prefix, suffix, *framing)
