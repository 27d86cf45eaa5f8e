"""Chunks in the OpenAI shape, which are made from events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from g4fsdk._core.model.chat import Conversation
from g4fsdk._core.model.completions import FACTS, OURS, Audio, Facts, Function, ToolCall, read_beside_text
from g4fsdk._core.model.errors import UsageError
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
from g4fsdk._core.model.shape import OpenAIShape, given, mappings, split


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


class ChunkChoice(msgspec.Struct, gc=False):
    delta: Delta
    index: int = 0
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    extra: dict[str, JSON] = {}

    def to_dict(self) -> dict[str, JSON]:
        """Return OpenAI's form."""
        return {
            "index": self.index,
            "delta": self.delta.to_dict(),
            **({"logprobs": self.logprobs.to_dict()} if self.logprobs is not None else {}),
            "finish_reason": self.finish_reason,
            **self.extra,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON], position: int = 0) -> ChunkChoice:
        """Read OpenAI's form; *position* is the index of a choice that has none."""
        kinds = {"index": int, "delta": dict, "logprobs": dict, "finish_reason": str}
        named, rest = split(value, kinds)
        index = named.get("index", position)
        return cls(
            Delta.from_dict(named.get("delta", {})),
            index,
            named.get("finish_reason"),
            Logprobs.from_dict(named["logprobs"], index) if "logprobs" in named else None,
            rest,
        )


class Chunk(OpenAIShape, msgspec.Struct, eq=False):
    """An OpenAI-shaped chunk, always with one choice: `chunk.choices[0].delta.content` is safe to read.

    What it says of the whole answer (*id*, *created*, *extra*...) is what the service has said so far.
    """

    choices: list[ChunkChoice]
    model: str = ""
    id: str = ""
    created: int | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    extra: dict[str, JSON] = {}
    usage: Usage | None = None
    title: str | None = None
    conversation: Conversation | None = None

    @property
    def images(self) -> tuple[Image, ...]:
        """The images that the chunk adds."""
        return tuple(image for choice in self.choices for image in choice.delta.images or ())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chunk) and self.to_dict() == other.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return OpenAI's JSON of the chunk, without the conversation; a title stands under `g4fsdk`."""
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [choice.to_dict() for choice in self.choices],
            **({"usage": self.usage.to_dict()} if self.usage is not None else {}),
            **given(system_fingerprint=self.system_fingerprint, service_tier=self.service_tier),
            **({OURS: {"title": self.title}} if self.title is not None else {}),
            **self.extra,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> Chunk:
        """Read what `to_dict` returned, or OpenAI's own. Raises UsageError when *value* is something else."""
        named, rest = split(value, {**FACTS, "choices": list, "usage": dict, OURS: dict})
        if "choices" not in named:
            raise UsageError(f"not a chunk, which has choices: {value!r}"[:300])
        if rest.get("object") == "chat.completion.chunk":
            del rest["object"]
        choices = mappings(named.pop("choices"))
        usage = named.pop("usage", None)
        title = named.pop(OURS, {}).get("title")
        return cls(
            [ChunkChoice.from_dict(choice, at) for at, choice in enumerate(choices)],
            **named,
            usage=Usage.from_dict(usage) if usage is not None else None,
            title=title,
            extra=rest,
        )


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
