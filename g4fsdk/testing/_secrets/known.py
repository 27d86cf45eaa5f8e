"""The secrets that are known so far, their placeholders, and the forms they take in other codings."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from g4fsdk._core.model.redact import base64_cores
from g4fsdk.testing._secrets.names import REQUEST_IDS, canonical, is_searched

# `&`, itself escaped or not: `&amp;#x2f;`, `\u0026#x2f;`
_AMPERSAND = rb"(?:&|\\{1,8}u0026|%26)(?:amp;){0,4}"
_ESCAPED = re.compile(
    _AMPERSAND + rb"#(?:[xX]0{0,6}([2-7][0-9A-Fa-f])|0{0,6}(3[2-9]|[4-9]\d|1[01]\d|12[0-7]));"
    rb"|(?<!\\)\\+(?:u00([2-7][0-9A-Fa-f])|/)|%([2-7][0-9A-Fa-f])"
)
_NAMES_OF = {"&": b"amp", "<": b"lt", ">": b"gt", '"': b"quot", "'": b"apos"}  # in XML
_TOKEN = re.compile(r"[A-Za-z0-9_.~-]+")
# What stands before a token may take its first letters for the rest of an escape: `%` two, `\\` five.
_MAY_BE_TAKEN = 5
_SHORTEST_CORE = 8
_GRAM = 6  # bytes; no core is shorter, in base64 or not
_DEAR = 16  # bytes of a text, whose grams cost as much as to look for a secret


class Haystack:
    """A text in which known secrets are searched, read once for all of them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.is_plain = not any(sign in data for sign in (b"%", b"\\", b"&"))

    @cached_property
    def unescaped(self) -> bytes:
        """The text with its escaped ASCII as letters, whatever the depth of the escapes."""
        return _ESCAPED.sub(_letter, self.data)

    def grams(self) -> set[bytes]:
        """Return every few bytes that stand together in the text, escaped or not."""
        data = self.data if self.is_plain else self.data + self.unescaped
        return {data[start : start + _GRAM] for start in range(len(data) - _GRAM + 1)}


def _letter(found: re.Match[bytes]) -> bytes:
    if decimal := found[2]:
        return bytes([int(decimal)])
    code = found[1] or found[3] or found[4]
    return bytes.fromhex(code.decode()) if code else b"/"


