"""The answer of one stream: its events, added up as they come."""

from __future__ import annotations

from collections.abc import Callable

from g4fsdk._core.decoding.buffers import ByteBuffer, TextBuffer
from g4fsdk._core.model.chat import Conversation, Message
from g4fsdk._core.model.completions import (
    AssistantMessage,
    Choice,
    Completion,
    Function,
    ToolCall,
)
from g4fsdk._core.model.errors import EmptyAnswerError
from g4fsdk._core.model.events import (
    ConversationEvent,
    Event,
    FinalText,
    Finish,
    Image,
    ImageEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Title,
    ToolCallDelta,
    Usage,
)

_CALL_BYTES = 64  # that a tool call counts for beside its arguments: there may be many without any


class _ChoiceParts:
    """What one choice has said so far."""

    __slots__ = ("calls", "final", "finish_reason", "finished", "reasoning", "refusal", "text")

    def __init__(
        self, text: TextBuffer | ByteBuffer | None = None, reasoning: TextBuffer | None = None
    ) -> None:
        self.text = text or TextBuffer()
        self.reasoning = reasoning or TextBuffer()
        self.refusal: list[str] = []
        self.calls: dict[int, _CallParts] = {}
        self.final: str | None = None
        self.finished = False
        self.finish_reason: str | None = None

    @property
    def best_text(self) -> str:
        return self.text.getvalue() if self.final is None else self.final

    @property
    def is_empty(self) -> bool:
        has_text = not self.text.is_empty if self.final is None else bool(self.final)
        return not (has_text or self.refusal or self.calls or self.finish_reason)

    @property
    def size(self) -> int:
        """About how many bytes it has said."""
        calls = sum(_CALL_BYTES + sum(map(len, call.arguments)) for call in self.calls.values())
        refusal = sum(map(len, self.refusal))
        return self.text.size + self.reasoning.size + len(self.final or "") + refusal + calls

    def message(self) -> AssistantMessage:
        text = self.best_text  # put together each time it is asked for
        has_text = bool(text) or not (self.calls or self.refusal)
        return AssistantMessage(
            content=text if has_text else None,
            reasoning=self.reasoning.getvalue() or None,
            refusal="".join(self.refusal) or None,
            tool_calls=[self.calls[index].call(index) for index in sorted(self.calls)] or None,
        )


class _CallParts:
    """What one tool call has said so far."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.arguments: list[str] = []

    def add(self, piece: ToolCallDelta) -> None:
        self.id = self.id or piece.id
        self.name = self.name or piece.name or ""
        self.arguments.append(piece.arguments)

    def call(self, index: int) -> ToolCall:
        return ToolCall(self.id, Function(self.name, "".join(self.arguments)), index)


class Answer:
    """Adds up the events of one stream."""

    __slots__ = ("choices", "conversation", "images", "title", "usage", "write_text")

    def __init__(
        self, text: TextBuffer | ByteBuffer | None = None, reasoning: TextBuffer | None = None
    ) -> None:
        """*text* and *reasoning* keep what choice 0 says and thinks."""
        first = _ChoiceParts(text, reasoning)
        self.choices = {0: first}
        self.write_text: Callable[[str], object] = first.text.write  # a plain text delta of choice 0
        self.usage: Usage | None = None
        self.title: str | None = None
        self.images: list[Image] = []
        self.conversation: Conversation | None = None

    @property
    def partial(self) -> str:
        """The text so far of choice 0."""
        return self.choices[0].best_text

    @property
    def size(self) -> int:
        """About how many bytes the answer has by now."""
        images = sum(len(image.b64_json or image.url or "") for image in self.images)
        return images + sum(parts.size for parts in self.choices.values())

    def add(self, event: Event) -> None:
        """Take *event* into account."""
        if event.choice not in self.choices:
            self.choices[event.choice] = _ChoiceParts()
        parts = self.choices[event.choice]
        match event:
            case TextDelta():
                parts.text.write(event.text)
            case ReasoningDelta():
                parts.reasoning.write(event.text)
            case RefusalDelta():
                parts.refusal.append(event.text)
            case ToolCallDelta():
                parts.calls.setdefault(event.index, _CallParts()).add(event)
            case FinalText():
                parts.final = event.text
            case Finish():
                parts.finished, parts.finish_reason = True, event.reason
            case _:
                self._add_extra(event)

    def _add_extra(self, event: Title | ImageEvent | ConversationEvent | Usage) -> None:
        match event:
            case Title():
                self.title = event.title
            case ImageEvent():
                self.images += event.images
            case ConversationEvent():
                self.conversation = event.conversation
            case Usage():
                self.usage = event

    def check_not_empty(self) -> None:
        """Raise EmptyAnswerError when the stream held no answer of any kind."""
        if not self.images and all(parts.is_empty for parts in self.choices.values()):
            raise EmptyAnswerError(
                "the answer ended well and held nothing: no text, image, tool call, refusal or finish; "
                "ask again, or try another model"
            )

    def as_message(self) -> Message:
        """Return choice 0 as the message to put into the history."""
        return Message.from_mapping(self.choices[0].message().to_dict())

    def completion(self, provider: str, model: str) -> Completion:
        """Return the whole answer."""
        choices = [
            Choice(index=index, message=parts.message(), finish_reason=parts.finish_reason)
            for index, parts in sorted(self.choices.items())
        ]
        return Completion(
            choices=choices,
            model=model,
            provider=provider,
            usage=self.usage,
            title=self.title,
            images=self.images,
            conversation=self.conversation,
        )
