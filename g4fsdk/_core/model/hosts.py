"""Whom a request means by its `Host`: a server answers to no name that a stranger can take."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOST = re.compile(r"(?:\[([^\[\]\s@/]+)\]|([^\[\]\s@/:?#\\]+))(?::\d*)?")


def is_own(host: str, names: Iterable[str]) -> bool:
    """Tell whether *host*, as a request or an origin has it, means this server, which goes by *names*, too.

    A page can make a name of its own stand for 127.0.0.1 (DNS rebinding), and is then of the same origin. It
    can't do so with an address, with a name without a dot, or with one that ends in `.localhost` (RFC 6761).
    """
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = (found[1] or found[2]).lower()
    is_local = "." not in name or name.endswith(".localhost") or address_of(name) is not None
    return is_local or _bare(name) in {*map(_bare, names)}


def _bare(name: str) -> str:
    return name.lower().removesuffix(".")


def address_of(host: str) -> Address | None:
    """Return the address that *host* is; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
