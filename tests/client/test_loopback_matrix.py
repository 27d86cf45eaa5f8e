"""Over a real socket, both clients, all services: the right text or the right error, and equal."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from g4fsdk import (
    BlockedError,
    EmptyAnswerError,
    Finish,
    G4FError,
    IncompleteStreamError,
    ProviderError,
)
from tests.support.loopback import Framing, Reply, Server
from tests.support.loopback_clients import (
    CHALLENGE,
    QUICK,
    WIRES,
    Colour,
    Outcome,
    answer,
    ask,
    both,
    both_outcomes,
    complete,
    document,
    every_service,
    every_wire,
    failure,
    service,
    unfinished,
)

UNICODE = ("Привет", ", 世", "界! 👋🏽", " \u2028\u2029\u0085 ", "e\u0301\n", " \x0b\x0c ", "ﷺ")
FRAMINGS: tuple[Framing, ...] = ("chunked", "length", "close")

framings = pytest.mark.parametrize("framing", FRAMINGS)
coded = pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])


@every_wire
@framings
@coded
@pytest.mark.parametrize("texts", [("Hel", "lo"), UNICODE], ids=["normal", "unicode"])
def test_answer_arrives_whole(provider: str, framing: Framing, gzip: bool, texts: tuple[str, ...]) -> None:
    outcome = both_outcomes(
        provider, lambda: service(provider, answer(provider, *texts, framing=framing, gzip=gzip))
    )

    assert outcome.error is None
    assert outcome.text == "".join(texts)
    assert any(isinstance(event, Finish) for event in outcome.events)


@every_wire
@framings
def test_long_answer_arrives_whole(provider: str, framing: Framing) -> None:
    texts = [f"токен {number} " for number in range(5000)]

    # One send, so that where the reads cut it is the same for both clients only where it does not matter.
    whole = answer(provider, *texts, framing=framing)
    script = Reply([whole.body], headers=whole.headers, framing=framing)
    outcomes = [_asked(colour, provider, script) for colour in ("sync", "async")]

    assert [outcome.text for outcome in outcomes] == ["".join(texts)] * 2
    assert [outcome.error for outcome in outcomes] == [None, None]


def _asked(colour: Any, provider: str, reply: Reply) -> Outcome:
    with Server(service(provider, reply)) as server:
        return ask(colour, provider, server.url)


@every_service
@both
def test_whole_document_arrives(provider: str, colour: Colour) -> None:
    with Server(service(provider, document(provider, "Привет"))) as server:
        completion = complete(colour, provider, server.url)

    assert completion.text == "Привет"
    assert completion.provider == provider


def cut_off(provider: str, how: str, gate: Event) -> Reply:
    match how:
        case "chunked, FIN":
            return unfinished(provider, "Hel", gate, framing="chunked", end="fin")
        case "chunked, RST":
            return unfinished(provider, "Hel", gate, framing="chunked", end="rst")
        case "short content-length":
            return unfinished(provider, "Hel", gate, framing="length", end="fin")
        case "content-length, RST":
            return unfinished(provider, "Hel", gate, framing="length", end="rst")
        case "close-delimited, RST":
            return unfinished(provider, "Hel", gate, framing="close", end="rst")
        case _:
            return unfinished(provider, "Hel", gate, framing="close", end="fin")


@every_wire
@pytest.mark.parametrize(
    "how",
    [
        "chunked, FIN",
        "chunked, RST",
        "short content-length",
        "content-length, RST",
        "close-delimited, RST",
        "close-delimited, FIN",
    ],
)
@coded
def test_cut_off_answer_is_incomplete(provider: str, how: str, gzip: bool) -> None:
    gates: list[Event] = []

    def script() -> Any:
        gates.append(Event())
        reply = cut_off(provider, how, gates[-1])
        reply.gzip = gzip
        return service(provider, reply)

    outcome = both_outcomes(provider, script, on_event=lambda event: gates[-1].set(), retries=QUICK)

    if WIRES[provider] == "text" and how == "close-delimited, FIN" and not gzip:
        assert outcome.error is None  # the end of the connection is all the end that this wire has
        return
    assert isinstance(outcome.error, IncompleteStreamError)
    assert outcome.text == outcome.error.partial == "Hel"
    assert outcome.error.provider == provider


@every_service
def test_429_then_200_gives_the_answer(provider: str) -> None:
    refusal = Reply([b'{"message": "slow down"}'], status=429, headers={"Retry-After": "0"}, framing="length")

    outcome = both_outcomes(
        provider, lambda: service(provider, refusal, answer(provider, "Hello")), retries=QUICK
    )

    assert outcome.error is None
    assert outcome.text == "Hello"


@every_wire
@pytest.mark.parametrize("status", [200, 403, 503, 429])
@framings
def test_challenge_page_is_blocked(provider: str, status: int, framing: Framing) -> None:
    page = Reply([CHALLENGE], status=status, headers={"Content-Type": "text/html"}, framing=framing)

    outcome = both_outcomes(provider, lambda: service(provider, page), retries=QUICK)

    assert isinstance(outcome.error, BlockedError)
    assert outcome.events == []


@every_service
def test_failure_inside_a_200_is_an_error(provider: str) -> None:
    kind: type[G4FError] = BlockedError if WIRES[provider] == "text" else ProviderError

    outcome = both_outcomes(
        provider,
        lambda: service(provider, unfinished(provider, failure(provider))),
        retries=QUICK,
    )

    assert isinstance(outcome.error, kind)
    assert outcome.text == outcome.error.partial == ""


@pytest.mark.parametrize("provider", [name for name, wire in WIRES.items() if wire != "text"])
def test_failure_in_mid_answer_keeps_the_text(provider: str) -> None:
    outcome = both_outcomes(
        provider,
        lambda: service(provider, unfinished(provider, "Hel", failure(provider))),
        retries=QUICK,
    )

    assert isinstance(outcome.error, ProviderError)
    assert "overloaded" in outcome.error.message
    assert outcome.text == outcome.error.partial == "Hel"


@every_wire
@framings
def test_empty_body_is_no_answer(provider: str, framing: Framing) -> None:
    outcome = both_outcomes(
        provider,
        lambda: service(provider, unfinished(provider, framing=framing)),
        retries=QUICK,
    )

    assert isinstance(outcome.error, EmptyAnswerError)


@every_service
@both
def test_conversation_survives_a_failed_answer(provider: str, colour: Colour) -> None:
    """The error holds the handle to go on with, where there is one: chat-ui's server has it already."""
    reply = unfinished(provider, "Hel", framing="length", end="fin")
    with Server(service(provider, reply)) as server:
        error = complete(colour, provider, server.url)

    assert isinstance(error, IncompleteStreamError)
    assert (error.conversation is not None) == (WIRES[provider] == "chat-ui")
