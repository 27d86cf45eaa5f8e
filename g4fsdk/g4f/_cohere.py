"""CohereForAI C4AI Command as g4f has it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from g4fsdk import providers
from g4fsdk._client.asynchronous.client import AsyncClient
from g4fsdk._core.model import chat as core
from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.events import ConversationEvent, Event
from g4fsdk.g4f._base import G4FProvider, on_class_or_instance
from g4fsdk.g4f._calls import ask, read_settings
from g4fsdk.g4f._errors import as_runtime_error
from g4fsdk.g4f._items import Item, JsonConversation, items_of

_PATH = "/conversation"


class _FromUrl:
    """`{url}/conversation`, for whatever `url` is by then; setting the attribute replaces it."""

    def __get__(self, instance: object, owner: type[CohereForAI_C4AI_Command]) -> str:
        return owner.url.rstrip("/") + _PATH


class CohereForAI_C4AI_Command(G4FProvider):  # noqa: N801  # g4f's name
    """A Hugging Face Space running chat-ui, which keeps the conversation.

    *model* is for calls on the instance that name none.
    """

    label: str | None = "CohereForAI C4AI Command"
    url: str = providers.CohereC4AI.url
    conversation_url: Any = _FromUrl()
    default_model: str = providers.CohereC4AI.default_model
    models: list[str] = [*providers.CohereC4AI.models]  # noqa: RUF012  # lists and dicts, as g4f's programs expect
    model_aliases: dict[str, str] = {**providers.CohereC4AI.aliases, "command-r": "command-r"}  # noqa: RUF012
    model: str = ""
    _kind = providers.CohereC4AI

    def __init__(self, model: str = "") -> None:
        self.model = model

    @on_class_or_instance
    async def create_async_generator(
        self,
        /,
        model: str = "",
        messages: core.Messages = (),
        api_key: str | None = None,
        proxy: str | None = None,
        conversation: JsonConversation | Mapping[str, Any] | None = None,
        return_conversation: bool = False,
        **kwargs: Any,
    ) -> AsyncGenerator[Item, None]:
        """Give the text as it comes, the title where there is one, and with *return_conversation* a new
        conversation before any of it.

        With *conversation* the last user message goes out, or all of *messages* when another model or
        system text needs a new conversation; without a system message the conversation's stays.

        Raises:
            G4FError: There is no complete answer. It is a RuntimeError where the service failed or sent
                what can't be read.
        """
        handle = _handle(conversation)
        known = handle.state.get("conversationId") if handle else None
        asked = self.get_model(model or self.model or (handle.model if handle else ""))
        base_url = kwargs.pop("base_url", None) or _root(self.conversation_url)
        provider = providers.CohereC4AI(base_url=base_url, api_key=api_key)
        client = AsyncClient(provider, proxy=proxy, **read_settings(kwargs))
        answer = ask(client, messages, stream=True, model=asked, conversation=handle)
        try:
            async with aclosing(answer) as events:
                async for event in events:
                    made = _made_by(event, known)
                    if made is not None:
                        known = made.state["conversationId"]
                        if return_conversation:
                            yield _attributes(made)
                    for item in items_of(event):
                        yield item
        except G4FError as error:
            raise as_runtime_error(error) from error.__cause__


def _root(conversation_url: str) -> str:
    root = conversation_url.rstrip("/")
    if not root.endswith(_PATH):
        raise UsageError(f"conversation_url must end in {_PATH}, not be {conversation_url!r}")
    return root.removesuffix(_PATH)


def _handle(conversation: JsonConversation | Mapping[str, Any] | None) -> core.Conversation | None:
    """Return the handle that the core goes on with."""
    if conversation is None:
        return None
    state = {**(conversation if isinstance(conversation, Mapping) else conversation.get_dict())}
    model = state.pop("model", "")
    state["cookies"] = dict(state.get("cookies") or {})
    preprompt = state.setdefault("preprompt", "")
    system = (core.Message("system", preprompt),) if preprompt else ()
    return core.Conversation(providers.CohereC4AI.name, model, system, state)


def _made_by(event: Event, known: str | None) -> core.Conversation | None:
    """Return the conversation that *event* is the first to name; the last event names it again."""
    match event:
        case ConversationEvent(conversation=made) if made.state["conversationId"] != known:
            return made
        case _:
            return None


def _attributes(conversation: core.Conversation) -> JsonConversation:
    state = {**conversation.state, "cookies": dict(conversation.state.get("cookies", {}))}
    return JsonConversation(**{**state, "model": conversation.model})
