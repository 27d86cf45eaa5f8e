"""Where a service is: addresses checked, and their queries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.redact import MASK, redact_url

# A colon with neither two slashes nor the digits of a port behind it, and all that follows.
_NO_PORT = r"(?s):(?!//|\d{1,5}(?:[/?#]|$)).*"


def checked_url(url: str) -> str:
    """Return *url* without a slash at its end. Raises UsageError for what is no http address."""
    if not isinstance(url, str):
        raise UsageError(f"base_url must be text, not {type(url).__name__}")
    if not url.isprintable() or " " in url:
        raise UsageError(f"base_url holds a character that no address may hold: {shown_address(url)!r}")
    if not _has_host(url):
        raise UsageError(
            f"base_url must begin with http:// or https:// and name a host, not {shown_address(url)!r}"
        )
    if "#" in url:
        raise UsageError(f"base_url may hold no fragment: paths are added to it; got {shown_address(url)!r}")
    if "@" in url.partition("://")[2].partition("/")[2] + url.partition("?")[2]:
        raise UsageError(
            f"base_url has an @ behind its host, {shown_address(url)!r}: in a password write / as %2F and @ "
            "as %40, and so in a path"
        )
    path, mark, query = url.partition("?")
    return path.rstrip("/") + mark + query


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        labels = (parts.hostname or "").removesuffix(".").split(".")
        is_name = all(0 < len(label) < 64 and "*" not in label for label in labels)  # RFC 1035, 2.3.4
        return parts.scheme in ("http", "https") and is_name and (parts.port or 1) > 0
    except ValueError:  # a port that is no number, half an IPv6 address
        return False


def shown_address(url: str) -> str:
    """Return what may be no address at all as an error may show it: without what may be a password."""
    _, at, place = url.rpartition("@")
    if at:
        return f"{MASK}@{redact_url(place)}"
    return re.sub(_NO_PORT, f":{MASK}", redact_url(url))


def home_of(url: str) -> str:
    """Return the address *url* alone: what tells one server from another, without password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}{parts.path}"


def segment(name: object) -> str:
    """Return *name*, which a server chose, as one part of a path. Raises ValueError for what can be none.

    Some servers undo %2F before they look where a path leads, so what has a slash is refused.
    """
    if not isinstance(name, str) or not name or name.startswith(".") or "/" in name or "\\" in name:
        raise ValueError("a name that cannot be a part of a path")
    return quote(name, safe="")


def below(url: str, path: str) -> str:
    """Return the address of *path* at the service *url*; the query of each goes along."""
    base, _, query = url.partition("?")
    path, _, own = path.partition("?")
    queries = "&".join(part for part in (query, own) if part)
    return base + path + (f"?{queries}" if queries else "")


def with_query(url: str, added: Mapping[str, str | Sequence[str]]) -> str:
    """Return *url* with the parameters *added*, which stand in place of its own of the same names."""
    if not added:
        return url
    parts = urlsplit(url)
    old = [
        pair for pair in parts.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in added
    ]
    return parts._replace(query="&".join([*old, urlencode(added, doseq=True, quote_via=quote)])).geturl()


def checked_query(query: Any) -> dict[str, str | list[str]]:
    """Return *query* as text by names. Raises UsageError for what no address can say."""
    if not isinstance(query, Mapping):
        raise UsageError(f"extra_query must be a mapping of names to values, not {type(query).__name__}")
    return {str(name): _query_value(name, value) for name, value in query.items() if value is not None}


def _query_value(name: Any, value: Any) -> str | list[str]:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case list() | tuple() if all(isinstance(one, str) for one in value):
            return [*value]
        case _:
            raise UsageError(
                f"extra_query holds text, numbers and lists of texts, not {type(value).__name__}"
            )
