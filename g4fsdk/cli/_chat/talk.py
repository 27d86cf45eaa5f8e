"""A conversation as it goes: whom with, the handle to go on with, and what is kept of each turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from g4fsdk._core.decoding.answer import Answer
from g4fsdk._core.flow.prompts import continued
from g4fsdk._core.model.chat import Conversation, Message, read_messages
from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.events import Event
from g4fsdk._core.model.http import Request
from g4fsdk.cli._kept.config import Config
from g4fsdk.cli._kept.log import Kept, Log, LogError, Turn
from g4fsdk.cli._terminal.output import say
from g4fsdk.cli._words.target import Target

if TYPE_CHECKING:
    from g4fsdk._client.hooks import EventHooks
    from g4fsdk._core.model.completions import Completion

#: Arguments of a call that are no options of the model: some may hold keys.
_NO_OPTIONS = frozenset({"messages", "model", "conversation", "extra_headers", "extra_query", "extra_body"})


def the_log(*, wanted: bool = True) -> Log | None:
    """Return where chats are kept, or None where they are not: the user may not want it."""
    return Log() if wanted and Config.load().defaults.log else None


def kept_conversation(name: str | None) -> Kept:
    """Return the conversation whose id begins with *name*, or the last. Raises UsageError for none."""
    kept = Log().find(name) if name is not None else Log().last()
    if kept is None:
        raise UsageError("there is no conversation to go on with yet")
    return kept


_BY_USER = {
    KeyboardInterrupt: "interrupted",
    SystemExit: "the command was ended",
    BrokenPipeError: "who was reading left",
}


class Heard:
    """What was heard of one turn, as it came, and how it ended."""

    def __init__(self) -> None:
        self.asked_at: str = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.url: str = ""
        self.answer: Answer = Answer()
        self.completion: Completion | None = None
        self.error: BaseException | None = None
        self._begun = time.monotonic()

    def asked(self, request: Request) -> None:
        """Take into account that *request* goes out: whatever came before was no answer."""
        self.url, self.answer = request.url, Answer()

    @property
    def is_whole(self) -> bool:
        """Whether there is a whole answer: one with a refusal is one."""
        return self.error is None or isinstance(self.error, typer.Exit)

    @property
    def problem(self) -> str:
        """Why it came no further, "" where it came to its end."""
        if self.error is None or self.is_whole:
            return ""
        kind = type(self.error)
        return _BY_USER.get(kind) or " ".join(str(self.error).split()) or kind.__name__

    def so_far(self, provider: str, model: str) -> Completion:
        """Return the answer as far as it came."""
        failed = self.error.answer if isinstance(self.error, G4FError) else None
        return self.completion or failed or self.answer.completion(provider, model)

    def told(self, completion: Completion) -> dict[str, Any]:
        """Return what is kept of it, which is *completion* as far as it came."""
        said = completion.to_dict()
        return {
            "asked_at": self.asked_at,
            "duration_ms": round((time.monotonic() - self._begun) * 1000),
            "completion": said,
            "usage": said.get("usage"),
            "answer": completion.text,
            "error": self.problem,
        }

    def handle(
        self, begun: Conversation | None, messages: tuple[Message, ...], provider: str, model: str
    ) -> Conversation | None:
        """Return what to go on with, after *begun* and *messages*.

        Of an answer that broke off, what came is a part of it; where nothing did, nor is the question.
        """
        failed = self.error.conversation if isinstance(self.error, G4FError) else None
        given = failed or self.answer.conversation
        if self.is_whole:
            return (self.completion.conversation if self.completion is not None else None) or given
        base = given or begun or Conversation(provider, model)
        text = self.so_far(provider, model).text
        if text:
            return base.with_messages((*continued(begun, messages), Message("assistant", text)))
        return base.with_messages(begun.messages if begun else ()) if given or begun else None


class Talk(msgspec.Struct):
    """A conversation with whom *target* names, turn by turn; kept in *log*, if there is one.

    *conversation* is the handle to go on with, *kept_as* the id of what is kept already, and *replay* the
    recording that answers in place of the network.
    """

    target: Target
    log: Log | None
    conversation: Conversation | None = None
    kept_as: str | None = None
    replay: str = ""
    _heard: Heard = msgspec.field(default_factory=Heard)

    @classmethod
    def going_on(cls, kept: Kept, target: Target, log: Log | None) -> Talk:
        """Return the conversation that was *kept*, to go on with."""
        begun = None if kept.handle is None else Conversation.from_dict(kept.handle)
        return cls(target, log, begun, kept.id)

    @property
    def hooks(self) -> EventHooks:
        """What the client has to tell: who is asked, and what comes."""
        return {"request": [self._note], "event": [self._hear]}

    def _note(self, request: Request) -> None:
        self._heard.asked(request)

    def _hear(self, event: Event) -> None:
        self._heard.answer.add(event)

    def turn(self, call: Mapping[str, Any], ask: Callable[[dict[str, Any]], Completion]) -> Completion:
        """Ask *call*, the arguments of `create`, as the next turn, by *ask*; return what that returns.

        Whatever it raises is raised. What had come until then is kept, and can be gone on with.
        """
        self._heard = heard = Heard()
        try:
            completion = heard.completion = ask(self._going_on(call))
        except BaseException as error:
            heard.error = error
            raise
        finally:
            if heard.url:  # else nobody was asked
                self._end(call, heard)
        return completion

    def _going_on(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return *call* as the next turn. Who did not have the conversation so far is told it all."""
        if self.conversation is None:
            return {**call}
        models = {self.target.model or place.model for place in self.target.places}
        if len(models) == 1 and all(models):  # else it is asked for that of the conversation
            call = {"model": models.pop(), **call}
        if self.target.places and self.conversation.provider not in self.target.names:
            return {**call, "messages": continued(self.conversation, read_messages(call["messages"]))}
        return {**call, "conversation": self.conversation}

    def _end(self, call: Mapping[str, Any], heard: Heard) -> None:
        """Take what was *heard* for the next turn, and keep it."""
        place = self.target.place_of(heard.url)
        model = call.get("model") or self.target.model or place.model or ""
        messages = read_messages(call["messages"])
        self.conversation = heard.handle(self.conversation, messages, place.provider, model)
        completion = heard.so_far(place.provider, model)
        turn = Turn(
            provider=place.provider,
            endpoint=place.endpoint,
            base_url=place.address,
            model=(self.conversation and self.conversation.model) or model,
            replay=self.replay,
            **_asked(call, messages),
            **heard.told(completion),
        )
        self._keep(turn, completion.title or "")

    def _keep(self, turn: Turn, title: str) -> None:
        """Keep *turn*; where that can't be done, say so: the answer is there all the same."""
        if self.log is None:
            return
        handle = self.conversation.to_dict() if self.conversation is not None else None
        try:
            self.kept_as = self.log.add(turn, title, handle, self.kept_as, self.target.secrets)
        except LogError as error:
            say(f"g4fsdk: this is not kept: {error}")


def _asked(call: Mapping[str, Any], messages: Sequence[Message]) -> dict[str, Any]:
    """Return what is kept of *call*."""
    return {
        "messages": [message.to_dict() for message in messages],
        "options": {name: value for name, value in call.items() if name not in _NO_OPTIONS},
        "prompt": next((one.text for one in reversed(messages) if one.role == "user"), ""),
    }
