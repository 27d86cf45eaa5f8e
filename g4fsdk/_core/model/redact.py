"""Keep keys and cookies out of everything a person may print, log or paste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "***"
_SECRET_HEADER = re.compile(r"auth|cookie|key|token|secret|password", re.IGNORECASE)
_SECRET_QUERY = re.compile(
    r"([?&](?:[^=&#]*(?:key|token|secret|password|signature)[^=&#]*|sig|auth|code)=)[^&#]*", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
# A shorter value would blank out ordinary words ("null", "EMPTY") wherever they stand.
_MIN_SECRET = 6
_SCHEMES = frozenset({"bearer", "digest", "apikey"})
# Of a secret that was cut, no more than this is left to read.
_HEAD = 8


def is_secret_header(name: str) -> bool:
    return _SECRET_HEADER.search(name) is not None


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: MASK if is_secret_header(name) else value for name, value in headers.items()}


def redact_url(url: str) -> str:
    """Return *url* without its user name and password, and without the values of secret parameters."""
    return _SECRET_QUERY.sub(rf"\g<1>{MASK}", _USERINFO.sub(f"{MASK}@", url))


def secrets_of(headers: Mapping[str, str], url: str = "") -> frozenset[str]:
    """Return the secret values that a request carries, to be searched in what comes back."""
    parts = {
        part for name, value in headers.items() if is_secret_header(name) for part in _parts(name, value)
    }
    parts |= {part for info in _USERINFO.findall(url) for part in info[:-1].partition(":")}
    return frozenset(part for part in parts if len(part) >= _MIN_SECRET and part.casefold() not in _SCHEMES)


def _parts(name: str, value: str) -> list[str]:
    if "cookie" in name.lower():
        value = re.sub(r"(?:^|;)[^=;]*=", ";", value)  # what a cookie is called is no secret
        return re.split(r"[\s;,=]+", value)
    return [value.partition(" ")[2] or value, *re.split(r"[\s;,=]+", value)]


def redact_text(text: str, secrets: Iterable[str]) -> str:
    """Return *text* without *secrets*, and without what a cut left of one."""
    long = [secret for secret in secrets if len(secret) >= _MIN_SECRET]
    forms = {form for secret in long for form in (secret, secret.replace("/", "\\/"))}  # as PHP writes JSON
    heads = re.compile("|".join(re.escape(form[:_HEAD]) for form in forms))
    shown, at = "", 0
    while forms and (found := heads.search(text, at)):
        shown, start = shown + text[at : found.start()] + MASK, found.start()
        at = start + max(_same(text[start : start + len(form)], form) for form in forms)
    return shown + text[at:]


def _same(text: str, other: str) -> int:
    """Return how many letters the two have in common from the beginning."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((at for at, pair in pairs if pair[0] != pair[1]), min(len(text), len(other)))
