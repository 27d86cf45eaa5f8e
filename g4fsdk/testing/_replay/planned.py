"""An interaction as it will be played: pieces with their times, re-cut or damaged, and how it ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Literal, TypeAlias

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.values import Interaction, RecordedRequest, RecordedResponse

Pace: TypeAlias = Literal["instant", "recorded"] | float


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that are handed over together.

    *at_ms* is recorded time, which the pace stretches; *wait_s* is waited before the piece whatever the
    pace, because a fault asked for it. *chunk* is the recorded chunk it belongs to, None when a fault put
    it in. *data* is empty when only the wait matters.
    """

    data: bytes
    at_ms: float = 0.0
    chunk: int | None = None
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PlannedAnswer:
    """What is played for one request.

    *response* gives status, headers and end (its chunks are not played, *pieces* are). *recorded* is the
    answer of the recording, to which the positions of faults refer. *number* is the interaction's place in
    the session, whose first one is *first* and which says of itself that it is of *provider*. An *injected*
    answer consumes no interaction; a *lasting* one is played for ever, and *excuses* says that whatever
    stands behind it in the session need not be played.
    """

    request: RecordedRequest
    response: RecordedResponse
    recorded: RecordedResponse
    pieces: tuple[Piece, ...]
    number: int
    first: int = 0
    provider: str = ""
    injected: bool = False
    lasting: bool = False
    excuses: bool = False

    def interaction(self) -> Interaction:
        """Return the answer as an interaction of a cassette, waits added to the times."""
        waited_ms = [1000 * wait for wait in itertools.accumulate(piece.wait_s for piece in self.pieces)]
        shown = [
            (piece.data, round(piece.at_ms + waited, 3))
            for piece, waited in zip(self.pieces, waited_ms, strict=True)
            if piece.data
        ]
        chunks, at_ms = [data for data, _ in shown], [ms for _, ms in shown]
        return Interaction(self.request, replace(self.response, chunks=chunks, at_ms=at_ms))


def planned_answer(interaction: Interaction, number: int, provider: str = "") -> PlannedAnswer:
    """Return *interaction* as it was recorded."""
    response = interaction.response
    pieces = tuple(
        Piece(data, ms, i) for i, (data, ms) in enumerate(zip(response.chunks, response.at_ms, strict=True))
    )
    return PlannedAnswer(interaction.request, response, response, pieces, number, provider=provider)


def planned_answers(cassette: Cassette) -> list[PlannedAnswer]:
    """Return an answer for each interaction of *cassette*, as recorded."""
    said = str(cassette.metadata.get("provider", ""))
    return [planned_answer(interaction, i, said) for i, interaction in enumerate(cassette.interactions)]


def pace_factor(pace: Pace) -> float:
    """Return what recorded times are multiplied by: 0 is at once, 1 as recorded.

    Raises:
        ValueError: *pace* is neither "instant", "recorded" nor a number from 0.
    """
    factor = {"instant": 0.0, "recorded": 1.0}.get(pace) if isinstance(pace, str) else float(pace)
    if factor is None or not 0 <= factor < inf:
        raise ValueError(f"pace {pace!r}: expected 'instant', 'recorded' or a factor from 0")
    return factor


def beats(pieces: Iterable[Piece], factor: float) -> Iterator[tuple[float, bytes]]:
    """Yield when each piece is due, in seconds since the request, and its bytes."""
    waited = 0.0
    for piece in pieces:
        waited += piece.wait_s
        yield factor * piece.at_ms / 1000 + waited, piece.data
