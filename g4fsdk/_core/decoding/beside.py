"""What an answer holds beside text and calls: sound, images, notes, probabilities, and what has no name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from g4fsdk._core.decoding.call_numbers import as_index
from g4fsdk._core.decoding.said import NOTHING, THOUGHTS_IN_PARTS, beside, odd_parts
from g4fsdk._core.model.events import (
    Annotation,
    AudioDelta,
    Event,
    Extra,
    ImageEvent,
    Logprobs,
    Usage,
    read_image,
)
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.messages import REASONING_KEYS
from g4fsdk._core.model.shape import split

# What is said as text, thoughts, calls or the end.
_SPOKEN = ("content", "refusal", *REASONING_KEYS)
_OF_MESSAGE = frozenset({*_SPOKEN, "tool_calls", "function_call"})
_OF_CHOICE = frozenset("delta message text finish_reason".split())
ROLE = "assistant"
# What a prompt, an answer and both together count under: OpenAI's names, and those of its newer interface.
_COUNTS = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"), ("total_tokens",))
_DETAILS = tuple((f"{old}_details", f"{new}_details") for old, new in _COUNTS[:2])
_NAMES = tuple(names[0] for names in (*_COUNTS, *_DETAILS))
T = TypeVar("T")


def beside_message(message: Mapping[str, JSON], choice: int) -> Iterator[Event]:
    """Give what a message, or a piece of one, says beside its texts and calls."""
    named, rest = split(beside(message, _OF_MESSAGE), {"audio": dict, "images": list, "annotations": list})
    if "audio" in named:
        yield _audio(named["audio"], choice)
    parts = {f"{key}_parts": [*odd_parts(message[key])] for key in _SPOKEN if key in message}
    found = {"images": named.get("images", ()), **parts}
    images = [image for items in found.values() for item in items if (image := read_image(item)) is not None]
    if images:
        yield ImageEvent(tuple(images), choice=choice)
    for note in named.get("annotations", ()):
        yield Annotation(note, choice)
    odd = {key: [*_not_images(items)] for key, items in found.items()}
    if data := _unnamed(rest) | {key: items for key, items in odd.items() if items}:
        yield Extra(data, choice)


def _unnamed(rest: dict[str, JSON]) -> dict[str, JSON]:
    """Return *rest* of a message without what was read, and what is no sound under a name of its own."""
    for key in THOUGHTS_IN_PARTS:
        if key in rest and not any(odd_parts(rest[key])):  # else it has to go back as it came
            del rest[key]
    if rest.get("role") == ROLE:
        del rest["role"]
    return in_parts(rest, "audio")


def in_parts(value: dict[str, JSON], *names: str) -> dict[str, JSON]:
    """Return *value* with what stands under *names*, and is none of that name, under names of its own."""
    return {
        f"{key}_parts" if key in names else key: [item] if key in names else item
        for key, item in value.items()
    }


def beside_choice(value: Mapping[str, JSON], choice: int) -> Iterator[Event]:
    """Give what a choice says beside its message and its end."""
    rest = beside(value, _OF_CHOICE)
    if isinstance(rest.get("logprobs"), dict):
        yield Logprobs.from_dict(rest.pop("logprobs"), choice)
    if as_index(rest.get("index")) is not None:
        del rest["index"]
    if rest:
        yield Extra(in_parts(rest, "logprobs", "index"), choice, "choice")


def usage_in(value: Mapping[str, JSON], before: Usage | None = None) -> Usage | None:
    """Return the tokens counted in a chunk or document, None where it counts none.

    What it leaves out is as *before*: some count the prompt at first, and the answer at its end.
    """
    choices = value.get("choices")
    inside = (value.get("x_groq"), choices[0] if choices and isinstance(choices, list) else None)  # Moonshot
    places = (value.get("usage"), *[one.get("usage") if isinstance(one, dict) else None for one in inside])
    return next((usage for place in places if (usage := read_usage(place, before)) is not None), None)


def read_usage(value: JSON, before: Usage | None = None) -> Usage | None:
    """Return the tokens counted in *value*, else *before*; None where it counts none."""
    if not isinstance(value, dict) or not any(name in value for names in _COUNTS for name in names):
        return None
    found = {name: item for name, item in value.items() if item not in NOTHING}
    prompt, completion, total = (_taken(found, names, _count) for names in _COUNTS)
    of_prompt, of_completion = (_taken(found, names, _details) for names in _DETAILS)
    said = dict(zip(_NAMES, (prompt, completion, total, of_prompt, of_completion), strict=True))
    extra = in_parts(found, *(name for name, item in said.items() if item is not None))
    before = before or Usage()
    prompt = before.prompt_tokens if prompt is None else prompt
    completion = before.completion_tokens if completion is None else completion
    return Usage(
        prompt,
        completion,
        prompt + completion if total is None else total,
        0,
        of_prompt or before.prompt_tokens_details,
        of_completion or before.completion_tokens_details,
        before.extra | extra,
    )


def odd_usage(value: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return what a chunk or document says in place of the tokens used, and counts none."""
    usage = value.get("usage")
    return {} if usage in NOTHING or read_usage(usage) is not None else {"usage_parts": [usage]}


def _taken(found: dict[str, JSON], names: tuple[str, ...], read: Callable[[JSON], T | None]) -> T | None:
    """Take what *names* say out of *found*; what is none of it, or says another, stays."""
    values = {name: said for name in names if (said := read(found.get(name))) is not None}
    first = next(iter(values.values()), None)
    for name, said in values.items():
        if said == first:
            del found[name]
    return first


def _details(value: JSON) -> dict[str, JSON] | None:
    return value if isinstance(value, dict) else None


def _count(value: JSON) -> int | None:
    is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if is_whole else None


def _audio(value: Mapping[str, JSON], choice: int) -> AudioDelta:
    named, rest = split(value, {"data": str, "transcript": str, "id": str, "expires_at": int})
    return AudioDelta(**named, choice=choice, extra=rest)


def _not_images(items: JSON) -> Iterator[JSON]:
    return (item for item in items if read_image(item) is None)
