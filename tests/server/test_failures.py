"""What a caller of the gateway is told when there is no answer, and what stops when a caller leaves."""

from __future__ import annotations

import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from g4fsdk import Timeouts
from tests.support.gateway import HELLO, openai_at, post, serving, upstream_of
from tests.support.loopback import PATIENCE_S, Reply, Server
from tests.support.loopback_clients import CHALLENGE, KEY, answer, as_json, unfinished

HTML = {"Content-Type": "text/html"}
CHAT = {"model": "m", "messages": HELLO}


def refused(status: int, message: str = "No.", **headers: str) -> Reply:
    body = as_json({"error": {"message": message, "code": "its_own"}})
    return Reply([body], status=status, headers=headers, framing="length")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("reply", "status", "code"), [
    pytest.param(refused(400), 400, "its_own", id="bad request"),
    pytest.param(refused(404), 404, "its_own", id="not found"),
    pytest.param(refused(429, **{"Retry-After": "7"}), 429, "its_own", id="rate limit"),
    pytest.param(refused(503), 503, "its_own", id="overloaded"),
    pytest.param(refused(401), 502, "its_own", id="the key of the gateway is wrong"),
    pytest.param(Reply([CHALLENGE], status=403, headers=HTML), 502, "provider_failed", id="challenge"),
    pytest.param(Reply([as_json({"error": "broke"})], framing="length"), 502, None, id="failed inside a 200"),
    pytest.param(Reply([b"<html>"], framing="length"), 502, "provider_failed", id="nonsense"),
    pytest.param(Reply(end="fin", has_head=False), 502, "provider_unreachable", id="no answer at all"),
])  # fmt: skip
def test_a_failure_has_its_status_and_openais_shape(
    reply: Reply, status: int, code: str | None, stream: bool
) -> None:
    with Server(lambda _: reply) as server, serving(upstream_of(server.url)) as address:
        response = post(address, {**CHAT, "stream": stream})

    error = response.json()["error"]
    assert (response.status_code, {*error}) == (status, {"message", "type", "param", "code"})
    assert error["message"].startswith("openai: ")
    assert code is None or error["code"] == code
    if status == 429:
        assert (response.headers["retry-after"], error["type"]) == ("7", "rate_limit_error")
    else:
        assert response.headers["x-should-retry"] == "false"


def test_what_takes_too_long_is_a_504() -> None:
    slow = Timeouts(first_event=0.3)
    with Server(Reply(end="hold")) as server, serving(upstream_of(server.url, timeout=slow)) as address:
        response = post(address, {**CHAT, "stream": True})

    assert (response.status_code, response.json()["error"]["code"]) == (504, "timeout")


def test_a_call_that_takes_longer_than_the_gateway_allows_is_told_so() -> None:
    held = unfinished("openai", "first", end="hold")
    with Server(lambda _: held) as server, serving(upstream_of(server.url), max_seconds=0.5) as address:
        whole, streamed = (post(address, {**CHAT, "stream": stream}) for stream in (False, True))
        assert server.all_closed()

    *_, first, last, rest = streamed.text.split("\n\n")
    errors = [whole.json()["error"], json.loads(last.removeprefix("data: "))["error"]]
    assert (whole.status_code, streamed.status_code, rest) == (504, 200, "")
    assert '"first"' in first
    assert [(one["code"], one["message"]) for one in errors] == [
        ("timeout", "the answer took longer than 0.5 s")
    ] * 2


@pytest.mark.parametrize("path", ["/models", "/models/m"])
def test_a_list_of_models_that_takes_longer_is_told_so(path: str) -> None:
    held = Reply(end="hold")
    with Server(lambda _: held) as server, serving(upstream_of(server.url), max_seconds=0.5) as address:
        response = httpx.get(f"{address}{path}", timeout=PATIENCE_S)
        assert server.all_closed()

    assert (response.status_code, response.json()["error"]["code"]) == (504, "timeout")


def test_an_answer_that_breaks_off_ends_with_an_error() -> None:
    broken = unfinished("openai", "Hel", "lo", end="rst")
    with Server(lambda _: broken) as server, serving(upstream_of(server.url)) as address:
        said = post(address, {**CHAT, "stream": True}).text
        with openai_at(address) as client:
            stream = iter(client.chat.completions.create(model="m", messages=HELLO, stream=True))
            seen = [next(stream).choices[0].delta.content for _ in range(2)]
            with pytest.raises(openai.APIError, match="broke") as raised:
                next(stream)

    *_, last, rest = said.split("\n\n")
    assert json.loads(last.removeprefix("data: "))["error"]["type"] == "server_error"
    assert (rest, "[DONE]" in said) == ("", False)
    assert seen == ["Hel", "lo"]
    assert raised.value.code == "provider_failed"


def test_the_next_provider_is_asked_when_one_fails() -> None:
    def reply(request: Any) -> Reply:
        return refused(500) if "/v1/" in request.target else answer("yqcloud", "Hello")

    with Server(reply) as server, serving(upstream_of(server.url, "openai", "yqcloud")) as address:
        said = post(address, {"model": "gpt-4", "messages": HELLO}).json()

    assert (said["choices"][0]["message"]["content"], said["g4fsdk"]["provider"]) == ("Hello", "yqcloud")


