"""One provider's part of a call, and what its errors are told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TypeAlias

from g4fsdk._client.redirects import addressed
from g4fsdk._core.flow.provider import Flow, Provider, Stream
from g4fsdk._core.model.chat import Conversation
from g4fsdk._core.model.completions import Model
from g4fsdk._core.model.errors import (
    DeadlineError,
    G4FError,
    ProtocolError,
    StatusError,
    UsageError,
)
from g4fsdk._core.model.http import Request
from g4fsdk._core.model.redact import redact_text, secrets_of

logger = logging.getLogger("g4fsdk")


def no_flow(provider: Provider, attempt: int, handle: Conversation | None) -> Flow:
    raise NotImplementedError("a list of models is one request")


Start: TypeAlias = Callable[[Provider, int, Conversation | None], Flow]


class Task:
    """One provider's part of a call: starts its flow once an attempt, and completes its errors."""

    def __init__(
        self, provider: Provider, start: Start, conversation: Conversation | None, secrets: frozenset[str]
    ) -> None:
        self.provider = provider
        self._start = start
        self._conversation = conversation
        self._secrets = secrets | ({provider.api_key} if provider.api_key else set())
        self._attempts = count()

    def start(self) -> Flow:
        """Start the next attempt; it goes on with the conversation that a failed one had made."""
        return self._start(self.provider, next(self._attempts), self._conversation)

    def blame(self, error: G4FError, step: Request | Stream | None) -> None:
        """Say on *error* who was asked what, and take every secret out of it."""
        if isinstance(step, Stream):
            step.parser.mark(error)
        request = step.request if isinstance(step, Stream) else step
        error.provider = error.provider or self.provider.name
        error.conversation = error.conversation or self._conversation
        self._conversation = error.conversation
        secrets = self._secrets
        if request is not None:
            error.request = request.redacted()
            secrets |= secrets_of(addressed(request).headers, request.url)
        error.message = redact_text(error.message, secrets)
        error.args = (error.message,)
        if isinstance(error, StatusError):
            error.body = _redact_bytes(error.body, secrets)
            error.headers = {name: redact_text(value, secrets) for name, value in error.headers.items()}
        if isinstance(error, ProtocolError):
            error.excerpt = _redact_bytes(error.excerpt, secrets)

    def models(self, names: Iterable[str]) -> list[Model]:
        return [Model(id=name, owned_by=self.provider.name) for name in names]


def _redact_bytes(data: bytes, secrets: Iterable[str]) -> bytes:
    return redact_text(data.decode("latin-1"), secrets).encode("latin-1")


def failed(errors: Sequence[G4FError]) -> G4FError:
    """Return the error to raise when every provider has failed: the last, with all of them on it."""
    last = errors[-1]
    last.errors = tuple(errors)
    if len(errors) > 1:
        last.message += "; before that: " + "; ".join(str(error) for error in errors[:-1])
        last.args = (last.message,)
    return last


def asks_next(error: G4FError, errors: list[G4FError], tasks: Sequence[Task]) -> bool:
    """Add *error* to *errors*, and say whether to ask the next provider: not once the call's time is over."""
    errors.append(error)
    is_final = isinstance(error, DeadlineError) and error.clock == "total"
    if is_final or len(errors) == len(tasks):
        return False
    # What the caller asked for will not be possible the next time, either.
    level = logging.WARNING if isinstance(error, UsageError) else logging.INFO
    logger.log(level, "%s; asking %r next", error, tasks[len(errors)].provider)
    return True
