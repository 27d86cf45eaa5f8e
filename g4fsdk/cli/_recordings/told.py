"""A recording as a person reads it: what was asked, what came back, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import Any

from g4fsdk._core.decoding.answer import Answer
from g4fsdk._core.decoding.images import address_of
from g4fsdk._core.model.completions import Choice
from g4fsdk._core.model.errors import G4FError
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError, MismatchError
from g4fsdk.testing._cassette.values import RecordedResponse
from g4fsdk.testing._imports.vcr import adopted, with_call
from g4fsdk.testing._replay.player import Player
from g4fsdk.testing._secrets.scrub import Scrubber

WIDTH = 40  # columns of a timeline
_LONGEST_ADDRESS = 200  # an image may be its own address
_LONGEST_SHOWN = 60  # characters of a text that differs
_MARKS = " .:#"  # no chunk in this time, one, a few, many


@dataclass(frozen=True, slots=True)
class Told:
    """What the recorded call asked and got. *failure* says how it ended, where it did not end well."""

    asked: list[tuple[str, str]]
    choices: list[Choice]
    failure: str

    def to_dict(self) -> dict[str, Any]:
        """Return what came back, as JSON."""
        return {"choices": [choice.to_dict() for choice in self.choices], "failure": self.failure}

    def lines(self) -> Iterator[str]:
        """Yield who said what, and what was called."""
        return (f"{name}: {text}" for name, text in self.parts())

    def parts(self) -> Iterator[tuple[str, str]]:
        """Yield what was said and called, in order, each with what it is."""
        yield from self.asked
        for choice in self.choices:
            yield from _parts_of(choice)
        if self.failure:
            yield "failed", self.failure


def _parts_of(choice: Choice) -> Iterator[tuple[str, str]]:
    message = choice.message
    said = {"reasoning": message.reasoning, "assistant": message.content, "refusal": message.refusal}
    yield from ((role, text) for role, text in said.items() if text)
    for call in message.tool_calls or ():
        yield "tool call", f"{call.function.name}({call.function.arguments})"
    for image in message.images or ():
        yield "image", address_of(image)[:_LONGEST_ADDRESS]
    if choice.finish_reason:
        yield "finish reason", choice.finish_reason


def told_apart(old: Cassette, new: Cassette) -> list[str]:
    """Return how what was said and called differs in two recordings, a line for each part that does."""
    was, now = (_by_name(told(one)) for one in (old, new))
    pairs = (
        (name, *pair)
        for name in dict.fromkeys([*was, *now])
        for pair in zip_longest(was.get(name, ()), now.get(name, ()))
    )
    return [f"{name}: {_difference(before, after)}" for name, before, after in pairs if before != after]


def _by_name(said: Told | None) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for name, text in said.parts() if said else ():
        parts.setdefault(name, []).append(text)
    return parts


def _difference(was: str | None, now: str | None) -> str:
    if was is None or now is None:
        return f"{_shown(now, 0)} is new" if was is None else f"{_shown(was, 0)} is gone"
    at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(was, now, strict=False)))
    where = f"from character {at} on, " if at else ""
    return f"{where}was {_shown(was, at)} and is {_shown(now, at)}"


def _shown(text: str | None, at: int) -> str:
    rest = (text or "")[at:]
    return repr(rest if len(rest) <= _LONGEST_SHOWN else f"{rest[:_LONGEST_SHOWN]}...")


def told(recording: Cassette) -> Told | None:
    """Return what the call of *recording* asked and got, secrets taken out; None where nothing says it."""
    cassette = Scrubber().scrub_cassette(recording)
    if not cassette.metadata:
        cassette = with_call(adopted(cassette))
    call = cassette.metadata.get("call")
    if not isinstance(call, Mapping):
        return None
    answer, failure = Answer(), ""
    try:
        for event in Player(cassette).play():
            answer.add(event)
    except (G4FError, CassetteError, MismatchError) as error:
        failure = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    completion = answer.completion(str(cassette.metadata.get("provider", "")), "")
    return Told(list(_asked(call)), completion.choices, failure)


def _asked(call: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "prompt" in call:
        yield "prompt", str(call["prompt"])
    messages = call.get("messages")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, Mapping):
            yield str(message.get("role", "?")), _text(message.get("content"))


def _text(content: Any) -> str:
    """Return the text of a message: of its parts, those without text by their type."""
    match content:
        case None:
            return ""
        case list():
            return " ".join(_text(part) for part in content)
        case {"text": str(text)}:
            return text
        case {"type": str(kind)}:
            return f"[{kind}]"
    return str(content)


def timeline(response: RecordedResponse) -> str:
    """Return when the chunks of *response* came, on a line of *WIDTH* columns; "" when all came at once."""
    times = response.at_ms
    if len(times) < 2 or not 0 <= min(times) < times[-1]:
        return ""
    counts = [0] * WIDTH
    for at in times:
        counts[min(int(WIDTH * at / times[-1]), WIDTH - 1)] += 1
    marks = "".join(_MARKS[min(count, 2) if count < 4 else 3] for count in counts)
    return f"|{marks}| {len(times)} chunks from {times[0]:.0f} to {times[-1]:.0f} ms, {response.end}"
