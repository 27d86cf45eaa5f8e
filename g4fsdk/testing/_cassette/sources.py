"""What can be played: files, folders, cassettes, lists of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError

if TYPE_CHECKING:
    from g4fsdk._core.model.chat import Ids

Source: TypeAlias = str | os.PathLike[str] | Cassette
SUFFIXES = (".yaml", ".yml", ".json")


def ids_of_client(seed: int, number: int) -> Ids:
    """Return the ids of client *number*, from 0, of a recording with *seed*."""
    from g4fsdk._core.model.chat import SeededIds

    return SeededIds(f"{seed}/{number}" if number else str(seed))


def load_sessions(source: Source | Sequence[Source]) -> list[Cassette]:
    """Return the sessions in *source*: one for a file, a cassette or a list of them, one a file for a folder.

    The interactions of a list follow each other in one session; its metadata is that of the first.

    Raises:
        CassetteError: A file is no cassette, or a folder holds none.
        OSError: A file can't be read.
    """
    match source:
        case Cassette():
            return [source]
        case str() | os.PathLike():
            path = Path(source)
            return [Cassette.load(one) for one in (cassette_paths(path) if path.is_dir() else [path])]
    sessions = [session for one in source for session in load_sessions(one)]
    interactions = [interaction for session in sessions for interaction in session.interactions]
    return [Cassette(interactions, sessions[0].metadata if sessions else {})]


def cassette_paths(folder: Path) -> list[Path]:
    """Return the cassettes under *folder*, hidden files apart. Raises CassetteError when there is none."""
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not paths:
        raise CassetteError(f"{folder}: no cassette in this folder (looked for {', '.join(SUFFIXES)})")
    return paths
