"""One run of the comparison: what was timed, what it was held against, and how it came out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from benchmarks._peers import first_missing
from g4fsdk.bench.contenders import Contender, WrongTextError, check
from g4fsdk.bench.timing import Samples, Timer, alternate


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. *seconds* is about what one contender takes in one table."""

    events: int = 20_000
    seconds: float = 1.0
    min_rounds: int = 5
    flat_chunks: int = 100_000
    text_bytes: int = 2 << 20
    hostile_bytes: int = 8 << 20
    hostile_lines: int = 1_000_000
    patience: float = 2.0  # seconds after which a contender is spared the next size
    processes: int = 9
    wave: int = 200
    crowd: int = 1_000
    crowd_tokens: int = 100
    crowd_rounds: int = 3
    calls: tuple[int, ...] = (1_500, 5_000)
    in_a_row: int = 25
    suite: int = 200


QUICK = Scale(
    events=2_000,
    seconds=0.05,
    min_rounds=3,
    flat_chunks=10_000,
    text_bytes=200_000,
    hostile_bytes=1 << 20,
    hostile_lines=50_000,
    patience=0.3,
    processes=3,
    wave=50,
    crowd=100,
    crowd_tokens=20,
    crowd_rounds=1,
    calls=(100,),
    in_a_row=5,
    suite=20,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One goal beside what was measured; *measured* is None when *note* says why nothing was."""

    row: str
    what: str
    measured: float | None
    best: float | None
    goal: float | None
    stretch: float | None
    at_least: bool
    unit: str
    note: str = ""

    def holds(self, limit: float | None) -> bool | None:
        if limit is None or self.measured is None:
            return None
        return self.measured >= limit if self.at_least else self.measured <= limit


@dataclass
class Table:
    """Contenders that took turns on the same bytes; *units* is how many events each run had."""

    name: str
    units: int
    clock: str
    samples: dict[str, Samples] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def per_unit(self, name: str) -> float:
        """Return the median of *name*, in nanoseconds a unit."""
        return self.samples[name].median / self.units * 1e9


class Bench:
    """Times contenders, judges goals, keeps everything."""

    def __init__(self, scale: Scale, *, peers: bool = True, out: TextIO | None = None) -> None:
        self.scale = scale
        self.peers = peers
        self.tables: list[Table] = []
        self.findings: list[Finding] = []
        self.series: dict[str, Any] = {}  # what is no table: growth, memory
        self._out = out or sys.stderr

    def say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()

    def missing(self, *modules: str) -> str:
        """Return why peers of *modules* can't take part, or "" when they can."""
        if not modules:
            return ""
        if not self.peers:
            return "left out"
        name = first_missing(modules)
        return f"{name} is not installed" if name else ""

    def table(
        self,
        name: str,
        units: int,
        contenders: Sequence[Contender | tuple[str, str]],
        text: str,
        clock: Timer = time.process_time,
    ) -> Table:
        """Check *contenders* against *text*, time them, print and keep the table.

        A contender that is not there is its name and the reason. Parsers wait for nothing, so their CPU
        time is all they take, and other processes on the machine do not count.
        """
        found = Table(name, units, getattr(clock, "__name__", "clock"))
        runs: dict[str, Callable[[], object]] = {}
        for one in contenders:
            if isinstance(one, tuple):
                found.missing[one[0]] = one[1]
                continue
            try:
                check(one, text)
            except WrongTextError as error:
                found.missing[one.name] = f"wrong text: {error}"
            else:
                runs[one.name] = one.run
        return self.timed(found, runs, clock)

    def timed(
        self,
        found: Table,
        runs: Mapping[str, Callable[[], object]],
        clock: Timer = time.perf_counter,
        rounds: int | None = None,
    ) -> Table:
        """Time *runs*, print and keep the table; *rounds* is how often each runs at least."""
        scale = self.scale
        least = rounds or scale.min_rounds
        found.samples = alternate(runs, seconds=scale.seconds, min_rounds=least, clock=clock)
        self.tables.append(found)
        self.say(f"\n{found.name}")
        for name in found.samples:
            each = found.samples[name]
            best = each.best / found.units * 1e9
            self.say(f"  {name:42} {found.per_unit(name):12,.0f} ns  best {best:12,.0f}  ({len(each)} runs)")
        for name, why in found.missing.items():
            self.say(f"  {name:42} {why}")
        return found

    def ratio(
        self,
        row: str,
        table: Table,
        ours: str,
        reference: str,
        goal: float | None,
        *,
        stretch: float | None = None,
        at_least: bool = False,
    ) -> None:
        """Judge time of *ours* over *reference*; with *at_least*, how many times faster *ours* is."""
        what = f"{reference} / {ours}" if at_least else f"{ours} / {reference}"
        why = table.missing.get(ours) or table.missing.get(reference)
        if why:
            self.judge(row, what, None, goal, stretch=stretch, at_least=at_least, note=why)
            return
        upper, lower = (reference, ours) if at_least else (ours, reference)
        above, below = table.samples[upper], table.samples[lower]
        self.judge(
            row,
            what,
            above.median / below.median,
            goal,
            best=above.best / below.best,
            stretch=stretch,
            at_least=at_least,
        )

    def judge(
        self,
        row: str,
        what: str,
        measured: float | None,
        goal: float | None,
        *,
        best: float | None = None,
        stretch: float | None = None,
        at_least: bool = False,
        unit: str = "x",
        note: str = "",
    ) -> None:
        """Keep *measured* beside its *goal*; no goal makes it a figure to know."""
        self.findings.append(Finding(row, what, measured, best, goal, stretch, at_least, unit, note))
