"""The answer of one stream: its events, added up as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from g4fsdk._core.decoding.beside import ROLE, in_parts
from g4fsdk._core.decoding.buffers import ByteBuffer, TextBuffer
from g4fsdk._core.decoding.joined import joined_logprobs
from g4fsdk._core.decoding.parts import CallParts, ChoiceParts
from g4fsdk._core.decoding.refusals import shown
from g4fsdk._core.decoding.said import NOTHING
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
from g4fsdk._core.model.shape import as_json, split

# What an event or a field of its own says; and the name of what a document is, which ours says again.
_TOLD = frozenset({"choices", "usage", "finish_reason"})
# Some services name and date each chunk anew: the answer is the one that began.
_OF_THE_FIRST = frozenset({"id", "created"})
_KINDS = ("chat.completion", "chat.completion.chunk")
_MANY_KEYS = 256  # that no service says beside its choices: to copy more with each chunk would never end


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
                parts.refusal.write(event.text)
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

        Of what is said again, the last counts that says something; of names and times, the first.
        """
        named, rest = split(value, FACTS)
        if rest.get("object") in _KINDS:
            del rest["object"]
        facts, before = self.facts, self.facts.extra
        said = {
            key: item
            for key, item in named.items()
            if item not in ("", getattr(facts, key)) and not (key in _OF_THE_FIRST and getattr(facts, key))
        }
        extra = {
            key: item
            for key, item in rest.items()
            if key not in _TOLD and (item not in NOTHING or key not in before)
        }
        if not (said or extra):
            return
        if len(before) < _MANY_KEYS:
            before = {**before}  # whoever was given it keeps what it was
        before |= extra
        self.facts = replace(facts, **said, extra=before)
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
        said = self.choices[0]
        if said.goes_back_as_text:
            return Message(ROLE, said.best_text)
        return Message.from_mapping(said.message(self.reasoning_key).to_dict())

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
