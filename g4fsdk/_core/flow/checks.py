"""What callers give, checked where it comes in: headers, and names that are none of those there are."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from g4fsdk._core.model.errors import UsageError

_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, 5.6.2
_NEAREST = 8  # names in an error


def checked_headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    """Return *headers*, copied. Raises UsageError for one that cannot be sent."""
    if not isinstance(headers, Mapping):
        raise UsageError(f"headers must be a mapping of names to text, not {type(headers).__name__}")
    for name, value in headers.items():
        if not (isinstance(name, str) and re.fullmatch(_HEADER_NAME, name)):
            raise UsageError(f"{name!r} is no header name: it may hold ASCII letters, digits and hyphens")
        check_value(f"the value of {name}", value)
    return {**headers}


def check_value(what: str, value: Any) -> None:
    """Raise UsageError, which calls it *what*, for a *value* that no header may have."""
    if not (isinstance(value, str) and value.isascii() and value.isprintable()):
        raise UsageError(f"{what} may hold printable ASCII only (is there a line end in it?)")


def nearest(model: str, names: Collection[str]) -> str:
    """Return those of *names* that are most like *model*, and how many more there are."""
    from difflib import get_close_matches

    close = get_close_matches(model, sorted(names), _NEAREST, 0.0)
    more = len(names) - len(close)
    return ", ".join(close) + (f" and {more} more" if more else "")
