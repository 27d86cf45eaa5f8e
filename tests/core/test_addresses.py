"""Addresses: what a service may be found at, and the queries that go along."""

from __future__ import annotations

from typing import Any

import pytest

from g4fsdk import Chat, Request, Stream, UsageError, advance, providers
from g4fsdk._core.flow.addresses import below, checked_query, with_query
from g4fsdk._core.model.hosts import is_own

HOST = "https://x.example"


@pytest.mark.parametrize(
    ("url", "path", "address"),
    [
        pytest.param(f"{HOST}/v1", "/chat", f"{HOST}/v1/chat", id="path"),
        pytest.param(f"{HOST}/v1?a=1", "/chat", f"{HOST}/v1/chat?a=1", id="query of the service"),
        pytest.param(f"{HOST}/v1", "/chat?b=2", f"{HOST}/v1/chat?b=2", id="query of the path"),
        pytest.param(f"{HOST}/v1?a=%20", "/chat?b=2", f"{HOST}/v1/chat?a=%20&b=2", id="both"),
        pytest.param(f"{HOST}/v1?", "/chat", f"{HOST}/v1/chat", id="an empty one"),
    ],
)
def test_the_query_of_a_service_goes_with_every_path(url: str, path: str, address: str) -> None:
    assert below(url, path) == address


@pytest.mark.parametrize(
    ("url", "added", "address"),
    [
        pytest.param(HOST, {}, HOST, id="nothing"),
        pytest.param(HOST, {"a": "1"}, f"{HOST}?a=1", id="one"),
        pytest.param(f"{HOST}?b=2", {"a": "1"}, f"{HOST}?b=2&a=1", id="beside another"),
        pytest.param(f"{HOST}?a=2&b=%20&a=3", {"a": "1"}, f"{HOST}?b=%20&a=1", id="in place of its own"),
        pytest.param(HOST, {"a b": "ü&="}, f"{HOST}?a%20b=%C3%BC%26%3D", id="coded"),
        pytest.param(HOST, {"a": ["1", "2"]}, f"{HOST}?a=1&a=2", id="several"),
    ],
)
def test_a_query_is_added(url: str, added: Any, address: str) -> None:
    assert with_query(url, added) == address


def test_values_of_a_query_are_text() -> None:
    given = {"a": 1, "b": True, "c": None, "d": 1.5, "e": ["x", "y"], "f": ""}

    assert checked_query(given) == {"a": "1", "b": "true", "d": "1.5", "e": ["x", "y"], "f": ""}


@pytest.mark.parametrize("query", ["a=1", [("a", "1")], {"a": {"b": 1}}, {"a": [1]}, {"a": b"x"}])
def test_what_is_no_query_is_refused(query: Any) -> None:
    with pytest.raises(UsageError, match="extra_query"):
        checked_query(query)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("http://user:top/secret@host/v1", "***@host/v1", id="a slash in it"),
        pytest.param("http://user:12/secret@host/v1", "***@host/v1", id="and what may be a port"),
        pytest.param("http://user?secret@host/v1", "***@host/v1", id="a question mark"),
        pytest.param("http://user:top#secret@host/v1", "***@host/v1", id="a number sign"),
        pytest.param("user:secret@host/v1", "***@host/v1", id="no scheme"),
        pytest.param("http:/user:secret@host/v1", "***@host/v1", id="one slash"),
        pytest.param("htp://user:secret@host/v1", "***@host/v1", id="no such scheme"),
        pytest.param("http://user:secret", "http://user:***", id="cut"),
        pytest.param("http://user:se/cret", "http://user:***", id="cut, with a slash"),
        pytest.param("ftp://host:80/v1?api_key=secret", "ftp://host:80/v1?api_key=***", id="a key"),
        pytest.param("host:8080/v1", "host:8080/v1", id="nothing to hide"),
    ],
)
def test_an_address_that_cannot_be_is_said_without_what_may_be_a_password(url: str, shown: str) -> None:
    with pytest.raises(UsageError, match="base_url") as caught:
        providers.get("openai", base_url=url)

    assert repr(shown) in caught.value.message
    assert "secret" not in caught.value.message


def test_a_password_in_its_place_is_fine() -> None:
    provider = providers.get("openai", base_url="http://user:top%2Fsecret@host/v1")

    assert provider.home == "http://host/v1"
    assert "secret" not in repr(provider)


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_every_provider_takes_the_query_of_its_address_along(name: str) -> None:
    provider = providers.get(
        name, base_url=f"{HOST}/root/?api-version=1", model="gpt-4o" * (name == "openai")
    )
    step = advance(provider.chat(Chat("Hello")))
    request = step.request if isinstance(step, Stream) else step

    assert request.url.startswith(f"{HOST}/root/")
    assert request.url.endswith("?api-version=1")


def test_a_list_of_models_is_asked_for_with_the_query_too() -> None:
    request = providers.get("openai", base_url=f"{HOST}/v1?api-version=1").list_models()

    assert isinstance(request, Request)
    assert request.url == f"{HOST}/v1/models?api-version=1"


@pytest.mark.parametrize(
    "host",
    "localhost LOCALHOST:80 a.localhost:1 box 127.0.0.1 10.0.0.1: [::1]:80 [fe80::1%eth0] mine.test "
    "Mine.Test:80 mine.test. other.test".split(),
)
def test_a_server_is_known_by_what_no_stranger_can_take(host: str) -> None:
    assert is_own(host, ["MINE.test", "other.test."])


@pytest.mark.parametrize(
    "host",
    ". [ [::1 ::1 evil.test mine.test.evil.test localhost.evil.test 127.0.0.1.evil.test 127.0.0.1/a.test "
    "a.test@127.0.0.1 box/a.test localhost. 127.0.0.1. box:80:a.test box:a mine.test.. 0x7f.1".split(),
)
def test_a_server_is_not_known_by_what_a_stranger_may_have_pointed_at_it(host: str) -> None:
    assert not is_own(host, ["mine.test"])
    assert not is_own("", ["mine.test"])
