"""OpenAI chat completions, streamed or whole: the shape that three of the providers share.

Read by shape, never validated: some fifty services add, omit, null and misspell keys, and only what is
known and well formed says anything. Source: the recordings behind the notes on each line.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from g4fsdk._core.decoding.decoder import (
    UNREADABLE,
    Decoder,
    Kind,
    Notice,
)
from g4fsdk._core.decoding.plain_chunks import decode_reasoning_chunk, decode_text_chunk
from g4fsdk._core.decoding.refusals import dig, failure_in
from g4fsdk._core.decoding.tool_calls import CallNumbers
from g4fsdk._core.model.chat import Conversation
from g4fsdk._core.model.errors import ProtocolError, ProviderError
from g4fsdk._core.model.events import (
    Event,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from g4fsdk._core.model.http import JSON

_REASONING_KEYS = ("reasoning_content", "reasoning")


# A miss costs an exception: after so many, units are read without trying until one of the kind comes again.
_TRIES = 8


class ChatChunkDecoder(Decoder):
    """Chunks of a chat completion, and the completion in one document.

    The end is `[DONE]`, or a finish reason for every answer asked for.
    """

    end_marker = "[DONE] or finish reason"
    text_key = b"content"

    def __init__(
        self,
        history: Conversation | None = None,
        *,
        notices: tuple[Notice, ...] = (),
        handle: Conversation | None = None,
        n: int = 1,
        ends_at_eof: bool = False,
    ) -> None:
        """*n* answers were asked for: with one, the indexes a server counts mean nothing. *ends_at_eof*:
        this server is known to send no end marker, so the end of a complete body is the end.
        """
        super().__init__(history, notices=notices, handle=handle)
        self._n = n
        self._ends_at_eof = ends_at_eof
        self._calls: dict[int, CallNumbers] = {}
        self._most_tries = _TRIES if n == 1 else 0  # of several answers, units are told apart in full
        self._tries = self._thinks = self._most_tries

    def read_text(self, data: bytes) -> str | None:
        if not self._tries or 10 in data or 13 in data:
            return None
        try:
            return decode_text_chunk(data).choices[0].delta.content
        except UNREADABLE:
            self._tries -= 1
            return None

    def decode(self, data: bytes, name: bytes, out: list[Event]) -> None:
        text = None if name else self.read_text(data)
        if text is not None:
            self.say_text(text, out)
        elif name or (thought := self.read_thought(data)) is None:
            self._decode_any(data, name, out)
        elif thought:
            self.say(ReasoningDelta(thought), out)

    def kinds(self) -> dict[type[Event], Kind]:
        thoughts = Kind(
            ReasoningDelta, tuple(map(str.encode, _REASONING_KEYS)), self.thoughts, self.read_thought
        )
        return {**super().kinds(), ReasoningDelta: thoughts}

    def read_thought(self, data: bytes) -> str | None:
        """Return what the model thinks, as `read_text` returns what it says."""
        if not self._thinks or 10 in data or 13 in data:
            return None
        try:
            delta = decode_reasoning_chunk(data).choices[0].delta
        except UNREADABLE:
            self._thinks -= 1
            return None
        return delta.reasoning_content or delta.reasoning or ""

    def _decode_any(self, data: bytes, name: bytes, out: list[Event]) -> None:
        bare = data.strip()
        if bare == b"[DONE]":
            self._done(out)
            return
        if not bare:
            return  # some send it to keep the connection alive
        value = self.load(data)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        said = len(out)
        self._chunk(value, out)
        kinds = {type(event) for event in out[said:]}
        self._tries = self._most_tries if TextDelta in kinds else self._tries
        self._thinks = self._most_tries if ReasoningDelta in kinds else self._thinks
        failure = failure_in(value if name != b"error" else {"error": value.get("error") or value})
        if failure is not None:
            raise failure

    def document(self, data: bytes, out: list[Event]) -> None:
        value = self._unwrap(self.load(data))
        choices = value.get("choices") if isinstance(value, dict) else None
        if not isinstance(choices, list) or not choices:
            raise failure_in(value) or _no_choices(value, data)
        for number, choice in enumerate(choice for choice in choices if isinstance(choice, dict)):
            match choice:
                case {"message": dict(message)}:
                    self._delta(message, number, out)
                case {"text": str(text)}:
                    self.say_text(text, out, number)
            self._finish(_text(choice.get("finish_reason")), number, out)
        self._usage(value, out)
        self._done(out)

    def _unwrap(self, value: JSON) -> JSON:
        """Return the completion in a document; a service may wrap it."""
        return value

    def _done(self, out: list[Event]) -> None:
        self.flush(out)
        if not any(parts.finished for parts in self.answer.choices.values()) and self._said_anything():
            self.say(Finish(None), out)
        self.done = True

    def _said_anything(self) -> bool:
        return bool(self.answer.images) or not all(parts.is_empty for parts in self.answer.choices.values())

    def is_over(self) -> bool:
        if self.done:
            return True
        return sum(parts.finished for parts in self.answer.choices.values()) >= self._n or self._ends_at_eof

    def finish(self, out: list[Event]) -> None:
        if not any(parts.finished for parts in self.answer.choices.values()):
            self.say(Finish(None), out)

    def _chunk(self, value: dict[str, JSON], out: list[Event]) -> None:
        choices = value.get("choices")
        if isinstance(choices, list):
            for position, choice in enumerate(choices[: None if self._n > 1 else 1]):
                if isinstance(choice, dict):
                    number = self._number(choice, position)
                    self._choice(choice, number, out)
                    self._finish(_text(choice.get("finish_reason")), number, out)
        self._finish(_text(value.get("finish_reason")), 0, out)  # where Autonomous AI may put it
        self._usage(value, out)

    def _number(self, choice: dict[str, JSON], position: int) -> int:
        # Old Hugging Face servers count `index` up with every token of one and the same answer.
        index = choice.get("index")
        return index if self._n > 1 and isinstance(index, int) else position

    def _choice(self, choice: dict[str, JSON], number: int, out: list[Event]) -> None:
        match choice:
            case {"delta": dict(delta)}:
                self._delta(delta, number, out)
            case {"delta": _}:
                pass
            case {"text": str(text)}:  # AmigoChat's older shape; beside a delta it repeats the delta
                self.say_text(text, out, number)

    def _delta(self, delta: dict[str, JSON], number: int, out: list[Event]) -> None:
        for key in _REASONING_KEYS:
            if isinstance(delta.get(key), str) and delta[key]:
                self.say(ReasoningDelta(delta[key], number), out)
                break  # OpenRouter and Vercel say the same under several keys
        self._content(delta.get("content"), number, out)
        if isinstance(delta.get("refusal"), str) and delta["refusal"]:
            self.say(RefusalDelta(delta["refusal"], number), out)
        self._tool_calls(delta, number, out)

    def _content(self, content: JSON, number: int, out: list[Event]) -> None:
        match content:
            case str(text):
                self.say_text(text, out, number)
            case list(parts):  # Mistral's and Databricks' reasoning models
                for part in parts:
                    self._part(part, number, out)

    def _part(self, part: JSON, number: int, out: list[Event]) -> None:
        match part:
            case {"type": "text", "text": str(text)}:
                self.say_text(text, out, number)
            case {"type": "thinking", "thinking": thoughts} | {"type": "reasoning", "summary": thoughts}:
                text = "".join(_texts(thoughts))
                if text:
                    self.say(ReasoningDelta(text, number), out)

    def _tool_calls(self, delta: dict[str, JSON], number: int, out: list[Event]) -> None:
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            for call in calls:
                if isinstance(call, dict):
                    self.say(self._tool_call(call, number), out)
        elif isinstance(delta.get("function_call"), dict):  # OpenAI's older name, still sent
            self.say(self._tool_call({"index": 0, "function": delta["function_call"]}, number), out)

    def _tool_call(self, call: dict[str, JSON], number: int) -> ToolCallDelta:
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        call_id, name = _text(call.get("id")), _text(function.get("name"))
        numbers = self._calls.setdefault(number, CallNumbers())
        index = numbers.number_of(call.get("index"), call_id, name)
        return ToolCallDelta(index, call_id, name, _arguments(function), number)

    def _finish(self, reason: str | None, number: int, out: list[Event]) -> None:
        parts = self.answer.choices.get(number)
        if reason and not (parts is not None and parts.finished):  # OpenRouter and others say it twice
            self.flush(out, number)
            self.say(Finish(reason, number), out)

    def _usage(self, value: dict[str, JSON], out: list[Event]) -> None:
        match value:
            case {"usage": dict(usage)} | {"x_groq": {"usage": dict(usage)}} if usage.keys() & {*_USAGE_KEYS}:
                prompt, completion, total = (_count(usage.get(key)) for key in _USAGE_KEYS)
                self.say(Usage(prompt, completion, total or prompt + completion), out)


_USAGE_KEYS = ("prompt_tokens", "completion_tokens", "total_tokens")


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: JSON) -> int:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if is_whole else 0


def _texts(thoughts: JSON) -> Iterator[str]:
    for thought in thoughts if isinstance(thoughts, list) else [thoughts]:
        match thought:
            case str(text) | {"text": str(text)}:
                yield text


def _arguments(function: dict[str, JSON]) -> str:
    match function.get("arguments"):
        case str(text):
            return text
        case dict() as value:  # Hugging Face sends the object itself
            return msgspec.json.encode(value).decode()
        case _:
            return ""


def _no_choices(value: JSON, data: bytes) -> ProviderError | ProtocolError:
    message, code = dig(data)
    if isinstance(value, dict) and message:
        return ProviderError(f"the service sent no answer but: {message}", code=code)
    return ProtocolError(f"expected a chat completion with choices, got {data[:200]!r}", excerpt=data)
