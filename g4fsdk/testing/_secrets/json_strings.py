"""The text of a body as a client joins it: its JSON strings, decoded, each with its place in the bytes.

A secret may come letter by letter, one letter an event. It is found in the joined text, and the edit is
carried back to the bytes of each event.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from g4fsdk.testing._secrets.edits import BETWEEN, Edit
from g4fsdk.testing._secrets.known import encoded

Path: TypeAlias = tuple[str | int, ...]

TOKEN = re.compile(
    # A string, also one that is cut off; where it is a key, the number that it has.
    rb'"([^"\\\r\n]*(?:\\.[^"\\\r\n]*)*)(?:"|(?=\\?(?:[\r\n]|\Z)))(\s*:(?:\s*(\d+))?)?'
    # A line of SSE that is no JSON, nor a line of one.
    rb'|([{\[])|([}\]])|,|^data: ?(?! *(?:[{\["]|[}\]][}\], ]*\r?$))([^\r\n]+)',
    re.MULTILINE,
)
UNIT = re.compile(
    rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|[\x00-\x7f]|[\xc2-\xf4][\x80-\xbf]*|.", re.DOTALL
)
DEEPEST_PATH = 64  # keys: what is nested deeper is taken for one place, lest a body of brackets never end
SIMPLE_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
NUL_PADDING = re.compile(rb"(?:\\u0000)+\Z")  # chat-ui fills its tokens up to 16 characters


@dataclass(slots=True)
class OpenContainer:
    """An object or array that is open: its current key or position, and its member ``index``."""

    key: str | int
    index: int | None = None


@dataclass(frozen=True, slots=True)
class JSONString:
    """A JSON string value: where its content stands in the body, decoded, and the keys that lead to it."""

    start: int
    end: int
    text: bytes
    path: Path
    containers: tuple[OpenContainer, ...]


def json_strings_in(body: bytes) -> Iterator[JSONString]:
    """Yield the JSON strings of *body*, a document or a stream of them, and the SSE data that is no JSON.

    Broken JSON gives what can be read: the paths are then longer, and still the same for the same place.
    """
    containers: list[OpenContainer] = []
    for token in TOKEN.finditer(body):
        text, colon, number, opening, closing, data = token.groups()
        if text is not None and colon is not None and containers:
            containers[-1].key = text.decode("utf-8", "replace")
            if number and text == b"index":
                containers[-1].index = int(number)
        elif text:
            outer = tuple(containers[:DEEPEST_PATH])
            path = tuple([container.key for container in outer])
            start, end = token.span(1) if not text.endswith(b"\\u0000") else _unpadded(body, *token.span(1))
            yield JSONString(start, end, _decoded(body[start:end]), path, outer)
        elif text is not None:
            continue
        elif opening is not None:
            containers.append(OpenContainer("" if opening == b"{" else 0))
        elif closing is not None:
            del containers[-1:]
        elif data is not None:
            yield JSONString(*token.span(6), data, ("data",), ())
        elif containers and isinstance(containers[-1].key, int):
            containers[-1].key += 1


def _unpadded(body: bytes, start: int, end: int) -> tuple[int, int]:
    padding = NUL_PADDING.search(body, start, end)
    return start, padding.start() if padding else end


@dataclass(slots=True)
class JoinedText:
    """The decoded text of many strings, group after group, and the way back to the body's bytes."""

    body: bytes
    text: bytes = b""
    strings: list[JSONString] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    raw_starts: dict[int, list[int]] = field(default_factory=dict)

    def in_body(self, edit: Edit) -> Iterator[Edit]:
        """Yield *edit*, which counts in `text`, as edits of the body: the first string takes the new text."""
        new = edit.new
        at = max(bisect_right(self.starts, edit.start) - 1, 0)
        while at < len(self.strings) and self.starts[at] < edit.end:
            raw_starts = self._raw_starts(at)
            start = max(edit.start - self.starts[at], 0)
            end = min(edit.end - self.starts[at], len(raw_starts) - 1)
            if start < end:
                yield Edit(raw_starts[start], raw_starts[end], _json_escaped(new), edit.kind)
                new = b""
            at += 1

    def _raw_starts(self, at: int) -> list[int]:
        if at not in self.raw_starts:
            self.raw_starts[at] = _unit_starts(self.body, self.strings[at])
        return self.raw_starts[at]


