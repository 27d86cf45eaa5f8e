"""What a test's marker asks for: which recordings, how they are played, and whether they are made."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias

import pytest

if TYPE_CHECKING:
    from g4fsdk.testing._replay.arranged import Cuts
    from g4fsdk.testing._replay.faults import Fault
    from g4fsdk.testing._replay.planned import Pace

Mode: TypeAlias = Literal["none", "once", "new", "all"]

MARKER = "g4f_cassette"
MODES: tuple[Mode, ...] = ("none", "once", "new", "all")


@dataclass(frozen=True, slots=True)
class MarkedTest:
    """The recordings of one test.

    *is_served* says that they are played over a socket. *nodeid* is the test, as pytest takes it on its
    command line; *writer* is another one that recorded the same in this run.
    """

    paths: tuple[Path, ...]
    pace: Pace
    cuts: Cuts
    faults: tuple[Fault, ...]
    mode: Mode
    is_served: bool
    nodeid: str
    writer: str = ""

    @property
    def missing(self) -> list[Path]:
        return [path for path in self.paths if not path.is_file()]

    @property
    def may_record(self) -> bool:
        """Whether the test makes its recording, when it is told to.

        Several recordings played as one, and damaged ones, are made from recordings of other tests; a server
        only plays.
        """
        return len(self.paths) == 1 and not self.faults and not self.is_served

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
        if not self.paths:
            _fail(f'{self.nodeid}: name a recording: @pytest.mark.{MARKER}("provider/case")')
        if self.missing and not self.records:
            _fail(f"no cassette at {', '.join(map(str, self.missing))}; {self._how_to_record()}")

    def advice(self) -> str:
        """Return what to do when the test asks something else than its recording holds."""
        if self.writer:
            return (
                f"{self.paths[0]} was recorded by {self.writer} in this run; give each test, and each of its "
                f"parameters, a recording of its own: pytest.param(..., marks=pytest.mark.{MARKER}(...))"
            )
        if self.may_record:
            return f"record it anew: pytest --g4f-record=all {shlex.quote(self.nodeid)}"
        return self._how_to_record()

    def _how_to_record(self) -> str:
        if self.is_served:
            return "g4f_server only plays: record it with a test that uses g4f_client or g4f_replay instead"
        if self.faults:
            return "record it with a test that names it without faults="
        if len(self.paths) > 1:
            return "record it with a test that names it alone"
        return f"record it with: pytest --g4f-record=once {shlex.quote(self.nodeid)}"


def read_marker(item: pytest.Item, folder: Path, mode: Mode, writers: Mapping[Path, str]) -> MarkedTest:
    """Return what the marker of *item* asks for; *folder* is where names are looked up.

    *writers* are the tests that recorded something in this run.
    """
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        _fail(f'{item.nodeid} wants a recording: mark it with @pytest.mark.{MARKER}("provider/case")')
    try:
        marked = _read(item, folder, mode, *marker.args, **marker.kwargs)
    except TypeError as error:
        _fail(f"{item.nodeid}: @pytest.mark.{MARKER}(*names, pace=, cuts=, faults=): {error}")
    writer = writers.get(marked.paths[0], "") if marked.may_record else ""
    return replace(marked, writer=writer) if writer != item.nodeid else marked


def _read(
    item: pytest.Item,
    folder: Path,
    mode: Mode,
    /,
    *names: str,
    pace: Pace = "instant",
    cuts: Cuts = "recorded",
    faults: Sequence[Fault] = (),
) -> MarkedTest:
    paths = tuple(folder / _file(name) for name in names)
    is_served = "g4f_server" in getattr(item, "fixturenames", ())
    return MarkedTest(paths, pace, cuts, tuple(faults), mode, is_served, item.nodeid)


def _file(name: str) -> str:
    from g4fsdk.testing._cassette.sources import SUFFIXES

    return name if name.endswith(SUFFIXES) else f"{name}.yaml"


def _fail(text: str) -> NoReturn:
    pytest.fail(text, pytrace=False)
