"""Values that stand under a secret's name: what of them is the secret, and the edit that replaces it."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from itertools import pairwise

from g4fsdk._core.model.secret_names import is_secret_header, is_secret_member
from g4fsdk.testing._secrets.edits import Edit
from g4fsdk.testing._secrets.known import KnownSecrets
from g4fsdk.testing._secrets.names import (
    ACCOUNT_HEADERS,
    COOKIE_JARS,
    PLACEHOLDER,
    REQUEST_IDS,
    canonical,
    slug_of,
)

COOKIE = re.compile(rb"[^=;,\s]+=([^;]*)")
NEXT_COOKIE = re.compile(rb",(?=\s*[^\s;,=\"]+=)")  # of several Set-Cookie that a library has joined
SCHEME = re.compile(rb"(?:bearer|basic|token|digest|key)(?:\s|%20|\+)+", re.IGNORECASE)
NO_CREDENTIAL = frozenset({b"bearer", b"basic", b"null", b"none", b"undefined"})  # amigo sends "Bearer" alone


def secret_edit(
    start: int, end: int, value: str, name: tuple[str, str], known: KnownSecrets
) -> Iterator[Edit]:
    """Yield the edit for the secret *value*, called *name* (slug, kind), if it is no placeholder."""
    slug, kind = name
    if value.strip() and PLACEHOLDER.fullmatch(value) is None and start < end:
        yield Edit(start, end, known.placeholder(value, slug).encode(), kind)


def credential_edit(
    data: bytes, start: int, end: int, name: tuple[str, str], known: KnownSecrets, layers: int = 0
) -> Iterator[Edit]:
    """Yield the edit for a value after its scheme, if it has one; *layers* counts its JSON escapes."""
    scheme = SCHEME.match(data, start, end)
    start = scheme.end() if scheme else start
    if data[start:end].lower() in NO_CREDENTIAL:
        return
    value = unescaped(data[start:end], layers)
    if scheme and scheme[0].lower().startswith(b"basic"):
        _learn_password(value, known)
    yield from secret_edit(start, end, value, name, known)


def _learn_password(coded: str, known: KnownSecrets) -> None:
    """Have the password in *coded*, the credentials of Basic, searched everywhere (RFC 7617)."""
    try:
        user, colon, password = b64decode(coded, validate=True).decode().partition(":")
    except ValueError:
        return
    if colon:
        known.add(f"{user}:{password}")
        known.add(password)


def cookie_edits(data: bytes, start: int, end: int, known: KnownSecrets, layers: int = 0) -> Iterator[Edit]:
    """Yield the edits for every value of the cookies in *data*, ``a=b; c=d``; a nameless one is all value."""
    spans = [found.span(1) for found in COOKIE.finditer(data, start, end)] or [(start, end)]
    for at in spans:
        value = unescaped(data[slice(*at)], layers).strip().strip('"')
        yield from secret_edit(*_trimmed(data, *at), value, ("cookie", "cookie"), known)


def set_cookie_edits(
    data: bytes, start: int, end: int, known: KnownSecrets, layers: int = 0
) -> Iterator[Edit]:
    """Yield the edits for the values of the cookies that *data* sets; their attributes are none."""
    ends = [*(found.start() for found in NEXT_COOKIE.finditer(data, start, end)), end]
    for begin, last in pairwise([start - 1, *ends]):
        attributes = data.find(b";", begin + 1, last)
        yield from cookie_edits(data, begin + 1, last if attributes < 0 else attributes, known, layers)


def _trimmed(data: bytes, start: int, end: int) -> tuple[int, int]:
    inner = data[start:end]
    return start + len(inner) - len(inner.lstrip(b' "')), end - (len(inner) - len(inner.rstrip(b' "')))


def unescaped(raw: bytes, layers: int) -> str:
    """Return the text of *raw* with *layers* of JSON escapes undone, as far as that can be done."""
    text = raw.decode("utf-8", "surrogateescape")
    for _ in range(layers):
        try:
            text = json.loads(f'"{text}"', strict=False)
        except ValueError:
            break
    return text


def is_cookie_jar(name: str) -> bool:
    """Tell whether every value of an object called *name* is a cookie."""
    return canonical(name) in COOKIE_JARS


def header_edits(name: str, data: bytes, known: KnownSecrets) -> list[Edit]:
    """Return the edits for the header *name* whose value is *data*."""
    key = canonical(name)
    if key == "setcookie":
        return list(set_cookie_edits(data, 0, len(data), known))
    if key == "cookie":
        return list(cookie_edits(data, 0, len(data), known))
    if not (is_secret_header(name) or key in ACCOUNT_HEADERS or key in REQUEST_IDS):
        return []
    return list(credential_edit(data, 0, len(data), (slug_of(name), name), known))


def member_edits(name: str, data: bytes, known: KnownSecrets) -> list[Edit]:
    """Return the edits for *data*, which stands under *name* in what was said of a recording."""
    if canonical(name) in COOKIE_JARS:
        return header_edits(name, data, known)
    if not is_secret_member(name):
        return []
    return list(credential_edit(data, 0, len(data), (slug_of(name), name), known))
