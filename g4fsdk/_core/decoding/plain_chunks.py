"""Chat chunks that say one thing, as nearly all do: typed, so that the rest is skipped and never built.

A chunk may hold no key that is not named here, and nothing where a key could say something; one that does is
read in full. Around the choices it says what the last that was read in full said: all that may differ is its
id, its time and padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

import msgspec

from g4fsdk._core.decoding.decoder import UNREADABLE
from g4fsdk._core.model.http import JSON

ChunkT = TypeVar("ChunkT")
DeltaT = TypeVar("DeltaT")
ChoiceT = TypeVar("ChoiceT")
_Place: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


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
    index: _Place | None = None
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
    index: _Place | None = None
    delta: _ShortText
    logprobs: None = None
    finish_reason: None = None


class _GroqExtra(msgspec.Struct, gc=False):
    usage: None = None


class _Probe(msgspec.Struct, Generic[ChoiceT], gc=False):
    """A chunk that is tried with another text: what stands around its choices was read in full before."""

    choices: tuple[ChoiceT]
    usage: None = None
    error: None = None
    finish_reason: None = None
    x_groq: _GroqExtra | None = None


class _Chunk(msgspec.Struct, Generic[ChoiceT], gc=False, forbid_unknown_fields=True):
    choices: tuple[ChoiceT]
    usage: None = None
    error: None = None
    finish_reason: None = None
    x_groq: None = None
    id: str | None = None
    created: int | None = None
    obfuscation: str | None = None
    p: str | None = None
    object: Literal["chat.completion.chunk"] | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None


_AROUND = ("model", "system_fingerprint", "service_tier")
_around = attrgetter(*_AROUND)
_decode_text = msgspec.json.Decoder(_Chunk[_Choice[_TextOnly]]).decode
_decode_short_text = msgspec.json.Decoder(_Chunk[_ShortChoice]).decode
_decode_thought = msgspec.json.Decoder(_Chunk[_Choice[_ReasoningOnly]]).decode
_probe_text = msgspec.json.Decoder(_Probe[_Choice[_TextOnly]]).decode
_probe_thought = msgspec.json.Decoder(_Probe[_Choice[_ReasoningOnly]]).decode


def read_nothing(data: bytes) -> str | None:
    """Read no unit: each is to be read in full."""
    return None


class PlainChunks:
    """Reads the chunks of one stream that say nothing but a text; None stands for any other."""

    __slots__ = ("_around", "_known")

    def __init__(self) -> None:
        self._around: dict[str, JSON] = {}  # what was said around the choices
        self._known: set[tuple[str | None, ...]] = set()  # what says nothing else

    def note(self, chunk: Mapping[str, JSON]) -> None:
        """Take what *chunk*, which is read in full, says around its choices."""
        for name in _AROUND:
            if (said := chunk.get(name)) is not None and said != self._around.get(name):
                self._around[name] = said
                self._known.clear()

    def text(self, data: bytes) -> str | None:
        """Return the text of a chunk on one line that says nothing else, "" for nothing."""
        if 10 in data or 13 in data:
            return None
        try:
            if not data.isascii():
                data.decode()  # what nobody decodes has to be characters, too
            chunk = _decode_text(data)
        except UNREADABLE:
            return None
        is_as_before = _around(chunk) in self._known or self._is_as_before(chunk)
        return chunk.choices[0].delta.content if is_as_before else None

    def short_text(self, data: bytes) -> str | None:
        """The same, for chunks of few keys."""
        if 10 in data or 13 in data:
            return None
        try:
            if not data.isascii():
                data.decode()
            chunk = _decode_short_text(data)
        except UNREADABLE:
            return None
        is_as_before = _around(chunk) in self._known or self._is_as_before(chunk)
        return chunk.choices[0].delta.content if is_as_before else None

    def thought(self, data: bytes) -> str | None:
        """The same for what the model thinks."""
        chunk = _read(_decode_thought, data)
        return _thought(chunk.choices[0].delta) if chunk and self._is_as_before(chunk) else None

    def _is_as_before(self, chunk: _Chunk[Any]) -> bool:
        found = _around(chunk)
        if found not in self._known:
            if any(
                said not in (None, self._around.get(name)) for name, said in zip(_AROUND, found, strict=True)
            ):
                return False
            self._known.add(found)
        return True


def probe_text(data: bytes) -> str | None:
    """Return the text of a chunk, whatever stands around it."""
    chunk = _read(_probe_text, data)
    return chunk.choices[0].delta.content if chunk else None


def probe_thought(data: bytes) -> str | None:
    """The same for what the model thinks."""
    chunk = _read(_probe_thought, data)
    return _thought(chunk.choices[0].delta) if chunk else None


def _read(decode: Callable[[bytes], ChunkT], data: bytes) -> ChunkT | None:
    if 10 in data or 13 in data:
        return None
    try:
        if not data.isascii():
            data.decode()  # what nobody decodes has to be characters, too
        return decode(data)
    except UNREADABLE:
        return None


def _thought(delta: _ReasoningOnly) -> str | None:
    thoughts = {delta.reasoning_content or "", delta.reasoning or ""} - {""}
    return thoughts.pop() if len(thoughts) == 1 else None if thoughts else ""
