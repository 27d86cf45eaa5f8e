"""`python -m benchmarks`: every row of the comparison, or those of the parts named with --only."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from benchmarks import (
    _report,
    call,
    chat,
    crowd,
    first,
    gateway,
    hostile,
    lines,
    memory,
    plots,
    replay,
    shaped,
    start,
    suite,
    wire,
)
from benchmarks._bench import QUICK, Bench, Scale

PARTS: dict[str, Callable[[Bench], None]] = {
    "chat": chat.run,
    "lines": lines.run_lines,
    "text": lines.run_text,
    "shaped": shaped.run,
    "wire": wire.run,
    "call": call.run,
    "first": first.run,
    "crowd": crowd.run,
    "memory": memory.run,
    "start": start.run,
    "hostile": hostile.run,
    "replay": replay.run,
    "suite": suite.run,
    "gateway": gateway.run,
}


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: whether it works, not how fast")
    parser.add_argument("--only", action="append", choices=[*PARTS], metavar="NAME", help=", ".join(PARTS))
    parser.add_argument("--no-peers", action="store_true", help="leave the other packages out")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write everything that was measured")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the plots there (needs matplotlib)")
    parser.add_argument("--plot", type=Path, metavar="IN", help="measure nothing: draw from this JSON")
    parser.add_argument("--date", default="", help="the date to write into the JSON")
    return parser.parse_args(words)


def run(
    scale: Scale, only: Sequence[str] | None = None, *, peers: bool = True, out: TextIO | None = None
) -> Bench:
    """Run the parts named in *only*, or all."""
    bench = Bench(scale, peers=peers, out=out)
    for name in only or PARTS:
        PARTS[name](bench)
    return bench


def main(words: Sequence[str]) -> None:
    wanted = arguments(words)
    if wanted.plot:
        found = json.loads(wanted.plot.read_text(encoding="utf-8"))
    else:
        bench = run(QUICK if wanted.quick else Scale(), wanted.only, peers=not wanted.no_peers)
        _report.show(bench)
        found = _report.document(bench, wanted.date, words)
    if wanted.json:
        _report.write(wanted.json, found)
    if wanted.plots:
        plots.draw(found, wanted.plots)


if __name__ == "__main__":
    main(sys.argv[1:])
