"""What is asked again, how often, and after what wait; the server counts."""

from __future__ import annotations

import json
import logging
import socket
import time
from email.utils import formatdate
from functools import partial
from typing import Any

import pytest

from g4fsdk import (
    AuthError,
    DeadlineError,
    G4FError,
    IncompleteStreamError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    Retries,
    RetryEvent,
    StatusError,
    Timeouts,
    TransportError,
)
from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import (
    KEY,
    QUICK,
    WIRES,
    Colour,
    answer,
    as_json,
    ask,
    both,
    both_outcomes,
    every_service,
    failure,
    image,
    models,
    service,
    set_up,
    unfinished,
)

in_http = partial(formatdate, usegmt=True)
DROP = Reply(has_head=False, framing="close")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that both clients begin; none of them takes any time."""
    begun: list[float] = []

    async def sleep(clocks: object, seconds: float) -> None:
        begun.append(seconds)

    monkeypatch.setattr("g4fsdk._client.clocks.Clocks.sleep", lambda clocks, seconds: begun.append(seconds))
    monkeypatch.setattr("g4fsdk._client.asynchronous.client.sleep", sleep)
    return begun


def refused(status: int, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply([b'{"message": "no"}'], status=status, headers=names, framing="length")


def turns(server: Server) -> int:
    """How many requests asked for an answer, set-up not counted."""
    return sum("__data.json" not in r.target and r.target != "/conversation" for r in server.requests)


@every_service
@both
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_refusals_are_tried_again(provider: str, colour: Colour, status: int) -> None:
    attempts = 1 if provider == "cohere-c4ai" and status == 500 else 3  # there it says the request was wrong
    with Server(service(provider, *[refused(status)] * attempts)) as server:
        outcome = ask(colour, provider, server.url, retries=QUICK)

    assert isinstance(outcome.error, StatusError)
    assert outcome.error.status == status
    assert turns(server) == attempts


@both
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 413, 422, 501, 505, 525])
def test_lasting_refusals_are_not(colour: Colour, status: int) -> None:
    with Server([refused(status)]) as server:
        outcome = ask(colour, "openai", server.url, retries=QUICK)

    assert isinstance(outcome.error, StatusError)
    assert outcome.error.status == status


@both
@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0"}, 0.0),
        ({"Retry_After": "1.5"}, 1.5),
        ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after_ms": "250", "Retry_After": "7"}, 0.25),
        (
            {"Retry_After": formatdate(1000000030, usegmt=True), "Date": formatdate(1000000000, usegmt=True)},
            30.0,
        ),
        (
            {"Retry_After": formatdate(1000000000, usegmt=True), "Date": formatdate(1000000030, usegmt=True)},
            0.0,
        ),
        ({"Retry_After": "60"}, 60.0),
        ({"Retry_After": "soon"}, 0.125),
        ({"Retry_After": "-5"}, 0.125),
        ({}, 0.125),
    ],
    ids=lambda value: str(value),
)
def test_wait_is_what_the_service_asks(
    colour: Colour, headers: dict[str, str], waited: float, waits: list[float]
) -> None:
    retries = Retries(wait=lambda state: 0.125)
    with Server([refused(429, **headers), answer("openai", "Hello")]) as server:
        outcome = ask(colour, "openai", server.url, retries=retries)

    assert outcome.text == "Hello"
    assert waits == [waited]


@both
def test_date_without_a_date_of_the_response_is_counted_from_now(colour: Colour, waits: list[float]) -> None:
    later = in_http(time.time() + 30)
    with Server([refused(503, Retry_After=later), answer("openai", "Hello")]) as server:
        ask(colour, "openai", server.url, retries=QUICK)

    assert 25 < waits[0] <= 30


@both
@pytest.mark.parametrize("asked", ["61", "86400", "99999999999999999999"])
def test_service_that_asks_for_too_long_a_wait_is_not_waited_for(
    colour: Colour, asked: str, waits: list[float]
) -> None:
    with Server([refused(429, Retry_After=asked)]) as server:
        outcome = ask(colour, "openai", server.url, retries=QUICK)

    assert isinstance(outcome.error, RateLimitError)
    assert outcome.error.retry_after == float(asked)
    assert waits == []


@both
@pytest.mark.parametrize("retries", [0, 1, Retries(attempts=0), Retries(attempts=1)])
def test_no_retries_means_one_request(colour: Colour, retries: Any) -> None:
    with Server([refused(503)]) as server:
        outcome = ask(colour, "openai", server.url, retries=retries)

    assert isinstance(outcome.error, StatusError)


@both
def test_waits_grow_with_jitter_and_stay_under_eight_seconds(colour: Colour, waits: list[float]) -> None:
    with Server([refused(503)] * 8) as server:
        ask(colour, "openai", server.url, retries=8)

    limits = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert all(0 <= wait <= limit for wait, limit in zip(waits, limits, strict=True))


@every_service
@both
def test_nothing_is_asked_again_after_the_first_event(provider: str, colour: Colour) -> None:
    reply = unfinished(provider, "Hel", framing="length", end="fin")
    with Server(service(provider, reply)) as server:
        outcome = ask(colour, provider, server.url, retries=QUICK)

    assert isinstance(outcome.error, IncompleteStreamError)
    assert outcome.text == "Hel"
    assert turns(server) == 1


@pytest.mark.parametrize("provider", [name for name, wire in WIRES.items() if wire != "text"])
@both
def test_failure_inside_a_200_is_not_asked_again(provider: str, colour: Colour) -> None:
    with Server(service(provider, unfinished(provider, failure(provider)))) as server:
        ask(colour, provider, server.url, retries=QUICK)

    assert turns(server) == 1


@every_service
@both
@pytest.mark.parametrize("end", ["complete", "rst"])
def test_connection_closed_without_a_response(provider: str, colour: Colour, end: Any) -> None:
    """Asked again, but where the question would then stand twice in the conversation."""
    drop = Reply(has_head=False, framing="close", end=end)
    is_repeated = provider != "cohere-c4ai"
    with Server(service(provider, drop, *[answer(provider, "Hello")] * is_repeated)) as server:
        outcome = ask(colour, provider, server.url, retries=QUICK)

    if is_repeated:
        assert outcome.text == "Hello"
        return
    assert isinstance(outcome.error, TransportError)
    assert outcome.error.sent
    assert outcome.error.conversation is not None


@both
@pytest.mark.parametrize("provider", ["amigo", "openai"])
def test_image_request_is_not_sent_twice(provider: str, colour: Colour) -> None:
    """It may have been made and paid for."""
    with Server([DROP]) as server:
        error = image(colour, provider, server.url, retries=QUICK)

    assert isinstance(error, TransportError)
    assert len(server.requests) == 1


@both
@pytest.mark.parametrize("provider", ["amigo", "openai"])
def test_refused_image_request_is_tried_again(provider: str, colour: Colour) -> None:
    done = Reply([as_json({"data": [{"url": "https://images.example/1.png?a=%2F"}]})], framing="length")
    with Server([refused(503), done]) as server:
        images = image(colour, provider, server.url, retries=QUICK)

    assert [each.url for each in images.data] == ["https://images.example/1.png?a=%2F"]


@both
@pytest.mark.parametrize("step", [0, 1])
def test_set_up_request_without_a_response_is_tried_again(colour: Colour, step: int) -> None:
    ready = set_up("cohere-c4ai")
    # A conversation that was made before the failure is used again.
    with Server([*ready[:step], DROP, *ready[step:], answer("cohere-c4ai", "Hello")]) as server:
        outcome = ask(colour, "cohere-c4ai", server.url, retries=QUICK)

    assert outcome.text == "Hello"


@both
def test_refused_connection_is_tried_again(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    told: list[RetryEvent] = []
    retries = Retries(wait=lambda state: 0.0, on_retry=told.append)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with caplog.at_level(logging.INFO, logger="g4fsdk"):
        outcome = ask(colour, "openai", f"http://127.0.0.1:{port}", retries=retries)

    assert isinstance(outcome.error, TransportError)
    assert not outcome.error.sent
    assert [(event.provider, event.attempt, event.wait_s) for event in told] == [
        ("openai", 1, 0.0),
        ("openai", 2, 0.0),
    ]
    assert all(isinstance(event.error, TransportError) for event in told)
    assert len([record for record in caplog.records if record.name == "g4fsdk"]) == 2


@both
def test_each_try_of_amigo_has_a_device_of_its_own(colour: Colour) -> None:
    with Server([refused(503), DROP, answer("amigo", "Hello")]) as server:
        outcome = ask(colour, "amigo", server.url, retries=QUICK)

    assert outcome.text == "Hello"
    assert len({request.headers["x-device-uuid"] for request in server.requests}) == 3


@both
@pytest.mark.parametrize("refusal", [429, 503])
def test_chat_ui_goes_on_with_the_conversation_that_it_made(colour: Colour, refusal: int) -> None:
    history = [
        {"role": "user", "content": "First question"},
        {"role": "assistant", "content": "First answer"},
        {"role": "user", "content": "Second question"},
    ]
    with Server(service("cohere-c4ai", refused(refusal), answer("cohere-c4ai", "Hello"))) as server:
        outcome = ask(colour, "cohere-c4ai", server.url, history, retries=QUICK)

    assert outcome.text == "Hello"
    assert [request.target for request in server.requests].count("/conversation") == 1
    first, second = [form(request) for request in server.requests if "multipart" in str(request.headers)]
    assert first == second
    assert second["inputs"].startswith("User: First question\nAssistant: First answer\n")


def form(request: Received) -> dict[str, Any]:
    part = request.body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
    value: dict[str, Any] = json.loads(part)
    return value


@both
@pytest.mark.parametrize("clock", ["first_event", "idle"])
def test_silence_is_not_asked_again(colour: Colour, clock: str) -> None:
    with Server([Reply(has_head=False, end="hold")]) as server:
        outcome = ask(colour, "openai", server.url, retries=QUICK, timeout=Timeouts(**{clock: 0.1}))

    assert isinstance(outcome.error, DeadlineError)


def test_errors_after_retries_are_equal() -> None:
    script = [refused(503), refused(401)]

    outcome = both_outcomes("openai", lambda: script, retries=QUICK, api_key=KEY)

    assert isinstance(outcome.error, AuthError)


@both
@pytest.mark.parametrize("status", [429, 403])
def test_refusal_that_breaks_off_is_a_refusal(colour: Colour, status: int) -> None:
    broken = Reply([b'{"message": "no'], status=status, framing="length", end="fin")
    with Server([broken]) as server:
        outcome = ask(colour, "openai", server.url)

    assert isinstance(outcome.error, StatusError)
    assert outcome.error.status == status


# ---- the list of models, which is a request like any other

LIST = Reply([as_json({"data": [{"id": "llama"}, {"id": "qwen"}]})], framing="length")


@both
def test_list_of_models_is_asked_again(colour: Colour) -> None:
    with Server([refused(503), DROP, LIST]) as server:
        found = models(colour, "openai", server.url, retries=QUICK)

    assert [model.id for model in found] == ["llama", "qwen"]
    assert [request.target for request in server.requests] == ["/v1/models"] * 3


@both
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply([b"<html>hello</html>"], framing="length"), ProtocolError),
        (Reply([as_json({"models": []})], framing="length"), ProtocolError),
        (Reply([as_json({"error": "no"})], framing="length"), ProviderError),
        (Reply(LIST.pieces, framing="length", end="fin"), IncompleteStreamError),
        (refused(401), AuthError),
    ],
    ids=["page", "other shape", "error", "cut off", "refusal"],
)
def test_list_of_models_is_complete_or_an_error(colour: Colour, reply: Reply, kind: type[G4FError]) -> None:
    with Server(lambda _: reply) as server:
        error = models(colour, "openai", server.url, retries=QUICK, api_key=KEY)

    assert type(error) is kind
    assert error.provider == "openai"
    assert KEY not in f"{error} {error.request}"
