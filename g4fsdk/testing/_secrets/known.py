"""The secrets that are known so far, their placeholders, and the forms they take in other codings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from g4fsdk._core.model.redact import base64_cores
from g4fsdk.testing._secrets.names import REQUEST_IDS, canonical, is_searched


@dataclass(frozen=True, slots=True)
class Forms:
    """How one secret is found in bytes: as it is, with escapes mixed in, and inside base64."""

    plain: re.Pattern[bytes]
    escaped: re.Pattern[bytes]
    base64: tuple[bytes, ...]

    def ranges(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield where *data* holds the secret as text."""
        pattern = self.escaped if b"%" in data or b"\\" in data else self.plain
        return (found.span() for found in pattern.finditer(data))

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


def forms_of(value: str) -> Forms:
    plain, escaped = re.escape(encoded(value)), b"".join(map(_escaped_character, value))
    if value.isdecimal():  # part of a longer number is another number
        plain, escaped = rb"(?<!\d)" + plain + rb"(?!\d)", rb"(?<!\d)" + escaped + rb"(?!\d)"
    cores = {core for shift in range(3) for core in base64_cores(encoded(value), shift) if len(core) >= 6}
    return Forms(re.compile(plain), re.compile(escaped), tuple(core.encode() for core in sorted(cores)))


def _escaped_character(character: str) -> bytes:
    """Return a pattern for *character* as it is, percent-coded, or escaped in JSON of any depth."""
    raw = encoded(character)
    percent = b"".join(b"%%(?i:%02x)" % byte for byte in raw)
    units = character.encode("utf-16-be", "surrogatepass").hex()
    unicode = b"".join(rb"\\{1,8}u(?i:%s)" % units[i : i + 4].encode() for i in range(0, len(units), 4))
    options = [re.escape(raw), percent, unicode]
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

    def __init__(self) -> None:
        self._placeholders: dict[str, str] = {}
        self._searched: dict[str, Forms] = {}
        self._taken: Counter[str] = Counter()
        self._chosen: set[str] = set()
        self._sent: list[bytes] = []

    def add(self, value: str) -> None:
        """Have *value* searched everywhere, unless it is too common for that."""
        if value not in self._searched and is_searched(value):
            self._searched[value] = forms_of(value)

    def searched(self) -> list[tuple[str, Forms]]:
        return list(self._searched.items())

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
