"""Everything that g4fsdk raises on purpose.

G4FError
├── UsageError               you asked for what cannot be
├── TransportError           no answer at all: connect, TLS, proxy, reset before the first byte
│   └── DeadlineError        one of the four clocks ran out
├── StatusError              the service said no
│   ├── AuthError            401, 403
│   ├── NotFoundError        404, 410
│   ├── RateLimitError       429, quota
│   ├── BlockedError         a challenge, ban or login page instead of an answer, whatever its status
│   └── ServerError          5xx
├── ProviderError            it failed inside a 200
└── ProtocolError            not what this provider sends
    ├── IncompleteStreamError   ended without its end marker, or broke after the first byte
    └── EmptyAnswerError        ended well and held no answer at all
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from g4fsdk._core.model.http import Request

if TYPE_CHECKING:
    from g4fsdk._core.model.chat import Conversation
    from g4fsdk._core.model.completions import Completion
    from g4fsdk._core.model.events import Event

Clock: TypeAlias = Literal["connect", "first_event", "idle", "total"]
MAX_EXCERPT = 200
MAX_ERROR_BODY = 1 << 20
_SENTENCE_ENDS = " .,;:"
_CONTROLS = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+"


def clause(words: str) -> str:
    """Return the *words* of others as a part of a sentence of ours: on one line, and without its end."""
    return " ".join(words.split()).rstrip(_SENTENCE_ENDS)


class G4FError(Exception):
    """Base of all errors of g4fsdk.

    Attributes:
        provider: Name of the provider asked, or None.
        request: The request that failed, its secrets removed, or None.
        partial: The text of choice 0 that had arrived.
        answer: All that had arrived, as far as it came (calls, usage, id...), or None where nothing had.
        conversation: The handle to go on with, where there is one.
        code: The service's own error code, or None.
        errors: With a fallback list, the error of every provider tried.
        retryable: Whether the client itself may send the same again: it may help, nothing was shown yet, and
            nothing can happen twice. Another error may still be worth asking again, as its message says.
        events: What the end of the stream still completed and nobody has been handed.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        code: str | int | None = None,
        partial: str = "",
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message: str = message
        self.provider = provider
        self.code = code
        self.partial: str = partial
        self.answer: Completion | None = None
        self.request: Request | None = None
        self.conversation: Conversation | None = None
        self.errors: tuple[G4FError, ...] = ()
        self.retryable: bool = retryable
        self.events: tuple[Event, ...] = ()

    def __str__(self) -> str:
        return f"{self.provider}: {self.message}" if self.provider else self.message

    def reword(self, message: str) -> None:
        """Say *message* in place of what is said so far."""
        self.message = message
        self.args: tuple[Any, ...] = (message,)

    def of_stream(
        self, partial: str, conversation: Conversation | None, answer: Completion | None = None
    ) -> None:
        """Take what a stream holds so far: its text, and the handle to go on with where none is known yet."""
        self.partial = partial
        self.answer = answer
        self.conversation = self.conversation or conversation

    def asked(self, provider: str, request: Request | None, conversation: Conversation | None) -> None:
        """Take who was asked what, and the handle to go on with, where they are not known yet."""
        self.provider = self.provider or provider
        if self.answer is not None:
            self.answer.provider = provider
        self.request = request or self.request
        self.conversation = self.conversation or conversation

    def keep(self, events: Iterable[Event]) -> None:
        """Take what the end of the stream still completed."""
        self.events = tuple(events)

    def lasts(self, message: str = "") -> None:
        """Say that asking the same again gives the same; with *message*, in these words."""
        self.retryable = False
        if message:
            self.reword(message)

    def edit(self, edit: Callable[[str], str]) -> None:
        """Put all that is said in the service's words through *edit*, which takes secrets out.

        The message becomes one line of printable text: a service writes no lines of its own into a log.
        """
        self.reword(re.sub(_CONTROLS, " ", edit(self.message)))
        self.code = edit(self.code) if isinstance(self.code, str) else self.code


class UsageError(G4FError):
    """You asked for what cannot be; nothing was sent."""


class TransportError(G4FError):
    """No answer at all: connecting, TLS or the proxy failed, or the connection closed before one byte.

    *sent* says whether the request may have reached the service.
    """

    def __init__(self, message: str, *, sent: bool = False, retryable: bool = False) -> None:
        super().__init__(message, retryable=retryable)
        self.sent = sent


class DeadlineError(TransportError):
    """A clock of `Timeouts` ran out: *clock* says which."""

    def __init__(
        self, message: str, *, clock: Clock = "total", sent: bool = True, retryable: bool = False
    ) -> None:
        super().__init__(message, sent=sent, retryable=retryable)
        self.clock = clock


class StatusError(G4FError):
    """The service said no.

    Attributes:
        status: The HTTP status.
        headers: The response headers, names in lower case, cookies left out.
        body: The body, at most 1 MiB.
        request_id: The service's name for the request, or None.
        retry_after: Seconds the service asks to wait, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        code: str | int | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, code=code, retryable=retryable)
        self.status = status
        self.headers: dict[str, str] = dict(headers or {})
        self.body: bytes = body
        self.request_id: str | None = self.headers.get("x-request-id") or self.headers.get("request-id")
        self.retry_after = retry_after

    def edit(self, edit: Callable[[str], str]) -> None:
        super().edit(edit)
        self.body = _edited(self.body, edit)
        self.headers = {name: edit(value) for name, value in self.headers.items()}


class AuthError(StatusError):
    """401 or 403: the key or session is missing, wrong, or not allowed to do this."""


class NotFoundError(StatusError):
    """404 or 410: no such address, model or conversation."""


class RateLimitError(StatusError):
    """429, or an allowance that is used up; `retry_after` says how long to wait, where known."""


class BlockedError(StatusError):
    """A challenge, ban or login page came instead of an answer."""


class ServerError(StatusError):
    """5xx: the service failed."""


class ProviderError(G4FError):
    """The service reported a failure inside an answer that began well.

    Attributes:
        body: The JSON that reports it, at most 1 MiB, or b"".
    """

    def __init__(self, message: str, *, code: str | int | None = None, body: bytes = b"") -> None:
        super().__init__(message, code=code)
        self.body: bytes = body[:MAX_ERROR_BODY]

    def edit(self, edit: Callable[[str], str]) -> None:
        super().edit(edit)
        self.body = _edited(self.body, edit)


class ProtocolError(G4FError):
    """What came is not what this provider sends.

    Attributes:
        offset: Where in the body the bad part begins, in bytes; each line end counts as one.
        excerpt: The bad part, at most 200 bytes.
    """

    def __init__(
        self, message: str, *, offset: int = 0, excerpt: bytes = b"", retryable: bool = False
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.offset = offset
        self.excerpt: bytes = excerpt[:MAX_EXCERPT]

    def edit(self, edit: Callable[[str], str]) -> None:
        super().edit(edit)
        self.excerpt = _edited(self.excerpt, edit)


class IncompleteStreamError(ProtocolError):
    """The answer ended without its end marker, or the connection broke after the first byte."""


class EmptyAnswerError(ProtocolError):
    """The answer ended well and held nothing: no text, image, tool call, refusal or finish reason."""


def _edited(data: bytes, edit: Callable[[str], str]) -> bytes:
    return edit(data.decode("latin-1")).encode("latin-1")
