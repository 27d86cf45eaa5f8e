"""Keep keys and cookies out of everything a person may print, log or paste."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import unquote, unquote_plus

import msgspec

from g4fsdk._core.model.secret_names import is_secret_header, is_secret_query

MASK = "***"
_PARAMETER = r"(?<=[?&#])([^=&#?]+)=([^&#]*)"
_USERINFO = r"(?<=://)[^/?#]*@"
# A shorter value would blank out ordinary words ("null", "EMPTY") wherever they stand.
_MIN_SECRET = 6
_SCHEMES = frozenset({"bearer", "digest", "apikey"})
_ESCAPED = r"\\+u00([2-7][0-9A-Fa-f])|%([2-7][0-9A-Fa-f])|\\+/"
# Of a secret that was cut, no more than this is left to read.
_HEAD = 8


class Discreet(msgspec.Struct, frozen=True):
    """A value that may hold keys: it tells nothing but what it is."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: MASK if is_secret_header(name) else value for name, value in headers.items()}


def redact_url(url: str) -> str:
    """Return *url* without its user name and password, and without the values of secret parameters."""
    return re.sub(_PARAMETER, _masked, re.sub(_USERINFO, f"{MASK}@", url))


def _masked(parameter: re.Match[str]) -> str:
    return f"{parameter[1]}={MASK}" if is_secret_query(unquote(parameter[1])) else parameter[0]


def secrets_of(headers: Mapping[str, str], url: str = "") -> frozenset[str]:
    """Return the secret values that a request carries, to be searched in what comes back."""
    parts = {
        part for name, value in headers.items() if is_secret_header(name) for part in _parts(name, value)
    }
    parts |= {unquote(part) for info in re.findall(_USERINFO, url) for part in info[:-1].partition(":")}
    parts |= {
        unquote_plus(value) for name, value in re.findall(_PARAMETER, url) if is_secret_query(unquote(name))
    }
    return frozenset(part for part in parts if len(part) >= _MIN_SECRET and part.casefold() not in _SCHEMES)


def _parts(name: str, value: str) -> list[str]:
    if "cookie" in name.lower():
        value = re.sub(r"(?:^|;)[^=;]*=", ";", value)  # what a cookie is called is no secret
        return re.split(r"[\s;,=]+", value)
    return [value.partition(" ")[2] or value, *re.split(r"[\s;,=]+", value)]


def redact_text(text: str, secrets: Iterable[str]) -> str:
    """Return *text* without *secrets*, and without what a cut left of one.

    They are found as they are, with any of their letters escaped as in JSON or a URL, and in base64.
    """
    forms = {form for secret in secrets if len(secret) >= _MIN_SECRET for form in _forms(secret)}
    if not forms:
        return text
    plain, place_of = _unescaped(text)
    heads = re.compile("|".join(re.escape(form[:_HEAD]) for form in forms))
    shown: list[str] = []
    at = 0
    while found := heads.search(plain, at):
        start = found.start()
        shown += (text[place_of(at) : place_of(start)], MASK)
        begun = (form for form in forms if plain.startswith(form[:_HEAD], start))
        at = max(_end_of(plain, start, form) for form in begun)
    return "".join(shown) + text[place_of(at) :]


def _forms(secret: str) -> Iterator[str]:
    """Yield *secret* as it is, and what is in base64 of it, wherever it stands in what was coded."""
    yield secret
    for shift in range(3):
        yield from (core for core in base64_cores(secret.encode(), shift) if len(core) >= _HEAD)


def base64_cores(value: bytes, shift: int) -> tuple[str, str]:
    """Return the base64 of *value*, *shift* bytes into a group, less what its neighbours change."""
    start, end = -(-shift * 8 // 6), (shift + len(value)) * 8 // 6
    padded = bytes(shift) + value
    return b64encode(padded)[start:end].decode(), urlsafe_b64encode(padded)[start:end].decode()


def _unescaped(text: str) -> tuple[str, Callable[[int], int]]:
    """Return *text* with its escaped ASCII as letters, and what tells where in *text* a place in it is."""
    parts: list[str] = []
    places, origins = [0], [0]  # from each place on, letter by letter
    for found in re.finditer(_ESCAPED, text):
        code = found[1] or found[2]
        parts += (text[origins[-1] : found.start()], chr(int(code, 16)) if code else "/")
        letter = places[-1] + found.start() - origins[-1]
        places += (letter, letter + 1)
        origins += found.span()

    def place_of(at: int) -> int:
        last = bisect_right(places, at) - 1
        return origins[last] + at - places[last]

    return "".join([*parts, text[origins[-1] :]]), place_of


def _end_of(text: str, start: int, form: str) -> int:
    """Return where *text* is no longer as *form*, whose head begins at *start*."""
    at = start + len(form[:_HEAD])
    for letter in form[_HEAD:]:
        if text[at : at + 1] != letter:
            break
        at += 1
    return at
