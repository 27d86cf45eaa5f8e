"""Text is handed over the moment it arrives, while the server still holds the rest back."""

from __future__ import annotations

import gzip as gzip_module
import time
import zlib
from threading import Event
from typing import Any

import pytest

from g4fsdk import Finish, IncompleteStreamError, TextDelta, Timeouts, Usage
from g4fsdk._client import clocks
from tests.support.loopback import Framing, Piece, Reply, Server
from tests.support.loopback_clients import (
    Colour,
    answer,
    ask,
    both,
    both_outcomes,
    ending,
    every_wire,
    media,
    service,
    tokens,
    unfinished,
)

FRAMINGS: tuple[Framing, ...] = ("chunked", "length", "close")
framings = pytest.mark.parametrize("framing", FRAMINGS)
coded = pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
LIMIT_S = 0.05


@every_wire
@framings
@coded
@both
def test_first_text_comes_before_the_rest_is_sent(
    provider: str, framing: Framing, gzip: bool, colour: Colour
) -> None:
    """The server sends the second piece only once the caller holds the first: no clock proves it."""
    gate = Event()
    reply = unfinished(provider, "Hel", gate, "lo", *ending(provider, "Hello"), framing=framing, gzip=gzip)
    seen: list[str] = []

    def on_event(event: object) -> None:
        if isinstance(event, TextDelta):
            seen.append("late" if gate.is_set() and not seen else event.text)
            gate.set()

    with Server(service(provider, reply)) as server:
        outcome = ask(colour, provider, server.url, on_event=on_event)

    assert outcome.error is None
    assert seen == ["Hel", "lo"]


@both
@coded
def test_every_token_of_many_comes_alone(colour: Colour, gzip: bool) -> None:
    gates = [Event() for _ in range(20)]
    pieces: list[Piece] = []
    for gate in gates:
        pieces += [*tokens("openai", "x"), gate]
    waiting = iter(gates)

    def on_event(event: object) -> None:
        if isinstance(event, TextDelta):
            next(waiting).set()

    with Server(Reply([*pieces, *ending("openai")], gzip=gzip)) as server:
        outcome = ask(colour, "openai", server.url, on_event=on_event)

    assert outcome.error is None
    assert outcome.text == "x" * 20


def half_a_chunk(first: bytes, rest: bytes) -> tuple[bytes, bytes]:
    """Return one HTTP chunk, in two parts: what arrives of it at first, and what comes later."""
    return b"%x\r\n%b" % (len(first + rest), first), rest + b"\r\n"


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"


@both
def test_half_of_an_http_chunk_is_handed_over(colour: Colour) -> None:
    """Servers and proxies may put several events into one chunk, and send it in parts."""
    gate = Event()
    first, second = tokens("openai", "Hel", "lo")
    begun, rest = half_a_chunk(first, second + b"".join(ending("openai")))
    reply = Reply([begun, gate, rest, b"0\r\n\r\n"], raw=HEAD)
    with Server(reply) as server:
        outcome = ask(colour, "openai", server.url, on_event=lambda event: gate.set())

    assert outcome.error is None
    assert outcome.text == "Hello"


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_text_of_a_chunk_that_breaks_off_is_kept(end: str) -> None:
    gates: list[Event] = []

    def script() -> Reply:
        gates.append(Event())
        begun, _ = half_a_chunk(tokens("openai", "Hel")[0], b"x" * 100)
        return Reply([begun, gates[-1]], raw=HEAD, end="fin" if end == "fin" else "rst")

    outcome = both_outcomes("openai", script, on_event=lambda event: gates[-1].set())

    assert isinstance(outcome.error, IncompleteStreamError)
    assert outcome.error.partial == "Hel"


@both
@framings
@coded
def test_first_token_is_in_hand_within_50_ms(colour: Colour, framing: Framing, gzip: bool) -> None:
    """Of five, the quickest: what waits in a buffer is late every time, what a busy machine delays is not."""
    assert min(first_token_delay(colour, framing, gzip=gzip) for _ in range(5)) < LIMIT_S


