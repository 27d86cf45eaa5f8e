"""What one call, or a client made of another, has of its own: time, tries, headers, queries, keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from g4fsdk import AsyncClient, Client, DeadlineError, G4FError, Timeouts, TransportError, UsageError
from g4fsdk.providers import get
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import (
    KEY,
    QUICK,
    Colour,
    answer,
    ask,
    both,
    complete,
    document,
    every_service,
    image,
    models,
    set_up,
)

BUSY = Reply([b'{"error":"busy"}'], status=503, framing="length")
SILENT = Reply(has_head=False, end="hold")


@every_service
@both
def test_a_call_adds_headers_and_a_query_to_each_of_its_requests(provider: str, colour: Colour) -> None:
    call = {"extra_headers": {"X-Mine": "1"}, "extra_query": {"api-version": "2", "b": True}}
    with Server([*set_up(provider), answer(provider, "Hello")]) as server:
        outcome = ask(colour, provider, server.url, call=call)

    assert outcome.error is None
    assert server.requests
    for request in server.requests:
        assert request.headers["x-mine"] == "1"
        assert request.target.endswith("api-version=2&b=true")


@both
def test_the_query_of_an_address_goes_with_answers_models_and_images(colour: Colour) -> None:
    with Server(document("openai", "Hello")) as server:
        address = f"{server.url}/deployments/x?api-version=1"
        complete(colour, "openai", "", base_url=address)
        complete(colour, "openai", "", base_url=address, call={"extra_query": {"api-version": "2"}})
        models(colour, "openai", "", base_url=address)
        image(colour, "openai", "", base_url=address)

    assert [request.target for request in server.requests] == [
        "/deployments/x/chat/completions?api-version=1",
        "/deployments/x/chat/completions?api-version=2",
        "/deployments/x/models?api-version=1",
        "/deployments/x/images/generations?api-version=1",
    ]


@both
@pytest.mark.parametrize(
    ("call", "client", "tries"),
    [
        pytest.param({"retries": 3}, {"retries": 1}, 3, id="more tries"),
        pytest.param({"retries": 1}, {"retries": QUICK}, 1, id="fewer tries"),
        pytest.param({}, {"retries": QUICK}, 3, id="as the client"),
    ],
)
def test_a_call_has_its_own_number_of_tries(
    colour: Colour, call: Any, client: Any, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4fsdk.Retries.wait_seconds", lambda self, state: 0.0)
    with Server(BUSY) as server:
        ask(colour, "openai", server.url, call=call, **client)

    assert len(server.requests) == tries


@both
@pytest.mark.parametrize("timeout", [0.05, Timeouts(total=0.05)], ids=["seconds", "clocks"])
def test_a_call_has_its_own_time(colour: Colour, timeout: Any) -> None:
    with Server(SILENT) as server:
        streamed = ask(colour, "openai", server.url, call={"timeout": timeout}).error
        whole = complete(colour, "openai", server.url, call={"timeout": timeout})

    assert isinstance(streamed, DeadlineError)
    assert isinstance(whole, DeadlineError)


@both
@pytest.mark.parametrize(
    "call",
    [
        pytest.param({"timeout": -1}, id="time"),
        pytest.param({"retries": "often"}, id="tries"),
        pytest.param({"extra_query": "a=1"}, id="query"),
        pytest.param({"extra_headers": {"a b": "c"}}, id="headers"),
    ],
)
def test_what_a_call_cannot_have_is_said_before_anybody_is_asked(colour: Colour, call: Any) -> None:
    with Server(BUSY) as server:
        error = complete(colour, "openai", server.url, call=call)

    assert isinstance(error, UsageError)
    assert not server.requests


def replaced(colour: Colour, url: str, options: dict[str, Any]) -> None:
    """Ask with a client made of another, and then with the other."""
    plain: dict[str, Any] = {"base_url": f"{url}/v1", "model": "m", "headers": {"X-A": "1", "X-B": "1"}}
    if colour == "sync":
        with Client("openai", **plain) as client:
            client.with_options(**options).chat.completions.create("Hello")
            client.chat.completions.create("Hello")
        return

    async def main() -> None:
        async with AsyncClient("openai", **plain) as client:
            await client.with_options(**options).chat.completions.create("Hello")
            await client.chat.completions.create("Hello")

    asyncio.run(main())


@both
def test_a_client_made_of_another_shares_its_connections(colour: Colour) -> None:
    with Server(document("openai", "Hello")) as server:
        replaced(
            colour, server.url, {"headers": {"X-B": "2"}, "api_key": KEY, "model": "other", "timeout": 5}
        )

    first, second = server.requests
    assert server.connections == 1
    assert (first.headers["x-a"], first.headers["x-b"]) == ("1", "2")
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert b'"other"' in first.body
    assert (second.headers["x-b"], second.headers.get("authorization")) == ("1", None)
    assert b'"m"' in second.body


@both
def test_a_client_made_of_another_may_ask_elsewhere(colour: Colour) -> None:
    with Server(document("openai", "Hello")) as server:
        replaced(colour, server.url, {"base_url": f"{server.url}/v2"})

    assert [request.target for request in server.requests] == ["/v2/chat/completions", "/v1/chat/completions"]


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("options", [{"api_key": KEY}, {"base_url": "http://x.example"}])
def test_a_key_of_several_is_refused(client: Any, options: Any) -> None:
    several = client([get("openai", model="m"), get("yqcloud")])

    with pytest.raises(UsageError, match="belong to one provider"):
        several.with_options(**options)


@both
def test_a_certificate_that_nobody_trusts_is_not_tried_again(colour: Colour) -> None:
    with Server(BUSY, tls=True) as server:
        error: G4FError | None = ask(colour, "openai", server.url, retries=QUICK).error

    assert type(error) is TransportError
    assert "certificate verify failed" in error.message
    assert "verify=" in error.message
    assert not error.retryable
    assert server.connections == 1
