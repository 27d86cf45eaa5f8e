"""What a test's marker asks for: which recordings, how they are played, and whether they are made.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from g4fsdk.testing._pytest.options import MARKER, Mode

if TYPE_CHECKING:
    from g4fsdk.testing._replay.arranged import Cuts
    from g4fsdk.testing._replay.faults import Fault
    from g4fsdk.testing._replay.matching import MatchOn
    from g4fsdk.testing._replay.planned import Pace

_UNSAFE = re.compile(r"""[<>?%*:|"'/\\\x00-\x1f\x7f]""")
_DIGITS = re.compile(r"-[0-9a-f]{8}(?=\.yaml$)")
_MAX_NAME = 180  # bytes: file systems take 255, and what is written first has a longer name


@dataclass(frozen=True, slots=True)
class MarkedTest:
    """The recordings of one test.

    *paths* are in *folder*. *played* are the arguments of `Replay`. *is_served* says that they are played
    over a socket. *nodeid* is the test, as pytest takes it on its command line, and *module* its file;
    *writer* is another one that recorded the same in this run.
    """

    folder: Path
    paths: tuple[Path, ...]
    played: Mapping[str, Any]
    mode: Mode
    is_served: bool
    nodeid: str
    module: Path
    writer: str = ""

    @property
    def missing(self) -> list[Path]:
        return [path for path in self.paths if not path.is_file()]

    @property
    def may_record(self) -> bool:
        """Whether the test makes its recording, when it is told to.

        Several recordings played as one, and damaged ones, are made from recordings of other tests.
        """
        return len(self.paths) == 1 and not self.played["faults"]

    @property
    def records(self) -> bool:
        """Whether the live service is asked. What another test recorded in this run is only played."""
        if not self.may_record or self.writer:
            return False
        return self.mode in ("new", "all") or (self.mode == "once" and bool(self.missing))

    @property
    def records_anew(self) -> bool:
        """Whether the live service is asked for everything, an older recording or not."""
        return self.records and (self.mode != "new" or bool(self.missing))

    def check_found(self) -> None:
        """End the test, with what to do, when a recording is missing that nobody makes."""
        if self.missing and not self.records:
            advice = self._how_to_move() or self._how_to_record("once")
            fail(f"no cassette at {', '.join(map(str, self.missing))}; {advice}")

    def advice(self) -> str:
        """Return what to do when the test asks something else than its recording holds."""
        if self.writer:
            return (
                f"{self.paths[0]} was recorded by {self.writer} in this run; give each test, and each of its "
                f"parameters, a recording of its own: pytest.param(..., marks=pytest.mark.{MARKER}(...)), or "
                f"@pytest.mark.{MARKER}() without a name"
            )
        return f"{self._how_to_record('all')}\nthe recording: {', '.join(map(str, self.paths))}"

    def _how_to_move(self) -> str:
        """Return where pytest-recording keeps what is missing, or ""."""
        ours = self.missing[0]
        names = ours.name, _DIGITS.sub("", ours.name)
        folders = ours.parent, self.module.parent / "cassettes" / self.module.stem
        found = (folder / name for folder in folders for name in names if (folder / name).exists())
        return next((f"pytest-recording's is at {path}: move it there" for path in found), "")

    def _how_to_record(self, mode: Mode) -> str:
        if self.played["faults"]:
            return "record it with a test that names it without faults="
        if len(self.paths) > 1:
            return "record it with a test that names it alone"
        anew = "record it with" if mode == "once" else "record it anew"
        return f"{anew}: pytest --g4f-record={mode} {shlex.quote(self.nodeid)}"


def read_marker(item: pytest.Item, folder: Path, mode: Mode, writers: Mapping[Path, str]) -> MarkedTest:
    """Return what the marker of *item* asks for; *folder* is where names are looked up.

    *writers* are the tests that recorded something in this run.
    """
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        fail(f'{item.nodeid} wants a recording: mark it with @pytest.mark.{MARKER}("provider/case")')
    try:
        marked = _read(item, folder, mode, *marker.args, **marker.kwargs)
    except TypeError as error:
        fail(
            f"{item.nodeid}: @pytest.mark.{MARKER}(*names, pace=, cuts=, faults=, match_on=, ignore=): "
            f"{error}"
        )
    writer = writers.get(marked.paths[0], "") if marked.may_record else ""
    return replace(marked, writer=writer) if writer != item.nodeid else marked


def _read(
    item: pytest.Item,
    folder: Path,
    mode: Mode,
    /,
    *names: str | os.PathLike[str],
    pace: Pace = "instant",
    cuts: Cuts = "recorded",
    faults: Sequence[Fault] = (),
    match_on: MatchOn | None = None,
    ignore: str | Iterable[str] = (),
) -> MarkedTest:
    paths = tuple(_path(folder, os.fspath(name)) for name in names or [name_of(item)])
    played = {"pace": pace, "cuts": cuts, "faults": tuple(faults), "match_on": match_on, "ignore": ignore}
    is_served = "g4f_server" in getattr(item, "fixturenames", ())
    return MarkedTest(folder, paths, played, mode, is_served, item.nodeid, item.path)


def name_of(item: pytest.Item) -> str:
    """Return the name of the recording of *item* where its marker names none: `module/Class.test[case]`."""
    module = getattr(item, "module", None)
    folder = module.__name__.replace(".", "/") if module else item.path.stem
    kind = getattr(item, "cls", None)
    return f"{folder}/{_safe(f'{kind.__qualname__}.{item.name}' if kind else item.name)}.yaml"


def _safe(name: str) -> str:
    """Return *name* as a file may be called everywhere; no two names become one."""
    safe = _UNSAFE.sub("-", name).encode()[:_MAX_NAME].decode("utf-8", "ignore")
    if safe == name:
        return name
    from hashlib import sha256

    return f"{safe}-{sha256(name.encode()).hexdigest()[:8]}"


@cache
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _path(folder: Path, name: str) -> Path:
    from g4fsdk.testing._cassette.sources import SUFFIXES

    path = folder / (name if name.endswith(SUFFIXES) else f"{name}.yaml")
    if "\0" in name or not os.path.realpath(path).startswith(os.path.join(_real(str(folder)), "")):
        fail(f"{name!r} names no file in {folder}: a recording lies in the folder of the recordings")
    return path


def fail(text: str) -> NoReturn:
    """End the test with *text*, which says what to do."""
    pytest.fail(text, pytrace=False)