@pytest.mark.parametrize(("body", "status", "param", "part"), [
    pytest.param({"model": "gpt-4", "messages": HELLO, "seed": 0}, 400, "seed", "cannot honour", id="seed"),
    pytest.param({"model": "gpt-4", "messages": HELLO, "n": 2}, 400, "n", "cannot honour", id="n"),
    pytest.param({"model": "gpt-4", "messages": HELLO, "extra_headers": {"a": "b"}}, 400, "extra_headers",
                 "cannot honour", id="what is the gateway's own"),
    pytest.param({"model": "other", "messages": HELLO}, 404, "model", "unknown model", id="model"),
    pytest.param({"model": 7, "messages": HELLO}, 400, "model", "must be text", id="no model"),
    pytest.param({"model": "gpt-4"}, 400, "messages", "missing", id="no messages"),
    pytest.param({"model": "gpt-4", "messages": HELLO, "stream": "no"}, 400, "stream", "not str", id="word"),
    pytest.param({"model": "gpt-4", "messages": [{"role": "king"}]}, 400, None, "unknown role", id="role"),
    pytest.param([1], 400, None, "JSON object", id="no object"),
    pytest.param(b"{", 400, None, "no JSON", id="no JSON"),
    pytest.param(b'{"a": "\xff"}', 400, None, "no JSON", id="no UTF-8"),
    pytest.param(b"[" * 100_000, 400, None, "no JSON", id="a tower"),
])  # fmt: skip
def test_a_wrong_request_names_what_is_wrong(body: Any, status: int, param: str | None, part: str) -> None:
    with Server([]) as server, serving(upstream_of(server.url, "yqcloud")) as address:
        response = post(address, body)

    error = response.json()["error"]
    assert (response.status_code, error["param"], error["type"]) == (status, param, "invalid_request_error")
    assert part in error["message"]


@pytest.mark.parametrize(("body", "status", "param"), [
    pytest.param({"model": "flux-realism"}, 400, "prompt", id="no prompt"),
    pytest.param({"model": "flux-realism", "prompt": "a", "stream": True}, 400, "stream", id="a stream"),
    pytest.param({"model": "flux-realism", "prompt": "a", "extra_query": {}}, 400, "extra_query", id="own"),
    pytest.param({"model": "other", "prompt": "a"}, 404, "model", id="model"),
])  # fmt: skip
def test_a_wrong_request_for_images_names_what_is_wrong(
    body: dict[str, Any], status: int, param: str
) -> None:
    with Server([]) as server, serving(upstream_of(server.url, "amigo")) as address:
        response = httpx.post(f"{address}/images/generations", json=body)

    assert (response.status_code, response.json()["error"]["param"]) == (status, param)


def test_images_that_the_provider_refuses_have_its_status() -> None:
    with Server(lambda _: refused(429)) as server, serving(upstream_of(server.url)) as address:
        response = httpx.post(f"{address}/images/generations", json={"model": "m", "prompt": "a cat"})

    assert (response.status_code, response.json()["error"]["code"]) == (429, "its_own")


@pytest.mark.parametrize(("lenient", "more"), [(True, {}), (False, {"ignore_unsupported": True})])
def test_what_nobody_can_honour_is_left_out_when_told_so(lenient: bool, more: dict[str, Any]) -> None:
    body = {"model": "gpt-4", "messages": HELLO, "temperature": 0.5, "top_a": 1, **more}
    with (
        Server([answer("yqcloud", "Hello")]) as server,
        serving(upstream_of(server.url, "yqcloud"), lenient=lenient) as address,
    ):
        response = post(address, body)

    assert response.json()["choices"][0]["message"]["content"] == "Hello"


def test_what_is_usual_asks_for_nothing() -> None:
    usual = {"n": 1, "temperature": None, "stream_options": {"include_usage": True}, "stream": True}
    with (
        Server([answer("yqcloud", "Hello")]) as server,
        serving(upstream_of(server.url, "yqcloud")) as address,
    ):
        response = post(address, {"model": "gpt-4", "messages": HELLO, **usual})

    assert response.status_code == 200
    assert response.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("pieces", [[], ["first"]], ids=["before the first event", "in mid-answer"])
def test_a_caller_who_leaves_stops_the_provider(pieces: list[str], stream: bool) -> None:
    held = unfinished("openai", *pieces, end="hold")
    body = json.dumps({**CHAT, "stream": stream}).encode()
    with Server([held]) as server, serving(upstream_of(server.url)) as address:
        place = urlsplit(address)
        with socket.create_connection((place.hostname or "", place.port or 0), PATIENCE_S) as caller:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {place.netloc}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            caller.sendall(head.encode() + body)
            assert server.wait_until(lambda server: len(server.requests) == 1)
            if stream and pieces:
                assert caller.recv(65536)
            assert server.open_connections == 1

        assert server.all_closed()


def test_an_answer_that_the_server_stops_ends_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    held = unfinished("openai", "first", end="hold")
    with Server(lambda _: held) as server, ExitStack() as client, ThreadPoolExecutor(1) as pool:
        with serving(upstream_of(server.url), grace_s=0) as address:
            asking = client.enter_context(openai_at(address)).chat.completions
            stream = iter(asking.create(model="m", messages=HELLO, stream=True))
            assert next(stream).choices[0].delta.content == "first"
            whole = pool.submit(post, address, CHAT)
            assert server.wait_until(lambda server: len(server.requests) == 2)

        with pytest.raises(openai.APIError, match="stopped"):
            next(stream)
        assert (whole.result().status_code, whole.result().json()["error"]["code"]) == (503, "stopped")
        assert server.all_closed()
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


def test_an_error_shows_no_key() -> None:
    def reply(request: Any) -> Reply:
        return refused(500, f"You sent {request.headers['authorization']}")

    with Server(reply) as server:
        upstream = upstream_of(server.url)
        keyed = type(upstream)([upstream.clients[0].with_options(api_key=KEY)], upstream.names)
        with serving(keyed) as address:
            response = post(address, CHAT)

    assert response.status_code == 500
    assert KEY not in response.text
