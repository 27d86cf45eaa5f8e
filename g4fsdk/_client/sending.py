"""What both clients decide about one request: where it goes, what no answer means, and a whole answer."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from ssl import SSLCertVerificationError
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from g4fsdk._core.flow.provider import is_success
from g4fsdk._core.framing.parser import MAX_BYTES
from g4fsdk._core.model.errors import (
    DeadlineError,
    G4FError,
    IncompleteStreamError,
    ProtocolError,
    TransportError,
    UsageError,
    clause,
)
from g4fsdk._core.model.http import Request, Response
from g4fsdk._core.model.redact import redact_url

MAX_REDIRECTS = 5
#: A body goes out in parts of so many bytes, each under the clock of silence.
SEND_BYTES = 65536
_UNANSWERED = "check the address, the network and any proxy"
_DISTRUSTED = "if that authority is yours, name its file with verify=..., SSL_CERT_FILE or REQUESTS_CA_BUNDLE"
_LOCKED_OUT = "the proxy wants a user name and password, or others: http://user:password@host:port"
#: Said where a library misses what it needs for such a proxy.
NEEDS_SOCKS = "a SOCKS proxy needs another package: pip install 'g4fsdk[socks]'"
_KEEP_METHOD = frozenset({307, 308})
_GET_ONLY = frozenset({301, 302, 303})


# --- Where it goes ---


def addressed(request: Request) -> Request:
    """Return *request* with the password in its address, if there is one, as a header instead.

    A key wins over it. Left to the libraries, one would let the password win and log it, the other drop it.
    """
    parts = urlsplit(request.url)
    userinfo, at, place = parts.netloc.rpartition("@")
    if not at:
        return request
    headers = dict(request.headers)
    if "authorization" not in {name.lower() for name in headers}:
        headers["Authorization"] = f"Basic {b64encode(unquote(userinfo).encode()).decode()}"
    return replace(request, url=parts._replace(netloc=place).geturl(), headers=headers)


def redirected(request: Request, response: Response) -> Request | None:
    """Return *request* at its new place, or None when it may not or cannot follow.

    Followed are redirects within one host, from http to https included: key, cookies and body go along.
    Another host is refused, and so is one that would turn a POST into a GET.

    Source: RFC 9110, 15.4.
    """
    location = response.header("location")
    follows = response.status in _KEEP_METHOD or (response.status in _GET_ONLY and request.method == "GET")
    if not location or not follows:
        return None
    try:
        target = urljoin(request.url, location)
        same = _same_service(urlsplit(request.url), urlsplit(target))
    except ValueError:
        return None
    return replace(request, url=target) if same else None


def _same_service(old: SplitResult, new: SplitResult) -> bool:
    if old.hostname != new.hostname:
        return False
    if old.scheme == new.scheme:
        return _port(old) == _port(new)
    return (old.scheme, new.scheme) == ("http", "https") and (_port(old), _port(new)) == (80, 443)


def _port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


# --- No answer; which classes of a library mean it, each shell knows ---


def unsendable(words: str) -> UsageError:
    """Return the error for a request that a library refuses to send, in its *words*."""
    return UsageError(f"the request cannot be sent: {clause(words)}; check base_url, proxy and headers")


def unanswered(
    words: str, url: str, *, sent: bool, repeatable: bool, cause: Exception | None = None
) -> TransportError:
    """Return the error for a request without an answer; *sent*: it may have reached the service.

    *cause*, what a library raised, says whether trying again may help.
    """
    chain = [*chain_of(cause)]
    is_distrusted = any(isinstance(one, SSLCertVerificationError) for one in chain)
    is_locked_out = any(map(_is_locked_out, chain))
    advice = _DISTRUSTED if is_distrusted else _LOCKED_OUT if is_locked_out else _UNANSWERED
    return TransportError(
        f"no answer from {redact_url(url)}: {clause(words)}; {advice}",
        sent=sent,
        retryable=(repeatable or not sent) and not (is_distrusted or is_locked_out),
    )


def _is_locked_out(error: BaseException) -> bool:
    """Whether a proxy asked for a password before it opened a way to the service."""
    is_proxys = "Proxy" in type(error).__name__ or "Tunnel connection failed" in str(error)
    return is_proxys and re.search(r"\b407\b", str(error)) is not None


def chain_of(error: object) -> Iterator[BaseException]:
    """Give *error* and all that it was made of, wherever a library keeps it."""
    rest, seen = [error], set[int]()
    while rest:
        one = rest.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            rest += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
            yield one


def too_many_redirects() -> ProtocolError:
    return ProtocolError(f"more than {MAX_REDIRECTS} redirects in a row; check base_url")


# --- A whole answer ---


class WholeAnswer:
    """Collects the body that follows *head*: the answer to a request to *url* that is not streamed."""

    def __init__(self, head: Response, url: str, max_bytes: int = MAX_BYTES) -> None:
        self._head, self._url = head, url
        self._max_bytes = max_bytes
        self._body = bytearray()

    def add(self, data: bytes) -> None:
        """Take the next bytes. Raises ProtocolError when there are too many."""
        self._body += data
        if len(self._body) > self._max_bytes:
            raise ProtocolError(
                f"a whole answer is longer than {self._max_bytes} bytes; allow more with max_bytes=...",
                excerpt=bytes(self._body[:200]),
            )

    def response(self) -> Response:
        return self._head.whole(bytes(self._body), self._url)

    def cut(self, error: G4FError) -> G4FError | None:
        """Say that the body broke off with *error*; return what that means, None if the status said all."""
        if isinstance(error, DeadlineError | UsageError):
            return error
        if not is_success(self._head):
            return None
        if isinstance(error, ProtocolError):
            return error
        words = f"the connection broke in mid-answer ({error.message}); ask again"
        return IncompleteStreamError(words, retryable=True)
