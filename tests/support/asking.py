"""Asking a provider without a client: what goes out first, and facts about it to choose tests by."""

from __future__ import annotations

import json
from typing import Any

from g4fsdk import Chat, Conversation, Message, Request, Stream, __version__, advance, providers
from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk.providers import PROVIDERS
from tests.support.wire import stream_of

TEXT = 'Привет 👩‍👩‍👧 \u2028 \\ " \r\n'
TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": "First question"},
    {"role": "assistant", "content": "First answer"},
    {"role": "user", "content": "Second question"},
]
SYSTEM = {"role": "system", "content": "Be brief."}
LONG = {"role": "system", "content": "Be long."}
PROMPT = "User: First question\nAssistant: First answer\nUser: Second question\nAssistant:"


def chat_of(name: str, messages: Any = "Hello", **more: Any) -> Chat:
    """Return a chat with a model that the provider takes."""
    usual = "" if PROVIDERS[name].default_model else "gpt-4o"
    return Chat(messages, more.pop("model", usual), **more)


def stream_for(name: str, messages: Any = "Hello", *, settings: Any = None, **more: Any) -> Stream:
    """Return the stream of a one-request provider's flow."""
    return stream_of(providers.get(name, **(settings or {})).chat(chat_of(name, messages, **more)))


def first_request(name: str, messages: Any = "Hello", *, settings: Any = None, **more: Any) -> Request:
    """Return what is sent first: a request of the set-up, or the one that streams."""
    step = advance(providers.get(name, **(settings or {})).chat(chat_of(name, messages, **more)))
    return step if isinstance(step, Request) else step.request


def body_of(request: Request) -> Any:
    return json.loads(request.body)


def headers_of(request: Request) -> dict[str, str]:
    """Return the headers that are a provider's own, names in lower case."""
    common = {"user-agent": f"g4fsdk/{__version__}", "accept-encoding": "gzip, deflate"}
    found = {name.lower(): value for name, value in request.headers.items()}
    assert common.items() <= found.items()
    return {name: value for name, value in found.items() if name not in common}


def handed_over(conversation: Conversation) -> Conversation:
    """Return *conversation* as a program has it that kept it as JSON."""
    return Conversation.from_dict(json.loads(json.dumps(conversation.to_dict())))


def conversation_with(name: str, *messages: dict[str, str], model: str = "") -> Conversation:
    """Return the handle of a conversation of which the service itself has kept nothing."""
    said = tuple(Message(message["role"], message["content"]) for message in messages)
    return handed_over(Conversation(name, model or chat_of(name).model, said))


# --- Facts ---


def _stream(name: str) -> Stream | None:
    step = advance(providers.get(name).chat(chat_of(name)))
    return step if isinstance(step, Stream) else None


#: Providers that need no set-up, with what they would read.
_STREAMS = {name: stream for name in PROVIDERS if (stream := _stream(name))}
ONE_REQUEST = [*_STREAMS]
#: Those whose answers are OpenAI's chunks.
CHUNKS = [name for name, stream in _STREAMS.items() if isinstance(stream.parser.decoder, ChatChunkDecoder)]
#: Those that know their models without asking.
LISTED = [name for name, kind in PROVIDERS.items() if kind.models]
