"""What both clients say of a request that got no answer; which classes mean it, each library knows."""

from __future__ import annotations

from g4fsdk._client.redirects import MAX_REDIRECTS
from g4fsdk._core.model.errors import ProtocolError, TransportError, UsageError
from g4fsdk._core.model.redact import redact_url


def two_transports(own: str) -> UsageError:
    """Return the error for a caller's own client, given as *own*, beside a transport or proxy."""
    return UsageError(f"{own}= brings its own transport and proxy; give one or the other")


def checked(own: object, method: str, wanted: str) -> None:
    """Raise UsageError when the caller's *own* object, if any, has no *method*; *wanted* says what it is."""
    if own is not None and not hasattr(own, method):
        raise UsageError(f"{wanted}, not {type(own).__name__}")


def unsendable(words: str) -> UsageError:
    """Return the error for a request that a library refuses to send, in its *words*."""
    return UsageError(f"the request cannot be sent: {words}; check base_url, proxy and headers")


def unanswered(words: str, url: str, *, sent: bool, repeatable: bool) -> TransportError:
    """Return the error for a request without an answer; *sent*: it may have reached the service."""
    error = TransportError(
        f"no answer from {redact_url(url)}: {words}; check the address, the network and any proxy",
        sent=sent,
    )
    error.retryable = repeatable or not sent
    return error


def too_many_redirects() -> ProtocolError:
    return ProtocolError(f"more than {MAX_REDIRECTS} redirects in a row; check base_url")
