"""The errors that g4f's programs catch under a builtin name: ours, and the builtin as well."""

from __future__ import annotations

from collections.abc import Mapping

from g4fsdk._core.model.errors import (
    AuthError,
    EmptyAnswerError,
    G4FError,
    IncompleteStreamError,
    NotFoundError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    ServerError,
    StatusError,
    UsageError,
)


class UnknownModelError(UsageError, ValueError):
    """The name is no model id."""


class RuntimeAuthError(AuthError, RuntimeError):
    """AuthError, also a RuntimeError."""


class RuntimeNotFoundError(NotFoundError, RuntimeError):
    """NotFoundError, also a RuntimeError."""


class RuntimeRateLimitError(RateLimitError, RuntimeError):
    """RateLimitError, also a RuntimeError."""


class RuntimeServerError(ServerError, RuntimeError):
    """ServerError, also a RuntimeError."""


class RuntimeStatusError(StatusError, RuntimeError):
    """StatusError, also a RuntimeError."""


class RuntimeProviderError(ProviderError, RuntimeError):
    """ProviderError, also a RuntimeError."""


class RuntimeProtocolError(ProtocolError, RuntimeError):
    """ProtocolError, also a RuntimeError."""


class RuntimeIncompleteStreamError(IncompleteStreamError, RuntimeError):
    """IncompleteStreamError, also a RuntimeError."""


class RuntimeEmptyAnswerError(EmptyAnswerError, RuntimeError):
    """EmptyAnswerError, also a RuntimeError."""


_RUNTIME: Mapping[type[G4FError], type[G4FError]] = {
    AuthError: RuntimeAuthError,
    NotFoundError: RuntimeNotFoundError,
    RateLimitError: RuntimeRateLimitError,
    ServerError: RuntimeServerError,
    StatusError: RuntimeStatusError,
    ProviderError: RuntimeProviderError,
    ProtocolError: RuntimeProtocolError,
    IncompleteStreamError: RuntimeIncompleteStreamError,
    EmptyAnswerError: RuntimeEmptyAnswerError,
}


def as_runtime_error(error: G4FError) -> G4FError:
    """Return *error*, as a RuntimeError too where the service failed or sent what can't be read."""
    kind = _RUNTIME.get(type(error))
    if kind is None:
        return error
    made = kind.__new__(kind)
    made.args = error.args
    vars(made).update(vars(error))
    return made.with_traceback(error.__traceback__)
