"""What the errors of requests and urllib3 mean where no answer came."""

from __future__ import annotations

import requests
from urllib3 import exceptions as low

from g4fsdk._client.clocks import Clocks
from g4fsdk._client.sending import NEEDS_SOCKS, unanswered, unsendable
from g4fsdk._core.model.errors import Clock, G4FError, UsageError
from g4fsdk._core.model.http import Request

_USAGE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidProxyURL,
    low.LocationValueError,
    low.ProxySchemeUnknown,
    UnicodeError,  # a host name with an empty label, or one of more than 63 characters
)
_NOT_SENT = (
    *(requests.exceptions.SSLError, requests.exceptions.ProxyError),
    *(low.NewConnectionError, low.ConnectTimeoutError, low.SSLError, low.ProxyError),
)
# urllib3 counts a connection that was refused among those that took too long.
_CONNECT_TIMEOUTS = (requests.exceptions.ConnectTimeout, low.ConnectTimeoutError)
_READ_TIMEOUTS = (requests.exceptions.ReadTimeout, low.ReadTimeoutError, TimeoutError)


def unanswered_by(
    cause: Exception, request: Request, clocks: Clocks, connecting: Clock, reading: Clock, repeatable: bool
) -> G4FError:
    """Return what *cause*, raised in place of an answer, means; two clocks ran meanwhile."""
    if isinstance(cause, requests.exceptions.InvalidSchema) and "SOCKS" in str(cause):
        return UsageError(NEEDS_SOCKS)
    inner = _innermost(cause)
    if isinstance(cause, _USAGE) and not isinstance(inner, low.InvalidHeader):  # which the answer had
        return unsendable(words_of(cause))
    if isinstance(inner, _CONNECT_TIMEOUTS) and not isinstance(inner, low.NewConnectionError):
        return clocks.expired(connecting)
    if isinstance(inner, _READ_TIMEOUTS):
        return clocks.expired(reading)
    sent = not (isinstance(cause, _NOT_SENT) or isinstance(inner, _NOT_SENT))
    return unanswered(words_of(cause), request.url, sent=sent, repeatable=repeatable, cause=cause)


def _innermost(cause: Exception) -> Exception:
    """Return what urllib3, or the socket under it, says inside of what requests says."""
    while True:
        inner = getattr(cause, "reason", None) or (cause.args[-1] if cause.args else None)
        if not isinstance(inner, Exception):
            return cause
        cause = inner


def words_of(cause: Exception) -> str:
    """Return what *cause* says, in the words of who saw it."""
    inner = _innermost(cause)
    words = str(inner) or type(inner).__name__
    if isinstance(inner, low.NewConnectionError):
        words = words.removeprefix(f"{inner.conn}: ")  # the address is said anyway
    return words[:300]
