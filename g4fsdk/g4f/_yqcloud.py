"""Yqcloud as g4f has it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from g4fsdk import providers
from g4fsdk._client.asynchronous.client import AsyncClient
from g4fsdk._core.model import chat as core
from g4fsdk._core.model.events import ConversationEvent
from g4fsdk.g4f._base import G4FProvider
from g4fsdk.g4f._calls import (
    Placed,
    ask,
    place,
    read_settings,
)
from g4fsdk.g4f._items import Conversation, Item, items_of


class _Placed(Placed, providers.Yqcloud):
    pass


class Yqcloud(G4FProvider):
    """Plain text, no key. Each turn sends the whole history."""

    url = "https://chat9.yqcloud.top"
    api_endpoint = "https://api.binjie.fun/api/generateStream"
    default_model: str = providers.Yqcloud.default_model
    models: list[str] = [*providers.Yqcloud.models]  # noqa: RUF012  # a list, as g4f's programs expect
    model_aliases: dict[str, str] = {}  # noqa: RUF012
    _kind = _Placed

    @classmethod
    async def create_async_generator(
        cls,
        model: str,
        messages: core.Messages,
        stream: bool = True,
        proxy: str | None = None,
        conversation: Conversation | Mapping[str, Any] | None = None,
        return_conversation: bool = False,
        **kwargs: Any,
    ) -> AsyncGenerator[Item, None]:
        """Give the text as it comes, with *return_conversation* the conversation, and `FinishReason("stop")`.

        With *conversation* the last of *messages* is its next question; a system message before it replaces
        the one so far. Once the answer is complete, both are in the conversation, the one you gave
        included; a turn that failed leaves nothing there.

        Raises:
            G4FError: There is no complete answer.
        """
        asked = cls.get_model(model)
        if isinstance(conversation, Mapping):  # as g4f's own client hands it over
            conversation = Conversation(**{"model": asked, **conversation})
        provider = place(_Placed, cls.api_endpoint, kwargs)
        client = AsyncClient(provider, proxy=proxy, **read_settings(kwargs))
        history = _history(conversation, messages)
        answer = ask(client, history, stream=stream, model=asked, conversation=_handle(conversation))
        async with aclosing(answer) as events:
            async for event in events:
                if isinstance(event, ConversationEvent):
                    conversation = _kept(conversation, event.conversation)
                    if return_conversation:
                        yield conversation
                for item in items_of(event):
                    yield item


def _history(conversation: Conversation | None, messages: core.Messages) -> list[core.Message]:
    """Return all that goes out: the conversation's messages and the last of *messages*."""
    given = core.read_messages(messages)
    stored = getattr(conversation, "message_history", None)
    if not stored:
        return [*given]
    old = core.read_messages(stored)
    if len(given) > 1 and given[0].role == "system":
        old = (given[0], *old[old[0].role == "system" :])
    return [*old, *given[-1:]]


def _handle(conversation: Conversation | None) -> core.Conversation | None:
    """Return what the service knows the conversation by; its messages are sent as messages."""
    if conversation is None:
        return None
    state = {"userId": conversation.userId} if "userId" in vars(conversation) else {}
    return core.Conversation(providers.Yqcloud.name, state=state)


def _kept(conversation: Conversation | None, done: core.Conversation) -> Conversation:
    """Return the conversation, the caller's own where there is one, with a new list of all its messages."""
    kept = Conversation(done.model) if conversation is None else conversation
    kept.userId = done.state["userId"]
    kept.message_history = [message.to_dict() for message in done.messages]
    return kept
