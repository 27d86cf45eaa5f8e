"""Autonomous AI: OpenAI-shaped chunks, the messages base64-coded, one address a kind of model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk._core.flow.bodies import base64_messages, merge_headers, post_json
from g4fsdk._core.flow.prompts import continued
from g4fsdk._core.flow.provider import (
    Flow,
    Provider,
    Stream,
    one_request,
)
from g4fsdk._core.framing.document import DocumentParser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.model.chat import Chat, Conversation

_HEADERS = {
    "Accept": "*/*",
    "Accept-Language": "en-US,en;q=0.9",
    "Country-Code": "US",
    "Origin": "https://www.autonomous.ai",
    "Referer": "https://www.autonomous.ai/",
    "Time-Zone": "America/New_York",
}
_PATHS = {
    "llama": "/api/v1/ai/chat",
    "qwen_coder": "/api/v1/ai/chat",
    "hermes": "/api/v1/ai/chat-hermes",
    "vision": "/api/v1/ai/chat-vision",
    "summary": "/api/v1/ai/summary",
}


class Autonomous(Provider):
    """https://www.autonomous.ai/anon/"""

    name = "autonomous"
    url = "https://chatgpt.autonomous.ai"
    working = False
    default_model = "llama"
    models: ClassVar[tuple[str, ...]] = tuple(_PATHS)
    aliases: ClassVar[Mapping[str, str]] = {
        "llama-3.3-70b": "llama",
        "qwen-2.5-coder-32b": "qwen_coder",
        "hermes-3": "hermes",
        "llama-3.2-90b": "vision",
        "llama-3.2-70b": "summary",
    }
    takes_pictures = True
    addresses = r"/api/v1/ai/(?:chat|chat-hermes|chat-vision|summary)(?:[?#]|$)"

    def chat(self, chat: Chat) -> Flow:
        conversation = self.own(chat.conversation)
        model = self._model_for(chat)
        self.read_options(chat)
        history = continued(conversation, chat.messages)
        body = {
            "messages": base64_messages(history),
            "threadId": model,
            "stream": chat.stream,
            "aiAgent": model,
        }
        request = post_json(self.at(_PATHS[model]), body, merge_headers(_HEADERS, self.headers))
        decoder = ChatChunkDecoder(Conversation(self.name, model, history), handle=conversation, ids=chat.ids)
        parser = (SSEParser if chat.stream else DocumentParser)(decoder)
        return one_request(Stream(request, parser, self, model))
