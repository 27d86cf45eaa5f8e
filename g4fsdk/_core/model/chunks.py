"""Chunks in the OpenAI shape, which are made from events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from g4fsdk._core.model.completions import AnyAnswer, AnyChoice, Facts
from g4fsdk._core.model.events import (
    Annotation,
    AudioDelta,
    ConversationEvent,
    Event,
    Extra,
    FinalText,
    Finish,
    Image,
    ImageEvent,
    Logprobs,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Title,
    ToolCallDelta,
    Usage,
)
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.messages import Audio, Function, ToolCall, read_beside_text
from g4fsdk._core.model.shape import given, split


class Delta(msgspec.Struct, gc=False):
    """What a chunk adds."""

    content: str | None = None
    role: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    audio: Audio | None = None
    images: list[Image] | None = None
    annotations: list[JSON] | None = None
    extra: dict[str, JSON] = {}

    def to_dict(self) -> dict[str, JSON]:
        """Return OpenAI's form."""
        return {
            **given(**{name: getattr(self, name) for name in _TEXTS}, annotations=self.annotations),
            **({"tool_calls": [_piece(call) for call in self.tool_calls]} if self.tool_calls else {}),
            **({"audio": self.audio.to_dict()} if self.audio is not None else {}),
            **({"images": [image.to_dict() for image in self.images]} if self.images else {}),
            **self.extra,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> Delta:
        """Read OpenAI's form. Raises UsageError for calls that are none."""
        kinds = dict.fromkeys(_TEXTS, str) | {"tool_calls": list, "audio": dict, "images": list}
        named, rest = split(value, {**kinds, "annotations": list})
        return cls(**named | read_beside_text(named, rest), extra=rest)


_TEXTS = ("role", "content", "reasoning_content", "refusal")


def _piece(call: ToolCall) -> dict[str, JSON]:
    return {"index": call.index} | call.to_dict()


class ChunkChoice(AnyChoice, msgspec.Struct, gc=False):
    """One of the answers asked for, and what the chunk adds to it."""

    _key = "delta"
    _kind = Delta
    delta: Delta
    index: int = 0
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    extra: dict[str, JSON] = {}

    def _said(self) -> dict[str, Any]:
        return self.delta.to_dict()


class Chunk(AnyAnswer[ChunkChoice], eq=False):
    """An OpenAI-shaped chunk, always with one choice: `chunk.choices[0].delta.content` is safe to read.

    What it says of the whole answer (*id*, *created*, *extra*...) is what the service has said so far.
    """

    _object = "chat.completion.chunk"
    _choice = ChunkChoice

    @property
    def images(self) -> tuple[Image, ...]:
        """The images that the chunk adds."""
        return tuple(image for choice in self.choices for image in choice.delta.images or ())


_Fields: TypeAlias = dict[str, Any]
_Table: TypeAlias = Mapping[type[Any], Callable[[Any], _Fields]]
_OF_DELTA: _Table = {
    ReasoningDelta: lambda event: {"reasoning_content": event.text},
    RefusalDelta: lambda event: {"refusal": event.text},
    ToolCallDelta: lambda event: {"tool_calls": [_call(event)]},
    ImageEvent: lambda event: {"images": [*event.images]},
    AudioDelta: lambda event: {"audio": _audio(event)},
    Annotation: lambda event: {"annotations": [event.data]},
}
_OF_CHOICE: _Table = {
    Finish: lambda event: {"finish_reason": event.reason},
    Logprobs: lambda event: {"logprobs": event},
}
_OF_CHUNK: _Table = {
    Title: lambda event: {"title": event.text},
    ConversationEvent: lambda event: {"conversation": event.conversation},
    Usage: lambda event: {"usage": event},
}


def _call(piece: ToolCallDelta) -> ToolCall:
    return ToolCall(piece.id, Function(piece.name, piece.arguments), piece.index, piece.type, piece.extra)


def _audio(piece: AudioDelta) -> Audio:
    return Audio(piece.id, piece.data, piece.transcript, piece.expires_at, piece.extra)


def to_chunks(events: Iterable[Event], facts: Facts, model: str) -> list[Chunk]:
    """Return the chunks that say the same as *events*; FinalText has none, since it would repeat the text.

    *model* was asked for; the service may name another.
    """
    about = (
        *(facts.model or model, facts.id, facts.created),
        *(facts.system_fingerprint, facts.service_tier, facts.extra),
    )
    chunks = []
    for event in events:
        if type(event) is TextDelta:  # nearly all of them
            chunks.append(Chunk([ChunkChoice(Delta(event.text), event.choice)], *about))
        elif type(event) is not FinalText:
            chunks.append(Chunk([_choice(event)], *about, **_fields(_OF_CHUNK, event)))
    return chunks


def _choice(event: Event) -> ChunkChoice:
    delta = Delta(**_fields(_OF_DELTA, event))
    choice = ChunkChoice(delta, event.choice, **_fields(_OF_CHOICE, event))
    if isinstance(event, Extra):
        (delta if event.of == "message" else choice).extra = event.data
    return choice


def _fields(table: _Table, event: Event) -> _Fields:
    return table[type(event)](event) if type(event) in table else {}
