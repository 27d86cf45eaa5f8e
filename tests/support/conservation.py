"""What an answer held against what was told of it: nothing here knows how either is read."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

from g4fsdk import FinalText, G4FError, ProtocolError, ProviderError
from g4fsdk._core.model.chunks import to_chunks
from tests.support.wire import Seen

#: The keys down to a leaf, places in lists left out; and what stands there.
Leaf: TypeAlias = tuple[tuple[str, ...], Any]
#: How the path of a leaf ends, what it then says, and why that is nothing, or nothing new.
Rule: TypeAlias = tuple[tuple[str, ...], Callable[[Any], bool], str]


def _anything(value: Any) -> bool:
    return True


def _is_place(value: Any) -> bool:
    if isinstance(value, str):
        return value.isdecimal()
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 == value % 1


#: What is dropped on purpose.
NOISE: tuple[Rule, ...] = (
    (("choices", "index"), _is_place, "that of the answer; servers asked for one count tokens with it"),
    (("tool_calls", "index"), _is_place, "that of the call: services repeat and skip it"),
    (("role",), lambda said: said == "assistant", "who answers is known"),
    (("finish_reason",), lambda said: str(said).strip().lower() in {"null", "none"}, "a word for nothing"),
    (("^", "object"), lambda said: str(said).startswith("chat.completion"), "what it is, said again by ours"),
    (("type",), lambda said: said == "function", "what a call is unless it says otherwise"),
    (
        ("type",),
        frozenset(
            ("text output_text refusal thinking reasoning reasoning_text summary_text reasoning.text").split()
        ).__contains__,
        "a part of that kind is read as text: the kind of the event says it",
    ),
    *(
        (("^", key), lambda said: isinstance(said, str | int), "of one answer: chunks may each have another")
        for key in ("id", "created")
    ),
    *((("^", key), lambda said: isinstance(said, str), "padding") for key in ("obfuscation", "p")),
)
#: The same, of chat-ui's updates.
SILENT: tuple[Rule, ...] = (
    (
        ("^", "type"),
        frozenset("stream status title finalAnswer reasoning".split()).__contains__,
        "the kind of the event says it",
    ),
    (("^", "subtype"), lambda said: said == "stream", "the kind of the event says it"),
    (
        ("^", "status"),
        frozenset(("started", "keepAlive", "finished")).__contains__,
        "the server is there; the end of the body says the last",
    ),
    (("^", "interrupted"), lambda said: said is False, "it did not break off"),
)
#: What is told and was not sent, in the same form.
MADE: tuple[Rule, ...] = (
    (("role",), lambda told: told == "assistant", "who answers is known"),
    (("object",), lambda told: told == "chat.completion", "what ours is"),
    (("type",), lambda told: told in ("function", "custom"), "what a call is"),
    (("of",), _anything, "where an Extra stood"),
    (("id",), lambda told: str(told).startswith("call_"), "a call without an id could not be sent back"),
    *(((key,), lambda told: isinstance(told, int), "a place") for key in ("index", "choice")),
    *(
        ((f"{kind}_tokens",), lambda told: isinstance(told, int), "a count that was not sent, or the sum")
        for kind in ("prompt", "completion", "total")
    ),
)

#: Keys whose values are told under another one.
RENAMED = {
    "image_url": "url",
    "image": "b64_json",
    "finish_reason": "reason",
    "annotations": "data",
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
#: Keys under which a value that is no text is told as text: as its JSON.
AS_TEXT = frozenset(
    (
        "content delta message text refusal reasoning reasoning_content reasoning_text reasoning_details "
        "thinking thinking_blocks arguments input id name"
    ).split()
)
_SPOKEN = ("content", "reasoning_content", "reasoning", "refusal", "arguments", "transcript", "name")
# The words and numbers that the generated answers are made of, however they are joined.
_WORD = re.compile(r"w\d{7}")
_PIECE = re.compile(r"w\d{7}|true|false|[^\W\dw]+|1\d{6}(?:\.5)?|\d")


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

    def __init__(self, *values: Any, texts: Iterable[str] = ()) -> None:
        found = [leaf for value in values for leaf in leaves(value)]
        self._by_key = {(path[-1].removesuffix("_parts"), _kind(leaf), leaf) for path, leaf in found if path}
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
    """Return what stands in *chunks*, and in no event and not in the completion, or on the error.

    Where an error says that something can't be read, what stands around the choices is not looked for.
    """
    built, texts = msgspec.to_builtins(seen.events), _joined([*seen.events])
    if isinstance(seen.error, ProtocolError):
        return _lost([*map(_inside, filter(_is_object, chunks))], Told(built, texts=texts))
    if seen.error is not None:
        return _lost(_as_one(chunks), Told(built, *_on(seen.error), texts=texts))
    return _lost(_as_one(chunks), Told(built, _whole(seen), texts=texts))


def _on(error: G4FError) -> list[Any]:
    """Return what *error* keeps of the answer."""
    answer = [] if error.answer is None else [error.answer.to_dict()]
    return answer + ([json.loads(error.body)] if isinstance(error, ProviderError) and error.body else [])


def lost_in_document(document: Any, seen: Seen) -> list[Leaf]:
    """Return what stands in *document*, and not in the completion."""
    return _lost([document], Told(_whole(seen))) if seen.error is None else lost_in_stream([document], seen)


def lost_in_updates(updates: list[Any], seen: Seen) -> list[Leaf]:
    """Return what stands in chat-ui's *updates*, and in no event and not in the completion."""
    told = Told(msgspec.to_builtins(seen.events), _whole(seen), texts=_joined([*seen.events]))
    return [leaf for leaf in _lost(updates, told) if not _fits(SILENT, ("^", *leaf[0]), leaf[1])]


