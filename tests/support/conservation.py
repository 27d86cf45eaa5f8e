"""What an answer held against what was told of it: nothing here knows how either is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec

from tests.support.wire import Seen

#: The keys down to a leaf from the choices on, places in lists left out; and what stands there.
Leaf: TypeAlias = tuple[tuple[str, ...], Any]


def _anything(value: Any) -> bool:
    return True


#: What is dropped on purpose: how its path ends, from the choice on if it begins with "choice"; what it then
#: says; and why that is nothing.
NOISE: tuple[tuple[tuple[str, ...], Callable[[Any], bool], str], ...] = (
    (("choice", "index"), _anything, "the place of the answer; servers asked for one count tokens with it"),
    (("tool_calls", "index"), _anything, "the place of the call: services repeat, skip and misspell it"),
    (("delta", "role"), _anything, "who answers is known, whatever a service calls it"),
    (("message", "role"), _anything, "who answers is known, whatever a service calls it"),
    (("reasoning_details", "index"), _anything, "the place of a thought"),
    (("thinking_blocks", "index"), _anything, "the place of a thought"),
    (("finish_reason",), lambda said: str(said).strip().lower() in {"null", "none"}, "a word for nothing"),
    (
        ("type",),
        frozenset({"text", "output_text", "thinking", "reasoning.text"}).__contains__,
        "a part of that kind is read as text: the kind of the event says it",
    ),
)

#: Keys whose values are told under another one.
RENAMED = {
    "image_url": "url",
    "image": "b64_json",
    "finish_reason": "reason",
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
}
#: Keys under which a value that is no text is told as text: as its JSON.
AS_TEXT = frozenset(
    (
        "content text refusal reasoning reasoning_content reasoning_text reasoning_details thinking "
        "thinking_blocks arguments input"
    ).split()
)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Give the strings, numbers and booleans in *value*, each with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item, path)
    elif isinstance(value, str):
        if value:  # escaped, half a character is found again in the whole one
            yield path, json.dumps(value)[1:-1]
    elif value is not None:
        yield path, value


class Told:
    """What of an answer was told: its leaves, and the texts that its pieces add up to."""

    def __init__(self, *values: Any, texts: tuple[str, ...] = ()) -> None:
        found = [leaf for value in values for leaf in leaves(value)]
        self._by_key = {(path[-1], _kind(leaf), leaf) for path, leaf in found if path}
        self._texts = [
            *(json.dumps(text)[1:-1] for text in texts),
            *{leaf for _, leaf in found if isinstance(leaf, str)},
        ]
        self._places: dict[tuple[tuple[str, ...], int], int] = {}

    def holds(self, path: tuple[str, ...], leaf: Any) -> bool:
        key = path[-1]
        if any((name, _kind(leaf), leaf) in self._by_key for name in (key, RENAMED.get(key, key))):
            return True
        if isinstance(leaf, str) and self._goes_on(path, leaf):
            return True
        return not AS_TEXT.isdisjoint(path) and self._is_written(leaf)

    def _goes_on(self, path: tuple[str, ...], piece: str) -> bool:
        """Whether *piece* stands in a text, behind the pieces before it."""
        for number, text in enumerate(self._texts):
            place = text.find(piece, self._places.get((path, number), 0))
            if place >= 0:
                self._places[path, number] = place + len(piece)
                return True
        return False

    def _is_written(self, leaf: Any) -> bool:
        written = f'\\"{leaf}\\"' if isinstance(leaf, str) else msgspec.json.encode(leaf).decode()
        return any(written in text for text in self._texts)


def _kind(value: Any) -> str:
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def lost_in_stream(chunks: list[Any], seen: Seen) -> list[Leaf]:
    """Return what stands inside the choices of *chunks*, and in no event and not in the completion."""
    events = msgspec.to_builtins(seen.events)
    texts: dict[tuple[Any, ...], str] = {}
    for event, built in zip(seen.events, events, strict=True):
        for name in ("text", "arguments", "data", "transcript"):
            if isinstance(built.get(name), str):
                kind = (type(event).__name__, name, built["choice"], built.get("index"))
                texts[kind] = texts.get(kind, "") + built[name]
    whole = seen.answer.completion("", "").to_dict()
    return _lost(chunks, Told(events, whole, texts=(*texts.values(),)))


def lost_in_document(document: Any, seen: Seen) -> list[Leaf]:
    """Return what stands inside the choices of *document*, and not in the completion."""
    return _lost([document], Told(seen.answer.completion("", "").to_dict()))


def _lost(chunks: list[Any], told: Told) -> list[Leaf]:
    return [
        (path, leaf)
        for chunk in chunks
        if isinstance(chunk, dict)
        for path, leaf in leaves(chunk.get("choices"), ("choice",))
        if not _is_noise(path, leaf) and not told.holds(path, leaf)
    ]


def _is_noise(path: tuple[str, ...], leaf: Any) -> bool:
    return any(path[-len(end) :] == end and is_nothing(leaf) for end, is_nothing, _ in NOISE)
