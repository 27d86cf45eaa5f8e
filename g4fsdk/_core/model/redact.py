"""Keep keys and cookies out of everything a person may print, log or paste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote, unquote_plus

from g4fsdk._core.model.secret_names import is_secret_header, is_secret_query

MASK = "***"
_PARAMETER = re.compile(r"(?<=[?&#])([^=&#?]+)=([^&#]*)")
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
# A shorter value would blank out ordinary words ("null", "EMPTY") wherever they stand.
_MIN_SECRET = 6
_SCHEMES = frozenset({"bearer", "digest", "apikey"})
# Of a secret that was cut, no more than this is left to read.
_HEAD = 8


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: MASK if is_secret_header(name) else value for name, value in headers.items()}


def redact_url(url: str) -> str:
    """Return *url* without its user name and password, and without the values of secret parameters."""
    return _PARAMETER.sub(_masked, _USERINFO.sub(f"{MASK}@", url))


def _masked(parameter: re.Match[str]) -> str:
    return f"{parameter[1]}={MASK}" if is_secret_query(unquote(parameter[1])) else parameter[0]


def secrets_of(headers: Mapping[str, str], url: str = "") -> frozenset[str]:
    """Return the secret values that a request carries, to be searched in what comes back."""
    parts = {
        part for name, value in headers.items() if is_secret_header(name) for part in _parts(name, value)
    }
    parts |= {part for info in _USERINFO.findall(url) for part in info[:-1].partition(":")}
    parts |= {
        unquote_plus(value) for name, value in _PARAMETER.findall(url) if is_secret_query(unquote(name))
    }
    return frozenset(part for part in parts if len(part) >= _MIN_SECRET and part.casefold() not in _SCHEMES)


def _parts(name: str, value: str) -> list[str]:
    if "cookie" in name.lower():
        value = re.sub(r"(?:^|;)[^=;]*=", ";", value)  # what a cookie is called is no secret
        return re.split(r"[\s;,=]+", value)
    return [value.partition(" ")[2] or value, *re.split(r"[\s;,=]+", value)]


def redact_text(text: str, secrets: Iterable[str]) -> str:
    """Return *text* without *secrets*, and without what a cut left of one."""
    long = [secret for secret in secrets if len(secret) >= _MIN_SECRET]
    forms = {form for secret in long for form in _forms(secret)}
    heads = re.compile("|".join(re.escape(form[:_HEAD]) for form in forms))
    shown, at = "", 0
    while forms and (found := heads.search(text, at)):
        shown, start = shown + text[at : found.start()] + MASK, found.start()
        at = start + max(_same(text[start : start + len(form)], form) for form in forms)
    return shown + text[at:]


def _forms(secret: str) -> Iterator[str]:
    """Yield *secret* as it is, as PHP writes it in JSON, and as it stands in a URL."""
    yield from (secret, secret.replace("/", "\\/"))
    for coded in (quote(secret, safe=""), quote(secret)):
        yield from (coded, re.sub("%..", lambda found: found[0].lower(), coded))


def _same(text: str, other: str) -> int:
    """Return how many letters the two have in common from the beginning."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((at for at, pair in pairs if pair[0] != pair[1]), min(len(text), len(other)))
