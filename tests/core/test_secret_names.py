"""Which names hold a secret, in a header, in a query and in JSON."""

from __future__ import annotations

import pytest

from g4fsdk._core.model.redact import redact_headers, redact_url
from g4fsdk._core.model.secret_names import is_secret_header, is_secret_member, is_secret_query, words_of

HEADERS = """
Authorization Proxy-Authorization X-My-Auth X-OAuth2 Helicone-Auth Cookie Set-Cookie X-Cookie-Jar
api-key apikey X-Api-Key x_api_key XApiKey APIKEY X-Goog-Api-Key Ocp-Apim-Subscription-Key X-My-Key X-Key
X-Token X-CSRF-Token x-csrf X-Hub-Signature X-Session-Id Mcp-Session-Id X-Client-Secret Secret-Sauce
X-Auth-Request-Email X-Password X-Key-2 authtoken X-Sessiontoken
""".split()
NO_HEADERS = """
Accept Content-Type User-Agent X-Monkey Keyboard X-Keynote Hockey Author X-Author :authority WWW-Authenticate
X-Secretary Tokenizer X-Idempotency-Key Idempotency-Key Surrogate-Key X-Cache-Key Public-Key-Pins X-Key-Spend
X-RateLimit-Remaining-Tokens X-Time-To-First-Token X-Token-Count X-Auth-Method X-Error-Code Signal
Access-Control-Allow-Credentials X-Request-Id OpenAI-Organization
""".split()
QUERIES = """
key api_key apiKey access_token auth token sig signature X-Amz-Signature X-Goog-Credential code pwd
""".split()
NO_QUERIES = "model page_token nextPageToken sort_key monkey session_hash error_code signal alt 1 -".split()
MEMBERS = """
api_key apiKey APIKEY api-key api_keys openai_api_key X-Api-Key access_key secret_access_key aws_access_key_id
privateKey sessionkey subscription_key token access_token accessToken refresh_token id_token authtoken
bearer_token hf_token jwt authorization proxyAuthorization password passwd passphrase client_secret credential
credentials cookie set_cookie cookies sessionCookie
""".split()
NO_MEMBERS = """
key keys keyboard monkey sort_key cache_key prompt_cache_key public_key max_tokens total_tokens tokens
token_id eos_token next_page_token stop_token token_type token_count password_hint secret_name pwd auth
session session_id conversationId userId code signature author tokenizer index
""".split()


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_secret_by_a_word_of_its_name(name: str) -> None:
    assert is_secret_header(name)
    assert redact_headers({name: "v"}) == {name: "***"}


@pytest.mark.parametrize("name", NO_HEADERS)
def test_a_header_is_not_secret_for_the_letters_in_its_name(name: str) -> None:
    assert not is_secret_header(name)


@pytest.mark.parametrize("name", QUERIES)
def test_a_parameter_is_secret_by_its_words(name: str) -> None:
    assert is_secret_query(name)
    assert redact_url(f"http://x/?a=1&{name}=v#f") == f"http://x/?a=1&{name}=***#f"


@pytest.mark.parametrize("name", NO_QUERIES)
def test_a_parameter_of_other_words_is_shown(name: str) -> None:
    assert not is_secret_query(name)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_is_secret_by_its_last_words(name: str) -> None:
    assert is_secret_member(name)


@pytest.mark.parametrize("name", NO_MEMBERS)
def test_a_member_that_is_data_is_not_secret(name: str) -> None:
    assert not is_secret_member(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x-APIKey2_id", ("x", "api", "key", "id")),
        ("clientSecret", ("client", "secret")),
        ("proxyauthorization", ("proxy", "authorization")),
        ("nextPageToken", ("next", "page", "token")),
        ("", ()),
    ],
)
def test_a_name_is_read_word_by_word(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words
