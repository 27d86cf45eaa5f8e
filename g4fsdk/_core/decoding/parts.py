"""What one choice and its tool calls have said so far."""

from __future__ import annotations

from g4fsdk._core.decoding.buffers import ByteBuffer, TextBuffer
from g4fsdk._core.decoding.joined import joined, joined_audio
from g4fsdk._core.decoding.thoughts import IN_PARTS, joined_thoughts
from g4fsdk._core.model.events import (
    Annotation,
    AudioDelta,
    Event,
    Extra,
    Image,
    ImageEvent,
    Logprobs,
    ToolCallDelta,
)
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.messages import REASONING_KEYS, AssistantMessage, Function, ToolCall
from g4fsdk._core.model.shape import as_json

#: So many pieces may be compared with what seems to repeat them: what still comes then is new.
MAX_COMPARED = 1 << 20
_CALL_BYTES = 64  # that a tool call counts for beside its arguments: there may be many without any


class ChoiceParts:
    """What one choice has said so far."""

    __slots__ = (
        *(
            "annotations",
            "audio",
            "calls",
            "extra",
            "final",
            "finish_reason",
            "finished",
            "images",
            "logprobs",
        ),
        *("reasoning", "refusal", "text"),
    )

    def __init__(
        self, text: TextBuffer | ByteBuffer | None = None, reasoning: TextBuffer | None = None
    ) -> None:
        self.text = text or TextBuffer()
        self.reasoning = reasoning or TextBuffer()
        self.refusal = TextBuffer()
        self.calls: dict[int, CallParts] = {}
        self.audio: list[AudioDelta] = []
        self.images: list[Image] = []
        self.annotations: list[JSON] = []
        self.logprobs: list[Logprobs] = []
        self.extra: list[Extra] = []
        self.final: str | None = None
        self.finished = False
        self.finish_reason: str | None = None

    @property
    def best_text(self) -> str:
        return self.text.getvalue() if self.final is None else self.final

    @property
    def goes_back_as_text(self) -> bool:
        """Whether its message goes back as text alone: thoughts do beside calls, or signed in `extra`."""
        return self.refusal.is_empty and not (self.calls or self.audio or self.images or self.extra)

    @property
    def is_empty(self) -> bool:
        has_text = not self.text.is_empty if self.final is None else bool(self.final)
        has_text = has_text or not self.refusal.is_empty
        return not (has_text or self.calls or self.audio or self.images or self.finish_reason)

    @property
    def size(self) -> int:
        """About how many bytes it has said."""
        calls = [call.said() for call in self.calls.values()]
        beside = (calls, self.audio, self.images, self.annotations, self.logprobs, self.extra)
        texts = self.text.size + self.reasoning.size + self.refusal.size + len(self.final or "")
        return texts + _CALL_BYTES * len(calls) + len(as_json(beside))

    def holds(self, event: Event) -> bool:
        """Whether *event*, of what stands beside the text, says nothing that was not said before."""
        match event:
            case Annotation():
                return event.data in self.annotations
            case ImageEvent():
                return all(image in self.images for image in event.images)
            case Extra():
                unnamed = self.unnamed(event.of)
                return all(key in unnamed and unnamed[key] == item for key, item in event.data.items())
            case AudioDelta():
                audio = joined_audio(self.audio)
                return audio is not None and audio == joined_audio([event])
            case _:
                return False

    def pieces_like(self, event: Event) -> int:
        """How many pieces `holds` compares with *event*."""
        match event:
            case ImageEvent():
                return len(self.images) * len(event.images)
            case AudioDelta():
                return len(self.audio)
            case _:
                return len(self.extra) + len(self.annotations)

    def message(self, reasoning_key: str = "") -> AssistantMessage:
        text = self.best_text  # put together each time it is asked for
        refusal = self.refusal.getvalue() or None
        has_text = bool(text) or not (self.calls or refusal or self.audio)
        return AssistantMessage(
            content=text if has_text else None,
            reasoning=self.reasoning.getvalue() or None,
            refusal=refusal,
            tool_calls=[self.calls[index].call(index) for index in sorted(self.calls)] or None,
            audio=joined_audio(self.audio),
            images=[*self.images] or None,
            annotations=[*self.annotations] or None,
            extra=self.unnamed("message"),
            reasoning_key=reasoning_key or REASONING_KEYS[0],
        )

    def unnamed(self, of: str) -> dict[str, JSON]:
        """Return what has no name here, of the message or of the choice."""
        pieces = [extra.data for extra in self.extra if extra.of == of]
        found: dict[str, JSON] = joined(pieces) if pieces else {}
        thoughts = {key: [piece[key] for piece in pieces if key in piece] for key in IN_PARTS if key in found}
        text = self.reasoning.getvalue() if thoughts else ""
        return found | {key: joined_thoughts(values, text) for key, values in thoughts.items()}


class CallParts:
    """What one tool call has said so far."""

    __slots__ = ("arguments", "extra", "id", "name", "type")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.type = "function"
        self.arguments: list[str] = []
        self.extra: list[dict[str, JSON]] = [{}]

    def add(self, piece: ToolCallDelta) -> None:
        self.id = self.id or piece.id
        if piece.name:
            self._add_name(piece.name)
        if self.type == "function":  # which is also what a piece has that doesn't say
            self.type = piece.type
        self.arguments.append(piece.arguments)
        if piece.extra:
            self.extra.append(piece.extra)

    def _add_name(self, name: str) -> None:
        """Take *name*: the next piece of one (Gemini), all of it anew, or the same again (MiniMax)."""
        if name.startswith(self.name):
            self.name = name
        elif not any(self.arguments):
            self.name += name

    def said(self) -> tuple[JSON, ...]:
        """Return all it has said, as it came."""
        return (self.id, self.name, self.arguments, self.extra)

    def text(self) -> str:
        """Return its arguments so far."""
        if len(self.arguments) != 1:
            self.arguments = ["".join(self.arguments)]
        return self.arguments[0]

    def call(self, index: int) -> ToolCall:
        function = Function(self.name, self.text())
        return ToolCall(self.id, function, index, self.type, joined(self.extra))
