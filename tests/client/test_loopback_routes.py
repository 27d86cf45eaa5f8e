"""Where requests go: fallback and redirects."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from g4fsdk import (
    AuthError,
    DeadlineError,
    IncompleteStreamError,
    NotFoundError,
    ProtocolError,
    StatusError,
    Timeouts,
    TransportError,
    providers,
)
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import (
    KEY,
    ONCE,
    QUICK,
    Colour,
    answer,
    ask,
    base_url,
    both,
    set_up,
    unfinished,
)


def at(provider: str, server: Server) -> providers.Provider:
    return providers.get(provider, base_url=base_url(provider, server.url))


def ask_several(colour: Colour, several: list[Any], **settings: Any) -> Any:
    return ask(colour, several, "", **settings)  # type: ignore[arg-type]  # each has its own address


# ---- fallback


@both
def test_next_provider_is_asked_before_the_first_event(colour: Colour) -> None:
    refusal = Reply(status=503, framing="length")
    with Server(lambda _: refusal) as first, Server(answer("autonomous", "Hello")) as second:
        outcome = ask_several(colour, [at("yqcloud", first), at("autonomous", second)], retries=QUICK)

    assert outcome.error is None
    assert outcome.text == "Hello"
    assert (len(first.requests), len(second.requests)) == (3, 1)


@both
def test_next_provider_is_not_asked_after_it(colour: Colour) -> None:
    reply = unfinished("yqcloud", "Hel", framing="length", end="fin")
    with Server(reply) as first, Server(answer("autonomous", "Hello")) as second:
        outcome = ask_several(colour, [at("yqcloud", first), at("autonomous", second)], retries=QUICK)

    assert isinstance(outcome.error, IncompleteStreamError)
    assert outcome.text == "Hel"
    assert second.requests == []


@both
def test_errors_of_all_providers_are_kept(colour: Colour) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with Server(Reply(status=403, framing="length")) as server:
        several = [
            providers.get("yqcloud", base_url=dead),
            at("autonomous", server),
            at("amigo", server),
        ]
        outcome = ask_several(colour, several, retries=ONCE)

    assert isinstance(outcome.error, AuthError)
    assert [type(error) for error in outcome.error.errors] == [TransportError, AuthError, AuthError]
    assert [error.provider for error in outcome.error.errors] == ["yqcloud", "autonomous", "amigo"]
    assert str(outcome.error).count("403 Forbidden") == 2
    assert f"yqcloud: no answer from {dead}/" in str(outcome.error)
    assert "(host=" not in str(outcome.error)  # a connection class is nothing to a reader


@both
def test_total_clock_ends_the_fallback(colour: Colour) -> None:
    with Server(Reply(has_head=False, end="hold")) as first, Server(answer("amigo", "Hello")) as second:
        outcome = ask_several(
            colour, [at("yqcloud", first), at("amigo", second)], timeout=Timeouts(total=0.15)
        )

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "total"
    assert second.requests == []


@both
def test_silent_provider_leaves_the_next_its_own_first_event(colour: Colour) -> None:
    with Server(Reply(has_head=False, end="hold")) as first, Server(answer("amigo", "Hello")) as second:
        outcome = ask_several(
            colour, [at("yqcloud", first), at("amigo", second)], timeout=Timeouts(first_event=0.6)
        )

    assert outcome.text == "Hello"


@both
def test_blocked_page_leads_to_the_next_provider(colour: Colour) -> None:
    page = Reply([b"<html><title>Just a moment...</title></html>"], framing="length")
    with Server(page) as first, Server(answer("amigo", "Hello")) as second:
        outcome = ask_several(colour, [at("yqcloud", first), at("amigo", second)])

    assert outcome.text == "Hello"


# ---- redirects


def redirect(location: str, status: int = 307) -> Reply:
    return Reply(status=status, headers={"Location": location}, framing="length")


@both
@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    "location", ["/v2/chat/completions", "{}/v2/chat/completions", "../../v2/chat/completions"]
)
def test_redirect_within_the_service_is_followed(colour: Colour, status: int, location: str) -> None:
    replies: list[Reply] = []
    with Server(lambda _: replies.pop(0)) as server:
        replies += [redirect(location.format(server.url), status), answer("openai", "Hello")]
        outcome = ask(colour, "openai", server.url, api_key=KEY)

    first, second = server.requests
    assert outcome.text == "Hello"
    assert (second.method, second.target) == ("POST", "/v2/chat/completions")
    assert second.body == first.body
    assert second.headers["authorization"] == f"Bearer {KEY}"


@both
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_another_host_is_refused(colour: Colour, status: int) -> None:
    with Server(answer("openai", "Hello")) as other, Server(redirect(f"{other.url}/v1", status)) as server:
        outcome = ask(colour, "openai", server.url, api_key=KEY, retries=QUICK)

    assert isinstance(outcome.error, StatusError)
    assert outcome.error.status == status
    assert f"{other.url}/v1" in outcome.error.message
    assert other.requests == []
    assert len(server.requests) == 1


@both
@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirect_that_would_drop_the_question_is_refused(colour: Colour, status: int) -> None:
    with Server(redirect("/v2", status)) as server:
        outcome = ask(colour, "openai", server.url)

    assert isinstance(outcome.error, StatusError)
    assert len(server.requests) == 1


@both
def test_redirects_in_a_circle_end(colour: Colour) -> None:
    with Server(lambda _: redirect("/v1/chat/completions")) as server:
        outcome = ask(colour, "openai", server.url, retries=QUICK)

    assert isinstance(outcome.error, ProtocolError)
    assert "redirects" in outcome.error.message
    assert len(server.requests) == 6


@both
@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:99999/", "ftp://127.0.0.1/", "", "http://[::1", "javascript:alert(1)"]
)
def test_redirect_to_nowhere_is_refused(colour: Colour, location: str) -> None:
    with Server(redirect(location)) as server:
        outcome = ask(colour, "openai", server.url)

    assert isinstance(outcome.error, StatusError)
    assert len(server.requests) == 1


@both
def test_body_of_a_redirect_is_not_waited_for(colour: Colour) -> None:
    replies: list[Reply] = []
    with Server(lambda _: replies.pop(0)) as server:
        moved = redirect("/v2/chat/completions")
        replies += [Reply([b"<html>"], 307, moved.headers, end="hold"), answer("openai", "Hello")]
        outcome = ask(colour, "openai", server.url, timeout=Timeouts(first_event=1.0, idle=1.0))

    assert outcome.text == "Hello"


@both
@pytest.mark.parametrize("status", [301, 302, 307])
def test_page_of_a_conversation_may_move_within_the_host(colour: Colour, status: int) -> None:
    created, page = set_up("cohere-c4ai")
    with Server([created, redirect("/elsewhere", status), page, answer("cohere-c4ai", "Hello")]) as server:
        outcome = ask(colour, "cohere-c4ai", server.url)

    assert outcome.text == "Hello"
    assert "hf-chat" in server.requests[2].headers["cookie"]


@both
def test_missing_address_is_named(colour: Colour) -> None:
    with Server(Reply(status=404, framing="length")) as server:
        outcome = ask(colour, "openai", server.url)

    assert isinstance(outcome.error, NotFoundError)
    assert "base_url" in outcome.error.message
