"""Chat chunks that say one thing, as nearly all do: typed, so that the rest is skipped and never built.

A chunk may hold no key that is not named here, and nothing where a key could say something; one that does is
read in full. Around the choices it says what the last that was read in full said: all that may differ is its
id, its time and padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
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


class _Arguments(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    name: None = None
    arguments: str


class CallPiece(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """The next piece of the arguments of a call that has begun."""

    index: _Place | None = None
    id: None = None
    type: Literal["function"] | None = None
    function: _Arguments


class _CallOnly(_Silent, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A delta that says nothing but such a piece."""

    content: Literal[""] | None = None
    tool_calls: tuple[CallPiece]  # type: ignore[assignment]  # in place of none
    reasoning_content: Literal[""] | None = None
    reasoning: Literal[""] | None = None


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


class _ShortThought(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """The same as `_ReasoningOnly`."""

    role: Literal["assistant"] | None = None
    content: Literal[""] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _ShortChoice(msgspec.Struct, Generic[DeltaT], gc=False, kw_only=True, forbid_unknown_fields=True):
    index: _Place | None = None
    delta: DeltaT
    logprobs: None = None
    finish_reason: None = None


class _LastDelta(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A delta that says nothing, and begins no call."""

    role: Literal["assistant"] | None = None
    content: Literal[""] | None = None
    refusal: None = None
    reasoning_content: Literal[""] | None = None
    reasoning: Literal[""] | None = None


class _LastChoice(_Choice[_LastDelta], gc=False, kw_only=True, forbid_unknown_fields=True):
    """The end of nearly every answer."""

    finish_reason: Literal["stop"]  # type: ignore[assignment]  # in place of none


class _LastChunk(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A chunk that says nothing but the end, and around it what has to be compared."""

    id: str | None = None
    object: Literal["chat.completion.chunk"] | None = None
    created: int | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    choices: tuple[_LastChoice]
    usage: None = None
    obfuscation: str | None = None
    p: str | None = None
    error: None = None
    finish_reason: None = None
    x_groq: None = None


class _GroqExtra(msgspec.Struct, gc=False):
    usage: None = None


class _Probe(msgspec.Struct, Generic[ChoiceT], gc=False):
    """A chunk that is tried with another text: what stands around its choices was read in full before."""

    choices: tuple[ChoiceT]
    usage: None = None
    error: None = None
    finish_reason: None = None
    x_groq: _GroqExtra | None = None


# Named once: each takes as long to make as a chunk to read.
_TEXT, _THOUGHT, _CALL = _Choice[_TextOnly], _Choice[_ReasoningOnly], _Choice[_CallOnly]
_SHORT_TEXT, _SHORT_THOUGHT = _ShortChoice[_ShortText], _ShortChoice[_ShortThought]

#: What a chunk says around its choices that stays the same in all of a stream.
_AROUND = ("model", "system_fingerprint", "service_tier")
#: What may be another in each chunk, once it was said: the first counts.
_FIRST: dict[str, Any] = {"id": str, "created": int}
#: Strings that hide how long a text is, and say nothing.
PADDING = ("obfuscation", "p")
_Around: TypeAlias = tuple[JSON, ...]
# As many readers may one stream have: each takes as long to make as some 300 chunks to read.
_READERS = 8
_Read: TypeAlias = Callable[[bytes], Any]
_only: Any = Literal


@lru_cache(maxsize=64)
def _reader_of(choice: Any, around: _Around) -> _Read:
    """Return what decodes a chunk of one such *choice*, with nothing but *around* it, or less.

    The fields stand as services send them, since they are looked for in this order.
    """
    known = dict(zip((*_AROUND, *_FIRST), around, strict=True))
    said = {name: None if known[name] is None else _only[known[name]] | None for name in _AROUND}
    first = {name: None if known[name] is None else kind | None for name, kind in _FIRST.items()}
    before = {
        "id": first["id"],
        "object": Literal["chat.completion.chunk"] | None,
        "created": first["created"],
        **said,
    }
    behind = {"usage": None, **dict.fromkeys(PADDING, str | None)}
    behind |= dict.fromkeys(("error", "finish_reason", "x_groq"))
    fields: list[Any] = [(name, kind, None) for name, kind in before.items()]
    fields += [("choices", tuple[choice]), *((name, kind, None) for name, kind in behind.items())]
    chunk = msgspec.defstruct("_Chunk", fields, gc=False, kw_only=True, forbid_unknown_fields=True)
    return msgspec.json.Decoder(chunk).decode


def _refuse(data: bytes) -> Any:
    raise msgspec.DecodeError("not read in short")


@cache
def _probe_of(delta: Any) -> _Read:
    """Return what decodes a chunk with one such *delta*, whatever stands around its choices."""
    return msgspec.json.Decoder(_Probe[_Choice[delta]]).decode


@cache
def _last() -> _Read:
    """Return what decodes the chunk that ends an answer."""
    return msgspec.json.Decoder(_LastChunk).decode


def read_nothing(data: bytes) -> None:
    """Read no unit: each is to be read in full."""


class PlainChunks:
    """Reads the chunks of one stream that say nothing but a text; None stands for any other."""

    __slots__ = (
        *("_around", "_left", "_read_call", "_read_short_text", "_read_short_thought"),
        *("_read_text", "_read_thought"),
    )

    def __init__(self) -> None:
        self._left = _READERS
        self._expect((None,) * len((*_AROUND, *_FIRST)))

    def _expect(self, around: _Around) -> None:
        self._around = around
        self._read_text: _Read | None = None
        self._read_short_text: _Read | None = None
        self._read_short_thought: _Read | None = None
        self._read_thought: _Read | None = None
        self._read_call: _Read | None = None

    def note(self, chunk: Mapping[str, JSON]) -> None:
        """Take what *chunk*, which is read in full, says around its choices."""
        typed = [type(chunk.get(name)) is kind and bool(chunk[name]) for name, kind in _FIRST.items()]
        said = [*map(chunk.get, _AROUND), *[is_typed or None for is_typed in typed]]
        around = tuple([old if new is None else new for new, old in zip(said, self._around, strict=True)])
        if around != self._around:
            self._expect(around)

    def _reader(self, choice: Any) -> _Read:
        """Return what reads a chunk of one such *choice* from now on."""
        self._left -= 1
        said = self._around[: len(_AROUND)]
        is_usual = self._left >= 0 and all(one is None or isinstance(one, str) for one in said)
        return _reader_of(choice, self._around) if is_usual else _refuse

    def text(self, data: bytes) -> str | None:
        """Return the text of a chunk on one line that says nothing else, "" for nothing."""
        if (read := self._read_text) is None:
            read = self._read_text = self._reader(_TEXT)
        chunk = _read(read, data)
        return chunk.choices[0].delta.content if chunk else None

    def short_text(self, data: bytes) -> str | None:
        """The same, for chunks of few keys; as `_read` does it, and without its call, for each of many."""
        if 10 in data or 13 in data:
            return None
        if (read := self._read_short_text) is None:
            read = self._read_short_text = self._reader(_SHORT_TEXT)
        try:
            text: str = read(data).choices[0].delta.content
        except UNREADABLE:
            return None
        return text

    def thought(self, data: bytes) -> str | None:
        """The same for what the model thinks."""
        if (read := self._read_thought) is None:
            read = self._read_thought = self._reader(_THOUGHT)
        chunk = _read(read, data)
        return _thought(chunk.choices[0].delta) if chunk else None

    def short_thought(self, data: bytes) -> str | None:
        """The same, for chunks of few keys, as `short_text` does it."""
        if 10 in data or 13 in data:
            return None
        if (read := self._read_short_thought) is None:
            read = self._read_short_thought = self._reader(_SHORT_THOUGHT)
        try:
            return _thought(read(data).choices[0].delta)
        except UNREADABLE:
            return None

    def call(self, data: bytes) -> CallPiece | None:
        """The same for the next piece of a call."""
        if (read := self._read_call) is None:
            read = self._read_call = self._reader(_CALL)
        chunk = _read(read, data)
        return chunk.choices[0].delta.tool_calls[0] if chunk else None

    def stops(self, data: bytes) -> bool:
        """Whether a chunk on one line says nothing but that the answer is over, and around that nothing new.

        What it says around is compared here: a reader that does takes as long to make as many answers.
        """
        chunk = _read(_last(), data) if b'"stop"' in data else None
        if chunk is None:
            return False
        first = (chunk.id is not None or None, chunk.created is not None or None)
        said = (chunk.model, chunk.system_fingerprint, chunk.service_tier, *first)
        return all(new is None or new == known for new, known in zip(said, self._around, strict=True))


def probe_text(data: bytes) -> str | None:
    """Return the text of a chunk, whatever stands around it."""
    chunk = _read_among(_probe_of(_TextOnly), data)
    return chunk.choices[0].delta.content if chunk else None


def probe_thought(data: bytes) -> str | None:
    """The same for what the model thinks."""
    chunk = _read_among(_probe_of(_ReasoningOnly), data)
    return _thought(chunk.choices[0].delta) if chunk else None


def _read(decode: Callable[[bytes], ChunkT], data: bytes) -> ChunkT | None:
    """Decode a chunk on one line. What knows every key decodes every string, or compares it."""
    if 10 in data or 13 in data:
        return None
    try:
        return decode(data)
    except UNREADABLE:
        return None


def _read_among(decode: Callable[[bytes], ChunkT], data: bytes) -> ChunkT | None:
    """The same, where keys may be skipped: what nobody decodes has to be characters, too."""
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError:
        return None
    return _read(decode, data)


def _thought(delta: _ReasoningOnly | _ShortThought) -> str | None:
    one, other = delta.reasoning_content, delta.reasoning
    return None if one and other and one != other else one or other or ""
