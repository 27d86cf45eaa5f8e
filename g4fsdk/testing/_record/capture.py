"""Recording a program from outside: `g4fsdk capture` sets a variable that the program's clients honour.

Each process that makes a client writes one cassette, when it ends, into the folder that the variable names.
"""

from __future__ import annotations

import atexit
import os
import random
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g4fsdk._core.flow.provider import Provider
from g4fsdk._core.model.chat import Ids, SeededIds
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import LeakError
from g4fsdk.testing._record.recorder import Recorder

CAPTURE = "G4FSDK_CAPTURE"  # the variable that says where to record
FACTORY = "g4fsdk.testing._record.captured:transport"
_MOST_CALLS = 1_000_000  # seeds of two clients are this far apart, so that no two calls share one

_DICE = random.SystemRandom()

_recorders: dict[int, CaptureRecorder] = {}
_lock = threading.Lock()


class CaptureRecorder(Recorder):
    """Records every client of a process, and what the last call was: the one that failed."""

    def new_ids(self) -> Ids:
        """Return ids for one client, which a replay can make again; another client's are others."""
        return _ClientIds(str(_MOST_CALLS * _DICE.randrange(_MOST_CALLS)))

    def note_call(self, provider: Provider, call: Mapping[str, Any], ids: Ids) -> None:
        """Keep that *provider* is asked *call*; a retry, whose ids follow from the first's, is no call."""
        if isinstance(ids, SeededIds) and ids.seed.isdecimal():
            self.metadata |= {"call": None, "ids_seed": int(ids.seed), "provider": None}
            super().note_call(provider, call, ids)


@dataclass(frozen=True, slots=True)
class _ClientIds(SeededIds):
    """Ids for one client: each call gets a seed of its own, which alone makes its requests again."""

    def child(self, number: int) -> Ids:
        return SeededIds(str(int(self.seed) + number))


def transport_from_environment() -> CaptureRecorder | None:
    """Return the recorder of this process, or None when nobody captures it.

    What it recorded is written when the process ends, also by an exception or Ctrl-C.
    """
    folder = os.environ.get(CAPTURE)
    if not folder:
        return None
    process = os.getpid()  # a fork goes on with a recorder of its own
    with _lock:
        if process not in _recorders:
            recorder = _recorders[process] = CaptureRecorder(Path(folder, f"{process}.yaml"))
            _at_the_end(_write, process, recorder)
        return _recorders[process]


def _at_the_end(write: Callable[..., None], *args: object) -> None:
    """Have *write* called when this process ends; what multiprocessing forked ends without atexit."""
    atexit.register(write, *args)
    if "multiprocessing" in sys.modules:
        from multiprocessing import parent_process, util

        if parent_process() is not None:
            util.Finalize(None, write, args, exitpriority=0)


def _write(process: int, recorder: Recorder) -> None:
    if process != os.getpid():
        return
    try:
        recorder.__exit__(None, None, None)
    except (LeakError, OSError) as error:
        sys.stderr.write(f"g4fsdk: the capture was not written: {error}\n")


def merged(folder: str | os.PathLike[str]) -> Cassette:
    """Return what the processes of a captured program recorded into *folder*, the first to end first."""
    paths = sorted(Path(folder).glob("*.yaml"), key=lambda path: path.stat().st_mtime_ns)
    found = [cassette for cassette in map(Cassette.load, paths) if cassette.interactions]
    asked = [cassette for cassette in found if "call" in cassette.metadata] or found
    interactions = [interaction for cassette in found for interaction in cassette.interactions]
    return Cassette(interactions, asked[-1].metadata if asked else {})
