"""Replacing byte ranges, in a text and in a body that came in chunks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BETWEEN = b"\n\x00\n"  # stands between texts that are searched as one: no pattern runs over it


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes *start* to *end* become *new*; *kind* says in words what they held."""

    start: int
    end: int
    new: bytes
    kind: str


def merged(edits: Iterable[Edit]) -> list[Edit]:
    """Return *edits* in order, without overlaps: of two, the earlier and longer gives the text."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda each: (each.start, -each.end)):
        last = kept[-1] if kept else None
        if last is None or edit.start >= last.end:
            kept.append(edit)
        elif edit.end > last.end:
            kept[-1] = Edit(last.start, edit.end, last.new, last.kind)
    return kept


def applied(data: bytes, edits: list[Edit]) -> bytes:
    """Return *data* after *edits*, which `merged` has put in order."""
    pieces, at = [], 0
    for edit in edits:
        pieces += [data[at : edit.start], edit.new]
        at = edit.end
    return b"".join([*pieces, data[at:]]) if edits else data


def applied_to_chunks(
    chunks: list[bytes], at_ms: list[float], edits: list[Edit]
) -> tuple[list[bytes], list[float]]:
    """Return *chunks* and *at_ms* after *edits*, which count bytes from the start of the body.

    The chunk in which an edit starts takes its text, later ones lose what it covers. A chunk that
    becomes empty is left out with its time.
    """
    body, offset = b"".join(chunks), 0
    new_chunks, new_at_ms = [], []
    waiting = iter(edits)
    edit = next(waiting, None)
    for chunk, at in zip(chunks, at_ms, strict=True):
        pieces, start, end = [], offset, offset + len(chunk)
        while edit is not None and edit.start < end:
            if edit.start >= offset:
                pieces += [body[start : edit.start], edit.new]
            start = min(edit.end, end)
            if edit.end > end:
                break
            edit = next(waiting, None)
        data = b"".join([*pieces, body[start:end]])
        offset = end
        if data:
            new_chunks.append(data)
            new_at_ms.append(at)
    return new_chunks, new_at_ms
