"""The planes on which one cassette plays: pure core, Client, AsyncClient. Each gives an Outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g4fsdk import (
    AsyncClient,
    Client,
    Event,
    G4FError,
    Ids,
    Request,
    Response,
    Retries,
    Stream,
    advance,
    providers,
)
from g4fsdk._client.reading import as_events
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.values import RecordedResponse
from g4fsdk.testing._replay.replay import Replay
from tests.make_cassettes import start as start_call

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


def start(cassette: Cassette, attempt: int = 0) -> Any:
    """Return the flow of the call that *cassette* recorded."""
    said = cassette.metadata
    return start_call(providers.get(said["provider"]), said["call"], attempt, said["ids_seed"])


def play_pure(cassette: Cassette, cut: Any = None) -> Outcome:
    """Play without any transport, retries included; *cut* re-cuts the chunks of the streamed body."""
    answers = iter([interaction.response for interaction in cassette.interactions])
    outcome = Outcome([])
    for attempt in range(3):
        events: list[Event] = []
        try:
            _attempt(start(cassette, attempt), answers, events, cut)
            return Outcome(events)
        except G4FError as error:
            events += error.events
            outcome = Outcome.failed(events, error)
            if events or not error.retryable:
                break
    return outcome


def _attempt(flow: Any, answers: Iterable[RecordedResponse], events: list[Event], cut: Any) -> None:
    answers = iter(answers)
    step: Request | Stream = advance(flow)
    while isinstance(step, Request):
        answer = next(answers)
        step = advance(flow, Response(answer.status, answer.headers, answer.body))
    answer = next(answers)
    parser = step.accept(Response(answer.status, answer.headers))
    for chunk in cut(answer.body) if cut else answer.chunks:
        events += parser.feed(chunk)
        if parser.done:
            break
    if answer.end != "complete" and not parser.done:
        raise parser.cut(answer.end)
    events += parser.close()


def play_sync(cassette: Cassette, **replay: Any) -> Outcome:
    events: list[Event] = []
    player = Replay(cassette, **replay)
    said = cassette.metadata
    ids = Ids.seeded(said["ids_seed"])
    with Client(said["provider"], transport=player, ids=ids, retries=QUICK) as client:
        try:
            opened = client._open(_tasks(client, said["call"]), as_events)
            for event in opened.items:
                events.append(event)  # noqa: PERF402  # those before an error count
        except G4FError as error:
            return Outcome.failed(events, error)
    player.assert_all_played()
    return Outcome(events)


async def play_async(cassette: Cassette, **replay: Any) -> Outcome:
    events: list[Event] = []
    player = Replay(cassette, **replay)
    said = cassette.metadata
    ids = Ids.seeded(said["ids_seed"])
    async with AsyncClient(said["provider"], transport=player, ids=ids, retries=QUICK) as client:
        try:
            opened = await client._open(_tasks(client, said["call"]), as_events)
            async for event in opened.items:
                events.append(event)  # noqa: PERF401  # those before an error count
        except G4FError as error:
            return Outcome.failed(events, error)
    player.assert_all_played()
    return Outcome(events)


def _tasks(client: Client | AsyncClient, recorded: dict[str, Any]) -> Any:
    call = dict(recorded)
    if "prompt" in call:
        return client._settings.image_tasks(call.pop("prompt"), call.pop("model"), call)
    return client._settings.chat_tasks(
        call.pop("messages"),
        call.pop("model", None),
        stream=call.pop("stream", False),
        conversation=call.pop("conversation", None),
        ignore_unsupported=False,
        options=call,
    )
