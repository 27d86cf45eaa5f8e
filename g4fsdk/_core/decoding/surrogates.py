"""Characters whose halves came apart: JSON may say 😀 as two escapes, and a service may cut between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec.structs import replace

from g4fsdk._core.model.events import (
    Event,
    FinalText,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Title,
    ToolCallDelta,
)

_HIGH_SURROGATES = range(0xD800, 0xDC00)
#: Where an event says text that the next of its kind goes on with, and where one says all of it.
_GOES_ON: Mapping[type[Event], str] = {
    TextDelta: "text",
    ReasoningDelta: "text",
    RefusalDelta: "text",
    ToolCallDelta: "arguments",
}
_WHOLE: Mapping[type[Event], str] = {FinalText: "text", Title: "text"}
_Kind: TypeAlias = tuple[type[Event], int, int]


class Halves:
    """Joins halves that came in two pieces of one text; a half without its other becomes U+FFFD."""

    def __init__(self) -> None:
        self._kept: dict[_Kind, str] = {}

    def join(self, event: Event) -> Event | None:
        """Return *event* with the half kept before it, without one at its end; None where nothing is left."""
        if type(event) in _WHOLE:
            field = _WHOLE[type(event)]
            return replace(event, **{field: _encodable(getattr(event, field))})
        if type(event) not in _GOES_ON:
            return event
        field = _GOES_ON[type(event)]
        text = self._past_half(_kind(event), getattr(event, field))
        return replace(event, **{field: text}) if text or isinstance(event, ToolCallDelta) else None

    def _past_half(self, kind: _Kind, text: str) -> str:
        text = self._kept.pop(kind, "") + text
        if text and ord(text[-1]) in _HIGH_SURROGATES:
            self._kept[kind] = text[-1]
            text = text[:-1]
        return _encodable(text)

    def rest(self, choice: int | None = None) -> list[Event]:
        """Return what is left of *choice*, or of all: its other half doesn't come any more."""
        if not self._kept:
            return []
        over = sorted((kind for kind in self._kept if choice in (None, kind[1])), key=lambda kind: kind[1])
        for kind in over:
            del self._kept[kind]
        return [_replaced(*kind) for kind in over]


def _kind(event: Event) -> _Kind:
    return type(event), event.choice, getattr(event, "index", 0)


def _replaced(made: Any, choice: int, index: int) -> Event:
    if made is ToolCallDelta:
        return ToolCallDelta(index, arguments="\ufffd", choice=choice)
    event: Event = made("\ufffd", choice)
    return event


def _encodable(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