def first_token_delay(colour: Colour, framing: Framing, *, gzip: bool) -> float:
    """Return the seconds from the server's write to the event in the caller's hand."""
    gate = Event()
    came_at: list[float] = []

    def on_event(event: object) -> None:
        came_at.append(time.perf_counter())
        gate.set()

    reply = unfinished("openai", "Hel", gate, *ending("openai"), framing=framing, gzip=gzip)
    with Server(reply) as server:
        outcome = ask(colour, "openai", server.url, on_event=on_event)

    assert outcome.error is None
    return came_at[0] - server.written_at[0]


@both
def test_two_gzip_members_are_one_body(colour: Colour) -> None:
    whole = answer("openai", "Hel", "lo")
    pieces = [gzip_module.compress(piece) for piece in whole.pieces if isinstance(piece, bytes)]
    headers = {**media("openai"), "Content-Encoding": "gzip"}
    with Server(Reply([*pieces, b"\0\0\0"], headers=headers)) as server:
        outcome = ask(colour, "openai", server.url)

    assert outcome.error is None
    assert outcome.text == "Hello"


@pytest.mark.parametrize("coding", ["deflate", "raw deflate", "identity"])
def test_other_codings_are_undone(coding: str) -> None:
    packer = zlib.compressobj(wbits=-15 if "raw" in coding else 15)
    body = answer("openai", "Hel", "lo").body
    data = body if coding == "identity" else packer.compress(body) + packer.flush()
    headers = {**media("openai"), "Content-Encoding": coding.removeprefix("raw ")}

    outcome = both_outcomes("openai", lambda: Reply([data], headers=headers))

    assert outcome.error is None
    assert outcome.text == "Hello"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_body_that_is_not_as_coded_is_an_error(coding: str) -> None:
    headers = {**media("openai"), "Content-Encoding": coding}

    outcome = both_outcomes("openai", lambda: Reply([b"data: no gzip at all"], headers=headers))

    assert isinstance(outcome.error, IncompleteStreamError)
    assert "Content-Encoding" in outcome.error.message


def test_packed_body_grows_by_pieces() -> None:
    """A megabyte of zeros is a kilobyte on the wire: neither client unpacks all of it at once."""
    spaces = b" " * (4 << 20)

    def script() -> Reply:
        return Reply([spaces, *tokens("openai", "Hi"), *ending("openai")], headers=media("openai"), gzip=True)

    outcome = both_outcomes("openai", script)

    assert outcome.error is None
    assert outcome.text == "Hi"


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
BEATS: list[Piece] = [b": alive\n\n"] * 400


@pytest.mark.parametrize(
    ("behind", "how"),
    [
        pytest.param([], {"end": "hold"}, id="hangs"),
        pytest.param([], {"end": "rst"}, id="is reset"),
        pytest.param([], {"end": "fin"}, id="is cut"),
        pytest.param([b'data: {"cho'], {"end": "fin"}, id="is cut in an event"),
        pytest.param([b"data: {]\n\n"], {"end": "hold"}, id="is nonsense"),
        pytest.param(BEATS, {"end": "hold", "pause_s": 0.005}, id="beats for ever"),
    ],
)
@pytest.mark.parametrize("total", [None, 20.0])
def test_what_comes_behind_a_finish_reason_takes_nothing_away(
    behind: list[Piece], how: Any, total: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "LINGER_S", 0.05)
    finish = ending("openai")[0] + USAGE
    reply = Reply([*tokens("openai", "Hel", "lo"), finish, *behind], headers=media("openai"), **how)

    outcome = both_outcomes("openai", lambda: reply, timeout=Timeouts(idle=20, total=total))

    assert outcome.error is None
    assert outcome.text == "Hello"
    assert Usage(1, 2, 3) in outcome.events


@both
def test_usage_that_comes_behind_the_finish_reason_is_waited_for(colour: Colour) -> None:
    gate = Event()

    def on_event(event: object) -> None:
        if isinstance(event, Finish):
            gate.set()

    pieces: list[Piece] = [*tokens("openai", "Hi"), ending("openai")[0], gate, USAGE]
    with Server(Reply(pieces, headers=media("openai"))) as server:
        outcome = ask(colour, "openai", server.url, on_event=on_event)

    assert outcome.error is None
    assert Usage(1, 2, 3) in outcome.events
