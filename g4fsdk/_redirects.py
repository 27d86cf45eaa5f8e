"""Where a redirect may lead: the same request, to the same service."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import SplitResult, urljoin, urlsplit

from g4fsdk._types import Request, Response

MAX_REDIRECTS = 5
_KEEP_METHOD = frozenset({307, 308})
_GET_ONLY = frozenset({301, 302, 303})


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
    target = urljoin(request.url, location)
    try:
        same = _same_service(urlsplit(request.url), urlsplit(target))
    except ValueError:
        return None
    return replace(request, url=target) if same else None


def _same_service(old: SplitResult, new: SplitResult) -> bool:
    if old.hostname != new.hostname:
        return False
    if old.scheme == new.scheme:
        return old.port == new.port
    return (old.scheme, new.scheme) == ("http", "https") and {old.port, new.port} <= {None, 80, 443}
