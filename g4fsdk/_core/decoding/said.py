"""What a JSON value says where a text is expected: services send texts, numbers, parts and lists of parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TypeAlias

import msgspec

from g4fsdk._core.model.events import ReasoningDelta, RefusalDelta, TextDelta
from g4fsdk._core.model.http import JSON

Said: TypeAlias = TextDelta | ReasoningDelta | RefusalDelta
#: What the texts of a value are: the answer, what the model thinks, or a refusal.
Voice: TypeAlias = type[TextDelta] | type[ReasoningDelta] | type[RefusalDelta]

_NOTHING: tuple[JSON, ...] = (None, "", [], {})
_THOUGHT = ("thinking", "summary", "reasoning", "text", "content")
#: By the type of a part: whose voice it is, None for that of what it is a part of; and where its texts are.
_PARTS: Mapping[str, tuple[Voice | None, tuple[str, ...]]] = {
    **dict.fromkeys(("text", "output_text", "input_text"), (None, ("text",))),
    "refusal": (RefusalDelta, ("refusal", "text")),
    **dict.fromkeys(
        ("thinking", "reasoning", "reasoning_text", "reasoning_content"), (ReasoningDelta, _THOUGHT)
    ),
    **dict.fromkeys(("summary_text", "reasoning.text", "reasoning.summary"), (ReasoningDelta, _THOUGHT)),
}


def read_said(value: JSON, voice: Voice, choice: int = 0) -> list[Said]:
    """Return what *value* says: neighbours of one voice are one piece."""
    joined: list[Said] = []
    for piece in _pieces(value, voice, choice):
        last = joined[-1] if joined else None
        if type(last) is type(piece):
            joined[-1] = type(piece)(last.text + piece.text, choice)
        else:
            joined.append(piece)
    return joined


def odd_parts(value: JSON) -> Iterator[JSON]:
    """Give the parts in *value* that are no text; of one that is, its type and what is beside the text."""
    if isinstance(value, list):
        for part in value:
            yield from odd_parts(part)
    elif isinstance(value, dict) and _is_part(value):
        yield from _beside_texts(value)


def _beside_texts(part: Mapping[str, JSON]) -> Iterator[JSON]:
    kind = part.get("type")
    is_typed = isinstance(kind, str)
    keys = _PARTS.get(kind, (None, ()))[1] if isinstance(kind, str) else ("text",)
    rest = beside(part, {*keys, "type"} if is_typed else {*keys})
    texts = [part[key] for key in keys if key in part]
    if found := [more for text in texts if _is_valued(text) and (more := beside(text, {"value"}))]:
        rest["text"] = found[0] if len(found) == 1 else found
    if rest:
        yield ({"type": kind} if is_typed else {}) | rest
    for text in texts:
        yield from odd_parts(text)


def _is_valued(text: JSON) -> bool:
    return isinstance(text, dict) and "value" in text


def beside(value: Mapping[str, JSON], told: Set[str]) -> dict[str, JSON]:
    """Return what *value* says under other keys than those *told*."""
    return {key: item for key, item in value.items() if key not in told and item not in _NOTHING}


def text_of(value: JSON) -> str:
    """Return *value* as text: a text as it is, null as "", anything else as its JSON."""
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()


def _pieces(value: JSON, voice: Voice, choice: int) -> Iterator[Said]:
    match value:
        case {"type": str(kind)}:
            yield from _part(kind, value, voice, choice)
        case {"text": text}:
            yield from _text(text, voice, choice)
        case list() if any(map(_is_part, value)) or not any(value):
            for part in value:
                yield from _pieces(part, voice, choice)
        case _ if text := text_of(value):
            yield voice(text, choice)


def _text(text: JSON, voice: Voice, choice: int) -> Iterator[Said]:
    return _pieces(text["value"] if isinstance(text, dict) and "value" in text else text, voice, choice)


def _part(kind: str, part: Mapping[str, JSON], voice: Voice, choice: int) -> Iterator[Said]:
    own_voice, keys = _PARTS.get(kind, (None, ()))
    for key in keys:
        yield from _text(part.get(key), own_voice or voice, choice)


def _is_part(item: JSON) -> bool:
    """Whether a list with *item* in it is one of pieces of text, and no data of its own."""
    return isinstance(item, str) or (isinstance(item, dict) and bool(item.keys() & {"type", "text"}))


def joined_text(events: Iterable[object], voice: Voice) -> str:
    """Return the text that *events* of that *voice* add up to."""
    return "".join(event.text for event in events if type(event) is voice)
