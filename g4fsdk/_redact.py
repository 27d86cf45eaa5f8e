"""Keep keys and cookies out of everything a person may print, log or paste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "***"
_SECRET_HEADER = re.compile(r"auth|cookie|key|token|secret|password", re.IGNORECASE)
_SECRET_QUERY = re.compile(
    r"([?&](?:[^=&#]*(?:key|token|secret|password|signature)[^=&#]*|sig|auth|code)=)[^&#]*", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^/?#@]*@")
# A shorter value would blank out ordinary words ("Bearer", "null") wherever they stand.
_MIN_SECRET = 6


def is_secret_header(name: str) -> bool:
    return _SECRET_HEADER.search(name) is not None


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: MASK if is_secret_header(name) else value for name, value in headers.items()}


def redact_url(url: str) -> str:
    """Return *url* without its user name and password, and without the values of secret parameters."""
    return _SECRET_QUERY.sub(rf"\g<1>{MASK}", _USERINFO.sub(f"{MASK}@", url))


def secrets_of(headers: Mapping[str, str], url: str = "") -> frozenset[str]:
    """Return the secret values that a request carries, to be searched in what comes back."""
    values = [value for name, value in headers.items() if is_secret_header(name)]
    parts = {part for value in values for part in re.split(r"[\s;,=]+", value)}
    parts |= {part for info in _USERINFO.findall(url) for part in re.split("[:@]", info)}
    return frozenset(part for part in parts | set(values) if len(part) >= _MIN_SECRET)


def redact_text(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
