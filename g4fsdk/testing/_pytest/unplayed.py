"""`--g4f-unplayed`: which interactions no test of a run played, over all processes that ran a part of it.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.sources import cassette_paths
from g4fsdk.testing._checks.unplayed import write_unplayed
from g4fsdk.testing._pytest.fixtures import sessions_of
from g4fsdk.testing._pytest.marked import MarkedTest, read_marker
from g4fsdk.testing._pytest.options import MARKER
from g4fsdk.testing._replay.replay import Replay
from g4fsdk.testing._server.server import ReplayServer

#: The numbers of what a test did not play, by the path of the cassette.
Left: TypeAlias = dict[str, list[int]]

_OUTPUT = "g4f_unplayed"


class UnplayedFile:
    """Writes what was left at the end of a run to the file that the option names.

    A test that was not run, or did not pass, may need all of its recordings.
    """

    def __init__(self, config: pytest.Config) -> None:
        if config.getoption("g4f_record") != "none":
            raise pytest.UsageError("--g4f-unplayed is of replays: leave --g4f-record out")
        self._config = config
        self._named = str(config.getoption("g4f_unplayed"))
        self._file = config.invocation_params.dir / self._named
        self._folders = {str(config.rootpath / str(config.getini("g4f_cassette_dir")))}
        self._items: list[pytest.Item] = []
        self._left: dict[str, Left] = {}  # by test
        self._said = ""

    def passed(
        self, marked: MarkedTest, session: Cassette, players: Collection[Replay | ReplayServer]
    ) -> None:
        """Note what *players* left of *session*, after a test that passed but for what it left."""
        if any(player.mismatches for player in players):
            return
        missing = [{*map(id, player.unplayed_requests())} for player in players]
        numbers = [
            number
            for number, one in enumerate(session.interactions)
            if missing and all(id(one.request) in ids for ids in missing)
        ]
        sizes = [len(one.interactions) for one in sessions_of(marked)]
        parts = pairwise(accumulate(sizes, initial=0))
        self._left[marked.nodeid] = {
            str(path.resolve()): [number - start for number in numbers if start <= number < end]
            for path, (start, end) in zip(marked.paths, parts, strict=True)
        }
        self._folders.add(str(marked.folder))

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        if item.get_closest_marker(MARKER):
            self._items.append(item)

    def pytest_sessionfinish(self) -> None:
        for item in self._items:
            if item.nodeid not in self._left:
                self._left[item.nodeid] = {str(path.resolve()): [] for path in self._named_by(item)}
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = self._left, [*self._folders]
        else:
            self._write()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a process of pytest-xdist noted."""
        left, folders = getattr(node, "workeroutput", {}).get(_OUTPUT, ({}, ()))
        self._folders.update(folders)
        for nodeid, of_test in left.items():
            for path, numbers in of_test.items():
                noted = self._left.setdefault(nodeid, {})
                noted[path] = numbers or noted.get(path, [])  # who ran it knows more

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._said:
            terminalreporter.write_line(self._said)

    def _named_by(self, item: pytest.Item) -> Iterator[Path]:
        """Yield what *item* may play; in which of the folders, only its fixtures know."""
        for folder in self._folders:
            with suppress(pytest.fail.Exception):  # a marker that nobody can read names none
                yield from read_marker(item, Path(folder), "none", {}).paths

    def _write(self) -> None:
        left: dict[Path, frozenset[int]] = {}
        for of_test in self._left.values():
            for name, numbers in of_test.items():
                left[Path(name)] = left.get(Path(name), frozenset(numbers)) & frozenset(numbers)
        found = write_unplayed(self._file, left, self._others(left))
        parts = sum(len(one.numbers) for one in found.cassettes)
        self._said = (
            f"g4fsdk: {self._named}: {parts} unplayed interactions in {len(found.cassettes)} cassettes, and "
            f"{len(found.unused)} cassettes of which nothing was played"
        )

    def _others(self, named: Iterable[Path]) -> Iterator[Path]:
        for folder in self._folders:
            with suppress(CassetteError):  # there is none
                yield from {path.resolve() for path in cassette_paths(Path(folder))} - {*named}
