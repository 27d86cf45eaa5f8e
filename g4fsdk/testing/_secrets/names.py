"""What is replaced in a recording besides secrets: names that tell the account, and the looks of known keys.

The names of secrets are in `g4fsdk._core.model.secret_names`. The names here are compared without case, and
``_``, ``-`` and nothing mean the same between words. A name is never a part of a longer one.

Not replaced, because a replay needs them to find its recording: ids that the caller chose or that name
a conversation (``chatId``, ``userId`` in a request, conversation and message ids, a device uuid).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from g4fsdk._core.model.secret_names import words_of


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """Return *name* as the tables here compare it: without case and separators."""
    return name.replace("_", "").replace("-", "").lower()


def _names(*names: str) -> frozenset[str]:
    return frozenset(map(canonical, names))


def slug_of(name: str) -> str:
    """Return *name* as it stands in a placeholder: its words, with hyphens between them."""
    return "-".join(words_of(name))


ACCOUNT_HEADERS: Final = _names(
    "openai-organization", "openai-project", "anthropic-organization-id", "llm_provider-openai-organization",
    "x-organization-id", "x-org-id", "x-user-id", "x-account-id", "cf-access-client-id",
)  # fmt: skip
"""Headers that name the account; both directions. An error of ours shows them, as a person may need them."""

REQUEST_IDS: Final = _names(
    "x-request-id", "request-id", "llm_provider-x-request-id", "llm_provider-request-id"
)
"""Headers by which a service finds a request of this account: replaced, and not searched elsewhere.

A long session has as many of them as requests.
"""

SHORTEST_SIGNATURE: Final = 16
"""A shorter value is no signature; the smallest in use are 128 bits."""

ACCOUNT_MEMBERS: Final = _names(
    "user_id", "account_id", "organization", "organization_id", "org_id", "project_id", "tenant_id",
    "workspace_id", "email",
)  # fmt: skip
"""JSON members that name the account; in responses only, and not where they repeat what was sent."""

COOKIE_JARS: Final = _names("cookie", "cookies", "set_cookie")
"""JSON members whose value is a cookie, or an object of them."""

TEXT_TOKEN: Final = re.compile(
    rb'"(?:sub)?type\\*"\s*:\s*\\*"stream\\*"|"(?:logprob|bytes|special|text)\\*"\s*:'
)
"""What stands beside a ``token`` that is text: chat-ui's stream updates, log probabilities, TGI's tokens."""

KEY_PATTERNS: Final = {
    "openai-key": ("sk-", r"(?:[A-Za-z0-9_-]{16,}|[A-Za-z0-9_-]*\*{3,}[A-Za-z0-9]*)"),  # masked ones, too
    "huggingface-key": ("hf_", r"[A-Za-z0-9]{16,}"),
    "huggingface-org-key": ("api_org_", r"[A-Za-z0-9]{16,}"),
    "groq-key": ("gsk_", r"[A-Za-z0-9]{16,}"),
    "google-key": ("AIza", r"[A-Za-z0-9_-]{30,}"),
    "google-token": ("ya29.", r"[A-Za-z0-9_-]{16,}"),
    "xai-key": ("xai-", r"[A-Za-z0-9]{16,}"),
    "perplexity-key": ("pplx-", r"[A-Za-z0-9]{16,}"),
    "replicate-key": ("r8_", r"[A-Za-z0-9]{16,}"),
    "nvidia-key": ("nvapi-", r"[A-Za-z0-9_-]{16,}"),
    "cerebras-key": ("csk-", r"[A-Za-z0-9]{16,}"),
    "together-key": ("tgp_v1_", r"[A-Za-z0-9_-]{16,}"),
    "fireworks-key": ("fw_", r"[A-Za-z0-9]{20,}"),
    "databricks-key": ("dapi", r"[0-9a-f]{32}(?:-\d)?"),
    "github-key": ("gh", r"[pousr]_[A-Za-z0-9]{20,}"),
    "github-token": ("github_pat_", r"[A-Za-z0-9_]{20,}"),
    "gitlab-token": ("glpat-", r"[A-Za-z0-9_-]{16,}"),
    "aws-key": ("AKIA", r"[A-Z0-9]{16}"),
    "aws-temporary-key": ("ASIA", r"[A-Z0-9]{16}"),
    "bedrock-key": ("ABSK", r"[A-Za-z0-9+/]{40,}={0,2}"),
    "slack-token": ("xox", r"[a-z]-[A-Za-z0-9-]{10,}"),
    "stripe-key": ("sk_", r"(?:live|test)_[A-Za-z0-9]{16,}"),
    "stripe-restricted-key": ("rk_", r"(?:live|test)_[A-Za-z0-9]{16,}"),
    "webhook-key": ("whsec_", r"[A-Za-z0-9+/]{24,}={0,2}"),
    "sendgrid-key": ("SG.", r"[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{40,}"),
    "npm-token": ("npm_", r"[A-Za-z0-9]{36}"),
    "pypi-token": ("pypi-", r"AgE[A-Za-z0-9_-]{50,}"),
    "telegram-token": ("bot", r"\d{8,10}:[A-Za-z0-9_-]{35}"),
    # Signed: two parts of JSON, and a signature; encrypted, or signed by others: one, and what nobody reads.
    "jwt": (
        "eyJ",
        r"[A-Za-z0-9_-]{6,}\.(?:eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*|(?:[A-Za-z0-9_-]*\.){1,3}[A-Za-z0-9_-]{16,})",
    ),
    "organization": ("org-", r"[A-Za-z0-9]{16,}"),
    "groq-organization": ("org_", r"[A-Za-z0-9]{16,}"),
    "project": ("proj_", r"[A-Za-z0-9]{16,}"),
    "user-id": ("user-", r"[A-Za-z0-9]{20,}"),
}
"""Keys that are known by their look: what they begin with, and a regular expression for the rest."""

PLACEHOLDER: Final = re.compile(r"SCRUBBED-[a-z][a-z-]*-\d+")
"""What stands in a cassette in place of a secret, for instance ``SCRUBBED-api-key-1``."""

SHORTEST_SEARCHED: Final = 6
LONGEST_SEARCHED: Final = (
    8192  # a private key has 3,300 characters; longer ones are replaced where they stand
)


def is_searched(value: str) -> bool:
    """Tell whether *value* is distinctive enough to be replaced wherever it occurs.

    A short value, a short number, or one ordinary word (``Bearer``, ``true``) would hit text that has
    nothing to do with it. Such a value is still replaced where a name says that it is a secret.
    """
    if not SHORTEST_SEARCHED <= len(value) <= LONGEST_SEARCHED or value.isspace():
        return False
    if value.isdecimal():
        return len(value) >= 8
    is_word = value.isalpha() and len(value) < 16 and (value.islower() or value.isupper() or value.istitle())
    return not is_word and PLACEHOLDER.fullmatch(value) is None
