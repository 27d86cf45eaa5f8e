"""Whom the gateway lets in, and how much."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx
import pytest

from g4fsdk import UsageError
from g4fsdk.server.guards import Limits
from tests.support.gateway import HELLO, post, serving, upstream_of
from tests.support.loopback import Server
from tests.support.loopback_clients import answer, unfinished

CHAT = {"model": "m", "messages": HELLO}


def asked(headers: dict[str, Any], **limits: Any) -> tuple[int, str | None]:
    """Return the status and code that a chat with *headers* gets from a server with *limits*."""
    with Server([answer("openai", "Hello")]) as server, serving(upstream_of(server.url), **limits) as address:
        response = post(address, CHAT, headers=headers)
    return response.status_code, response.json().get("error", {}).get("code")


@pytest.mark.parametrize(("sent", "status"), [
    ("Bearer right", 200),
    ("bearer right", 200),
    ("Bearer wrong", 401),
    ("Bearer", 401),
    ("Basic right", 401),
    ("right", 401),
    ("Bearer r\u00efght", 401),
])  # fmt: skip
def test_only_who_has_the_key_is_answered(sent: str, status: int) -> None:
    code = None if status == 200 else "invalid_api_key"

    assert asked({"authorization": sent.encode("latin-1")}, api_key="right") == (status, code)


def test_without_a_key_nobody_is_answered() -> None:
    assert asked({}, api_key="right") == (401, "invalid_api_key")


def test_health_needs_no_key() -> None:
    with serving(upstream_of("http://127.0.0.1:9"), api_key="right") as address:
        response = httpx.get(address.removesuffix("v1") + "health")

    assert (response.status_code, response.json()["status"]) == (200, "ok")


@pytest.mark.parametrize(("headers", "status"), [
    pytest.param({"host": "localhost:1"}, 200, id="localhost"),
    pytest.param({"host": "gateway"}, 200, id="a name without a dot"),
    pytest.param({"host": "[::1]:80"}, 200, id="an address"),
    pytest.param({"host": "ai.home.test"}, 200, id="an allowed name"),
    pytest.param({"host": "evil.test"}, 421, id="a foreign name"),
    pytest.param({"host": "[::"}, 421, id="no name"),
    pytest.param({"origin": "http://localhost:3000"}, 200, id="a page of this machine"),
    pytest.param({"origin": "https://evil.test"}, 403, id="a foreign page"),
    pytest.param({"origin": "null"}, 403, id="a page of no origin"),
    pytest.param({"content-type": "text/plain"}, 415, id="what any page may send"),
    pytest.param({"content-encoding": "gzip"}, 415, id="what is packed"),
])  # fmt: skip
def test_pages_of_strangers_are_refused(headers: dict[str, str], status: int) -> None:
    assert asked(headers, names=frozenset({"ai.home.test"}))[0] == status


def test_no_page_may_read_what_is_answered() -> None:
    with serving(upstream_of("http://127.0.0.1:9")) as address:
        preflight = httpx.options(
            f"{address}/chat/completions",
            headers={"origin": "http://localhost", "access-control-request-method": "POST"},
        )

    assert preflight.status_code == 405
    assert preflight.json()["error"]["type"] == "invalid_request_error"
    assert not [name for name in preflight.headers if name.startswith("access-control")]


def test_who_asks_for_what_is_not_there_is_told_what_is() -> None:
    with serving(upstream_of("http://127.0.0.1:9")) as address:
        refused = httpx.post(f"{address}/responses", json={"input": "Hi"})

    message = refused.json()["error"]["message"]
    assert refused.status_code == 404
    assert message.startswith("POST /v1/responses is nothing here; what there is: POST /v1/chat/completions,")


def test_a_long_body_is_refused() -> None:
    def pieces() -> Any:
        yield b'{"a": "'
        yield b"x" * 2000

    with serving(upstream_of("http://127.0.0.1:9"), max_body=1000) as address:
        told = post(address, b"x" * 1001)
        untold = httpx.post(
            f"{address}/chat/completions", content=pieces(), headers={"content-type": "application/json"}
        )

    assert [response.status_code for response in (told, untold)] == [413, 413]
    assert "longer than 1000 bytes" in untold.json()["error"]["message"]


def test_a_call_too_many_is_asked_to_wait() -> None:
    gate = Event()
    held = unfinished("openai", gate, "Hello", b"data: [DONE]\n\n")
    with (
        Server([held, answer("openai", "Hello")]) as server,
        serving(upstream_of(server.url), max_concurrency=1) as address,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(post, address, {**CHAT, "stream": True})
        assert server.wait_until(lambda server: len(server.requests) == 1)
        second = post(address, CHAT)
        gate.set()
        assert first.result().status_code == 200
        third = post(address, {**CHAT, "stream": True})

    assert (second.status_code, second.headers["retry-after"]) == (429, "1")
    assert third.status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/chat/completions", 405),
    ("POST", "/completions", 404),
])  # fmt: skip
def test_what_is_not_there_is_said_in_openais_shape(method: str, path: str, status: int) -> None:
    with serving(upstream_of("http://127.0.0.1:9")) as address:
        response = httpx.request(method, address + path)

    assert (response.status_code, {*response.json()}) == (status, {"error"})


def test_a_key_that_no_header_can_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="printable ASCII"):
        Limits(api_key="schlüssel")


@pytest.mark.parametrize(("host", "is_away"), [
    ("127.0.0.1", False), ("::1", False), ("localhost", False), ("0.0.0.0", True), ("", True), ("a.lan", True)
])  # fmt: skip
def test_a_server_knows_whether_others_reach_it(host: str, is_away: bool) -> None:
    assert Limits(host=host).is_away == is_away


def test_the_key_is_in_no_repr() -> None:
    assert "right" not in repr(Limits(api_key="right"))
