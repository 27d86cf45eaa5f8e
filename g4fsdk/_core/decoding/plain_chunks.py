"""Chat chunks that say one thing, as nearly all do: typed, so that the rest is skipped and never built.

Within its choice a chunk may hold no key that is not named here, and nothing where a key could say something;
one that does is read in full. Around the choices, keys that mean something are named and null.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

from g4fsdk._core.decoding.decoder import UNREADABLE

DeltaT = TypeVar("DeltaT")
ChoiceT = TypeVar("ChoiceT")


class _Empty(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A mapping without keys."""


class _Silent(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What deltas hold beside what they say, as long as it is nothing."""

    role: Literal["assistant"] | None = None
    refusal: None = None
    tool_calls: tuple[()] | None = None
    function_call: None = None
    audio: None = None
    images: tuple[()] | None = None
    annotations: tuple[()] | None = None
    reasoning_details: tuple[()] | None = None
    name: None = None


class _TextOnly(_Silent, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A delta that says nothing but text."""

    content: str
    reasoning_content: Literal[""] | None = None
    reasoning: Literal[""] | None = None


class _ReasoningOnly(_Silent, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A delta that says nothing but what the model thinks."""

    content: Literal[""] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _ShortText(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """The same as `_TextOnly`, for deltas of few keys: each one more takes time."""

    role: Literal["assistant"] | None = None
    content: str


class _Choice(msgspec.Struct, Generic[DeltaT], gc=False, kw_only=True, forbid_unknown_fields=True):
    index: int | None = None
    delta: DeltaT
    logprobs: None = None
    finish_reason: None = None
    stop_reason: None = None
    token_ids: None = None
    matched_stop: None = None
    native_finish_reason: None = None
    content_filter_results: _Empty | None = None
    usage: None = None
    message: None = None


class _ShortChoice(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    index: int | None = None
    delta: _ShortText
    logprobs: None = None
    finish_reason: None = None


class _GroqExtra(msgspec.Struct, gc=False):
    usage: None = None


class _Chunk(msgspec.Struct, Generic[ChoiceT], gc=False):
    choices: tuple[ChoiceT]
    usage: None = None
    error: None = None
    finish_reason: None = None
    x_groq: _GroqExtra | None = None


_decode_text = msgspec.json.Decoder(_Chunk[_Choice[_TextOnly]]).decode
_decode_short_text = msgspec.json.Decoder(_Chunk[_ShortChoice]).decode
_decode_thought = msgspec.json.Decoder(_Chunk[_Choice[_ReasoningOnly]]).decode


def read_nothing(data: bytes) -> str | None:
    """Read no unit: each is to be read in full."""
    return None


def read_text(data: bytes) -> str | None:
    """Return the text of a chunk on one line that says nothing else, "" for nothing, None for any other."""
    if 10 in data or 13 in data:
        return None
    try:
        if not data.isascii():
            data.decode()  # what nobody decodes has to be characters, too
        return _decode_text(data).choices[0].delta.content
    except UNREADABLE:
        return None


def read_short_text(data: bytes) -> str | None:
    """The same, for chunks of few keys."""
    if 10 in data or 13 in data:
        return None
    try:
        if not data.isascii():
            data.decode()
        return _decode_short_text(data).choices[0].delta.content
    except UNREADABLE:
        return None


def read_thought(data: bytes) -> str | None:
    """The same for what the model thinks."""
    if 10 in data or 13 in data:
        return None
    try:
        data.decode()
        delta = _decode_thought(data).choices[0].delta
    except UNREADABLE:
        return None
    thoughts = {delta.reasoning_content or "", delta.reasoning or ""} - {""}
    return thoughts.pop() if len(thoughts) == 1 else None if thoughts else ""
