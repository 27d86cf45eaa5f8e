"""OpenAI chat completions, streamed or whole: the shape that three of the providers share.

Read by shape, never validated: some fifty services add, omit, null and misspell keys, and only what is
known and well formed says anything. Source: the recordings behind the notes on each line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from g4fsdk._core.decoding.answer import CallParts
from g4fsdk._core.decoding.beside import beside_choice, beside_message, read_usage
from g4fsdk._core.decoding.decoder import (
    Decoder,
    Kind,
    Notice,
)
from g4fsdk._core.decoding.plain_chunks import (
    read_nothing,
    read_short_text,
    read_text,
    read_thought,
)
from g4fsdk._core.decoding.refusals import dig, failure_in
from g4fsdk._core.decoding.said import Said, Voice, joined_text, read_said, text_of
from g4fsdk._core.decoding.tool_calls import CallNumbers
from g4fsdk._core.model.chat import Conversation, Ids
from g4fsdk._core.model.errors import ProtocolError, ProviderError
from g4fsdk._core.model.events import (
    Event,
    Extra,
    FinalText,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.shape import split

_REASONING_KEYS = (
    *("reasoning_content", "reasoning", "reasoning_text", "thinking"),
    *("reasoning_details", "thinking_blocks"),
)
_VOICES: tuple[Voice, ...] = (ReasoningDelta, TextDelta, RefusalDelta)
#: Words for nothing, where a reason is expected: KoboldCpp says one in every chunk.
_NO_REASON = frozenset({"", "null", "none"})
#: The names of events that are chunks; other events are none of the answer.
_ERROR = b"error"
_OF_ANSWER = frozenset({b"", b"message", _ERROR})

# Padding that hides how long a text is, and ids of single chunks, of which the first counts.
_IDLE_KEYS = frozenset({b"obfuscation", b"p", b"id"})


class ChatChunkDecoder(Decoder):
    """Chunks of a chat completion, and the completion in one document.

    The end is `[DONE]`, or a finish reason for every answer asked for.
    """

    end_marker = "[DONE] or finish reason"

    def __init__(
        self,
        history: Conversation | None = None,
        *,
        notices: tuple[Notice, ...] = (),
        handle: Conversation | None = None,
        n: int = 1,
        ends_at_eof: bool = False,
        ids: Ids | None = None,
    ) -> None:
        """*n* answers were asked for: with one, the indexes a server counts mean nothing. *ends_at_eof*:
        this server is known to send no end marker, so the end of a complete body is the end. *ids* names the
        tool calls that the service leaves without an id, so that they can go back.
        """
        super().__init__(history, notices=notices, handle=handle)
        self._n = n
        self._ends_at_eof = ends_at_eof
        self._ids = ids
        self._calls: dict[int, CallNumbers] = {}
        self._streamed: set[int] = set()  # choices whose text came in deltas

    def kinds(self) -> dict[type[Event], Kind]:
        if self._n > 1:  # several answers are told apart in full
            text = thought = short = read_nothing
        else:
            text, thought, short = read_text, read_thought, read_short_text
        keys = (b"reasoning_content", b"reasoning")
        return {
            TextDelta: Kind(TextDelta, (b"content",), self.texts, text, short, _IDLE_KEYS),
            ReasoningDelta: Kind(ReasoningDelta, keys, self.thoughts, thought, thought, _IDLE_KEYS),
        }

    def decode(self, data: bytes, name: bytes, out: list[Event]) -> None:
        bare = data.strip()
        if bare == b"[DONE]":
            self._done(out)
        elif name not in _OF_ANSWER:
            self._decode_other(data, out)
        elif bare:  # some send nothing to keep the connection alive
            value = self.load(data) if name != _ERROR else self._error_in(data)
            if not isinstance(value, dict):
                raise ValueError("not an object")
            self._read(value, out)
            self._check(value)

    def _error_in(self, data: bytes) -> dict[str, JSON]:
        """Return the failure that an event of that name tells, in the usual shape."""
        try:
            value = self.load(data)
        except ValueError:
            value = data.decode("utf-8", "replace")
        error = value.get("error") if isinstance(value, dict) else None
        return {**(value if isinstance(value, dict) else {}), "error": error or value or "an error"}

    def _check(self, value: JSON) -> None:
        """Raise the failure that *value* reports, if it does."""
        failure = failure_in(value)
        if failure is not None:
            raise failure

    def _decode_other(self, data: bytes, out: list[Event]) -> None:
        """Read an event with a name of its own: it says nothing, unless it is a chunk or an error as well."""
        try:
            value = self.load(data)
        except ValueError:
            return
        match value:
            case {"choices": [_, *_]} | {"error": _}:
                self._read(value, out)
                self._check(value)

    def document(self, data: bytes, out: list[Event]) -> None:
        value = self._unwrap(self.load(data))
        choices = value.get("choices") if isinstance(value, dict) else None
        if not isinstance(choices, list) or not choices:
            raise failure_in(value) or _no_choices(value, data)
        self._read(value, out)
        self._check(value)
        self._done(out)

    def _unwrap(self, value: JSON) -> JSON:
        """Return the completion in a document; a service may wrap it."""
        return value

    def _done(self, out: list[Event]) -> None:
        self.flush(out)
        if self._said_anything():
            self.finish(out)
        self.done = self.is_complete = True

    def _said_anything(self) -> bool:
        return bool(self.answer.images) or not all(parts.is_empty for parts in self.answer.choices.values())

    def is_over(self) -> bool:
        return self.is_complete or self._ends_at_eof

    def finish(self, out: list[Event]) -> None:
        for number in [*self._calls]:
            self._name_calls(number, out)
        if not any(parts.finished for parts in self.answer.choices.values()):
            self.say(Finish(None), out)

    def _read(self, value: dict[str, JSON], out: list[Event]) -> None:
        self.answer.note(value)
        choices = value.get("choices")
        for position, choice in enumerate(choices if isinstance(choices, list) else ()):
            if isinstance(choice, dict):
                number = self._number(choice, position)
                self._choice(choice, number, out)
                self._say_all(beside_choice(choice, number), out)
                self._finish(_reason(choice), number, out)
        self._finish(_reason(value), 0, out)  # where Autonomous AI may put it
        self._usage(value, out)

    def _number(self, choice: dict[str, JSON], position: int) -> int:
        # Old Hugging Face servers count `index` up with every token of one and the same answer.
        index = choice.get("index")
        return index if self._n > 1 and isinstance(index, int) else position

    def _choice(self, choice: dict[str, JSON], number: int, out: list[Event]) -> None:
        delta, message = _mapping(choice, "delta"), _mapping(choice, "message")
        if delta:
            self._delta(delta, number, out)
        if message:
            self._message(message, number, bool(delta) or _reason(choice) is not None, out)
        text = choice.get("text")
        if text and not (message or delta.get("content")):
            self._tell(read_said(text, TextDelta, number), out)
        elif text and text not in (delta.get("content"), message.get("content")):  # else it repeats them
            self.say(Extra({"text": text}, number, "choice"), out)

    def _delta(self, delta: dict[str, JSON], number: int, out: list[Event]) -> None:
        said = _said_in(delta, number)
        if any(type(event) is TextDelta for event in said):
            self._streamed.add(number)
        self._tell(said, out)
        self._say_all(beside_message(delta, number), out)
        self._tool_calls(delta, number, out)

    def _say_all(self, events: Iterable[Event], out: list[Event]) -> None:
        for event in events:
            self.say(event, out)

    def _message(self, message: dict[str, JSON], number: int, repeats: bool, out: list[Event]) -> None:
        """Say what the whole *message* adds to what was said: Perplexity and MiniMax repeat all of it.

        *repeats*: there is a delta beside it, or it is the last; else it may be just the next piece.
        """
        beside = beside_message(message, number)
        self._say_all(self._not_told(beside, number) if repeats else beside, out)
        said = _said_in(message, number)
        for voice in _VOICES:
            self._add_whole(voice, joined_text(said, voice), number, repeats, out)
        self._tool_calls(message, number, out, whole=True)

    def _not_told(self, events: Iterable[Event], number: int) -> list[Event]:
        """Return those of *events* that say something which was not said beside the answer so far."""
        parts = self.answer.choices.get(number)
        return [*events] if parts is None else [event for event in events if not parts.holds(event)]

    def _add_whole(self, voice: Voice, text: str, number: int, repeats: bool, out: list[Event]) -> None:
        before = self._said_so_far(voice, number)
        if text.startswith(before) and (repeats or len(text) > len(before)):
            text = text[len(before) :]
        elif repeats and before.startswith(text):
            return
        elif repeats and voice is TextDelta and number in self._streamed:
            self.flush(out, number)
            self.say(FinalText(text, number), out)
            return
        if text:
            self._tell([voice(text, number)], out)

    def _said_so_far(self, voice: Voice, number: int) -> str:
        parts = self.answer.choices.get(number)
        if parts is None:
            return ""
        if voice is TextDelta:
            return parts.text.getvalue() + ("" if number else self.held)
        return parts.reasoning.getvalue() if voice is ReasoningDelta else "".join(parts.refusal)

    def _tell(self, said: Iterable[Said], out: list[Event]) -> None:
        for event in said:
            if type(event) is TextDelta:
                self.say_text(event.text, out, event.choice)
            else:
                self.say(event, out)

    def _tool_calls(
        self, delta: dict[str, JSON], number: int, out: list[Event], *, whole: bool = False
    ) -> None:
        """Say the calls in *delta*. In a *whole* message each item is one, and none is said again."""
        calls = _calls_in(delta)
        if not calls:
            return
        numbers = self._numbers(number)
        numbers.begin_chunk()
        repeats = whole and bool(self._said_calls(number))
        for call in calls:
            if not isinstance(call, dict):
                self.say(Extra({"tool_calls": [call]}, number), out)
            elif not (repeats and self._was_said(call, number)):
                self.say(self._tool_call(call, number, whole), out)

    def _numbers(self, choice: int) -> CallNumbers:
        if choice not in self._calls:
            self._calls[choice] = CallNumbers(
                lambda index: "".join(self._said_calls(choice)[index].arguments)
            )
        return self._calls[choice]

    def _said_calls(self, choice: int) -> dict[int, CallParts]:
        parts = self.answer.choices.get(choice)
        return {} if parts is None else parts.calls

    def _was_said(self, call: dict[str, JSON], choice: int) -> bool:
        call_id = _text(call.get("id"))
        if call_id is not None:
            return self._numbers(choice).knows(call_id)
        function = call.get("function")
        said = [(parts.name, "".join(parts.arguments)) for parts in self._said_calls(choice).values()]
        return (
            isinstance(function, dict) and (function.get("name"), text_of(function.get("arguments"))) in said
        )

    def _tool_call(self, call: dict[str, JSON], number: int, whole: bool) -> ToolCallDelta:
        key, text = ("custom", "input") if isinstance(call.get("custom"), dict) else ("function", "arguments")
        named, extra = split(call, {"id": str, "type": str, key: dict})
        function, beside = split(named.get(key, {}), {"name": str})
        call_id, name = _text(named.get("id")), _text(function.get("name"))
        numbers = self._numbers(number)
        find = numbers.new_number if whole else numbers.number_of
        index = find(extra.pop("index", None), call_id, name)
        arguments = text_of(beside.pop(text, ""))
        kind = "custom" if key == "custom" else named.get("type") or "function"
        return ToolCallDelta(
            index, call_id, name, arguments, number, kind, extra | ({key: beside} if beside else {})
        )

    def _name_calls(self, choice: int, out: list[Event]) -> None:
        """Give an id to each call that has none: without one, the answer could not be sent back."""
        for index, call in [*self._said_calls(choice).items()]:
            if call.id is None and self._ids is not None:
                made = self._ids.uuid(f"tool call {choice} {index}").replace("-", "")
                self.say(ToolCallDelta(index, f"call_{made}", choice=choice), out)

    def _finish(self, reason: str | None, number: int, out: list[Event]) -> None:
        parts = self.answer.choices.get(number)
        if reason and not (parts is not None and parts.finished):  # OpenRouter and others say it twice
            self.flush(out, number)
            self._name_calls(number, out)
            self.say(Finish(reason, number), out)
            self.is_complete = sum(parts.finished for parts in self.answer.choices.values()) >= self._n

    def _usage(self, value: dict[str, JSON], out: list[Event]) -> None:
        match value:
            case {"usage": dict(found)} | {"x_groq": {"usage": dict(found)}}:
                usage = read_usage(found)
            case {"choices": [{"usage": dict(found)}, *_]}:  # Moonshot
                usage = read_usage(found)
            case _:
                return
        if usage is not None:
            self.say(usage, out)


def _calls_in(delta: dict[str, JSON]) -> list[JSON]:
    match delta:
        case {"tool_calls": list(calls)} if calls:
            return calls
        case {"tool_calls": call} if call not in (None, "", {}, []):
            return [call]
        case {"function_call": function} if function is not None:  # OpenAI's older name, still sent
            return [{"index": 0, "function": function}]
        case _:
            return []


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None


def _mapping(choice: dict[str, JSON], key: str) -> dict[str, JSON]:
    """Return the delta or message under *key*: a bare text, or parts, are its content."""
    value = choice.get(key)
    if value is None or isinstance(value, dict):
        return value or {}
    return {"content": value} if isinstance(value, str | list) else {}


def _reason(value: dict[str, JSON]) -> str | None:
    reason = _text(value.get("finish_reason"))
    return None if reason is None or reason.strip().lower() in _NO_REASON else reason


def _said_in(message: dict[str, JSON], number: int) -> list[Said]:
    return [
        *_thoughts(message, number),
        *read_said(message.get("content"), TextDelta, number),
        *read_said(message.get("refusal"), RefusalDelta, number),
    ]


def _thoughts(message: dict[str, JSON], number: int) -> Iterator[Said]:
    """Give what the model thinks, once: OpenRouter and Vercel say the same under several keys."""
    found = set()
    for key in [key for key in _REASONING_KEYS if message.get(key) not in (None, "")]:
        said = read_said(message[key], ReasoningDelta, number)
        text = joined_text(said, ReasoningDelta)
        if text not in found:
            found.add(text)
            yield from said


def _no_choices(value: JSON, data: bytes) -> ProviderError | ProtocolError:
    message, code = dig(data)
    if isinstance(value, dict) and message:
        return ProviderError(f"the service sent no answer but: {message}", code=code)
    return ProtocolError(f"expected a chat completion with choices, got {data[:200]!r}", excerpt=data)
