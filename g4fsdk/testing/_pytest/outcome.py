"""What fails a marked test that passed, and how a failure reads.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

from g4fsdk.testing._cassette.errors import MismatchError, UnplayedError
from g4fsdk.testing._pytest.sockets import SocketBlockedError, SocketGuard
from g4fsdk.testing._replay.replay import Replay

if TYPE_CHECKING:
    from g4fsdk.testing._pytest.marked import MarkedTest
    from g4fsdk.testing._pytest.rerecord import Rerecorder
    from g4fsdk.testing._server.server import ReplayServer

_NOTHING = (
    "was played: the code under test asked nobody by way of requests, httpx, httpx2, g4f_client, "
    "g4f_async_client, g4f_replay or g4f_server"
)
_OTHER_WAYS = (
    "connections to {} were refused, and the program went on; aiohttp, urllib and bare urllib3 are not "
    "answered in the process: give a program on them the address of g4f_server"
)


class Outcome:
    """What became of the recordings of *marked*; *fixtures* are what plays and records them, by name."""

    def __init__(self, marked: MarkedTest | None, fixtures: Mapping[str, object]) -> None:
        self._marked = marked
        self.players = dict(_players(fixtures))
        self._recorders = dict(_recorders(self.players))
        guard = fixtures.get("g4f_sockets")
        self._refused = [*guard.refused] if isinstance(guard, SocketGuard) else []

    def noticed(self) -> Iterator[str]:
        """Give what is worth knowing of a test that failed, too."""
        told = [f"{error}{self._advice()}" for one in self.players.values() for error in one.mismatches]
        yield from dict.fromkeys(told)  # a library may have tried again
        yield from filter(None, (one.refusal() for one in self._recorders.values()))

    def wrong(self) -> Iterator[str]:
        """Give what is wrong with a test that passed."""
        yield from self.noticed()
        for name, player in self.players.items():
            try:
                player.assert_all_played()
            except UnplayedError as error:
                yield f"{name}: {error}{self._on_other_ways()}{self._advice()}"
        for name, recorder in self._recorders.items():
            if complaint := recorder.complaint():
                yield f"{name}: {complaint}"
        if self._marked and not self._marked.played["faults"] and not self._has_played():
            yield f"nothing {_NOTHING}{self._on_other_ways()}{self._advice()}"

    def _has_played(self) -> bool:
        return bool(self._recorders) or any(one.played for one in self.players.values())

    def _on_other_ways(self) -> str:
        return f"\n{_OTHER_WAYS.format(', '.join(self._refused))}" if self._refused else ""

    def _advice(self) -> str:
        return f"\n{self._marked.advice()}" if self._marked else ""


def _players(fixtures: Mapping[str, object]) -> Iterator[tuple[str, Replay | ReplayServer]]:
    replay, server = fixtures.get("g4f_replay"), fixtures.get("g4f_server")
    if isinstance(replay, Replay):
        yield "g4f_replay", replay
    if server is not None:
        from g4fsdk.testing._server.server import ReplayServer

        if isinstance(server, ReplayServer):
            yield "g4f_server", server


def _recorders(players: Mapping[str, Replay | ReplayServer]) -> Iterator[tuple[str, Rerecorder]]:
    for name, player in players.items():
        if isinstance(player, Replay) and player.wraps:
            from g4fsdk.testing._pytest.rerecord import RecordingReplay

            if isinstance(player, RecordingReplay):
                yield name, player.recorder


def shorten(call: pytest.CallInfo[None], root: Path) -> None:
    """Show where a program asked for what isn't there, without the libraries between it and us."""
    found = call.excinfo
    if found and isinstance(found.value, MismatchError | SocketBlockedError):
        found.traceback = type(found.traceback)(_of_project(found.tb, root))


def _of_project(traceback: TracebackType, root: Path) -> TracebackType:
    """Return *traceback* with the calls alone that stand in files of the project at *root*."""
    kept: TracebackType | None = None
    for one in reversed([*_calls(traceback)]):
        path = Path(one.tb_frame.f_code.co_filename)
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            kept = TracebackType(kept, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return kept or traceback


def _calls(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
