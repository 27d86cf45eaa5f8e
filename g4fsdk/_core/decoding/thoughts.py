"""What a model thinks, in parts that may be signed: pieces put together, so that they can go back."""

from __future__ import annotations

from collections.abc import Sequence

from g4fsdk._core.decoding.joined import joined
from g4fsdk._core.decoding.said import THOUGHT_KEYS, THOUGHTS_IN_PARTS, is_thought, joined_text, read_said
from g4fsdk._core.model.events import ReasoningDelta
from g4fsdk._core.model.http import JSON

#: Where a message holds such parts; and where one without any text would say it.
IN_PARTS = ("content_parts", *THOUGHTS_IN_PARTS)
_TEXT_OF = {"thinking": "thinking", "reasoning.summary": "summary"}


def joined_thoughts(pieces: Sequence[JSON], text: str) -> JSON:
    """Return what *pieces* of a list of thoughts add up to: each goes on with the last thought before it.

    A thought ends where one of another type or index begins, or with its signature. *text* is all that was
    thought: that of the only one where its signature alone was a part.
    """
    if not all(isinstance(piece, list) for piece in pieces):
        return joined(pieces)
    found: list[JSON] = []
    for piece in pieces:
        if piece and found and is_thought(piece[0]) and _goes_on(found[-1], piece[0]):
            found[-1] = _longer(found[-1], piece[0])
            piece = piece[1:]
        found += piece
    places = [place for place, part in enumerate(found) if is_thought(part)]
    if len(places) == 1:
        found[places[0]] = _with_text(found[places[0]], text)
    return found


def _goes_on(old: JSON, new: JSON) -> bool:
    return (
        (isinstance(old, dict) and isinstance(new, dict) and not old.get("signature"))
        and old.get("type") == new.get("type")
        and old.get("index") == new.get("index")
    )


def _longer(old: dict[str, JSON], new: dict[str, JSON]) -> dict[str, JSON]:
    return old | {key: _more(key, old.get(key), value) for key, value in new.items() if value is not None}


def _more(key: str, old: JSON, new: JSON) -> JSON:
    if key in THOUGHT_KEYS and isinstance(old, str) and isinstance(new, str):
        return old + new
    if key in THOUGHT_KEYS and isinstance(old, list) and isinstance(new, list):
        if old and new and _goes_on(old[-1], new[0]):
            return [*old[:-1], _longer(old[-1], new[0]), *new[1:]]
        return [*old, *new]
    return new


def _with_text(part: dict[str, JSON], text: str) -> dict[str, JSON]:
    if joined_text(read_said(part, ReasoningDelta), ReasoningDelta):
        return part
    key = next((key for key in THOUGHT_KEYS if key in part), _TEXT_OF.get(part["type"], "text"))
    match part.get(key):
        case [*before, dict(last)]:
            return part | {key: [*before, last | {"text": text}]}
        case _:
            return part | {key: text}
