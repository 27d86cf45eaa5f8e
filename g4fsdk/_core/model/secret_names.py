"""Which headers, query parameters and JSON members hold a secret: one table for errors, logs and recordings.

A name is read word by word: hyphens, underscores, dots, digits and camel case part words, so that
``api_key``, ``apiKey``, ``api-key`` and ``APIKEY`` are one name. ``X-My-Auth`` holds a secret for its word
``auth``; ``X-Monkey`` and ``Keyboard`` do not, whatever letters are in them.

No secrets, though they may look like it: keys that tell requests or data apart (``Idempotency-Key``,
``cache_key``), tokens of a text or a list (``eos_token``, ``next_page_token``), and what is said about a
secret (``token_type``, ``X-Auth-Method``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALONE = _words(
    "authorization cookie cookies credential credentials csrf jwt passcode passphrase passwd password "
    "passwords secret secrets xsrf"
)
_IN_HEADERS = _ALONE | _words("auth bearer pwd session signature token")
_IN_QUERIES = _ALONE | _words("auth pwd sig signature token")
#: Secret as the last word of a header or parameter (``X-Key-Spend`` is about a key).
_LAST = _words("key keys")
#: Secret as the whole name of a query parameter.
_WHOLE_QUERIES = frozenset((name,) for name in ("code", "jsessionid", "pass", "phpsessid"))

#: A word with one of these before it makes no secret.
_HARMLESS_AFTER: Final = {
    "credentials": _words("allow"),
    "key": _words("cache dedupe foreign idempotency order page partition primary public routing shard sort")
    | _words("surrogate"),
    "keys": _words("public"),
    "token": _words(
        "bos completion continuation cursor eos first input last mask max min next output pad page"
    )
    | _words("per prompt sep stop sync total unk"),
}
#: JSON is full of keys and tokens; there a secret one has the end of one of these before it.
_KEYS_OF = tuple(
    "access account api auth encryption master private secret session signing subscription".split()
)
_TOKENS_OF = tuple(
    (
        "access api auth authenticity bearer bot csrf csrfmiddleware hf id identity login refresh security "
        "session verification xsrf"
    ).split()
)
_SECRET_AFTER: Final = {"key": _KEYS_OF, "keys": _KEYS_OF, "token": _TOKENS_OF}

#: A name that ends so tells something about a secret.
_ABOUT = _words(
    "age at budget count counts enabled endpoint expiration expires expiry hint in length limit method mode"
) | _words(
    "name policy provider remaining required reset scheme size status ttl type uri url usage used version"
)

_BETWEEN_WORDS = r"(?<=[a-z])(?=[A-Z])|[^A-Za-z]+"
_RUN_TOGETHER = (
    r"(.+)(authorization|auth|token|secret|password|passwd|cookies?|credentials?)"
    rf"|(.*(?:{'|'.join(_KEYS_OF)}))(keys?)"
)


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of *name* in lower case, those written as one (``authtoken``) taken apart."""
    return tuple(part for word in re.split(_BETWEEN_WORDS, name) if word for part in _apart(word.lower()))


def _apart(word: str) -> tuple[str, ...]:
    if word in _ALONE or (found := re.fullmatch(_RUN_TOGETHER, word)) is None:
        return (word,)
    before, last = (part for part in found.groups() if part is not None)
    return (*_apart(before), last)


@lru_cache(maxsize=4096)
def is_secret_header(name: str) -> bool:
    """Tell whether the value of the header *name* is a secret."""
    return _has_any(words_of(name), _IN_HEADERS)


@lru_cache(maxsize=4096)
def is_secret_query(name: str) -> bool:
    """Tell whether the value of *name*, in a URL's query or a form, is a secret."""
    words = words_of(name)
    return words in _WHOLE_QUERIES or _has_any(words, _IN_QUERIES)


@lru_cache(maxsize=4096)
def is_secret_member(name: str) -> bool:
    """Tell whether the value of *name*, in JSON or a multipart form, is a secret: by its last words."""
    words = words_of(name)
    if words[-2:] == ("key", "id"):  # aws_access_key_id
        words = words[:-1]
    match words:
        case [*_, before, ("key" | "keys" | "token") as last]:
            return before.endswith(_SECRET_AFTER[last])
        case ["token"]:
            return True
        case [*_, last]:
            return last in _ALONE and _has_any(words, _ALONE)
    return False


def _has_any(words: tuple[str, ...], secret: frozenset[str]) -> bool:
    if not words or words[-1] in _ABOUT:
        return False
    found = [at for at, word in enumerate(words) if word in secret]
    if words[-1] in _LAST:
        found.append(len(words) - 1)
    return any(at == 0 or words[at - 1] not in _HARMLESS_AFTER.get(words[at], ()) for at in found)
