"""What is never said, and what is never sent: keys, cookies, and what cannot be a request."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from g4fsdk import (
    AsyncClient,
    Client,
    G4FError,
    Request,
    StatusError,
    UsageError,
)
from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import (
    KEY,
    QUICK,
    Colour,
    answer,
    ask,
    both,
    every_service,
    service,
    set_up,
)

COOKIE = "cookie-of-a-session"
CREDENTIALS = (KEY, COOKIE, "hunter2")


def said_by(error: BaseException | None, caplog: pytest.LogCaptureFixture) -> str:
    """Return all that a person may see of *error*, its causes and our log."""
    assert isinstance(error, G4FError)
    parts = [
        str(error),
        repr(error),
        error.message,
        repr(error.args),
        repr(error.request),
        repr(error.errors),
    ]
    parts += [repr(vars(error)), *traceback.format_exception(error)]
    parts += [record.getMessage() for record in caplog.records if record.name.startswith("g4fsdk")]
    return "\n".join(parts)


def echo(status: int, form: str) -> Callable[[Received], Reply]:
    """Return a server that tells what it was told, headers and all."""

    def play(request: Received) -> Reply:
        told = "; ".join(f"{name}: {value}" for name, value in request.header_pairs).replace('"', "'")
        bodies = {
            "json": '{"error": {"message": "you sent ' + told + '", "code": "odd"}}',
            "text": told,
            "html": f"<html><title>{told}</title></html>",
            "event": f"data: {told}\n\n",
        }
        headers = {"X-Told": told, "Content-Type": "text/event-stream"}
        return Reply([bodies[form].encode()], status=status, headers=headers, framing="length")

    return play


@both
@pytest.mark.parametrize("form", ["json", "text", "html", "event"])
@pytest.mark.parametrize("status", [200, 401, 503])
def test_key_is_never_said(colour: Colour, form: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), Server(echo(status, form)) as server:
        address = server.url.replace("://", "://me:hunter2@")
        outcome = ask(colour, "openai", address, api_key=KEY, retries=QUICK)

    said = said_by(outcome.error, caplog)
    assert not [secret for secret in CREDENTIALS if secret in said]


@both
@pytest.mark.parametrize("status", [200, 401])
def test_cookie_of_a_conversation_is_never_said(
    colour: Colour, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    told = echo(status, "json")
    ready = set_up("cohere-c4ai")

    def play(request: Received) -> Reply:
        return told(request) if "multipart" in str(request.headers) else ready["__data" in request.target]

    with caplog.at_level(logging.DEBUG), Server(play) as server:
        outcome = ask(colour, "cohere-c4ai", server.url, api_key=KEY, retries=QUICK)

    assert outcome.error is not None
    assert outcome.error.conversation is not None
    assert COOKIE in str(outcome.error.conversation.to_dict())
    said = said_by(outcome.error, caplog)
    assert not [secret for secret in CREDENTIALS if secret in said]


@both
def test_headers_of_a_refusal_hold_no_cookie_and_no_key(colour: Colour) -> None:
    headers = [("Set-Cookie", "a=secret-cookie"), ("X-Told", f"Bearer {KEY}"), ("X-Request-Id", "r-1")]
    with Server(Reply(status=401, headers=headers, framing="length")) as server:
        outcome = ask(colour, "openai", server.url, api_key=KEY)

    assert isinstance(outcome.error, StatusError)
    assert outcome.error.request_id == "r-1"
    assert "secret-cookie" not in str(outcome.error.headers)
    assert KEY not in str(outcome.error.headers)


def test_clients_and_requests_hide_their_keys() -> None:
    client = Client("openai", api_key=KEY, base_url="http://me:hunter2@127.0.0.1:1/v1")
    request = Request("POST", "http://me:hunter2@h/", {"Authorization": f"Bearer {KEY}"}, KEY.encode())

    said = repr([client, vars(client), client._settings.providers, request])

    assert not [secret for secret in CREDENTIALS if secret in said]
    client.close()


# ---- what cannot be sent


def refuses(
    colour: Colour, call: dict[str, Any] | None = None, messages: Any = "Hello", **settings: Any
) -> str:
    """Ask what cannot be asked; return the message, having seen that nothing was sent."""
    provider = settings.pop("provider", "openai")
    with Server(answer("openai", "Hello")) as server:
        settings.setdefault("base_url", f"{server.url}/v1" if provider == "openai" else server.url)
        outcome = ask(colour, provider, "", messages, call=call, retries=QUICK, **settings)
        seen = (server.connections, len(server.requests))

    assert seen == (0, 0)
    assert isinstance(outcome.error, UsageError), outcome
    assert not outcome.error.retryable
    return outcome.error.message


CONTROLS = ["a\nb", "a\r\nX-Injected: 1", "a\0b", "a\x7fb", "a\x1bb", "ключ", "a\u2028b", "a\x85b"]


@both
@pytest.mark.parametrize("value", CONTROLS, ids=ascii)
@pytest.mark.parametrize("where", ["key", "header", "extra_headers"])
def test_control_characters_are_refused(colour: Colour, value: str, where: str) -> None:
    settings: dict[str, Any] = {}
    if where == "key":
        settings["api_key"] = value
    elif where == "header":
        settings["headers"] = {"X-Mine": value}
    call = {"extra_headers": {"X-Mine": value}} if where == "extra_headers" else None

    message = refuses(colour, call, **settings)

    assert value not in message


@both
@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\nb", "é", "a\0"], ids=ascii)
@pytest.mark.parametrize("where", ["header", "extra_headers"])
def test_header_names_that_cannot_be_are_refused(colour: Colour, name: str, where: str) -> None:
    if where == "header":
        refuses(colour, headers={name: "value"})
    else:
        refuses(colour, {"extra_headers": {name: "value"}})


@both
@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000/v1",
        "localhost:8000",
        "//127.0.0.1/v1",
        "ftp://127.0.0.1/v1",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://:80/v1",
        "http://[::1/v1",
        "http://127.0.0.1:port/v1",
        "http://127.0.0.1:99999/v1",
        "http://127.0.0.1:-1/v1",
        "http://127.0.0.1/v1\n",
        "http://127.0.0.1\r\nHost: x/v1",
        "http://127.0.0.1 /v1",
        "http://127.0.0.1/v 1",
        "http://a..b/v1",
        "http://.example/v1",
        f"http://{'a' * 64}.example/v1",
        "http://me:hunter2@/v1",
        "http://*.example/v1",
        "   ",
        "\ud800",
    ],
    ids=ascii,
)
def test_broken_addresses_are_refused(colour: Colour, url: str) -> None:
    message = refuses(colour, base_url=url)

    assert "hunter2" not in message
    assert "base_url" in message


@both
@pytest.mark.parametrize(
    ("messages", "call"),
    [
        ([], {}),
        ("", {}),
        ([{"role": "wizard", "content": "hi"}], {}),
        ([{"content": "hi"}], {}),
        ([{"role": "user", "content": 5}], {}),
        ([{"role": "user", "content": None}], {}),
        ([{"role": "user"}], {}),
        (["hi"], {}),
        (5, {}),
        (None, {}),
        ("hi", {"temprature": 1}),
        ("hi", {"conversation": {"provider": "yqcloud"}}),
        ("hi", {"conversation": {"provider": "yqcloud", "model": "", "messages": [], "state": {}}}),
        ("hi", {"model": ""}),
        ("half an emoji \ud83d", {}),
        ("hi", {"extra_body": {"x": object()}}),
    ],
)
def test_what_cannot_be_asked_is_refused(colour: Colour, messages: Any, call: dict[str, Any]) -> None:
    refuses(colour, call, messages)


@both
@pytest.mark.parametrize("provider", ["autonomous", "yqcloud", "amigo"])
def test_unknown_models_are_refused_by_name(provider: str, colour: Colour) -> None:
    said = refuses(colour, {"model": "gpt-9"}, provider=provider)

    assert "gpt-9" in said
    assert "known" in said


@both
@pytest.mark.parametrize("provider", ["cohere-c4ai", "autonomous", "yqcloud", "amigo"])
def test_unknown_options_are_refused_by_name(provider: str, colour: Colour) -> None:
    assert "logit_bias" in refuses(colour, {"logit_bias": {}}, provider=provider)


@both
@pytest.mark.parametrize(
    "arguments",
    [
        {"provider": "chatgpt"},
        {"provider": ["yqcloud", "amigo"], "api_key": "k"},
        {"provider": None, "base_url": "127.0.0.1"},
        {"provider": "openai", "headers": {"X": 5}},
        {"provider": "openai", "headers": ["X"]},
        {"provider": "openai", "api_key": 5},
    ],
    ids=str,
)
def test_clients_that_cannot_be_are_refused(colour: Colour, arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        (Client if colour == "sync" else AsyncClient)(**arguments)


@every_service
@both
def test_ignored_options_are_not_sent(provider: str, colour: Colour) -> None:
    call = {"ignore_unsupported": True, "logit_bias": {"1": 2}}
    with Server(service(provider, answer(provider, "Hello"))) as server:
        outcome = ask(colour, provider, server.url, call=call)

    assert outcome.text == "Hello"
    assert (b"logit_bias" in server.requests[-1].body) == (provider == "openai")


@both
def test_a_proxys_password_is_hidden_however_it_is_echoed(
    colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "g4fsdk")
    told = b'{"error": {"message": "no: hunter two/2, hunter%20two%2F2, hunter+two%2f2"}}'
    with Server(lambda _: Reply([told], status=502, framing="length")) as server:
        proxy = f"http://user:hunter%20two%2F2@127.0.0.1:{server.port}"
        error = ask(colour, "openai", "http://service.example", proxy=proxy, retries=QUICK).error

    assert not [form for form in ("hunter two", "hunter%20", "two%2F2") if form in said_by(error, caplog)]
