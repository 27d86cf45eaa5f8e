"""Autonomous AI as g4f has it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from g4fsdk import providers
from g4fsdk._client.asynchronous.client import AsyncClient
from g4fsdk._core.model.chat import Messages
from g4fsdk.g4f._base import G4FProvider
from g4fsdk.g4f._calls import (
    Placed,
    ask,
    place,
    read_settings,
)
from g4fsdk.g4f._items import Item, items_of


class _Placed(Placed, providers.Autonomous):
    pass


class AutonomousAI(G4FProvider):
    """Five models, each with an address; the whole list of messages goes out each time."""

    url = "https://www.autonomous.ai/anon/"
    api_endpoints: dict[str, str] = {  # noqa: RUF012  # dicts and lists, as g4f's programs expect
        "llama": "https://chatgpt.autonomous.ai/api/v1/ai/chat",
        "qwen_coder": "https://chatgpt.autonomous.ai/api/v1/ai/chat",
        "hermes": "https://chatgpt.autonomous.ai/api/v1/ai/chat-hermes",
        "vision": "https://chatgpt.autonomous.ai/api/v1/ai/chat-vision",
        "summary": "https://chatgpt.autonomous.ai/api/v1/ai/summary",
    }
    working: bool = providers.Autonomous.working
    default_model: str = providers.Autonomous.default_model
    models: list[str] = [*providers.Autonomous.models]  # noqa: RUF012
    model_aliases: dict[str, str] = {**providers.Autonomous.aliases}  # noqa: RUF012
    _kind = _Placed

    @classmethod
    async def create_async_generator(
        cls,
        model: str,
        messages: Messages,
        proxy: str | None = None,
        stream: bool = False,
        **kwargs: Any,
    ) -> AsyncGenerator[Item, None]:
        """Give the text, as it comes or with *stream* False in one piece, and the finish reason if named.

        Raises:
            G4FError: There is no complete answer.
        """
        asked = cls.get_model(model)
        provider = place(_Placed, cls.api_endpoints.get(asked), kwargs)
        client = AsyncClient(provider, proxy=proxy, **read_settings(kwargs))
        async with aclosing(ask(client, messages, stream=stream, model=asked)) as events:
            async for event in events:
                for item in items_of(event):
                    yield item
