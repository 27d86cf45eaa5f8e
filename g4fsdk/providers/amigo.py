"""AmigoChat: OpenAI-shaped chat and images. Every model has a persona; success is 201 as often as 200."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk._core.decoding.decoder import Notice
from g4fsdk._core.decoding.images import ImageDecoder
from g4fsdk._core.flow.bodies import merge_headers, post_json
from g4fsdk._core.flow.prompts import continued, plain_text
from g4fsdk._core.flow.provider import (
    Flow,
    Provider,
    Stream,
    one_request,
)
from g4fsdk._core.framing.document import DocumentParser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.model.chat import (
    Chat,
    Conversation,
    Ids,
    SeededIds,
)
from g4fsdk._core.model.errors import (
    ProviderError,
    RateLimitError,
    StatusError,
    UsageError,
)
from g4fsdk._core.model.http import JSON, Response
from g4fsdk.providers._amigo_models import ALIASES, CHAT_PERSONAS, IMAGE_PERSONAS

_HEADERS = {
    "Accept": "*/*",
    "Accept-Language": "en-US,en;q=0.9",
    "Authorization": "Bearer",
    "Cache-Control": "no-cache",
    "Origin": "https://amigochat.io/chat/",
    "Pragma": "no-cache",
    "Priority": "u=1, i",
    "Referer": "https://amigochat.io/chat//",
    "Sec-CH-UA": '"Chromium";v="129", "Not=A?Brand";v="8"',
    "Sec-CH-UA-Mobile": "?0",
    "Sec-CH-UA-Platform": '"Linux"',
    "X-Device-Language": "en-US",
    "X-Device-Platform": "web",
    "X-Device-Version": "1.0.45",
}
_DEFAULTS: Mapping[str, JSON] = {
    "frequency_penalty": 0,
    "max_tokens": 4000,
    "presence_penalty": 0,
    "temperature": 0.5,
    "top_p": 0.95,
}
_QUOTA = "Amigo, your balance is not enough"
_QUOTA_ADVICE = "the daily allowance is renewed at 12:00 UTC; another model may still have some"
# Where the service puts these texts is not known: they may come as the assistant's words.
_NOTICES = (
    Notice(_QUOTA, RateLimitError, _QUOTA_ADVICE),
    Notice("Error handling AIML chat completion stream", ProviderError, "this model is down: try another"),
)


class Amigo(Provider):
    """https://amigochat.io/chat/"""

    name = "amigo"
    url = "https://api.amigochat.io"
    working = False
    default_model = "gpt-4o-mini"
    models: ClassVar[tuple[str, ...]] = tuple(CHAT_PERSONAS)
    image_models: ClassVar[tuple[str, ...]] = tuple(IMAGE_PERSONAS)
    aliases = ALIASES
    options: ClassVar[frozenset[str]] = frozenset({*_DEFAULTS, "chat_id"})
    takes_pictures = True
    addresses = r"amigochat\.io(?::\d+)?/v1/"
    made_by_ids: ClassVar[tuple[str, ...]] = ("$.chatId",)

    def chat(self, chat: Chat) -> Flow:
        conversation = self.own(chat.conversation)
        model = self._model_for(chat)
        options = self.read_options(chat)
        history = continued(conversation, chat.messages)
        if model in self.image_models:
            return self.image(plain_text(history[-1]), model, ids=chat.ids.child(chat.attempt))
        body = {
            "chatId": options.pop("chat_id", None) or chat.ids.uuid("chat"),
            **_DEFAULTS,
            **options,
            "messages": [message.to_dict() for message in history],
            "model": model,
            "personaId": self.get_persona_id(model),
            "stream": chat.stream,
        }
        request = post_json(
            self.at("/v1/chat/completions"), body, self._headers(chat.ids.child(chat.attempt))
        )
        decoder = AmigoDecoder(
            Conversation(self.name, model, history), notices=_NOTICES, handle=conversation, ids=chat.ids
        )
        parser = (SSEParser if chat.stream else DocumentParser)(decoder)
        return one_request(Stream(request, parser, self, model))

    def image(
        self,
        prompt: str,
        model: str = "",
        options: Mapping[str, Any] | None = None,
        ids: Ids | None = None,
    ) -> Flow:
        if options:
            raise UsageError(f"amigo takes no image option, so not {sorted(options)[0]!r}")
        model = self.get_model(model or "flux-realism")
        if model not in self.image_models:
            raise UsageError(f"{model!r} makes no images; known: {', '.join(self.image_models)}")
        body = {"prompt": prompt, "model": model, "personaId": self.get_persona_id(model)}
        request = post_json(self.at("/v1/images/generations"), body, self._headers(ids or SeededIds()))
        parser = DocumentParser(ImageDecoder(prompt))
        return one_request(Stream(request, parser, self, model, repeatable=False))

    def get_persona_id(self, model: str) -> str:
        """Return the persona of *model*, a resolved id. Raises UsageError for any other name."""
        persona = CHAT_PERSONAS.get(model) or IMAGE_PERSONAS.get(model)
        if persona is None:
            raise UsageError(f"unknown model {model!r}")
        return persona

    def _headers(self, ids: Ids) -> dict[str, str]:
        own = {"X-Device-UUID": ids.uuid("device"), **self._key_header()}
        return merge_headers(_HEADERS, own, self.headers)

    def refused(self, response: Response) -> StatusError:
        error = super().refused(response)
        if _QUOTA.encode() not in response.body:
            return error
        quota = RateLimitError(
            f"{error.status}: {_QUOTA}; {_QUOTA_ADVICE}",
            status=error.status,
            headers=error.headers,
            body=error.body,
            code=error.code,
        )
        quota.request_id = error.request_id
        return quota


class AmigoDecoder(ChatChunkDecoder):
    """OpenAI's chunks; a whole completion comes wrapped in `message`, which may be plain text too."""

    def _unwrap(self, value: JSON) -> JSON:
        match value:
            case {"message": dict(inner), **around}:
                return {**around, **inner}
            case {"message": str(text), **around} if not {"error", "statusCode", "choices"} & value.keys():
                return {**around, "choices": [{"message": {"content": text}}]}
            case _:
                return value
