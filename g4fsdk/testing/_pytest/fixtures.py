"""What the fixtures of the pytest plugin hand out, made from what a marker asks for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from g4fsdk import providers
from g4fsdk._client.retries import Retries
from g4fsdk._core.model.chat import Ids
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.services import base_url_of
from g4fsdk.testing._pytest.marked import fail
from g4fsdk.testing._pytest.rules import broken_rules
from g4fsdk.testing._replay.replay import Replay

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from g4fsdk.testing._pytest.marked import MarkedTest

_DICE = random.SystemRandom()
_SEEDS = 1_000_000_000
_MOST_LOADED = 256  # cassettes that are kept for other tests
NO_PROVIDER = (
    "the recording does not say of which provider it is: keep it in a folder of that name, "
    "cassettes/<provider>/<case>.yaml, or override the fixture g4f_settings"
)


class AtOnce(Retries):
    """Retries without any wait, also where the recorded service asks for one."""

    __slots__ = ()

    def wait_seconds(self, state: RetryCallState) -> float:
        return 0.0


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


def client_settings(marked: MarkedTest, cassette: Cassette) -> dict[str, Any]:
    """Return the arguments with which a client asks as the recorded one did.

    What is recorded anew is asked of whom the project says, if it does: see `client_arguments`.
    """
    said = cassette.metadata
    seed = said.get("ids_seed")
    provider = said.get("provider") or _provider_of(marked)
    settings = {
        "provider": provider,
        **({} if marked.records_anew else _whom(cassette, provider or "")),
        "ids": None if seed is None else Ids.seeded(seed),
        "retries": AtOnce() if marked.played["pace"] == "instant" and not marked.records else None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _whom(cassette: Cassette, provider: str) -> dict[str, Any]:
    model = (cassette.metadata.get("call") or {}).get("model")
    found = {"model": model, "base_url": base_url_of(cassette, provider)}
    return {name: value for name, value in found.items() if value}


def client_arguments(
    settings: Mapping[str, Any], replay: Replay, played: tuple[MarkedTest, Cassette] | None
) -> dict[str, Any]:
    """Return *settings*, which may be the project's, with *replay* as the transport.

    *played* is the test and its recording, which is asked for at the address that was recorded; what is
    recorded anew, at that of *settings*, else again at the recorded one.
    """
    if not settings.get("provider"):
        fail(NO_PROVIDER)
    given = {**settings, "transport": replay}
    if played is None:
        return given
    marked, cassette = played
    if not isinstance(settings["provider"], str):  # providers made by the project know their own
        recorded = _whom(cassette, cassette.metadata.get("provider") or "")
        return {name: value for name, value in given.items() if recorded.get(name) != value}
    recorded = _whom(cassette, settings["provider"])
    if marked.records_anew:
        return {**recorded, **given}
    if "base_url" in given and "base_url" in recorded:
        given["base_url"] = recorded["base_url"]
    return given


def _provider_of(marked: MarkedTest) -> str | None:
    folder = marked.paths[0].parent.name
    return folder if folder in providers.PROVIDERS else None
