"""The planes on which one cassette plays: pure core, Client, AsyncClient. Each gives an Outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g4fsdk import AsyncClient, Client, Event, G4FError, Retries
from g4fsdk._client.reading import as_events
from g4fsdk.testing import Cassette, Player, Replay
from g4fsdk.testing._replay.player import recorded_call

FOLDER = Path(__file__).parents[2] / "cassettes"
CASSETTES = sorted(FOLDER.glob("*/*.yaml"))
QUICK = Retries(wait=lambda state: 0.0)


@dataclass
class Outcome:
    """What a player saw: the events, and how it ended."""

    events: list[Event]
    error: tuple[str, str, str, object] | None = None  # class, message, partial, code

    @classmethod
    def failed(cls, events: Sequence[Event], error: G4FError) -> Outcome:
        return cls([*events], (type(error).__name__, error.message, error.partial, error.code))


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def play_pure(cassette: Cassette, **settings: Any) -> Outcome:
    events: list[Event] = []
    player = Player(cassette, **settings)
    try:
        for event in player.play():
            events.append(event)  # noqa: PERF402  # those before an error count
    except G4FError as error:
        return Outcome.failed(events, error)
    player.assert_all_played()
    return Outcome(events)


def play_sync(cassette: Cassette, **settings: Any) -> Outcome:
    events: list[Event] = []
    replay = Replay(cassette, **settings)
    with Client(cassette.metadata["provider"], transport=replay, retries=QUICK) as client:
        try:
            opened = client._open([recorded_call(cassette)], as_events, client._begin(is_streamed=True))
            for event in opened.items:
                events.append(event)  # noqa: PERF402  # those before an error count
        except G4FError as error:
            return Outcome.failed(events, error)
    replay.assert_all_played()
    return Outcome(events)


async def play_async(cassette: Cassette, **settings: Any) -> Outcome:
    events: list[Event] = []
    replay = Replay(cassette, **settings)
    async with AsyncClient(cassette.metadata["provider"], transport=replay, retries=QUICK) as client:
        try:
            clocks = client._begin(is_streamed=True)
            opened = await client._open([recorded_call(cassette)], as_events, clocks)
            async for event in opened.items:
                events.append(event)  # noqa: PERF401  # those before an error count
        except G4FError as error:
            return Outcome.failed(events, error)
    replay.assert_all_played()
    return Outcome(events)