@dataclass(frozen=True, slots=True)
class Forms:
    """How one secret is found in bytes: as it is, with escapes mixed in, and inside base64.

    Where *core* is not, once escapes are undone, there the secret is not, however it is escaped.
    """

    value: str
    raw: bytes
    core: bytes
    base64: tuple[bytes, ...]

    def grams(self) -> set[bytes]:
        """Return the grams of which a text that holds the secret has one; the empty one is in each."""
        return {core[:_GRAM] for core in (self.core, *self.base64)}

    def ranges(self, text: Haystack) -> Iterator[tuple[int, int]]:
        """Yield where *text* holds the secret as text."""
        if text.is_plain:
            if self.raw not in text.data:
                return iter(())
            pattern = _plain_pattern(self.value)
        elif self.core and self.core not in text.unescaped:
            return iter(())
        else:
            pattern = _escaped_pattern(self.value)
        return (found.span() for found in pattern.finditer(text.data))

    def base64_ranges(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield where *data* holds base64 characters that stem from the secret alone."""
        for core in self.base64:
            start = data.find(core)
            while start >= 0:
                yield start, start + len(core)
                start = data.find(core, start + len(core))


def encoded(text: str) -> bytes:
    """Return *text* in UTF-8; half surrogates, which JSON may hold, stay what they are."""
    return text.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=1024)
def forms_of(value: str) -> Forms:
    token = max(_TOKEN.findall(value), key=len, default="")[_MAY_BE_TAKEN:]
    cores = {core for shift in range(3) for core in base64_cores(encoded(value), shift) if len(core) >= 6}
    return Forms(
        value,
        encoded(value),
        token.encode() if len(token) >= _SHORTEST_CORE else b"",
        tuple(core.encode() for core in sorted(cores)),
    )


@lru_cache(maxsize=256)
def _plain_pattern(value: str) -> re.Pattern[bytes]:
    return re.compile(_alone(value, re.escape(encoded(value))))


@lru_cache(maxsize=256)
def _escaped_pattern(value: str) -> re.Pattern[bytes]:
    return re.compile(_alone(value, b"".join(map(_escaped_character, value))))


def _alone(value: str, pattern: bytes) -> bytes:
    # Part of a longer number is another number.
    return rb"(?<!\d)" + pattern + rb"(?!\d)" if value.isdecimal() else pattern


def _escaped_character(character: str) -> bytes:
    """Return a pattern for *character* as it is, percent-coded, or escaped in JSON or XML of any depth."""
    raw = encoded(character)
    percent = b"".join(b"%%(?i:%02x)" % byte for byte in raw)
    units = character.encode("utf-16-be", "surrogatepass").hex()
    unicode = b"".join(rb"\\{1,8}u(?i:%s)" % units[i : i + 4].encode() for i in range(0, len(units), 4))
    name, code = _NAMES_OF.get(character, b"#"), ord(character)
    entity = _AMPERSAND + rb"(?:%s|#0{0,6}%d|#[xX]0{0,6}(?i:%x));" % (name, code, code)
    options = [re.escape(raw), percent, unicode, entity]
    if character in '"\\/':
        options.append(rb"\\{1,8}" + re.escape(raw))
    if character == " ":
        options.append(rb"\+")
    return b"(?:" + b"|".join(options) + b")"


class KnownSecrets:
    """Known secrets. A placeholder is called after the name under which its secret was first seen.

    So it does not depend on what else a session holds: the key in a query is ``SCRUBBED-api-key-1`` in
    the recording and in a later request with another key.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._placeholders: dict[str, str] = {}
        self._searched: dict[str, Forms] = {}
        self._numbers: defaultdict[bytes, list[int]] = defaultdict(list)  # by gram
        #: What is searched, in the order in which it was found.
        self.values: tuple[str, ...] = ()
        for value in values:
            self._learn(value)
        self._taken: Counter[str] = Counter()
        self._chosen: set[str] = set()
        self._sent: list[bytes] = []
        self._clean: tuple[int, bytes] | None = None

    def is_clean(self, body: bytes) -> bool:
        """Tell whether *body* is the last that nothing was found in, and nothing is known since."""
        return self._clean == (len(self._searched), body)

    def note_clean(self, body: bytes) -> None:
        self._clean = len(self._searched), body

    def add(self, value: str) -> None:
        """Have *value* searched everywhere, unless it is too common for that."""
        if value not in self._searched and is_searched(value):
            self._learn(value)

    def _learn(self, value: str) -> None:
        self._searched[value] = forms = forms_of(value)
        for gram in forms.grams():
            self._numbers[gram].append(len(self.values))
        self.values = (*self.values, value)

    def maybe_in(self, text: Haystack) -> list[Forms]:
        """Return what is worth looking for in *text*, in the order in which it was found."""
        if len(text.data) > _DEAR * len(self.values):
            return list(self._searched.values())
        near = self._numbers.keys() & {b"", *text.grams()}
        numbers = {number for gram in near for number in self._numbers[gram]}
        return [self._searched[self.values[number]] for number in sorted(numbers)]

    def placeholder(self, value: str, slug: str) -> str:
        """Return what stands for *value*, which was found under the name *slug*."""
        if canonical(slug) not in REQUEST_IDS:
            self.add(value)
        if value not in self._placeholders:
            self._taken[slug] += 1
            self._placeholders[value] = f"SCRUBBED-{slug}-{self._taken[slug]}"
        return self._placeholders[value]

    def keep_placeholders(self, placeholders: Iterable[str]) -> None:
        """Give none of *placeholders* to another secret."""
        for each in placeholders:
            slug, _, number = each.removeprefix("SCRUBBED-").rpartition("-")
            self._taken[slug] = max(self._taken[slug], int(number))

    def begin_session(self) -> None:
        """Forget what was sent: the next session has its own requests."""
        self._sent.clear()

    def note_sent(self, *texts: bytes) -> None:
        self._sent += texts

    def is_chosen(self, value: str) -> bool:
        """Tell whether the account's id *value* is one that the caller had sent before it came back."""
        if value in self._placeholders or value in self._searched:
            return False
        if value not in self._chosen and any(encoded(value) in text for text in self._sent):
            self._chosen.add(value)
        return value in self._chosen
