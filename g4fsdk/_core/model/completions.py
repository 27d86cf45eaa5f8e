"""What callers get in the OpenAI shape: whole answers, and chunks, which are made from events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from g4fsdk._core.model.chat import Conversation
from g4fsdk._core.model.events import (
    ConversationEvent,
    Event,
    FinalText,
    Finish,
    Image,
    ImageEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Title,
    ToolCallDelta,
    Usage,
)


class Function(msgspec.Struct, omit_defaults=True):
    """The function of a tool call; *arguments* is JSON text."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    """A tool call, or in a chunk the next piece of one."""

    id: str | None = None
    function: Function = msgspec.field(default_factory=Function)
    index: int = 0
    type: str = "function"


class AssistantMessage(msgspec.Struct, kw_only=True):
    """The assistant's answer. It can be put back into a message list as it is."""

    content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    role: str = "assistant"

    def to_dict(self) -> dict[str, Any]:
        """Return the message as it goes back to a service: reasoning is left out."""
        calls = [
            {"id": call.id, "type": call.type, "function": msgspec.to_builtins(call.function)}
            for call in self.tool_calls or ()
        ]
        refusal = {"refusal": self.refusal} if self.refusal else {}
        return {
            "role": self.role,
            "content": self.content,
            **refusal,
            **({"tool_calls": calls} if calls else {}),
        }


class Choice(msgspec.Struct, kw_only=True):
    """One of the answers asked for."""

    index: int = 0
    message: AssistantMessage
    finish_reason: str | None = None


class Completion(msgspec.Struct, kw_only=True):
    """A complete answer in the OpenAI shape, with the extras of the other providers."""

    choices: list[Choice]
    model: str = ""
    provider: str = ""
    usage: Usage | None = None
    title: str | None = None
    images: list[Image] = []
    conversation: Conversation | None = None

    @property
    def text(self) -> str:
        """The text of the first choice, "" where there is none.

        Where the service sends its own whole answer as well (FinalText), this is that one: it is what
        the service keeps, and the streamed pieces may hold stop tokens, trailing space or replaced
        characters that it does not have.
        """
        return self.choices[0].message.content or ""


class Delta(msgspec.Struct, gc=False):
    """What a chunk adds."""

    content: str | None = None
    role: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class ChunkChoice(msgspec.Struct, gc=False):
    delta: Delta
    index: int = 0
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    """An OpenAI-shaped chunk, always with one choice: `chunk.choices[0].delta.content` is safe to read."""

    choices: list[ChunkChoice]
    model: str = ""
    usage: Usage | None = None
    title: str | None = None
    images: tuple[Image, ...] = ()
    conversation: Conversation | None = None


_Extras: TypeAlias = dict[str, Any]
_DELTA: dict[type[Any], Callable[[Any], Delta]] = {
    TextDelta: lambda event: Delta(event.text),
    ReasoningDelta: lambda event: Delta(reasoning_content=event.text),
    RefusalDelta: lambda event: Delta(refusal=event.text),
    ToolCallDelta: lambda event: Delta(
        tool_calls=[ToolCall(event.id, Function(event.name, event.arguments), event.index)]
    ),
}
_EXTRAS: dict[type[Any], Callable[[Any], _Extras]] = {
    Title: lambda event: {"title": event.title},
    ImageEvent: lambda event: {"images": event.images},
    ConversationEvent: lambda event: {"conversation": event.conversation},
    Usage: lambda event: {"usage": event},
}


def to_chunk(event: Event, model: str) -> Chunk | None:
    """Return the chunk that says the same as *event*, or None: FinalText would repeat the text."""
    kind = type(event)
    if kind is FinalText:
        return None
    delta = _DELTA[kind](event) if kind in _DELTA else Delta()
    reason = event.reason if isinstance(event, Finish) else None
    extras = _EXTRAS[kind](event) if kind in _EXTRAS else {}
    return Chunk([ChunkChoice(delta, event.choice, reason)], model, **extras)


class ImagesResponse(msgspec.Struct):
    """The images made for one prompt."""

    data: list[Image]


class Model(msgspec.Struct):
    """A model that can be asked."""

    id: str
    owned_by: str = ""
    object: str = "model"


ModelList: TypeAlias = list[Model]
