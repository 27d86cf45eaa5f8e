"""OpenAI chat completions, streamed or whole: the shape that three of the providers share.

Read by shape, never validated: some fifty services add, omit, null and misspell keys, and only what is
known and well formed says anything; all else is kept in `extra`. What stands in place of a thing that has a
name, and is none, is kept under the name with `_parts` behind it; events with names of their own, as
`named_events`. Source: the recordings behind the notes on each line.
"""

from __future__ import annotations

from collections.abc import Callable

from g4fsdk._core.decoding.beside import odd_usage, usage_in
from g4fsdk._core.decoding.choices import ChoiceDecoder
from g4fsdk._core.decoding.decoder import Kind, Notice
from g4fsdk._core.decoding.failures import tells_failure
from g4fsdk._core.decoding.plain_chunks import (
    PADDING,
    CallPiece,
    PlainChunks,
    probe_text,
    probe_thought,
    read_nothing,
)
from g4fsdk._core.decoding.refusals import dig, failure_in, shown
from g4fsdk._core.decoding.said import NOTHING
from g4fsdk._core.model.chat import Conversation, Ids
from g4fsdk._core.model.errors import ProtocolError, ProviderError, clause
from g4fsdk._core.model.events import (
    Event,
    Extra,
    Finish,
    ReasoningDelta,
    TextDelta,
)
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.shape import as_json

#: The names of events that are chunks; other events stand beside the answer.
_OF_ANSWER = frozenset({b"", b"message"})
#: What else a chunk without a choice may be: words beside one of these tell how things stand.
_KINDS = frozenset(("type", "object", "event", "status", "state"))

# What may be another in each chunk: padding, and ids, of which the first counts.
_IDLE_KEYS = frozenset({b"id", *map(str.encode, PADDING)})


