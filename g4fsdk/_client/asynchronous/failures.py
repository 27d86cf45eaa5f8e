"""What the errors of httpx, and of what else may send, mean where no answer came."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from g4fsdk._client.clocks import Clocks
from g4fsdk._client.inflate import CodingError
from g4fsdk._client.sending import chain_of, unanswered, unsendable
from g4fsdk._core.model.errors import Clock, G4FError
from g4fsdk._core.model.http import Request

# httpx's classes by name, since a client of its fork httpx2 brings classes of its own.
_USAGE = ("InvalidURL", "UnsupportedProtocol", "LocalProtocolError")
_NOT_SENT = ("ConnectError", "ProxyError", "PoolTimeout")
_CONNECT_CLOCK = ("ConnectTimeout", "PoolTimeout")
_IDLE_CLOCK = ("ReadTimeout", "WriteTimeout")


def failures_of(http_client: Any) -> tuple[type[Exception], ...]:
    """Return what the library behind *http_client* raises; None means httpx."""
    modules = {kind.__module__.split(".")[0] for kind in type(http_client).__mro__} | {"httpx"}
    modules |= {"aiohttp"} & sys.modules.keys()  # not all of its own comes as an error of httpx
    names = ("HTTPError", "InvalidURL", "ClientError")
    kinds = (getattr(import_module(at), name, None) for at in modules for name in names)
    found = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*found, CodingError, TimeoutError, OSError, UnicodeError)


def unanswered_by(
    cause: Exception, request: Request, clocks: Clocks, connecting: Clock, reading: Clock, repeatable: bool
) -> G4FError:
    """Return what *cause*, raised in place of an answer, means; two clocks ran meanwhile."""
    name = type(cause).__name__
    # UnicodeError: a host name with an empty label, or one of more than 63 characters.
    if name in _USAGE or isinstance(cause, UnicodeError):
        return unsendable(words_of(cause))
    if name in _CONNECT_CLOCK and _is_late(cause):
        return clocks.expired(connecting)
    if is_silence(cause):
        return clocks.expired(reading)
    sent = name not in _NOT_SENT and "ClientConnectorError" not in _kinds_below(cause)
    return unanswered(words_of(cause), request.url, sent=sent, repeatable=repeatable, cause=cause)


def is_silence(cause: Exception) -> bool:
    """Whether the library waited too long for a read or a write."""
    return type(cause).__name__ in _IDLE_CLOCK


def _is_late(cause: Exception) -> bool:
    """Whether a clock ran out: over aiohttp, every connection that fails is called a timeout."""
    kinds = _kinds_below(cause)
    return "ClientConnectionError" not in kinds or "TimeoutError" in kinds


def _kinds_below(cause: Exception) -> set[str]:
    """Return the names of the classes of all that *cause* was made of."""
    return {kind.__name__ for one in chain_of(cause) for kind in type(one).__mro__}


def words_of(cause: Exception) -> str:
    """Return what *cause* says."""
    return (str(cause) or type(cause).__name__)[:300]
