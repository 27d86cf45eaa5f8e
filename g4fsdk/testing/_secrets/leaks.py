"""Telling where a cassette still holds secrets, without telling them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.codings import CodingError
from g4fsdk.testing._secrets.editor import CassetteEditor
from g4fsdk.testing._secrets.edits import Edit
from g4fsdk.testing._secrets.json_strings import Path, json_strings_in
from g4fsdk.testing._secrets.known import KnownSecrets
from g4fsdk.testing._secrets.packed import unpacked


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in a cassette: where it stands, and why it counts as one. Never the secret itself."""

    place: str
    kind: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}"


def find_leaks(cassette: Cassette, secrets: Iterable[str] = ()) -> list[Leak]:
    """Return the secrets that *cassette* holds, those of *secrets* and those found by name or look.

    Placeholders are none. Whatever `Scrubber` would take out is a leak, so a scrubbed cassette has none.
    """
    known = KnownSecrets()
    for secret in secrets:
        known.add(secret)
    leaks: dict[Leak, None] = {}

    def report(place: str, data: bytes, edits: list[Edit]) -> None:
        starts = [edit for edit in edits if edit.new]  # without new text: the rest of the one before
        details = _details(data, starts) if place.endswith(".body") else [""] * len(starts)
        for edit, detail in zip(starts, details, strict=True):
            leaks[Leak(f"{place}{detail}", edit.kind)] = None

    before = len(known.values)
    CassetteEditor(known, report).cassette(cassette)
    if len(known.values) > before:  # what is found late may stand early: look again, all being known
        leaks.clear()
        CassetteEditor(known, report).cassette(cassette)
    return list(leaks)


def find_unsearched(cassette: Cassette) -> Iterator[Leak]:
    """Yield the answers of *cassette* that may hold any secret: nothing here undoes their coding."""
    for i, each in enumerate(cassette.interactions):
        try:
            unpacked(each.response.body, each.response.headers)
        except CodingError as error:
            yield Leak(f"interactions[{i}].response.body", f"it can't be searched: {error}")


def _details(body: bytes, edits: list[Edit]) -> Iterable[str]:
    """Yield, for each edit, where in the body it is: the event or line, and the key, or the byte."""
    strings = list(json_strings_in(body)) if edits else []
    for edit in edits:
        inside = [string for string in strings if string.start <= edit.start <= string.end]
        words = [_block(body, edit.start), f"key {key_path(inside[0].path)}" if inside else ""]
        yield f" ({', '.join(filter(None, words)) or f'byte {edit.start}'})"


def _block(body: bytes, offset: int) -> str:
    if body.lstrip().startswith((b"data:", b"event:", b":", b"id:", b"retry:")):
        lines = body[:offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        return f"SSE event {sum(before.startswith(b'data:') for before in lines[:-1]) + 1}"
    line = body[:offset].count(b"\n") + 1
    return f"line {line}" if body.lstrip().startswith((b"{", b"[")) and b"\n" in body.strip() else ""


def key_path(path: Path) -> str:
    """Return *path* in the usual spelling, ``choices[0].delta.content``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")
