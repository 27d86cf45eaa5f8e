"""What the fixtures of the pytest plugin hand out, made from what a marker asks for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._pytest.marked import fail
from g4fsdk.testing._pytest.rules import broken_rules
from g4fsdk.testing._replay.replay import Replay

if TYPE_CHECKING:
    from g4fsdk.testing._pytest.marked import MarkedTest

_DICE = random.SystemRandom()
_SEEDS = 1_000_000_000
_MOST_LOADED = 256  # cassettes that are kept for other tests


def load(marked: MarkedTest, config: pytest.Config) -> Cassette:
    """Return what is recorded already, as one session; an empty one when that is still to come.

    A new recording gets ids of its own, since services remember those that they have seen.
    """
    marked.check_found()
    session = Cassette() if marked.missing else _one_session(marked, config)
    if marked.records_anew:
        return Cassette(session.interactions, {**session.metadata, "ids_seed": _DICE.randrange(_SEEDS)})
    return session


def _one_session(marked: MarkedTest, config: pytest.Config) -> Cassette:
    sessions = sessions_of(marked)
    if not marked.records_anew:
        for path, session in zip(marked.paths, sessions, strict=True):
            _check_rules(marked, config, path, session)
    interactions = [interaction for session in sessions for interaction in session.interactions]
    return Cassette(interactions, sessions[0].metadata)


def sessions_of(marked: MarkedTest) -> list[Cassette]:
    """Return the recordings of *marked*, one by one."""
    stats = ((path, path.stat()) for path in marked.paths)
    return [_loaded(path, stat.st_mtime_ns, stat.st_size) for path, stat in stats]


@lru_cache(maxsize=_MOST_LOADED)
def _loaded(path: Path, mtime_ns: int, size: int) -> Cassette:
    """Return the cassette at *path*, read once for all tests that play it, which change nothing in it."""
    return Cassette.load(path)


def _check_rules(marked: MarkedTest, config: pytest.Config, path: Path, cassette: Cassette) -> None:
    for text in broken_rules(config, cassette):
        fail(f"{path}: {text}\n{marked.advice()}")


@contextmanager
def playing(marked: MarkedTest, cassette: Cassette, config: pytest.Config) -> Iterator[Any]:
    """Play *cassette*, and in a record mode record what has to be recorded; it is written on leaving."""
    if not marked.records:
        yield Replay(cassette, **marked.played)
        return
    from g4fsdk.testing._pytest.rerecord import RecordingReplay, Rerecorder

    before = cassette if marked.mode == "new" else Cassette()
    with Rerecorder(
        marked.paths[0],
        before,
        ids_seed=cassette.metadata.get("ids_seed"),
        how=f"pytest --g4f-record={marked.mode}",
        keeps_refusals=bool(config.getoption("g4f_keep_refusals") or config.getini("g4f_keep_refusals")),
    ) as recorder:
        yield RecordingReplay(before, recorder, **marked.played)
