"""Taking turns: every contender runs once a round, so that what slows the machine slows them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

Timer: TypeAlias = Callable[[], float]
Run: TypeAlias = Callable[[], object]

MIN_ROUNDS = 3
MAX_ROUNDS = 41


class Samples(list[float]):
    """Seconds, one for each run."""

    @property
    def median(self) -> float:
        return statistics.median(self)

    @property
    def best(self) -> float:
        return min(self)


def alternate(
    runs: Mapping[str, Run],
    *,
    seconds: float = 1.0,
    min_rounds: int = MIN_ROUNDS,
    clock: Timer = time.process_time,
) -> dict[str, Samples]:
    """Run all of *runs* in turn, A B C A B C, each for about *seconds* in all, and return their times.

    The first run of each only says how many are worth their while; a slow one takes part in fewer rounds.
    *clock* is CPU time, in which other processes do not count. The garbage collector is left as it is.
    """
    warm = {name: _timed(run, time.perf_counter) for name, run in runs.items()}
    wanted = {name: _rounds(seconds, took, min_rounds) for name, took in warm.items()}
    samples = {name: Samples() for name in runs}
    most = max(wanted.values(), default=0)
    for number in range(most):
        for name, run in runs.items():
            if _takes_part(number, wanted[name], most):
                samples[name].append(_timed(run, clock))
    return samples


def _rounds(seconds: float, took: float, min_rounds: int) -> int:
    return max(min_rounds, min(MAX_ROUNDS, int(seconds / max(took, 1e-9))))


def _takes_part(number: int, wanted: int, most: int) -> bool:
    """Whether the one that wants *wanted* of *most* rounds runs in this one; its rounds lie evenly apart."""
    return (number + 1) * wanted // most > number * wanted // most


def _timed(run: Run, clock: Timer) -> float:
    start = clock()
    run()
    return clock() - start


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the exponent of time against size: 1 is linear, 2 is quadratic."""
    from math import log

    fit = statistics.linear_regression([*map(log, sizes)], [*map(log, seconds)])
    return fit.slope
