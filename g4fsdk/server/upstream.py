"""Whom the gateway asks: providers, or recordings of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from g4fsdk import AsyncChunkStream, AsyncClient, Completion, G4FError, ImagesResponse, Model
from g4fsdk._client.transport import Transport
from g4fsdk._core.model.errors import UsageError
from g4fsdk.server.asked import Asked
from g4fsdk.server.refused import Refused
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import MismatchError
from g4fsdk.testing._cassette.services import base_url_of, provider_of
from g4fsdk.testing._cassette.sources import Source, load_sessions
from g4fsdk.testing._replay.answers import RecordedAnswers
from g4fsdk.testing._replay.arranged import arrange
from g4fsdk.testing._replay.matching import Matching
from g4fsdk.testing._replay.planned import Pace, pace_factor
from g4fsdk.testing._traffic.clock import MonotonicClock

T = TypeVar("T")
logger: logging.Logger = logging.getLogger("g4fsdk")
# How an answer comes, not which: a parser reads the other kind, too.
_IS_HOW = ("$.stream", "$.stream_options")


#: Makes the client of a provider, at an address, over a transport.
Make: TypeAlias = Callable[[str, str | None, Transport], AsyncClient]


@dataclass(frozen=True, slots=True)
class Upstream:
    """*clients* are asked one after another; *names* are their providers.

    Models are those of *listers*, and *models*. *named* are asked alone, for a model called as they are, or
    by their name, a slash and the model. With *needs_model* there is none where a request names none.
    """

    clients: Sequence[AsyncClient]
    names: Sequence[str]
    listers: Sequence[AsyncClient] = ()
    models: Sequence[Model] = ()
    is_recorded: bool = False
    named: Mapping[str, Upstream] = field(default_factory=dict)
    needs_model: bool = False

    def chosen(self, model: str) -> tuple[Upstream, str]:
        """Return who is asked for *model*, and for which there. Raises Refused where that is missing."""
        name, _, inner = model.partition("/")
        chosen, model = (self.named[name], inner) if name in self.named else (self, model)
        if chosen.needs_model and not model:
            hint = f": {name}/MODEL" if chosen is not self else ""
            raise Refused(400, f"say which model{hint}", param="model")
        return chosen, model

    async def complete(self, asked: Asked) -> Completion:
        """Return the whole answer to *asked*.

        A recording is read as a stream, which is whole even where whoever recorded it left right behind its
        end mark.
        """

        async def ask(client: AsyncClient) -> Completion:
            chats = client.chat.completions
            if not self.is_recorded:
                completion: Completion = await chats.create(asked.said, model=asked.model, **asked.options)
                return completion
            async with chats.stream(asked.said, model=asked.model, **asked.options) as stream:
                return await stream.get_final_completion()

        return await self.ask(ask)

    async def stream(self, asked: Asked) -> AsyncChunkStream:
        """Return the chunks of the answer to *asked*, which has begun."""

        async def ask(client: AsyncClient) -> AsyncChunkStream:
            chats = client.chat.completions
            stream: AsyncChunkStream
            stream = await chats.create(asked.said, stream=True, model=asked.model, **asked.options)
            return stream

        return await self.ask(ask)

    async def paint(self, asked: Asked) -> ImagesResponse:
        """Return the images of *asked*."""

        async def ask(client: AsyncClient) -> ImagesResponse:
            return await client.images.generate(asked.said, model=asked.model, **asked.options)

        return await self.ask(ask)

    async def ask(self, call: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """Return what *call* gives for the first client that has something to say.

        What could not be asked there, or is not recorded, is asked of the next.

        Raises:
            G4FError: There is no answer.
            MismatchError: It is not recorded.
        """
        errors: list[UsageError | MismatchError] = []
        for client in self.clients:
            try:
                return await call(client)
            except (UsageError, MismatchError) as error:
                errors.append(error)
        raise next((error for error in errors if isinstance(error, MismatchError)), errors[-1])

    async def list_models(self) -> list[Model]:
        """Return the models there are, each once: those of who says. Raises G4FError where nobody does."""
        async with asyncio.TaskGroup() as group:  # `gather` hands on every cancellation, in a clean-up, too
            asked = [group.create_task(_listed(client)) for client in self.listers]
        lists = [task.result() for task in asked]
        errors = [one for one in lists if isinstance(one, G4FError)]
        endpoints = [Model(id=name, owned_by=one.names[0]) for name, one in self.named.items()]
        if errors and len(errors) == len(lists) and not endpoints:
            raise errors[0]
        found = [
            *self.models,
            *endpoints,
            *(model for one in lists if not isinstance(one, G4FError) for model in one),
        ]
        return [*{model.id: model for model in reversed(found)}.values()][::-1]

    async def close(self) -> None:
        for client in {*self.clients, *self.listers}:
            await client.close()
        for one in self.named.values():
            await one.close()


async def _listed(client: AsyncClient) -> list[Model] | G4FError:
    try:
        return await client.models.list()
    except G4FError as error:
        logger.warning("%s; its models are not listed", error)
        return error


class _Endless(Transport):
    """Plays recordings again and again, wherever they are asked for."""

    def __init__(self, answers: RecordedAnswers, pace: Pace) -> None:
        self._answers = answers
        self._factor = pace_factor(pace)

    def httpx_transport(self, inner: Any = None) -> Any:
        from g4fsdk.testing._replay.on_httpx import ReplayTransport

        return ReplayTransport(self._answers, self._factor, MonotonicClock())

    def add_secret(self, value: str) -> None:
        self._answers.add_secret(value)


def recorded(source: Source, make: Make, *, provider: str | None = None, pace: Pace = "instant") -> Upstream:
    """Return the recordings in *source*, as *provider* or as they say themselves.

    Raises:
        UsageError: A recording does not say of which provider it is.
        CassetteError: A file is no cassette.
    """
    sessions = load_sessions(source)
    matching = Matching.read(None, _IS_HOW, with_origin=False)
    answers = RecordedAnswers(arrange(sessions, "recorded", ()), matching, reuse=True)
    transport = _Endless(answers, pace)
    places = dict.fromkeys(_place(session, provider) for session in sessions)
    clients = [make(name, base_url, transport) for name, base_url in places]
    names = [*dict.fromkeys(name for name, _ in places)]
    return Upstream(clients, names, models=[*_models(sessions, provider)], is_recorded=True)


def _place(session: Cassette, provider: str | None) -> tuple[str, str | None]:
    kind = provider_of(session)
    name = provider or (kind.name if kind else None)
    if name is None:
        raise UsageError("a recording does not say which provider it is of: add -p")
    return name, base_url_of(session, name)


def _models(sessions: Iterable[Cassette], provider: str | None) -> Iterable[Model]:
    for session in sessions:
        call = session.metadata.get("call")
        name = call.get("model") if isinstance(call, dict) else None
        if isinstance(name, str) and name:
            yield Model(id=name, owned_by=_place(session, provider)[0], created=int(time.time()))
