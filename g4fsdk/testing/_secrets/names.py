"""What counts as a secret: the names that hold one, and the looks that known keys have.

Names are compared without case, and ``_``, ``-`` and nothing mean the same between words: ``api_key``
stands for ``apiKey``, ``api-key`` and ``APIKEY`` too. A name is never a part of a longer one.

Not secrets, because a replay needs them to find its recording: ids that the caller chose or that name
a conversation (``chatId``, ``userId`` in a request, conversation and message ids, a device uuid).
"""

from __future__ import annotations

import re
from typing import Final

HEADERS: Final = frozenset({
    "authorization", "proxy-authorization", "api-key", "x-api-key", "x-goog-api-key", "xi-api-key",
    "ocp-apim-subscription-key", "x-functions-key", "x-litellm-api-key", "x-portkey-api-key", "helicone-auth",
    "x-auth-token", "x-access-token", "x-session-token", "x-csrf-token", "x-xsrf-token", "x-hf-token",
    "x-amz-security-token", "x-vercel-id-token", "cf-access-client-id", "cf-access-client-secret",
    "cf-access-token", "openai-organization", "openai-project", "anthropic-organization-id",
    "x-organization-id", "x-org-id", "x-user-id", "x-account-id", "llm_provider-openai-organization",
})  # fmt: skip
"""Headers whose value is a secret, after a scheme such as ``Bearer``; both directions.

Every value in ``Cookie`` and ``Set-Cookie`` is one as well, whatever the cookie's name.
"""

REQUEST_IDS: Final = frozenset(
    {"x-request-id", "request-id", "llm_provider-x-request-id", "llm_provider-request-id"}
)
"""Headers by which a service finds a request of this account: replaced, and not searched elsewhere.

A long session has as many of them as requests.
"""

QUERY: Final = frozenset({
    "api_key", "key", "token", "access_token", "refresh_token", "id_token", "auth_token", "session_token",
    "auth", "authorization", "password", "passwd", "pwd", "secret", "client_secret", "subscription_key",
    "x_amz_credential", "x_amz_security_token", "x_goog_credential", "x_api_key", "hf_token", "jwt",
})  # fmt: skip
"""Names in a URL's query, and in a form-encoded body."""

SIGNATURES: Final = frozenset({"sig", "signature", "x_amz_signature", "x_goog_signature"})
"""Names in the query of a signed URL, as images have."""

SHORTEST_SIGNATURE: Final = 16
"""A shorter value is no signature; the smallest in use are 128 bits."""

FIELDS: Final = frozenset({
    "api_key", "api_keys", "x_api_key", "access_key", "secret_key", "private_key", "session_key",
    "subscription_key", "secret_access_key", "aws_access_key_id", "aws_secret_access_key",
    "openai_api_key", "hf_api_key", "groq_api_key", "anthropic_api_key",
    "token", "access_token", "refresh_token", "id_token", "auth_token", "bearer_token", "session_token",
    "csrf_token", "xsrf_token", "hf_token", "api_token", "jwt", "authorization", "proxy_authorization",
    "password", "passwd", "passphrase", "secret", "client_secret", "credential", "credentials",
    "cookie", "set_cookie", "cookies",
})  # fmt: skip
"""Keys of JSON objects and names of multipart parts, both directions.

``token`` is text, and no secret, in an object that is one piece of an answer; see `TEXT_TOKEN`.
"""

RESPONSE_FIELDS: Final = frozenset({
    "user_id", "account_id", "organization", "organization_id", "org_id", "project_id", "tenant_id",
    "workspace_id", "email",
})  # fmt: skip
"""JSON keys that name the account; in responses only, and not where they repeat what was sent."""

COOKIE_JARS: Final = frozenset({"cookie", "cookies"})
"""JSON keys under which every value of an object is a secret."""

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
    "github-key": ("gh", r"[pousr]_[A-Za-z0-9]{20,}"),
    "github-token": ("github_pat_", r"[A-Za-z0-9_]{20,}"),
    "aws-key": ("AKIA", r"[A-Z0-9]{16}"),
    "slack-token": ("xox", r"[a-z]-[A-Za-z0-9-]{10,}"),
    "jwt": ("eyJ", r"[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*"),
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
