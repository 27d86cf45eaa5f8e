"""What a request gets in place of an answer: a failure as OpenAI says it, and with which status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from g4fsdk._core.model.errors import (
    AuthError,
    DeadlineError,
    G4FError,
    ProtocolError,
    ProviderError,
    StatusError,
    TransportError,
    UsageError,
)
from g4fsdk._core.model.shape import as_json
from g4fsdk.testing._cassette.errors import MismatchError

#: What asking a provider may raise.
FAILURES = (G4FError, MismatchError)
# The client of this package has tried again where that helps: the caller's client need not.
_FINAL = {"x-should-retry": "false"}
_KINDS = {429: "rate_limit_error"}


class Refused(Exception):
    """A failure to be told: *param* names the part of the request that is to blame."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = headers

    def document(self) -> dict[str, Any]:
        """Return OpenAI's JSON."""
        kind = _KINDS.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        said = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": said}

    def response(self) -> Response:
        return json_response(self.document(), self.status, self.headers)


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return *value* as a response of JSON."""
    return Response(as_json(value), status, headers, "application/json")


# By the first class that fits. A provider that refuses the key is no 401 here: the caller's own key was
# right, and the one that was refused is the gateway's.
_BY_CLASS: tuple[tuple[type[Exception], int, str | None], ...] = (
    (UsageError, 400, None),
    (AuthError, 502, "provider_refused_key"),
    (DeadlineError, 504, "timeout"),
    (TransportError, 502, "provider_unreachable"),
    (ProviderError, 502, "provider_failed"),
    (ProtocolError, 502, "provider_failed"),
    (StatusError, 502, "provider_failed"),
    (MismatchError, 501, "not_recorded"),
    (Exception, 500, "internal_error"),
)
# Statuses about who asks, or where: between the gateway and the provider, not the caller.
_BETWEEN = frozenset({401, 402, 403, 407})


def refusal(error: Exception) -> Refused:
    """Return *error* as it is told; one that nobody expected tells nothing of itself."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, HTTPException):
        return Refused(error.status_code, error.detail, headers=error.headers)
    _, status, code = next(row for row in _BY_CLASS if isinstance(error, row[0]))
    headers = {} if isinstance(error, UsageError) else dict(_FINAL)
    if isinstance(error, StatusError) and 400 <= error.status <= 599 and error.status not in _BETWEEN:
        status, headers = error.status, _waits(error) or headers
    if isinstance(error, G4FError) and error.code is not None:
        code = str(error.code)
    return Refused(status, str(error) if code != "internal_error" else "internal error", code, None, headers)


def _waits(error: StatusError) -> dict[str, str]:
    if error.retry_after is None:
        return {}
    return {"retry-after": str(math.ceil(error.retry_after))}
