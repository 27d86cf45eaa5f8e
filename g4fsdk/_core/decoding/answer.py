"""The answer of one stream: its events, added up as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from g4fsdk._core.decoding.beside import in_parts
from g4fsdk._core.decoding.buffers import ByteBuffer, TextBuffer
from g4fsdk._core.decoding.joined import joined, joined_audio, joined_logprobs
from g4fsdk._core.decoding.refusals import shown
from g4fsdk._core.decoding.said import NOTHING
from g4fsdk._core.decoding.thoughts import IN_PARTS, joined_thoughts
from g4fsdk._core.model.chat import Conversation, Message
from g4fsdk._core.model.completions import FACTS, Choice, Completion, Facts
from g4fsdk._core.model.errors import EmptyAnswerError
from g4fsdk._core.model.events import (
    Annotation,
    AudioDelta,
    ConversationEvent,
    Event,
    Extra,
    FinalText,
    Finish,
    Image,
    ImageEvent,
    Logprobs,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Title,
    ToolCallDelta,
    Usage,
)
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.messages import REASONING_KEYS, AssistantMessage, Function, ToolCall
from g4fsdk._core.model.shape import as_json, split

# What an event or a field of its own says; and the name of what a document is, which ours says again.
_TOLD = frozenset({"choices", "usage", "finish_reason"})
_KINDS = ("chat.completion", "chat.completion.chunk")

#: So many pieces may be compared with what seems to repeat them: what still comes then is new.
MAX_COMPARED = 1 << 20
_MANY_KEYS = 256  # that no service says beside its choices: to copy more with each chunk would never end
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
        self.refusal: list[str] = []
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
    def is_empty(self) -> bool:
        has_text = not self.text.is_empty if self.final is None else bool(self.final)
        return not (has_text or self.refusal or self.calls or self.audio or self.images or self.finish_reason)

    @property
    def size(self) -> int:
        """About how many bytes it has said."""
        calls = [call.said() for call in self.calls.values()]
        beside = (calls, self.refusal, self.audio, self.images, self.annotations, self.logprobs, self.extra)
        texts = self.text.size + self.reasoning.size + len(self.final or "")
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
        has_text = bool(text) or not (self.calls or self.refusal or self.audio)
        return AssistantMessage(
            content=text if has_text else None,
            reasoning=self.reasoning.getvalue() or None,
            refusal="".join(self.refusal) or None,
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
        self.name = self.name or piece.name or ""
        if self.type == "function":  # which is also what a piece has that doesn't say
            self.type = piece.type
        self.arguments.append(piece.arguments)
        if piece.extra:
            self.extra.append(piece.extra)

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


class Answer:
    """Adds up the events of one stream."""

    __slots__ = ("choices", "conversation", "facts", "reasoning_key", "title", "usage", "write_text")

    def __init__(
        self, text: TextBuffer | ByteBuffer | None = None, reasoning: TextBuffer | None = None
    ) -> None:
        """*text* and *reasoning* keep what choice 0 says and thinks."""
        first = ChoiceParts(text, reasoning)
        self.choices: dict[int, ChoiceParts] = {0: first}
        self.write_text: Callable[[str], object] = first.text.write  # a plain text delta of choice 0
        self.usage: Usage | None = None
        self.title: str | None = None
        self.conversation: Conversation | None = None
        self.facts: Facts = Facts()
        self.reasoning_key: str = ""  # where the service says what it thinks, once it did

    @property
    def partial(self) -> str:
        """The text so far of choice 0."""
        return self.choices[0].best_text

    @property
    def size(self) -> int:
        """About how many bytes the answer has by now."""
        return len(as_json(self.facts)) + sum(parts.size for parts in self.choices.values())

    def add(self, event: Event) -> None:
        """Take *event* into account."""
        if event.choice not in self.choices:
            self.choices[event.choice] = ChoiceParts()
        parts = self.choices[event.choice]
        match event:
            case TextDelta():
                parts.text.write(event.text)
            case ReasoningDelta():
                parts.reasoning.write(event.text)
            case RefusalDelta():
                parts.refusal.append(event.text)
            case ToolCallDelta():
                parts.calls.setdefault(event.index, CallParts()).add(event)
            case FinalText():
                parts.final = event.text
            case Finish():
                parts.finished, parts.finish_reason = True, event.reason
            case _:
                self._add_more(event, parts)

    def _add_more(
        self,
        event: Title | ImageEvent | AudioDelta | Logprobs | Annotation | Extra | ConversationEvent | Usage,
        parts: ChoiceParts,
    ) -> None:
        match event:
            case Title():
                self.title = event.text
            case ImageEvent():
                parts.images += event.images
            case AudioDelta():
                parts.audio.append(event)
            case Logprobs():
                parts.logprobs.append(event)
            case Annotation():
                parts.annotations.append(event.data)
            case Extra():
                parts.extra.append(event)
            case ConversationEvent():
                self.conversation = event.conversation
            case Usage():
                self.usage = event

    def note(self, value: Mapping[str, JSON]) -> None:
        """Take from *value*, a whole chunk or document, what it says beside its choices, nulls left out.

        Of what is said again, the last counts that says something.
        """
        named, rest = split(value, FACTS)
        if rest.get("object") in _KINDS:
            del rest["object"]
        said = {key: item for key, item in named.items() if item not in ("", getattr(self.facts, key))}
        before = self.facts.extra
        new = ((key, item) for key, item in rest.items() if item not in NOTHING or key not in before)
        extra = {key: item for key, item in new if key not in _TOLD}
        if not (said or extra):
            return
        if len(before) < _MANY_KEYS:
            before = {**before}  # whoever was given it keeps what it was
        before |= extra
        self.facts = replace(self.facts, **said, extra=before)
        for key in [key for key in FACTS if key in before and getattr(self.facts, key)]:
            before |= in_parts({key: before.pop(key)}, key)

    def check_not_empty(self) -> None:
        """Raise EmptyAnswerError when the stream held no answer of any kind."""
        if all(parts.is_empty for parts in self.choices.values()):
            beside = f"; it says only {shown(self.facts.extra)}" if self.facts.extra else ""
            raise EmptyAnswerError(
                "the answer ended well and held nothing: no text, image, tool call, refusal or finish"
                f"{beside}; ask again, or try another model"
            )

    def as_message(self) -> Message:
        """Return choice 0 as the message to put into the history."""
        return Message.from_mapping(self.choices[0].message(self.reasoning_key).to_dict())

    def completion(self, provider: str, model: str) -> Completion:
        """Return the whole answer of *provider*; *model* was asked for."""
        choices = [
            Choice(
                index=index,
                message=parts.message(self.reasoning_key),
                finish_reason=parts.finish_reason,
                logprobs=joined_logprobs(parts.logprobs),
                extra=parts.unnamed("choice"),
            )
            for index, parts in sorted(self.choices.items())
        ]
        return Completion(
            choices=choices,
            model=self.facts.model or model,
            provider=provider,
            usage=self.usage,
            title=self.title,
            conversation=self.conversation,
            id=self.facts.id,
            created=self.facts.created,
            system_fingerprint=self.facts.system_fingerprint,
            service_tier=self.facts.service_tier,
            extra=self.facts.extra,
        )
