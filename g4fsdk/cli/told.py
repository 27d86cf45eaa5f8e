"""A recording as a person reads it: what was asked, what came back, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
        for role, text in self.asked:
            yield f"{role}: {text}"
        for choice in self.choices:
            message = choice.message
            said = {"reasoning": message.reasoning, "assistant": message.content, "refusal": message.refusal}
            yield from (f"{role}: {text}" for role, text in said.items() if text)
            for call in message.tool_calls or ():
                yield f"tool call: {call.function.name}({call.function.arguments})"
            for image in message.images or ():
                yield f"image: {address_of(image)[:_LONGEST_ADDRESS]}"
            if choice.finish_reason:
                yield f"finish reason: {choice.finish_reason}"
        if self.failure:
            yield f"failed: {self.failure}"


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
    messages = call.get("messages") or []
    for message in [{"role": "user", "content": messages}] if isinstance(messages, str) else messages:
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
