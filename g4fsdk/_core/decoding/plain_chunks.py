"""Chat chunks that say one thing, as nearly all do: typed, so that the rest is skipped and never built.

A key that could say something else is named, and null where it stands; a chunk where it isn't does not fit.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

DeltaT = TypeVar("DeltaT")


class _TextOnly(msgspec.Struct, gc=False):
    """A delta that says nothing but text: every other key that says something is null or missing."""

    content: str
    reasoning_content: None = None
    reasoning: None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None


class _ReasoningOnly(msgspec.Struct, gc=False):
    """A delta that says nothing but what the model thinks."""

    content: Literal[""] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None


class _Choice(msgspec.Struct, Generic[DeltaT], gc=False):
    delta: DeltaT
    finish_reason: None = None


class _GroqExtra(msgspec.Struct, gc=False):
    usage: None = None


class _Chunk(msgspec.Struct, Generic[DeltaT], gc=False):
    choices: tuple[_Choice[DeltaT]]
    usage: None = None
    error: None = None
    finish_reason: None = None
    x_groq: _GroqExtra | None = None


decode_text_chunk = msgspec.json.Decoder(_Chunk[_TextOnly]).decode
decode_reasoning_chunk = msgspec.json.Decoder(_Chunk[_ReasoningOnly]).decode
