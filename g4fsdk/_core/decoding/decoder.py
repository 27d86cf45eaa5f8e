"""Units to events: what every provider's decoder shares."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import ClassVar

import msgspec

from g4fsdk._core.decoding.answer import Answer
from g4fsdk._core.decoding.buffers import ByteBuffer, TextBuffer
from g4fsdk._core.decoding.refusals import failure_in, shown
from g4fsdk._core.decoding.surrogates import Halves
from g4fsdk._core.model.chat import Conversation
from g4fsdk._core.model.errors import G4FError, IncompleteStreamError, ProtocolError
from g4fsdk._core.model.events import (
    ConversationEvent,
    Event,
    Finish,
    ReasoningDelta,
    TextDelta,
)
from g4fsdk._core.model.http import JSON

#: What msgspec raises for a unit that is no JSON, or not of the type asked for.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MAX_DIGITS = 640  # what Python's own limit, if any, always lets through


def load_json(data: bytes) -> JSON:
    """Return the JSON value in *data*; halves of surrogate pairs stay. A byte order mark in front is skipped.

    Raises:
        ValueError: It is not JSON, or not in UTF-8.
    """
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return _load_any(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _load_any(data: bytes) -> JSON:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_int=_number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def is_cut(data: bytes) -> bool:
    """Whether *data* is JSON that lacks its end."""
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        return str(error) == "Input data was truncated"
    except (UnicodeDecodeError, RecursionError):
        return False
    return False


def _number(digits: str) -> float:
    """Return an integer however long it is: msgspec skips it where nobody asks, and so must this."""
    return int(digits) if len(digits) < _MAX_DIGITS else float(digits)


class Notice:
    """A text with which a service says no in place of an answer, known by how it begins."""

    def __init__(self, begins: str, error: type[G4FError], advice: str) -> None:
        self.begins, self.error, self.advice = begins, error, advice

    def raise_if_in(self, text: str) -> None:
        if text.startswith(self.begins):
            raise self.error(f"{self.begins!r}... came in place of an answer; {self.advice}")

    def may_follow(self, text: str) -> bool:
        return len(text) < len(self.begins) and self.begins.startswith(text)


class Kind(msgspec.Struct, frozen=True):
    """A kind of text: its *event*, the *keys* its string may have, what keeps it, and how to *read* a unit.

    *read* returns the text of a unit that says nothing else, "" for one that says nothing, None for others
    and for one of several lines. *read_quickly* does the same, and may give up sooner; *probe* as well, for a
    unit that was read in full before, with another text. A string under one of the *idle_keys* may be another
    in every unit, and says nothing.
    """

    event: type[TextDelta] | type[ReasoningDelta]
    keys: tuple[bytes, ...]
    texts: TextBuffer
    probe: Callable[[bytes], str | None]
    read: Callable[[bytes], str | None]
    read_quickly: Callable[[bytes], str | None]
    idle_keys: frozenset[bytes] = frozenset()


class Decoder:
    """What a provider's wire units mean. One object a stream; it adds up the answer as it goes.

    Subclasses say what a unit is (`decode`), when an answer is over (`done`, or `is_over`), and what a whole
    document is (`document`) where the service sends one.
    """

    end_marker: ClassVar[str] = "end marker"
    #: For the fast paths: the key of a text unit's string, and the control character, if any, that fills the
    #: string up at its end and doesn't belong to the text.
    text_key: ClassVar[bytes] = b""
    padding: ClassVar[str] = ""

    def __init__(
        self,
        history: Conversation | None = None,
        *,
        notices: tuple[Notice, ...] = (),
        handle: Conversation | None = None,
        announce: bool = False,
    ) -> None:
        """*history* becomes the handle to go on with, once the answer is added to it. *handle* is the one
        to go on with when the answer fails; *announce* it with the first event, being new.
        """
        self.texts: TextBuffer = TextBuffer()
        self.thoughts: TextBuffer = TextBuffer()
        self.answer: Answer = self.new_answer()
        self.done = False
        #: Whether every answer asked for has ended: what follows may add to it, and takes nothing away.
        self.is_complete: bool = False
        self.conversation = handle
        self._history = history
        self._announced = handle if announce else None
        self._notices = notices
        self._held = ""
        self._halves = Halves()
        self._is_odd = False
        self.is_plain: bool = not notices and not announce

    def new_answer(self) -> Answer:
        return Answer(self.texts, self.thoughts)

    def kinds(self) -> dict[type[Event], Kind]:
        """Return the kinds of text that the fast paths may learn, by their events."""
        read = self.read_text
        return {TextDelta: Kind(TextDelta, (self.text_key,), self.texts, read, read, read)}

    def decode(self, data: bytes, name: bytes, out: list[Event]) -> None:
        """Append to *out* what the unit *data* says; *name* is the SSE event name or b"".

        Raises:
            ValueError: It cannot be read.
            G4FError: It says that the answer failed.
        """
        raise NotImplementedError

    def read_text(self, data: bytes) -> str | None:
        """Return the text of a unit that says nothing else, "" for one that says nothing; None for others,
        and for one of several lines.
        """
        return None

    def document(self, data: bytes, out: list[Event]) -> None:
        """The same for a whole JSON document that came in place of a stream: a failure, unless it is read."""
        value = self.load(data)
        raise failure_in(value) or ProtocolError(
            f"a JSON document came in place of a stream: {shown(value)}", excerpt=data
        )

    def is_over(self) -> bool:
        """Whether the end marker of this provider has come."""
        return self.done

    def words_at_the_end(self) -> str:
        """Return, as the next clause of an error, what came last and is none of the answer."""
        return ""

    def finish(self, out: list[Event]) -> None:
        """Append the last events; the end marker has come."""

    def say(self, event: Event, out: list[Event]) -> None:
        if self._announced is not None:
            announced, self._announced = self._announced, None
            self.say(ConversationEvent(announced), out)
            self._look_whether_plain()
        whole = self._halves.join(event) if self._is_odd else event
        if whole is not None:
            self.answer.add(whole)
            out.append(whole)

    def say_text(self, text: str, out: list[Event], choice: int = 0) -> None:
        """Say the next piece of the answer, once it is known to be one and can be encoded."""
        if self.is_plain and not choice:
            if text:
                self.answer.write_text(text)
                out.append(TextDelta(text))
            return
        text = self._past_notices(text, choice)
        if text:
            self.say(TextDelta(text, choice), out)

    def _look_whether_plain(self) -> None:
        """Text is plain while nothing has to be told, held back or joined before it."""
        self.is_plain = not self._is_odd and not self._notices and self._announced is None

    def _past_notices(self, text: str, choice: int) -> str:
        """Hold the beginning of choice 0 back while it may still become a notice."""
        if choice or not self._notices:
            return text
        self._held += text
        if any(notice.may_follow(self._held) for notice in self._notices):
            return ""
        for notice in self._notices:
            notice.raise_if_in(self._held)
        self._notices = ()
        self._look_whether_plain()
        return self._held

    def load(self, data: bytes) -> JSON:
        """Return the JSON of a unit; from the first odd one on, text is checked for halves of pairs."""
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError:
            self._is_odd = True
            self.is_plain = False
            return load_json(data)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    @property
    def held(self) -> str:
        """Text of choice 0 that is held back, because it may still become a notice."""
        return self._held if self._notices else ""

    def end(self, out: list[Event]) -> None:
        """Judge the end of the body. Raises IncompleteStreamError or EmptyAnswerError."""
        self.flush(out)
        if not self.is_over():
            raise IncompleteStreamError(
                f"the answer ended without its {self.end_marker}, so it is not complete"
                f"{self.words_at_the_end()}; ask again"
            )
        self.answer.check_not_empty()
        self._hand_over(out)
        self.finish(out)

    def flush(self, out: list[Event], choice: int | None = None) -> None:
        """Say what was held back, of *choice* or of all: nothing more follows it."""
        if not choice:
            held = self._held if self._notices else ""
            self._notices, self._held = (), ""
            if held:
                self.say(TextDelta(held), out)
        for event in self._halves.rest(choice):
            self.say(event, out)

    def _hand_over(self, out: list[Event]) -> None:
        if self._history is not None:
            messages = (*self._history.messages, self.answer.as_message())
            self.say(ConversationEvent(self._history.with_messages(messages)), out)


class TextDecoder(Decoder):
    """Plain text: every piece is answer, and a body that ended well is complete."""

    end_marker = "end of the body"

    def new_answer(self) -> Answer:
        self.kept: ByteBuffer = ByteBuffer()
        return Answer(self.kept)

    def is_over(self) -> bool:
        return True

    def finish(self, out: list[Event]) -> None:
        self.say(Finish("stop"), out)
