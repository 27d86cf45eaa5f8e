"""The choices of a chat completion: what a delta, a whole message or a text of one says, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable

from g4fsdk._core.decoding.beside import ROLE, beside_choice, beside_message
from g4fsdk._core.decoding.call_numbers import as_index
from g4fsdk._core.decoding.decoder import Decoder, Notice
from g4fsdk._core.decoding.parts import MAX_COMPARED, ChoiceParts
from g4fsdk._core.decoding.said import (
    NOTHING,
    THOUGHTS_IN_PARTS,
    Said,
    Voice,
    joined_text,
    odd_parts,
    read_said,
    said_in,
    thought_key,
)
from g4fsdk._core.decoding.tool_calls import ToolCalls
from g4fsdk._core.model.chat import Conversation, Ids
from g4fsdk._core.model.events import (
    Event,
    Extra,
    FinalText,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.messages import REASONING_KEYS

_VOICES: tuple[Voice, ...] = (ReasoningDelta, TextDelta, RefusalDelta)
_NEARBY = 1024  # characters, how far thoughts may stand behind those that say the same in parts
#: Words for nothing, where a reason is expected, in several languages: KoboldCpp says one in every chunk; and
#: those of TensorRT-LLM and Gemini for an answer that goes on.
_NO_REASON = frozenset(
    {"", "null", "none", "nil", "undefined", "not_finished", "unspecified", "finish_reason_unspecified"}
)


class ChoiceDecoder(Decoder):
    """Says what choices hold, and nothing twice. Subclasses say where they are."""

    def __init__(
        self,
        history: Conversation | None = None,
        *,
        notices: tuple[Notice, ...] = (),
        handle: Conversation | None = None,
        n: int = 1,
        ids: Ids | None = None,
    ) -> None:
        """*n* answers were asked for; *ids* names the tool calls that the service leaves without an id."""
        super().__init__(history, notices=notices, handle=handle)
        self._n = n
        self._ids = ids
        self._calls: dict[int, ToolCalls] = {}
        self._reasons: set[tuple[int, str]] = set()  # how each choice is said to have ended
        self._ended = 0  # choices that have
        self._is_document = False
        self._compared = 0
        self._streamed: set[int] = set()  # choices whose text came in deltas

    def _note_thought(self, message: dict[str, JSON], said: Iterable[Said]) -> None:
        """Keep where *message* says what the model thinks, if it does: it goes back under that name."""
        if not self.answer.reasoning_key and any(type(event) is ReasoningDelta for event in said):
            self.answer.reasoning_key = thought_key(message)

    def _numbers(self, choices: list[dict[str, JSON]]) -> Iterable[int]:
        """Return which answer each of *choices* belongs to: by its index, where those tell them apart."""
        if self._n <= 1:  # old Hugging Face servers count `index` up with every token of one answer
            return range(len(choices))
        indexes = [as_index(choice.get("index")) for choice in choices]
        if self._is_document and len({*indexes} - {None}) < len(indexes):
            indexes = [None] * len(indexes)
        return [position if index is None else index for position, index in enumerate(indexes)]

    def _choice(self, choice: dict[str, JSON], number: int, out: list[Event]) -> None:
        delta, message = _mapping(choice, "delta"), _mapping(choice, "message")
        if delta and message and self._is_document:  # where a message is all of the answer
            self.say(Extra({"delta_parts": [choice["delta"]]}, number, "choice"), out)
        elif delta:
            self._delta(delta, number, out)
        if message:
            reason = choice.get("finish_reason")
            is_last = isinstance(reason, str) and _is_reason(reason)
            more = {key: item for key, item in message.items() if not delta or item != delta.get(key)}
            repeats = is_last or bool(delta.keys() - {"role"})
            self._message(more, number, repeats, is_last, out)
        self._text(choice.get("text"), (delta.get("content"), message.get("content")), number, out)
        self._say_all(beside_choice(choice, number), out)
        self._finish(choice, number, out)

    def _text(self, text: JSON, told: Iterable[JSON], number: int, out: list[Event]) -> None:
        """Say the *text* of an older completion, unless it repeats what was *told*."""
        if text is None:
            return
        if all(content in NOTHING for content in told):
            self._tell(read_said(text, TextDelta, number), out)
            if parts := [*odd_parts(text)]:
                self.say(Extra({"text_parts": parts}, number, "choice"), out)
        elif text not in (*NOTHING, *told):
            self.say(Extra({"text": text}, number, "choice"), out)

    def _delta(self, delta: dict[str, JSON], number: int, out: list[Event]) -> None:
        if text := _only_text(delta):
            self._streamed.add(number)
            self.say_text(text, out, number)
            return
        if not _is_only_calls(delta):
            said = [*self._not_repeated(said_in(delta, number), delta, number)]
            if any(type(event) is TextDelta for event in said):
                self._streamed.add(number)
            self._note_thought(delta, said)
            self._tell(said, out)
            self._say_all(beside_message(delta, number), out)
        self._tool_calls(delta, number, out, is_whole=self._is_document)

    def _not_repeated(self, said: list[Said], delta: dict[str, JSON], number: int) -> Iterable[Said]:
        """Return *said* without the thoughts in the parts of *delta* that were just told under their own key.

        OpenRouter says both in one delta; what is made of our events says one behind the other.
        """
        parts = self.answer.choices.get(number)
        if parts is None or self.answer.reasoning_key not in REASONING_KEYS or not _thinks_in_parts(delta):
            return said
        told = joined_text(said, ReasoningDelta)
        is_new = told not in parts.reasoning.tail(len(told) + _NEARBY)
        return said if is_new else (event for event in said if type(event) is not ReasoningDelta)

    def _say_all(self, events: Iterable[Event], out: list[Event]) -> None:
        for event in events:
            self.say(event, out)

    def _message(
        self, message: dict[str, JSON], number: int, repeats: bool, is_last: bool, out: list[Event]
    ) -> None:
        """Say what the whole *message* adds to what was said: Perplexity and MiniMax repeat all of it.

        *repeats*: there is a delta beside it, or it is the last; else it may be just the next piece.
        """
        said = said_in(message, number)
        self._note_thought(message, said)
        for voice in _VOICES:
            self._add_whole(voice, joined_text(said, voice), number, repeats, is_last, out)
        beside = beside_message(message, number)
        self._say_all(self._not_told(beside, number) if repeats else beside, out)
        self._tool_calls(message, number, out, is_whole=True)

    def _not_told(self, events: Iterable[Event], number: int) -> list[Event]:
        """Return those of *events* that say something which was not said beside the answer so far."""
        parts = self.answer.choices.get(number)
        return [event for event in events if parts is None or not self._was_told(event, parts)]

    def _was_told(self, event: Event, parts: ChoiceParts) -> bool:
        self._compared += parts.pieces_like(event)
        return self._compared < MAX_COMPARED and parts.holds(event)

    def _add_whole(
        self, voice: Voice, text: str, number: int, repeats: bool, is_last: bool, out: list[Event]
    ) -> None:
        if not text:
            return
        before = self._said_so_far(voice, number)
        if repeats and before.startswith(text):
            return
        if text.startswith(before) and (repeats or len(text) > len(before)):
            text = text[len(before) :]
        elif repeats and voice is TextDelta and number in self._streamed:
            self.flush(out, number)
            other = Extra({"message_parts": [text]}, number, "choice")
            self.say(FinalText(text, number) if is_last else other, out)
            return
        self._tell([voice(text, number)], out)

    def _said_so_far(self, voice: Voice, number: int) -> str:
        parts = self.answer.choices.get(number)
        if parts is None:
            return ""
        if voice is TextDelta:
            return parts.text.getvalue() + ("" if number else self.held)
        return (parts.reasoning if voice is ReasoningDelta else parts.refusal).getvalue()

    def _tell(self, said: Iterable[Said], out: list[Event]) -> None:
        for event in said:
            if type(event) is TextDelta:
                self.say_text(event.text, out, event.choice)
            else:
                self.say(event, out)

    def _tool_calls(
        self, message: dict[str, JSON], number: int, out: list[Event], *, is_whole: bool = False
    ) -> None:
        if "tool_calls" in message or "function_call" in message:
            calls = self._calls.setdefault(number, ToolCalls(self.answer, number))
            self._say_all(calls.read(message, is_whole=is_whole), out)

    def _name_calls(self, number: int, out: list[Event]) -> None:
        if self._ids is not None and number in self._calls:
            self._say_all(self._calls[number].named(self._ids), out)

    def _finish(self, value: dict[str, JSON], number: int, out: list[Event]) -> None:
        """Say the end that *value* tells, once: OpenRouter and others tell it twice. Another is beside it."""
        reason = value.get("finish_reason")
        if not _is_reason(reason) or (number, repr(reason)) in self._reasons:
            return
        self._reasons.add((number, repr(reason)))
        parts = self.answer.choices.get(number)
        if not isinstance(reason, str) or (parts is not None and parts.finished):
            self.say(Extra({"finish_reason_parts": [reason]}, number, "choice"), out)
            return
        self.flush(out, number)
        self._name_calls(number, out)
        self.say(Finish(reason, number), out)
        self._ended += 1
        self.is_complete: bool = self._ended >= self._n


def _only_text(delta: dict[str, JSON]) -> str:
    """Return the text of a *delta* that says nothing else, as nearly all do; else "": it is read in full."""
    text = delta.get("content")
    is_only = len(delta) == 1 or delta == {"role": ROLE, "content": text}
    return text if is_only and isinstance(text, str) else ""


def _thinks_in_parts(delta: dict[str, JSON]) -> bool:
    """Whether a *delta* says what the model thinks in parts, and nowhere else."""
    return any(key in delta for key in THOUGHTS_IN_PARTS) and thought_key(delta) in THOUGHTS_IN_PARTS


def _is_only_calls(delta: dict[str, JSON]) -> bool:
    """Whether a *delta* says nothing but pieces of tool calls."""
    return "tool_calls" in delta and all(item is None or key == "tool_calls" for key, item in delta.items())


def _mapping(choice: dict[str, JSON], key: str) -> dict[str, JSON]:
    """Return the delta or message under *key*: anything but a mapping is its content."""
    value = choice.get(key)
    return value if isinstance(value, dict) else {} if value in NOTHING else {"content": value}


def _is_reason(reason: JSON) -> bool:
    return reason not in NOTHING and str(reason).strip().lower() not in _NO_REASON
