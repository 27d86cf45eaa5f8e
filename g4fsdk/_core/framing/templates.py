"""Exact shortcuts for the shape that nearly every event of a chat stream has.

An event of text, or of what the model thinks, is a constant beginning, one JSON string, and a constant end:

    data: {"id":"c1","choices":[{"delta":{"content":  "Hello"  },"finish_reason":null}]}

Once a unit has been read in full, another with the same beginning and end only needs its string decoded.
That is no guess. Behind equal beginnings the JSON lexer is in the same state; a string decoder accepts one
whole string literal and blank space; so what stands between beginning and end is one value, and the rest of
the document says what it said before. A line end in the blank space would be the framing's, so there must be
none. Anything else takes the plain path. `tests/core/test_templates.py` holds both paths against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from operator import itemgetter

import msgspec

from g4fsdk._core.decoding.decoder import Kind
from g4fsdk._core.model.events import Event, TextDelta

decode_string = msgspec.json.Decoder(str).decode
#: What `decode_string` raises for anything but one whole JSON string in valid UTF-8.
NOT_A_STRING = (msgspec.DecodeError, UnicodeDecodeError)
# Possessive: a string that doesn't fit must not be tried in another way, which takes memory for each byte.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKENS = _STRING + rb'|[^"]+'
# Two, since a unit may say one of them itself; and none, in place of which a unit may say something else.
_PROBES = {"probe\0x": rb'"probe\u0000x"', "probe\0y": rb'"probe\u0000y"', "": b'""'}
_KEY_BEFORE = rb'"(\w+)"\s*:\s*$'
# Between two events of one data line each.
JOINT = b"\n\ndata: "


class Template:
    """The constant beginning and end of a stream's text units, bare and with what frames a unit.

    In front of the end there may be a hole: one string value, under a key that says nothing, that differs
    from unit to unit, as OpenAI's `obfuscation` does.
    """

    __slots__ = ("_framing", "end", "event", "has_hole", "prefix", "read", "start", "suffix")

    def __init__(
        self,
        start: bytes,
        end: bytes,
        framing: tuple[bytes, bytes],
        read: Callable[[bytes], str],
        event: type[Event] = TextDelta,
        *,
        has_hole: bool = False,
    ) -> None:
        """A unit is *start*, a JSON string, *end*; *framing* stands around it. *read* decodes what is between
        the two, or raises NOT_A_STRING. *event* is what it becomes.
        """
        self.start, self.end, self.read, self.event, self.has_hole = start, end, read, event, has_hole
        self._framing = framing
        self.prefix = framing[0] + start
        self.suffix = end + framing[1]

    def text(self, unit: bytes) -> str | None:
        """Return the text of a bare *unit*, or None when it has another shape."""
        rest = unit.removeprefix(self.start)
        string = rest.removesuffix(self.end)
        if rest is unit or string is rest or string.strip() is not string:
            return None
        try:
            return self.read(string)
        except NOT_A_STRING:
            return None

    def texts(self, units: list[bytes], data: bytes, at: int) -> list[str] | None:
        """Return the texts of *units*, which *data* has joined *at*, or None when one has another shape.

        Exact: start, end and JOINT are put back around the slices and compared with *data*; an empty slice
        is no string.
        """
        if not (units and units[0].startswith(self.start) and units[-1].endswith(self.end)):
            return None
        begin = len(self.start)
        strings = [*map(itemgetter(slice(begin, -len(self.end))), units)]
        glued = (self.end + JOINT + self.start).join(strings)
        if not data.startswith(glued, at + begin) or 10 in b"".join(strings):
            return None
        try:
            return [*map(self.read, strings)]
        except NOT_A_STRING:
            return None

    def with_hole(self, other: Template, kind: Kind) -> Template | None:
        """Return this template with a hole where *other* differs from it, or None when that can't be."""
        if self.has_hole or other.start != self.start or other.event is not self.event:
            return None
        ours, theirs = re.findall(_TOKENS, self.end), re.findall(_TOKENS, other.end)
        differ = [at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]]
        if len(ours) != len(theirs) or len(differ) != 1:
            return None
        middle, tail = b"".join(ours[: differ[0]]), b"".join(ours[differ[0] + 1 :])
        # A value, never a key; and one that says nothing, whatever string it is.
        key = re.search(_KEY_BEFORE, middle)
        is_idle = key is not None and key[1] in kind.idle_keys
        is_value = is_idle and ours[differ[0]][:1] == theirs[differ[0]][:1] == b'"'
        if not is_value or not _says_probes(kind, self.start, middle + b'"x"' + tail):
            return None
        read = partial(_read_before_hole, self.read, middle)
        return Template(self.start, tail, self._framing, read, self.event, has_hole=True)


def _read_before_hole(read: Callable[[bytes], str], middle: bytes, strings: bytes) -> str:
    """Return what the first of two strings says, with *middle* between them, or raise NOT_A_STRING.

    Exact: a string can't hold the middle, which has a quote in it; and what fills the hole is looked at.
    """
    string, found, hole = strings.rpartition(middle)
    if not found or string.strip() is not string or hole.strip() is not hole:
        raise msgspec.DecodeError("no two strings")
    decode_string(hole)
    return read(string)


#: Fits nothing: an empty beginning taken away leaves the same object.
NO_TEMPLATE = Template(b"", b"", (b"", b""), decode_string)


def learn(unit: bytes, framing: tuple[bytes, bytes], kind: Kind, padding: str = "") -> Template | None:
    """Return the template of *unit*, which says text of *kind*, or None when it has none. *padding* at the
    end of a string is no part of the text.

    The template is tried with other strings first, on the plain path: so a key of the same name elsewhere
    in the unit can't be taken for the text's.
    """
    for key in kind.keys:
        found = _string_under(key).search(unit)
        if found and found[1] != b'""':
            start, end = unit[: found.start(1)], unit[found.end(1) :]
            read = partial(_read_padded, padding) if padding else decode_string
            return Template(start, end, framing, read, kind.event) if _says_probes(kind, start, end) else None
    return None


@cache
def _string_under(key: bytes) -> re.Pattern[bytes]:
    """Return what finds the string under *key*."""
    return re.compile(rb'[{,\s]"' + key + rb'"\s*:\s*(' + _STRING + rb")")


def _read_padded(padding: str, string: bytes) -> str:
    return decode_string(string).rstrip(padding)


def _says_probes(kind: Kind, start: bytes, end: bytes) -> bool:
    return all(kind.probe(start + literal + end) == text for text, literal in _PROBES.items())
