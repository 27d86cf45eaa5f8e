"""What a JSON value says where a text is expected: services send texts, numbers, parts and lists of parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TypeAlias

import msgspec

from g4fsdk._core.model.events import ReasoningDelta, RefusalDelta, TextDelta
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.messages import REASONING_KEYS

Said: TypeAlias = TextDelta | ReasoningDelta | RefusalDelta
#: What the texts of a value are: the answer, what the model thinks, or a refusal.
Voice: TypeAlias = type[TextDelta] | type[ReasoningDelta] | type[RefusalDelta]

#: What says nothing wherever it stands.
NOTHING: tuple[JSON, ...] = (None, "", [], {})
#: Where a message says what the model thinks in parts, beside its content.
THOUGHTS_IN_PARTS = ("reasoning_details", "thinking_blocks")
_REASONING_KEYS = (*REASONING_KEYS, *THOUGHTS_IN_PARTS)
THOUGHT_KEYS = ("thinking", "summary", "reasoning", "text", "content")
#: By the type of a part: whose voice it is, None for that of what it is a part of; and where its texts are.
_PARTS: Mapping[str, tuple[Voice | None, tuple[str, ...]]] = {
    **dict.fromkeys(("text", "output_text", "input_text"), (None, ("text",))),
    "refusal": (RefusalDelta, ("refusal", "text")),
    **dict.fromkeys(
        ("thinking", "reasoning", "reasoning_text", "reasoning_content"), (ReasoningDelta, THOUGHT_KEYS)
    ),
    **dict.fromkeys(("summary_text", "reasoning.text", "reasoning.summary"), (ReasoningDelta, THOUGHT_KEYS)),
}


def said_in(message: Mapping[str, JSON], choice: int = 0) -> list[Said]:
    """Return what *message*, or a piece of one, says."""
    return [
        *_thoughts(message, choice),
        *read_said(message.get("content"), TextDelta, choice),
        *read_said(message.get("refusal"), RefusalDelta, choice),
    ]


def _thoughts(message: Mapping[str, JSON], choice: int) -> Iterator[Said]:
    """Give what the model thinks, once: OpenRouter and Vercel say the same under several keys."""
    found = set()
    for key in [key for key in _REASONING_KEYS if message.get(key) not in NOTHING]:
        said = read_said(message[key], ReasoningDelta, choice)
        text = joined_text(said, ReasoningDelta)
        if text not in found:
            found.add(text)
            yield from said


def thought_key(message: Mapping[str, JSON]) -> str:
    """Return where *message* says what the model thinks, "" for nowhere."""
    places = {key: read_said(message.get(key), ReasoningDelta) for key in _REASONING_KEYS}
    places["content"] = read_said(message.get("content"), TextDelta)
    return next((key for key, said in places.items() if joined_text(said, ReasoningDelta)), "")


def read_said(value: JSON, voice: Voice, choice: int = 0) -> list[Said]:
    """Return what *value* says: neighbours of one voice are one piece."""
    joined: list[Said] = []
    for piece in _pieces(value, voice, choice):
        last = joined[-1] if joined else None
        if last is not None and type(last) is type(piece):
            joined[-1] = type(piece)(last.text + piece.text, choice)
        else:
            joined.append(piece)
    return joined


def odd_parts(value: JSON) -> Iterator[JSON]:
    """Give the parts in *value* that are no text; of one that is, its type and what is beside the text.

    A thought with something beside its text is given whole: it was signed, and has to go back as it came.
    """
    for part in parts_in(value):
        found = beside_texts(part)
        yield from [part] if is_thought(part) and any(found) else found


def parts_in(value: JSON) -> Iterator[dict[str, JSON]]:
    """Give the parts in *value*, which may be one."""
    if isinstance(value, list) and _is_of_parts(value):
        for part in value:
            yield from parts_in(part)
    elif isinstance(value, dict) and _is_part(value):
        yield value


def is_thought(part: JSON) -> bool:
    """Whether *part* says what the model thinks."""
    kind = part.get("type") if isinstance(part, dict) else None
    return isinstance(kind, str) and _PARTS.get(kind, (None,))[0] is ReasoningDelta


def beside_texts(part: Mapping[str, JSON]) -> Iterator[JSON]:
    """Give what *part* says beside its texts, with its type."""
    kind = part.get("type")
    typed = {"type": kind} if isinstance(kind, str) else {}
    keys = _PARTS.get(typed["type"], (None, ()))[1] if typed else ("text",)
    rest = beside(part, {*keys, *typed})
    texts = [part[key] for key in keys if key in part]
    if found := [more for text in texts if _is_valued(text) and (more := beside(text, {"value"}))]:
        rest["text"] = found[0] if len(found) == 1 else found
    if rest or (typed and kind not in _PARTS):
        yield typed | rest
    for text in texts:
        yield from odd_parts(_unwrapped(text))


def _is_valued(text: JSON) -> bool:
    return isinstance(text, dict) and "value" in text


def _unwrapped(text: JSON) -> JSON:
    return text["value"] if _is_valued(text) else text


def beside(value: Mapping[str, JSON], told: Set[str]) -> dict[str, JSON]:
    """Return what *value* says under other keys than those *told*."""
    return {key: item for key, item in value.items() if key not in told and item not in NOTHING}


def text_of(value: JSON) -> str:
    """Return *value* as text: a text as it is, null as "", anything else as its JSON."""
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()


def _pieces(value: JSON, voice: Voice, choice: int) -> Iterator[Said]:
    match value:
        case {"type": str(kind)}:
            yield from _part(kind, value, voice, choice)
        case {"text": text}:
            yield from _text(text, voice, choice)
        case list() if _is_of_parts(value):
            for part in value:
                yield from _pieces(part, voice, choice)
        case _ if value not in NOTHING:
            yield voice(text_of(value), choice)


def _text(text: JSON, voice: Voice, choice: int) -> Iterator[Said]:
    return _pieces(_unwrapped(text), voice, choice)


def _part(kind: str, part: Mapping[str, JSON], voice: Voice, choice: int) -> Iterator[Said]:
    own_voice, keys = _PARTS.get(kind, (None, ()))
    for key in keys:
        yield from _text(part.get(key), own_voice or voice, choice)


def _is_of_parts(items: list[JSON]) -> bool:
    """Whether *items* are pieces of text, or nothing, and no data of their own."""
    return any(map(_is_part, items)) or all(item in NOTHING for item in items)


def _is_part(item: JSON) -> bool:
    return isinstance(item, str) or (
        isinstance(item, dict) and ("text" in item or isinstance(item.get("type"), str))
    )


def joined_text(events: Iterable[object], voice: Voice) -> str:
    """Return the text that *events* of that *voice* add up to."""
    return "".join(event.text for event in events if type(event) is voice)
