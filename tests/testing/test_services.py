"""Whose recording it is, and at which address it was made."""

from __future__ import annotations

import pytest

from g4fsdk.providers import PROVIDERS, Provider
from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse
from g4fsdk.testing._cassette import services
from g4fsdk.testing._cassette.services import base_url_of, provider_of_url


def cassette(*urls: str, **metadata: str) -> Cassette:
    return Cassette(
        [Interaction(RecordedRequest("POST", url), RecordedResponse(200)) for url in urls], metadata
    )


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/v1/chat/completions", "/v1"),
        ("/v1/models", "/v1"),
        ("/openai/chat/completions", "/openai"),
        ("/v1/engines/m/chat/completions", "/v1/engines/m"),
        ("/v1/responses", "/v1"),
        ("/responses", ""),
    ],
)
def test_the_address_of_an_openai_service_ends_before_the_endpoint(path: str, base: str) -> None:
    assert base_url_of(cassette(f"http://[::1]:8080{path}"), "openai") == f"http://[::1]:8080{base}"
    assert base_url_of(cassette(f"http://x{path}", provider="openai")) == f"http://x{base}"


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://x/conversation?a=1", "cohere-c4ai"),
        ("https://x/api/generateStream", "yqcloud"),
        ("https://x/api/v1/ai/chat-vision", "autonomous"),
        ("https://api.amigochat.io/v1/chat/completions", "amigo"),
        ("https://x/v1/models", "openai"),
        ("https://x/conversations", ""),
    ],
)
def test_a_request_tells_whose_it_is(url: str, provider: str) -> None:
    assert provider_of_url(url) == provider


def test_a_provider_that_says_nothing_of_its_addresses_is_known_by_its_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Sixth(Provider):
        name = "sixth"
        url = "https://sixth.test/root"

    monkeypatch.setattr(services, "PROVIDERS", {**PROVIDERS, "sixth": Sixth})

    assert provider_of_url("https://sixth.test/v1/models") == "sixth"
    assert provider_of_url("https://not-sixth.test/v1/models") == "openai"


def test_the_address_of_another_service_is_its_root() -> None:
    assert base_url_of(cassette("http://x/v1/chat/completions", provider="amigo")) == "http://x"


def test_the_address_is_of_the_provider_that_answered_where_others_failed_before() -> None:
    one = cassette(
        "https://a.test/api/generateStream", "https://b.test/api/v1/ai/chat", provider="autonomous"
    )

    assert base_url_of(one) == "https://b.test"
    assert base_url_of(one, "yqcloud") == "https://a.test"


def test_the_address_that_was_given_then_is_kept() -> None:
    assert base_url_of(cassette("http://x/own/api", base_url="http://x/own")) == "http://x/own"


def test_a_recording_of_nothing_has_no_address() -> None:
    assert base_url_of(cassette()) is None
