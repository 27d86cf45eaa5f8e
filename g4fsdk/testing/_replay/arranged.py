"""A recording as it will be played: faults applied, bodies cut."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._replay.planned import Piece, PlannedAnswer, planned_answers

if TYPE_CHECKING:
    from g4fsdk.testing._replay.faults import Fault

Cuts: TypeAlias = Literal["recorded", "whole"] | int | tuple[Literal["seed"], int]

MAX_SEEDED_PIECE = 64  # bytes: small enough to cut a few hundred bytes of wire inside words and characters


def arrange(
    sessions: Iterable[Cassette], cuts: Cuts = "recorded", faults: Sequence[Fault] = ()
) -> list[list[PlannedAnswer]]:
    """Return what is to be played for each of *sessions*: its answers in order, damaged, then cut.

    Raises:
        ValueError: A fault doesn't fit the recording, or *cuts* is none.
    """
    return [[recut(answer, cuts) for answer in damage(cassette, faults)] for cassette in sessions]


def damage(cassette: Cassette, faults: Sequence[Fault]) -> list[PlannedAnswer]:
    """Return what is played for *cassette* when *faults* happen; the answers that they inject are in it.

    Raises:
        ValueError: A fault doesn't fit the recording.
    """
    groups = [[answer] for answer in planned_answers(cassette)]
    for fault in faults:
        if not -len(groups) <= fault.interaction < len(groups):
            raise ValueError(f"{fault}: the recording has {len(groups)} interactions")
        group = groups[fault.interaction]
        group += fault.apply(group.pop())
    return [answer for group in groups for answer in group]


def recut(answer: PlannedAnswer, cuts: Cuts) -> PlannedAnswer:
    """Return *answer* with its body cut into other pieces; waits keep their place in the body.

    Raises:
        ValueError: *cuts* is neither "recorded", "whole", a number of bytes from 1 nor ("seed", n).
    """
    match cuts:
        case "recorded":
            return answer
        case "whole":
            sizes: Iterator[int] = itertools.repeat(max(1, sum(len(piece.data) for piece in answer.pieces)))
        case ("seed", int(seed)):
            sizes = _random_sizes(seed)
        case int(size) if size > 0:
            sizes = itertools.repeat(size)
        case _:
            raise ValueError(f"cuts {cuts!r}: expected 'recorded', 'whole', a number of bytes or ('seed', n)")
    runs = _split_at_waits(answer.pieces)
    return replace(answer, pieces=tuple(piece for run in runs for piece in _recut_run(run, sizes)))


def _random_sizes(seed: int) -> Iterator[int]:
    source = random.Random(seed)
    while True:
        yield source.randint(1, MAX_SEEDED_PIECE)


def _split_at_waits(pieces: Iterable[Piece]) -> list[list[Piece]]:
    runs: list[list[Piece]] = []
    for piece in pieces:
        if piece.wait_s or not runs:
            runs.append([])
        runs[-1].append(piece)
    return runs


def _recut_run(run: list[Piece], sizes: Iterator[int]) -> Iterator[Piece]:
    body = b"".join(piece.data for piece in run)
    ends = list(itertools.accumulate(len(piece.data) for piece in run))
    source, start, wait_s = 0, 0, run[0].wait_s
    while start < len(body) or wait_s:
        end = min(start + next(sizes), len(body))
        while ends[source] < end:  # a piece is complete when its last byte came
            source += 1
        yield Piece(body[start:end], run[source].at_ms, run[source].chunk, wait_s)
        start, wait_s = end, 0.0
