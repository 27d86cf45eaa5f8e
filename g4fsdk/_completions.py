"""Whole answers and OpenAI-shaped chunks, both made from events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from g4fsdk._buffers import ByteBuffer, TextBuffer
from g4fsdk._errors import EmptyAnswerError
from g4fsdk._events import (
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
from g4fsdk._types import Conversation, Message


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


class _ChoiceParts:
    """What one choice has said so far."""

    __slots__ = ("calls", "final", "finish_reason", "finished", "reasoning", "refusal", "text")

    def __init__(self, text: TextBuffer | ByteBuffer | None = None) -> None:
        self.text = text or TextBuffer()
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.calls: dict[int, _CallParts] = {}
        self.final: str | None = None
        self.finished = False
        self.finish_reason: str | None = None

    @property
    def best_text(self) -> str:
        return self.text.getvalue() if self.final is None else self.final

    @property
    def is_empty(self) -> bool:
        return not (self.best_text or self.refusal or self.calls or self.finish_reason)

    def message(self) -> AssistantMessage:
        has_text = bool(self.best_text) or not (self.calls or self.refusal)
        return AssistantMessage(
            content=self.best_text if has_text else None,
            reasoning="".join(self.reasoning) or None,
            refusal="".join(self.refusal) or None,
            tool_calls=[self.calls[index].call(index) for index in sorted(self.calls)] or None,
        )


class _CallParts:
    """What one tool call has said so far."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.arguments: list[str] = []

    def add(self, piece: ToolCallDelta) -> None:
        self.id = self.id or piece.id
        self.name = self.name or piece.name or ""
        self.arguments.append(piece.arguments)

    def call(self, index: int) -> ToolCall:
        return ToolCall(self.id, Function(self.name, "".join(self.arguments)), index)


class Answer:
    """Adds up the events of one stream."""

    __slots__ = ("choices", "conversation", "images", "settle_text", "title", "usage", "write_text")

    def __init__(self, text: ByteBuffer | None = None) -> None:
        """*text* keeps what choice 0 says."""
        first = _ChoiceParts(text)
        self.choices = {0: first}
        self.write_text: Callable[[str], object] = first.text.write  # a plain text delta of choice 0
        self.settle_text = first.text.settle
        self.usage: Usage | None = None
        self.title: str | None = None
        self.images: list[Image] = []
        self.conversation: Conversation | None = None

    @property
    def partial(self) -> str:
        """The text so far of choice 0."""
        return self.choices[0].best_text

    def add(self, event: Event) -> None:
        """Take *event* into account."""
        if event.choice not in self.choices:
            self.choices[event.choice] = _ChoiceParts()
        parts = self.choices[event.choice]
        match event:
            case TextDelta():
                parts.text.write(event.text)
            case ReasoningDelta():
                parts.reasoning.append(event.text)
            case RefusalDelta():
                parts.refusal.append(event.text)
            case ToolCallDelta():
                parts.calls.setdefault(event.index, _CallParts()).add(event)
            case FinalText():
                parts.final = event.text
            case Finish():
                parts.finished, parts.finish_reason = True, event.reason
            case _:
                self._add_extra(event)

    def _add_extra(self, event: Title | ImageEvent | ConversationEvent | Usage) -> None:
        match event:
            case Title():
                self.title = event.title
            case ImageEvent():
                self.images += event.images
            case ConversationEvent():
                self.conversation = event.conversation
            case Usage():
                self.usage = event

    def check_not_empty(self) -> None:
        """Raise EmptyAnswerError when the stream held no answer of any kind."""
        if not self.images and all(parts.is_empty for parts in self.choices.values()):
            raise EmptyAnswerError(
                "the answer ended well and held nothing: no text, image, tool call, refusal or finish; "
                "ask again, or try another model"
            )

    def as_message(self) -> Message:
        """Return choice 0 as the message to put into the history."""
        return Message.from_mapping(self.choices[0].message().to_dict())

    def completion(self, provider: str, model: str) -> Completion:
        """Return the whole answer."""
        choices = [
            Choice(index=index, message=parts.message(), finish_reason=parts.finish_reason)
            for index, parts in sorted(self.choices.items())
        ]
        return Completion(
            choices=choices,
            model=model,
            provider=provider,
            usage=self.usage,
            title=self.title,
            images=self.images,
            conversation=self.conversation,
        )


class ImagesResponse(msgspec.Struct):
    """The images made for one prompt."""

    data: list[Image]


class Model(msgspec.Struct):
    """A model that can be asked."""

    id: str
    owned_by: str = ""
    object: str = "model"


ModelList: TypeAlias = list[Model]
