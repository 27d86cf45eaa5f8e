"""A batch on a Dask cluster whose workers are killed; run as a program, a big one on four workers."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import distributed

from tests.support.killed_batch import Report, has_more, killed_batch, text_of, whole_lines
from tests.support.loopback import Server

_PATIENCE_S = 60.0


@contextmanager
def cluster(workers: int, *, processes: bool = True) -> Iterator[str]:
    """Run a scheduler and *workers* of two threads each, on loopback; give its address."""
    made: Any = partial(
        distributed.LocalCluster, host="127.0.0.1", protocol="tcp", dashboard_address="127.0.0.1:0"
    )
    with made(n_workers=workers, threads_per_worker=2, processes=processes) as running:
        yield running.scheduler_address


def worker_ids(address: str) -> list[int]:
    """Return the processes of the workers."""
    client: Any = distributed.Client
    with client(address) as asking:
        return [*asking.run(os.getpid).values()]


def batch_on(address: str, folder: Path, *, rows: int, kills: int, seed: int) -> Report:
    """Run a batch on the cluster at *address*: a worker is killed midway, the command *kills* times."""
    victim = worker_ids(address)[0]

    def kill_it(server: Server) -> None:
        assert server.wait_until(partial(has_more, rows // 2), _PATIENCE_S)
        os.kill(victim, signal.SIGKILL)

    more = ("--dask", address)
    return killed_batch(folder, rows=rows, kills=kills, seed=seed, more=more, meanwhile=kill_it)


def answers(folder: Path) -> dict[str, str]:
    """Return what the batch in *folder* has written."""
    rows = [json.loads(line) for line in whole_lines(folder / "out")]
    return {row["custom_id"]: text_of(row) for row in rows}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, cluster(4) as address:
        folders = [Path(place, name) for name in ("local", "dask", "killed")]
        for folder in folders:
            folder.mkdir()
        killed_batch(folders[0], rows=2000, kills=0, seed=0)
        for folder, kills in zip(folders[1:], (0, 20), strict=True):
            since = time.monotonic()
            report = batch_on(address, folder, rows=2000, kills=kills, seed=time.time_ns())
            same = answers(folder) == answers(folders[0])
            sys.stdout.write(f"{report}\nas the local one: {same}; {time.monotonic() - since:.0f} s\n")