def is_one_document(body: bytes) -> bool:
    """Tell whether *body* is one JSON object whose strings stand each at a place of its own, with no escapes.

    No text of it is then joined of several strings, and each reads as it is written.
    """
    if body[:1] != b"{" or b"\\" in body or b'"token"' in body:
        return False
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return 2 * _count_strings(document) == body.count(b'"')  # fewer, where a key comes twice


def _count_strings(value: object) -> int:
    match value:
        case str():
            return 1
        case dict():
            return len(value) + sum(map(_count_strings, value.values()))
        case list():
            return sum(map(_count_strings, value))
    return 0


def joined_texts(body: bytes) -> tuple[JoinedText, list[JoinedText]]:
    """Return the text of *body* joined over its documents, by key path, choice and tool call.

    The others are to be searched for known values only. There all is joined that could be; in the first,
    values that are each complete are not, lest one of them be taken for the rest of the one before.
    """
    strings = list(json_strings_in(body))
    by_path = _grouped(strings, _path_in_document)
    by_choice = [group for strings in by_path for group in _by_choice(strings)]
    careful = _joined(body, by_choice, looks_complete)
    groupings = [by_choice, by_path] if len(by_choice) != len(by_path) else [by_choice]
    groupings.append(_grouped([string for string in strings if _is_token(string)], _path_in_lists))
    others = [_joined(body, groups, lambda before, after: False) for groups in groupings]
    return careful, [each for each in others if each.text != careful.text]


def _by_choice(strings: list[JSONString]) -> list[list[JSONString]]:
    """Return *strings* apart by their ``index``, unless each has its own: some servers count it up."""
    groups = _grouped(strings, lambda string: tuple(container.index for container in string.containers))
    return [strings] if len(groups) == len(strings) else groups


def looks_complete(before: bytes, after: bytes) -> bool:
    """Tell whether two values at the same place are each whole, as URLs and ids are that begin alike."""
    return len(before) >= 8 and len(after) >= 8 and before[:4] == after[:4]


def _is_token(string: JSONString) -> bool:
    """Tell whether *string* is one of the tokens that log probabilities take a text apart in."""
    return string.path[-1:] == ("token",)


def _path_in_lists(string: JSONString) -> tuple[object, ...]:
    """Return the key path without places in lists."""
    return tuple(key for key in string.path if isinstance(key, str))


def _path_in_document(string: JSONString) -> tuple[object, ...]:
    """Return the key path; the documents of an array are a stream like those of several lines."""
    return string.path[1:] if isinstance(string.path[0] if string.path else None, int) else string.path


def _grouped(
    strings: list[JSONString], place: Callable[[JSONString], tuple[object, ...]]
) -> list[list[JSONString]]:
    groups: dict[tuple[object, ...], list[JSONString]] = {}
    for string in strings:
        groups.setdefault(place(string), []).append(string)
    return list(groups.values())


def _joined(
    body: bytes, groups: list[list[JSONString]], are_apart: Callable[[bytes, bytes], bool]
) -> JoinedText:
    joined, pieces, length = JoinedText(body), [], 0
    for group in groups:
        before = b""
        for string in group:
            if not before or are_apart(before, string.text):
                pieces.append(BETWEEN)
                length += len(BETWEEN)
            joined.strings.append(string)
            joined.starts.append(length)
            pieces.append(string.text)
            length += len(string.text)
            before = string.text
    joined.text = b"".join(pieces)
    return joined


def _decoded(raw: bytes) -> bytes:
    return b"".join(_unit_text(unit) for unit in UNIT.findall(raw)) if b"\\" in raw else raw


def _unit_text(unit: bytes) -> bytes:
    if not unit.startswith(b"\\"):
        return unit
    if not unit.startswith(b"\\u"):
        letter = unit[1:].decode("latin-1")
        return SIMPLE_ESCAPES.get(letter, letter).encode("latin-1")
    try:
        units = [int(digits, 16) for digits in unit.split(b"\\u")[1:]]
    except ValueError:  # not an escape after all: the text is not JSON
        return unit
    high, *low = units
    return encoded(chr(0x10000 + ((high & 0x3FF) << 10) + (low[0] & 0x3FF)) if low else chr(high))


def _unit_starts(body: bytes, string: JSONString) -> list[int]:
    """Return where each byte of the string's decoded text comes from, and the string's end."""
    starts: list[int] = []
    for unit in UNIT.finditer(body, string.start, string.end):
        starts += [unit.start()] * len(_unit_text(unit[0]))
    return [*starts, string.end]


def _json_escaped(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n").replace(b"\r", b"\\r")
