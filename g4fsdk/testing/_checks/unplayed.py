"""What no test of a run played: noted in a file by pytest, and taken out of the recordings by a command."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import msgspec

from g4fsdk._core.model.errors import UsageError
from g4fsdk.testing._cassette.cassette import Cassette


class Left(msgspec.Struct):
    """The *numbers* of the interactions of one cassette that were not played; *sha256* is of its file."""

    path: str
    sha256: str
    numbers: list[int]


class Unplayed(msgspec.Struct):
    """What a run left: parts of *cassettes*, and the *unused*, of which it played nothing."""

    cassettes: list[Left]
    unused: list[str]


def write_unplayed(file: Path, left: Mapping[Path, frozenset[int]], others: Iterable[Path]) -> Unplayed:
    """Write to *file*, and return, what was left of the cassettes by path; *others* were not even named.

    Paths are written as they lead from the file's folder.
    """
    parts: list[Left] = []
    unused = {*others}
    for path, numbers in sorted(left.items()):
        if numbers and len(numbers) == len(Cassette.load(path).interactions):
            unused.add(path)
        elif numbers:
            parts.append(Left(_way(file, path), _digest(path), sorted(numbers)))
    unplayed = Unplayed(parts, sorted(_way(file, path) for path in unused))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(unplayed), indent=1) + b"\n")
    return unplayed


def read_unplayed(file: Path) -> Unplayed:
    """Return what `write_unplayed` wrote to *file*, with paths that lead from here.

    Raises:
        UsageError: It is another file, or a cassette has changed since.
    """
    try:
        read = msgspec.json.decode(file.read_bytes(), type=Unplayed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: expected what pytest --g4f-unplayed={file} writes: {error}") from error
    for left in read.cassettes:
        left.path = _from_here(file, left.path)
        if not Path(left.path).is_file() or _digest(Path(left.path)) != left.sha256:
            raise UsageError(f"{left.path}: it has changed since: run pytest --g4f-unplayed={file} again")
    read.unused = [_from_here(file, path) for path in read.unused]
    return read


def without(cassette: Cassette, numbers: Iterable[int]) -> Cassette:
    """Return *cassette* without the interactions of those *numbers*."""
    dropped = {*numbers}
    kept = [one for number, one in enumerate(cassette.interactions) if number not in dropped]
    return replace(cassette, interactions=kept)


def _way(file: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(path, file.resolve().parent)).as_posix()
    except ValueError:  # on another drive
        return path.as_posix()


def _from_here(file: Path, path: str) -> str:
    return os.path.normpath(file.parent / path)


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
