"""Finding secrets in text that base64 or percent coding hides."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from binascii import a2b_base64
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TypeAlias
from urllib.parse import quote_from_bytes, unquote_to_bytes

from g4fsdk.testing._secrets.edits import BETWEEN, Edit, applied
from g4fsdk.testing._secrets.packed import GZIP_MAGIC, Pack, packed, unpacked

Search: TypeAlias = Callable[[bytes], list[Edit]]

# A run of base64 that may be text: in lines of one length, as MIME and PEM have it, or in one piece that
# begins like text or like gzip.
BASE64 = re.compile(
    rb"(?<![A-Za-z0-9+/_-])(?:"
    rb"(?:(?:[A-Za-z0-9+/]{76}\r?\n)+|(?:[A-Za-z0-9+/]{64}\r?\n)+)[A-Za-z0-9+/]+={0,2}"
    rb"|(?:[CDI-Za-fw-z0-9]|H4sI)[A-Za-z0-9+/_-]{7,}={0,2})"
)
TEXT = re.compile(
    rb"(?:[\t\n\r -~]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+"
)
TO_STANDARD = bytes.maketrans(b"-_", b"+/")
WORD = re.compile(rb"[^\s\"'<>&?=#\\]+")
PERCENT_UNIT = re.compile(rb"%[0-9A-Fa-f]{2}|.", re.DOTALL)


def edits_in_base64(data: bytes, search: Search) -> Iterator[Edit]:
    """Yield the edits for base64 that holds text: a run with a secret is coded again."""
    runs = [(found, text) for found in BASE64.finditer(data) if (text := _base64_text(found[0]))]
    for found, text, inner in _searched_together(runs, search):
        new = packed(applied(text, inner), _unpacked(found[0])[1])
        yield Edit(*found.span(), _as_base64_like(found[0], new), inner[0].kind)


def edits_in_percent_coding(data: bytes, search: Search) -> Iterator[Edit]:
    """Yield the edits for words with percent coding; what holds no secret stays as it is coded."""
    words = WORD.finditer(data) if b"%" in data else iter(())
    coded = [(found, unquote_to_bytes(found[0])) for found in words if b"%" in found[0]]
    for found, _, inner in _searched_together(coded, search):
        starts = [found.start() + unit.start() for unit in PERCENT_UNIT.finditer(found[0])]
        starts.append(found.end())
        for edit in inner:
            new = quote_from_bytes(edit.new, safe="").encode()
            yield Edit(starts[edit.start], starts[edit.end], new, edit.kind)


def _searched_together(
    texts: list[tuple[re.Match[bytes], bytes]], search: Search
) -> Iterator[tuple[re.Match[bytes], bytes, list[Edit]]]:
    """Yield each text in which *search* finds something, with its edits; one search serves them all."""
    starts, at = [], 0
    for _, text in texts:
        starts.append(at)
        at += len(text) + len(BETWEEN)
    found: dict[int, list[Edit]] = {}
    for edit in search(BETWEEN.join(text for _, text in texts)) if texts else ():
        number = bisect_right(starts, edit.start) - 1
        start, size = starts[number], len(texts[number][1])
        if edit.start - start < size:
            local = Edit(edit.start - start, min(edit.end - start, size), edit.new, edit.kind)
            found.setdefault(number, []).append(local)
    for number, inner in found.items():
        yield *texts[number], inner


def _base64_text(run: bytes) -> bytes:
    """Return the text that *run* codes, empty when it codes none."""
    text, _ = _unpacked(run)
    if TEXT.fullmatch(text) is None:
        return b""
    try:
        return (
            text if text.decode().replace("\n", "").replace("\r", "").replace("\t", "").isprintable() else b""
        )
    except UnicodeDecodeError:
        return b""


def _unpacked(run: bytes) -> tuple[bytes, list[Pack]]:
    """Return what *run* codes, gzip undone, and what packs it again."""
    standard = run.rstrip(b"=").translate(TO_STANDARD, b"\r\n")
    if len(standard) % 4 == 1:
        return b"", []
    coded = a2b_base64(standard + b"=" * (-len(standard) % 4))
    return unpacked(coded, []) if coded.startswith(GZIP_MAGIC) else (coded, [])


def _as_base64_like(run: bytes, text: bytes) -> bytes:
    """Return *text* in base64 as *run* is written: its alphabet, its lines, with padding or without."""
    encode = urlsafe_b64encode if b"-" in run or b"_" in run else b64encode
    first, *others = run.splitlines()
    is_padded = run.endswith(b"=") or sum(map(len, (first, *others))) % 4 == 0
    coded = encode(text) if is_padded else encode(text).rstrip(b"=")
    width = len(first) if others else len(coded)
    line_end = b"\r\n" if b"\r" in run else b"\n"
    return line_end.join(coded[at : at + width] for at in range(0, len(coded), width))
