"""How g4f's calls are made with the clients: settings out of keywords, events out of answers."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from g4fsdk._client.asynchronous.client import AsyncClient
from g4fsdk._client.blocking.client import Client
from g4fsdk._core.flow.provider import Flow, Provider
from g4fsdk._core.model.chat import Chat, Ids, Messages
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.events import (
    ConversationEvent,
    Event,
    Finish,
    RefusalDelta,
    TextDelta,
)

logger = logging.getLogger("g4fsdk")
_SETTINGS = ("ids", "retries", "transport")


class Placed(Provider):
    """A provider of one request, which goes to *address* whatever its path; None is its own address."""

    address: str | None = None

    def chat(self, chat: Chat) -> Flow:
        return _sent_to(self.address, super().chat(chat))

    def image(
        self, prompt: str, model: str = "", options: Mapping[str, Any] | None = None, ids: Ids | None = None
    ) -> Flow:
        return _sent_to(self.address, super().image(prompt, model, options, ids))


def _sent_to(address: str | None, flow: Flow) -> Flow:
    stream = yield from flow
    return stream if address is None else replace(stream, request=replace(stream.request, url=address))


P = TypeVar("P", bound=Placed)


def place(kind: type[P], address: str | None, kwargs: dict[str, Any]) -> P:
    """Return a provider that asks at *address*, or under the `base_url` taken out of *kwargs*."""
    base_url = kwargs.pop("base_url", None)
    provider = kind(base_url=base_url or address)
    provider.address = None if base_url else address
    return provider


def read_settings(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the client's settings in *kwargs*, and log the names of the others: they have no effect."""
    others = sorted({*kwargs} - {*_SETTINGS, "provider"})  # g4f's own client says who is asked
    if others:
        logger.warning("these keywords have no effect: %s", ", ".join(others))
    return {name: kwargs[name] for name in _SETTINGS if name in kwargs}


async def ask(
    client: AsyncClient, messages: Messages, *, stream: bool, **arguments: Any
) -> AsyncGenerator[Event, None]:
    """Give the events of the answer, and close *client* behind them."""
    async with client:
        completions = client.chat.completions
        if not stream:
            for event in _events_of(await completions.create(messages, stream=False, **arguments)):
                yield event
            return
        async with completions.stream(messages, **arguments) as events:
            async for event in events:
                yield event


def ask_blocking(
    client: Client, messages: Messages, *, stream: bool, **arguments: Any
) -> Generator[Event, None, None]:
    """The same with the blocking client."""
    with client:
        completions = client.chat.completions
        if not stream:
            yield from _events_of(completions.create(messages, stream=False, **arguments))
            return
        with completions.stream(messages, **arguments) as events:
            yield from events


def _events_of(completion: Completion) -> Iterator[Event]:
    """Give the events that say the same as *completion*, in the order of a stream."""
    choice = completion.choices[0]
    if completion.text:
        yield TextDelta(completion.text)
    if choice.message.refusal:
        yield RefusalDelta(choice.message.refusal)
    assert completion.conversation is not None  # only image answers have none, and those come as a stream
    yield ConversationEvent(completion.conversation)
    yield Finish(choice.finish_reason)
