"""What an answer holds beside text and calls: sound, images, notes, probabilities, and what has no name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from g4fsdk._core.decoding.said import beside, odd_parts
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
from g4fsdk._core.model.shape import split

# What is said as text, thoughts, calls or the end.
_OF_MESSAGE = frozenset(
    "role content refusal reasoning reasoning_content reasoning_text thinking tool_calls function_call"
    "".split()
)
_THOUGHTS = ("reasoning_details", "thinking_blocks")
_PLAIN = frozenset({"type", "index"})  # what a thought that is only text has beside it
_SPOKEN = ("content", "refusal", "reasoning", "reasoning_content", "reasoning_text", "thinking")
_OF_CHOICE = frozenset("index delta message text finish_reason".split())
# What a prompt, an answer and both together count under: OpenAI's names, and those of its newer interface.
_COUNTS = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"), ("total_tokens",))
_DETAILS = tuple((f"{old}_details", f"{new}_details") for old, new in _COUNTS[:2])
_USAGE = frozenset(name for names in (*_COUNTS, *_DETAILS) for name in names)


def beside_message(message: Mapping[str, JSON], choice: int) -> Iterator[Event]:
    """Give what a message, or a piece of one, says beside its texts and calls."""
    named, rest = split(beside(message, _OF_MESSAGE), {"audio": dict, "images": list, "annotations": list})
    if "audio" in named:
        yield _audio(named["audio"], choice)
    odd = [*_not_images(named.get("images", ()))]
    images = [image for item in named.get("images", ()) if (image := read_image(item)) is not None]
    parts = {f"{key}_parts": [*odd_parts(message[key])] for key in _SPOKEN if key in message}
    images += [image for found in parts.values() for part in found if (image := read_image(part)) is not None]
    if images:
        yield ImageEvent(tuple(images), choice=choice)
    for note in named.get("annotations", ()):
        yield Annotation(note, choice)
    more = {"images": odd} | {key: [*_not_images(found)] for key, found in parts.items()}
    for key in _THOUGHTS:
        if key in rest and not _is_signed(rest[key]):  # it was read as text
            del rest[key]
    if data := rest | {key: items for key, items in more.items() if items}:
        yield Extra(data, choice)


def beside_choice(value: Mapping[str, JSON], choice: int) -> Iterator[Event]:
    """Give what a choice says beside its message and its end."""
    named, rest = split(beside(value, _OF_CHOICE), {"logprobs": dict})
    if parts := [*odd_parts(value.get("text"))]:
        rest["text_parts"] = parts
    if "logprobs" in named:
        yield Logprobs.from_dict(named["logprobs"], choice)
    if rest:
        yield Extra(rest, choice, "choice")


def read_usage(value: JSON) -> Usage | None:
    """Return the tokens counted in *value*, None where it counts none."""
    if not isinstance(value, dict) or not any(name in value for names in _COUNTS for name in names):
        return None
    prompt, completion, total = (_count(_first(value, names)) for names in _COUNTS)
    of_prompt, of_completion = (_details(_first(value, names)) for names in _DETAILS)
    extra = beside(value, _USAGE)
    return Usage(prompt, completion, total or prompt + completion, 0, of_prompt, of_completion, extra)


def _details(value: JSON) -> dict[str, JSON] | None:
    return value if isinstance(value, dict) else None


def _first(value: Mapping[str, JSON], keys: tuple[str, ...]) -> JSON:
    return next((value[key] for key in keys if value.get(key) is not None), None)


def _count(value: JSON) -> int:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if is_whole else 0


def _audio(value: Mapping[str, JSON], choice: int) -> AudioDelta:
    named, rest = split(value, {"data": str, "transcript": str, "id": str, "expires_at": int})
    return AudioDelta(**named, choice=choice, extra=rest)


def _is_signed(thoughts: JSON) -> bool:
    """Whether *thoughts* hold more than text, and so have to go back as they came."""
    return any(not isinstance(part, dict) or part.keys() - _PLAIN for part in odd_parts(thoughts))


def _not_images(items: JSON) -> Iterator[JSON]:
    return (item for item in items if read_image(item) is None)
