"""What both clients keep of a stream that is being read, apart from reading it."""

from __future__ import annotations

from g4fsdk._client.clocks import Clocks
from g4fsdk._client.task import Task
from g4fsdk._core.flow.provider import Stream
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import (
    DeadlineError,
    G4FError,
    StatusError,
    UsageError,
)
from g4fsdk._core.model.http import Response


class Reading:
    """A stream with the parser that fits its head, and how it ended."""

    def __init__(self, task: Task, stream: Stream, head: Response, clocks: Clocks) -> None:
        self.clocks = clocks
        self.model = stream.model
        self.parser = stream.accept(head)
        self.is_over = False
        self._task = task
        self._request = stream.request
        self._error: G4FError | None = None

    def failed(self, error: G4FError, cause: Exception) -> G4FError:
        """Return what ended the stream, with everything on it that is known of the stream.

        *error* is what the parser raised, or, where a library raised *cause*, how the body broke off.
        """
        if error is not cause or isinstance(error, DeadlineError):
            cut = self.parser.cut(error.message)
            error.events = cut.events
            # A status that refused was the answer; else the clock that ran out says more than the break.
            error = error if isinstance(error, DeadlineError) and not isinstance(cut, StatusError) else cut
        self.parser.mark(error)
        self._task.blame(error, self._request)
        self._error = error
        return error

    def completion(self) -> Completion:
        """Return the whole answer. Raises what the stream ended with, or UsageError when nobody read on."""
        if self._error is not None:
            raise self._error
        if not self.is_over:
            raise UsageError("the stream was closed before its end, so there is no complete answer")
        return self.parser.answer.completion(self._task.provider.name, self.model)
