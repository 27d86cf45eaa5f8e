"""AmigoChat as g4f has it, and its blocking calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any

from g4fsdk import providers
from g4fsdk._client.asynchronous.client import AsyncClient
from g4fsdk._client.blocking.client import Client
from g4fsdk._client.ids import SYSTEM_IDS
from g4fsdk._core.model.chat import Messages
from g4fsdk._core.model.errors import UsageError
from g4fsdk.g4f._base import G4FProvider
from g4fsdk.g4f._calls import (
    Placed,
    ask,
    ask_blocking,
    place,
    read_settings,
)
from g4fsdk.g4f._errors import UnknownModelError
from g4fsdk.g4f._items import (
    ImageResponse,
    Item,
    image_response,
    items_of,
)


class _Placed(Placed, providers.Amigo):
    pass


class AmigoChat(G4FProvider):
    """Chat models, and image models that answer with an `ImageResponse`."""

    url = "https://amigochat.io/chat/"
    chat_api_endpoint = "https://api.amigochat.io/v1/chat/completions"
    image_api_endpoint = "https://api.amigochat.io/v1/images/generations"
    working: bool = providers.Amigo.working
    default_model: str = providers.Amigo.default_model
    chat_models: list[str] = [*providers.Amigo.models]  # noqa: RUF012  # lists, as g4f's programs expect
    image_models: list[str] = [*providers.Amigo.image_models]  # noqa: RUF012
    models: list[str] = [*chat_models, *image_models]  # noqa: RUF012
    model_aliases: dict[str, str] = {**providers.Amigo.aliases}  # noqa: RUF012
    _kind = _Placed

    @classmethod
    def get_personaId(cls, model: str) -> str:  # noqa: N802  # g4f's spelling
        """Return the persona of *model*, a model id; an alias is none.

        Raises:
            UnknownModelError: There is no such id. It is a ValueError.
        """
        try:
            return _Placed().get_persona_id(model)
        except UsageError:
            raise UnknownModelError(f"Unknown model: {model}") from None

    @classmethod
    def generate_chat_id(cls) -> str:
        """Return a random UUID."""
        return SYSTEM_IDS.uuid("chat")

    @classmethod
    async def create_async_generator(
        cls,
        model: str,
        messages: Messages,
        proxy: str | None = None,
        stream: bool = False,
        timeout: float | None = 300,  # g4f's signature
        frequency_penalty: float = 0,
        max_tokens: int = 4000,
        presence_penalty: float = 0,
        temperature: float = 0.5,
        top_p: float = 0.95,
        **kwargs: Any,
    ) -> AsyncGenerator[Item, None]:
        """Give the text, as it comes or with *stream* False in one piece, or the images.

        *timeout* limits, in seconds, the wait for the answer to begin and every silence in it. A `chat_id`
        among *kwargs* goes out as it is.

        Raises:
            G4FError: There is no complete answer.
        """
        asked = cls.get_model(model)
        options = {
            "frequency_penalty": frequency_penalty,
            "max_tokens": max_tokens,
            "presence_penalty": presence_penalty,
            "temperature": temperature,
            "top_p": top_p,
            **_taken_options(kwargs),
        }
        provider = place(_Placed, cls._address(asked), kwargs)
        client = AsyncClient(provider, proxy=proxy, timeout=timeout, **read_settings(kwargs))
        answer = ask(client, messages, stream=stream or cls._is_image(asked), model=asked, **options)
        async with aclosing(answer) as events:
            async for event in events:
                for item in items_of(event):
                    yield item

    @classmethod
    def stream_chat(
        cls,
        model: str,
        chat_id: str,
        messages: Messages,
        stream: bool = True,
        proxy: str | None = None,
        timeout: float | None = 300,
        **kwargs: Any,
    ) -> Generator[str, None, None]:
        """Give the text as it comes, blocking. Sampling options are keywords, as in `create_async_generator`.

        Raises:
            G4FError: There is no complete answer.
        """
        asked = cls.get_model(model)
        options = {"chat_id": chat_id, **_taken_options(kwargs)}
        provider = place(_Placed, cls._address(asked), kwargs)
        client = Client(provider, proxy=proxy, timeout=timeout, **read_settings(kwargs))
        answer = ask_blocking(client, messages, stream=stream or cls._is_image(asked), model=asked, **options)
        with closing(answer) as events:
            for event in events:
                yield from filter(None, map(str, items_of(event)))

    @classmethod
    def create_chat(
        cls, model: str, chat_id: str, messages: Messages, proxy: str | None = None, **kwargs: Any
    ) -> str:
        """Return the whole answer, blocking. Arguments and errors are those of `stream_chat`."""
        return "".join(cls.stream_chat(model, chat_id, messages, stream=False, proxy=proxy, **kwargs))

    @classmethod
    def create_image(
        cls,
        model: str,
        prompt: str,
        proxy: str | None = None,
        timeout: float | None = 300,
        **kwargs: Any,
    ) -> ImageResponse:
        """Return the images made for *prompt*, blocking. Raises G4FError when there is none."""
        asked = cls.get_model(model)
        provider = place(_Placed, cls.image_api_endpoint, kwargs)
        with Client(provider, proxy=proxy, timeout=timeout, **read_settings(kwargs)) as client:
            return image_response(client.images.generate(prompt, model=asked).data, prompt)

    @classmethod
    def _address(cls, model: str) -> str:
        return cls.image_api_endpoint if cls._is_image(model) else cls.chat_api_endpoint

    @classmethod
    def _is_image(cls, model: str) -> bool:
        return model in providers.Amigo.image_models


def _taken_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Take what the service knows out of *kwargs*."""
    return {name: kwargs.pop(name) for name in sorted(providers.Amigo.options & kwargs.keys())}
