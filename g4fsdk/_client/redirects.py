"""Where a request goes: what its address says beside the place, and where a redirect may lead it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from g4fsdk._core.model.http import Request, Response

MAX_REDIRECTS = 5
_KEEP_METHOD = frozenset({307, 308})
_GET_ONLY = frozenset({301, 302, 303})


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