class ChatChunkDecoder(ChoiceDecoder):
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
        super().__init__(history, notices=notices, handle=handle, n=n, ids=ids)
        self._plain = PlainChunks()
        self._read_piece: Callable[[bytes], CallPiece | None] = self._plain.call if n == 1 else read_nothing
        self._stops: Callable[[bytes], object] = self._plain.stops if n == 1 else read_nothing
        self._others: list[JSON] = []  # the events with names of their own
        self._around = ""  # what the last chunk said beside its choices
        self._has_choices = False
        self._last: tuple[object, JSON] = (None, None)  # what came without a choice, and where
        self._ends_at_eof = ends_at_eof

    def kinds(self) -> dict[type[Event], Kind]:
        if self._n > 1:  # several answers are told apart in full
            nothing: Callable[[bytes], str | None] = read_nothing
            texts = thoughts = (nothing, nothing, nothing)
        else:
            texts = (probe_text, self._plain.text, self._plain.short_text)
            thoughts = (probe_thought, self._plain_thought, self._short_thought)
        keys = (b"reasoning_content", b"reasoning")
        return {
            TextDelta: Kind(TextDelta, (b"content",), self.texts, *texts, _IDLE_KEYS),
            ReasoningDelta: Kind(ReasoningDelta, keys, self.thoughts, *thoughts, _IDLE_KEYS),
        }

    def _plain_thought(self, data: bytes) -> str | None:
        return self._noted(self._plain.thought(data), data)

    def _short_thought(self, data: bytes) -> str | None:
        return self._noted(self._plain.short_thought(data), data)

    def _noted(self, thought: str | None, data: bytes) -> str | None:
        """Return the *thought* that was read in *data*, and note where the first one stands."""
        if thought and not self.answer.reasoning_key:
            self._note_thought(self.load(data)["choices"][0]["delta"], [ReasoningDelta(thought)])
        return thought

    def decode(self, data: bytes, name: bytes, out: list[Event]) -> None:
        if 0 in self._calls and not name and (piece := self._read_piece(data)) is not None:
            self._say_all(self._calls[0].read_piece(piece.index, piece.function.arguments), out)
            return
        bare = data.strip()
        if bare == b"[DONE]":
            self._done(out)
        elif not name and self._stops(data):  # nearly every answer ends so
            self._has_choices = True
            self._finish({"finish_reason": "stop"}, 0, out)
        elif name not in _OF_ANSWER:
            self._decode_other(data, name.decode("utf-8", "replace"), out)
        elif bare:  # some send nothing to keep the connection alive
            value = self.load(data)
            if not isinstance(value, dict):
                raise failure_in(value) or ValueError("not an object")
            self._read(value, out)

    def _error_in(self, data: bytes) -> dict[str, JSON]:
        """Return the failure that an event of that name tells, in the usual shape."""
        try:
            value = self.load(data)
        except ValueError:
            value = data.decode("utf-8", "replace")
        error = value.get("error") if isinstance(value, dict) else None
        return {**(value if isinstance(value, dict) else {}), "error": error or value or "an error"}

    def _decode_other(self, data: bytes, name: str, out: list[Event]) -> None:
        """Keep an event with a name of its own beside the answer, unless it is a chunk or an error."""
        if tells_failure(name):
            self._read(self._error_in(data), out)
            return
        try:
            value = self.load(data)
        except ValueError:
            value = data.decode("utf-8", "replace")
        match value:
            case {"choices": [_, *_]}:
                self._read(value, out)
            case {"error": error} if error:
                self._read(value, out)
            case _ if value not in NOTHING:
                self._others.append({"event": name, "data": value})
                self.answer.note({"named_events": self._others})

    def document(self, data: bytes, out: list[Event]) -> None:
        value = self._unwrap(self.load(data))
        if not _choices_in(value)[0]:
            raise failure_in(value) or _no_choices(value, data)
        self._is_document = True
        self._read(value, out)
        self._done(out)

    def _unwrap(self, value: JSON) -> JSON:
        """Return the completion in a document; a service may wrap it."""
        return value

    def _done(self, out: list[Event]) -> None:
        self.flush(out)
        if self._said_anything():
            self._check_last()
            self.finish(out)
        self.done = self.is_complete = True

    def _check_last(self) -> None:
        """Raise ProviderError where words stand in place of a finish reason, as gateways put them."""
        match self._at_the_end():
            case {"message": str(words)} | {"Message": str(words)} | {"msg": str(words)} as last if (
                words and not (self._is_finished() or _KINDS & last.keys())
            ):
                said = f"the service ended its answer with: {clause(words)}; ask again"
                raise ProviderError(said, body=as_json(last).encode())

    def words_at_the_end(self) -> str:
        last = self._at_the_end()
        return "" if last is None else f"; behind it came {shown(last)}"

    def _at_the_end(self) -> JSON:
        """Return the last that came without a choice, None where text or a call came behind it."""
        place, last = self._last
        return last if place == self._place() and not self._calls else None

    def _place(self) -> tuple[int, ...]:
        return *self.texts.place, *self.thoughts.place

    def _is_finished(self) -> bool:
        return any(parts.finished for parts in self.answer.choices.values())

    def _said_anything(self) -> bool:
        return not all(parts.is_empty for parts in self.answer.choices.values())

    def is_over(self) -> bool:
        return self.is_complete or self._ends_at_eof

    def finish(self, out: list[Event]) -> None:
        for number in [*self._calls]:
            self._name_calls(number, out)
        if not self._is_finished():
            self.say(Finish(None), out)

    def _read(self, value: dict[str, JSON], out: list[Event]) -> None:
        """Say what a chunk or document says, then raise the failure that it reports, if it does."""
        failure = failure_in(value)
        if failure is None:  # which tells all else
            self._note(value)
        choices, odd = _choices_in(value)
        for choice, number in zip(choices, self._numbers(choices), strict=True):
            self._choice(choice if failure is None else _without_end(choice), number, out)
        if odd:
            self.say(Extra({"choices_parts": odd}, 0, "choice"), out)
        if failure is None:
            self._finish_around(value, bool(choices), out)
        usage = usage_in(value, self.answer.usage)
        if usage is not None:
            self.say(usage, out)
        if failure is not None:
            raise failure
        if value and not (choices or usage):
            self._last = self._place(), value

    def _finish_around(self, value: dict[str, JSON], has_choices: bool, out: list[Event]) -> None:
        """Say the end that *value* tells beside its choices, where Autonomous AI may put it.

        Where there never was a choice it is not the end of a chat, but of an answer that was not read.
        """
        self._has_choices = self._has_choices or has_choices
        if self._has_choices:
            self._finish(value, 0, out)
        elif (reason := value.get("finish_reason")) not in NOTHING:
            self.say(Extra({"finish_reason_parts": [reason]}, 0, "choice"), out)

    def _note(self, value: dict[str, JSON]) -> None:
        """Take what *value* says beside its choices, unless the one before said the same."""
        around = {
            key: item
            for key, item in value.items()
            if key != "choices" and not (key in PADDING and isinstance(item, str))
        }
        said = as_json(around)
        if said != self._around:
            self._around = said
            self._plain.note(around)
            self.answer.note(around | odd_usage(around))


def _without_end(choice: dict[str, JSON]) -> dict[str, JSON]:
    """Return a *choice* that failed, so that its end is none: it stands in the error."""
    return {**choice, "finish_reason": None}


def _choices_in(value: JSON) -> tuple[list[dict[str, JSON]], list[JSON]]:
    """Return the choices in a chunk or document, and what stands in their place and is none."""
    found = value.get("choices") if isinstance(value, dict) else None
    items = [item for item in (found if isinstance(found, list) else [found]) if item not in NOTHING]
    return [item for item in items if isinstance(item, dict)], [
        item for item in items if not isinstance(item, dict)
    ]


def _no_choices(value: JSON, data: bytes) -> ProviderError | ProtocolError:
    message, code = dig(data)
    if isinstance(value, dict) and message:
        return ProviderError(f"the service sent no answer but: {message}", code=code, body=data)
    return ProtocolError(f"expected a chat completion with choices, got {data[:200]!r}", excerpt=data)
