"""What both clients keep of a stream that is being read, apart from reading it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

from g4fsdk._client.clocks import Clocks
from g4fsdk._client.hooks import NO_HOOKS, Hooks
from g4fsdk._client.task import Task
from g4fsdk._core.decoding.answer import Answer
from g4fsdk._core.flow.provider import Stream
from g4fsdk._core.framing.parser import MAX_BYTES, Parser
from g4fsdk._core.model.chunks import Chunk, to_chunks
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import G4FError, StatusError, TransportError, UsageError
from g4fsdk._core.model.events import Event
from g4fsdk._core.model.http import AnswerHead, Response
from g4fsdk._core.model.redact import redact_url

T = TypeVar("T")
#: What a stream gives its caller: made for an answer and the model asked for, takes events and returns the
#: items they become.
View: TypeAlias = Callable[[Answer, str], Callable[[list[Event]], Iterable[T]]]


def as_events(answer: Answer, model: str) -> Callable[[list[Event]], Iterable[Event]]:
    """View a stream as its events."""
    return iter


def as_chunks(answer: Answer, model: str) -> Callable[[list[Event]], Iterable[Chunk]]:
    """View a stream as OpenAI-shaped chunks."""
    return lambda events: to_chunks(events, answer.facts, model)


def as_they_come(events: list[Event]) -> list[list[Event]]:
    """View a stream as what its pieces complete, where they complete something."""
    return [events] if events else []


class OfAnswer:
    """What gives an answer as it comes."""

    @property
    def _open_now(self) -> Any:
        """The client's OpenStream, or None before there is one."""
        raise NotImplementedError

    @property
    def response(self) -> AnswerHead | None:
        """The HTTP side of the answer, once there is one."""
        return None if self._open_now is None else self._open_now.response

    def __repr__(self) -> str:
        said = ", not opened" if self._open_now is None else f" of {self._open_now}"
        return f"<{type(self).__name__}{said}>"


class Reading(Generic[T]):
    """A stream with the parser that fits its head, what its events become, and how it ended."""

    def __init__(
        self,
        task: Task,
        stream: Stream,
        head: Response,
        clocks: Clocks,
        view: View[T],
        max_bytes: int = MAX_BYTES,
        hooks: Hooks = NO_HOOKS,
    ) -> None:
        self.clocks = clocks
        self.parser: Parser = stream.accept(head, max_bytes)
        self.items_of: Callable[[list[Event]], Iterable[T]] = view(self.parser.answer, stream.model)
        self._task = task
        self._hooks = hooks
        self.is_told: bool = hooks.has("event")
        self._stream = stream
        self._is_over = False
        self._error: G4FError | None = None
        self._left: BaseException | None = None
        self.head: AnswerHead = AnswerHead.of(head)

    def __str__(self) -> str:
        provider, model = self._task.provider, self._stream.model
        place = f"{provider.name} at {redact_url(provider.base_url)}"
        return ", ".join(filter(None, (place, model, str(self.head.status))))

    @property
    def goes_on(self) -> bool:
        """Whether more of the answer is wanted."""
        return not (self._is_over or self.parser.is_complete)

    def tell(self, events: list[Event]) -> Iterator[object]:
        """Tell the hooks each of *events*; give what they returned."""
        return (said for event in events for said in self._hooks.tell("event", event))

    def end(self) -> list[Event]:
        """Say that the body is over; return what that completes. Raises G4FError when it is too early."""
        if self._is_over:
            return []
        self.clocks.check_wanted()
        events = self.parser.close()
        self._is_over = True
        return events

    def lingers(self, *, anew: bool) -> bool:
        """Whether more may follow an answer that is complete; *anew*: its clock begins again."""
        if self._is_over or self.parser.done or not self.parser.is_complete:
            return False
        if anew:
            self.clocks.linger()
        return True

    def failed(self, error: G4FError, cause: Exception) -> tuple[list[Event], G4FError | None]:
        """Return the last events, and what ended the stream, with everything on it that is known of it.

        *error* is what the parser raised, or, where a library raised *cause*, how the body broke off: no
        failure, None, when the answer was complete before.
        """
        if isinstance(error, TransportError) and self.parser.is_complete:
            try:
                return self.end(), None
            except G4FError as early:
                error = early
        cut = self.parser.cut(error.message)  # the error itself, where the parser raised it
        # A status that refused was the answer; else a clock or a bound says more than the break.
        if isinstance(cut, StatusError) or type(error) is TransportError:
            error = cut
        error.keep(cut.events)
        self.parser.mark(error)
        self._task.blame(error, self._stream.request)
        self._error = error
        return [*error.events], error

    def left(self, reason: BaseException) -> None:
        """Say that whoever reads has left, was cancelled or interrupted."""
        self._left = reason

    def over(self) -> None:
        """Say that the attempt has ended, and maybe the call."""
        if self.clocks.attempt_over():
            self._task.watch.ended(self._said, self._error or self._left)

    def _said(self) -> Completion:
        return self.parser.answer.completion(self._task.provider.name, "")

    def completion(self) -> Completion:
        """Return the whole answer. Raises what the stream ended with, or UsageError when nobody read on."""
        if self._error is not None:
            raise self._error
        if not self._is_over:
            raise UsageError("the stream was closed before its end, so there is no complete answer")
        completion = self.parser.answer.completion(self._task.provider.name, self._stream.model)
        completion.response = self.head
        return completion