def lost_in_chunks(chunks: list[Any], seen: Seen) -> list[Leaf]:
    """Return what stands in *chunks*, and not in the OpenAI-shaped ones made of what was seen."""
    if seen.error is not None:
        return []
    told = [chunk.to_dict() for chunk in to_chunks(seen.events, seen.answer.facts, "")]
    texts: dict[tuple[Any, ...], str] = {}
    for chunk in told:
        for choice in chunk["choices"]:
            for path, leaf in leaves(choice["delta"]):
                texts[choice["index"], path] = texts.get((choice["index"], path), "") + str(leaf)
    final = [event.text for event in seen.events if isinstance(event, FinalText)]  # see `to_chunks`
    return _lost(_as_one(chunks), Told(told, texts=[*texts.values(), *final]))


def invented(sent: list[Any], seen: Seen) -> list[Leaf]:
    """Return what was told and not *sent*, or told as speech more often than it was sent."""
    whole = _whole(seen)
    told = [leaf for value in (whole, msgspec.to_builtins(seen.events)) for leaf in leaves(value)]
    there = {(_kind(leaf), leaf) for _, leaf in leaves(sent)}
    written = json.dumps(sent)
    foreign = [
        (path, leaf)
        for path, leaf in told
        if (_kind(leaf), leaf) not in there and not _is_made_of(leaf, written) and not _fits(MADE, path, leaf)
    ]
    spoken = Counter(
        word
        for path, leaf in leaves(whole["choices"])
        if path[-1] in _SPOKEN and isinstance(leaf, str) and "extra" not in path
        for word in _WORD.findall(leaf)
    )
    counts = Counter(_WORD.findall(written))
    return foreign + [((), word) for word, count in spoken.items() if count > counts[word]]


def _is_made_of(leaf: Any, written: str) -> bool:
    """Whether the text *leaf* has nothing but words and numbers that are *written*."""
    return isinstance(leaf, str) and all(piece in written for piece in _PIECE.findall(leaf))


def _joined(events: list[Any]) -> list[str]:
    """Return the texts that *events* add up to."""
    texts: dict[tuple[Any, ...], str] = {}
    for event in events:
        for name in ("text", "arguments", "data", "transcript"):
            if isinstance(piece := getattr(event, name, None), str):
                kind = (type(event), name, event.choice, getattr(event, "index", None))
                texts[kind] = texts.get(kind, "") + piece
    return [*texts.values()]


def _whole(seen: Seen) -> dict[str, Any]:
    return seen.answer.completion("", "").to_dict()


def _as_one(chunks: list[Any]) -> list[Any]:
    """Return the insides of *chunks*, and as one what they say around them: of each key, the last counts."""
    around: dict[str, Any] = {}
    for chunk in filter(_is_object, chunks):
        around |= {key: item for key, item in chunk.items() if item is not None and key not in _INSIDE}
    return [*map(_inside, filter(_is_object, chunks)), around]


_INSIDE = ("choices", "finish_reason")


def _inside(chunk: Any) -> dict[str, Any]:
    return {key: chunk[key] for key in _INSIDE if key in chunk}


def _is_object(chunk: Any) -> bool:
    return isinstance(chunk, dict)


def _lost(values: list[Any], told: Told) -> list[Leaf]:
    return [
        (path[1:], leaf)
        for value in values
        for path, leaf in leaves(value, ("^",))
        if not _fits(NOISE, path, leaf) and not told.holds(path, leaf)
    ]


def _fits(rules: tuple[Rule, ...], path: tuple[str, ...], leaf: Any) -> bool:
    return any(path[-len(end) :] == end and fits(leaf) for end, fits, _ in rules)
