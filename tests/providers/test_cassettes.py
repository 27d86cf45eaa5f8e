"""Every cassette, on every plane: the same events or the same error, however its bytes are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import vcr
from hypothesis import given, settings
from hypothesis import strategies as st

from g4fsdk import Event, G4FError, TextDelta
from g4fsdk.bench.recorded import ByCall
from g4fsdk.parsers import TextParser
from g4fsdk.providers import PROVIDERS
from g4fsdk.testing import Cassette
from tests.support.players import CASSETTES, Outcome, name_of, play_async, play_pure, play_sync
from tests.support.wire import cut_at, run, summary_of

every = pytest.mark.parametrize("path", CASSETTES, ids=name_of)
#: Above this, hypothesis chooses where to cut.
MAX_BYTES = 3000
#: In longer bodies not every place is tried: events repeat, and are met by the step at other places each.
PLACES = 120


def test_every_provider_has_a_recording_in_its_folder() -> None:
    assert {path.parent.name for path in CASSETTES} == set(PROVIDERS)
    for path in CASSETTES:
        assert Cassette.load(path).metadata["provider"] == path.parent.name


@every
async def test_all_planes_agree(path: Path) -> None:
    cassette = Cassette.load(path)
    pure = play_pure(cassette)

    assert strict(play_sync(cassette)) == strict(pure)
    assert strict(await play_async(cassette)) == strict(pure)


def strict(outcome: Outcome) -> tuple[Any, ...]:
    """What has to be equal: of a broken connection each library says in its own words how it broke."""
    if outcome.error is None or "the connection broke" not in outcome.error[1]:
        return outcome.events, outcome.error
    return outcome.events, outcome.error[0], outcome.error[2:]


@every
def test_cuts_do_not_matter(path: Path) -> None:
    cassette = Cassette.load(path)
    answer = cassette.interactions[-1].response
    try:
        call = ByCall(cassette)
    except G4FError:
        return  # the set-up was refused: there is no stream
    cut_off = "" if answer.end == "complete" else answer.end
    is_text = isinstance(call.parser(answer), TextParser)

    def parsed(pieces: list[bytes]) -> tuple[Any, ...]:
        seen = run(call.parser(answer), pieces, cut=cut_off)
        events = joined(seen.events) if is_text else seen.events
        return events, summary_of(seen.error)

    check_cuts(answer.body, parsed, parsed(answer.chunks))


def joined(events: list[Event]) -> list[Event]:
    """Plain text has no events of its own: there the pieces are the chunks, and only their sum counts."""
    kept: list[Event] = []
    for event in events:
        last = kept[-1] if kept else None
        if isinstance(last, TextDelta) and isinstance(event, TextDelta):
            kept[-1] = TextDelta(last.text + event.text)
        else:
            kept.append(event)
    return kept


def check_cuts(body: bytes, parsed: Callable[[list[bytes]], object], expected: object) -> None:
    if len(body) > MAX_BYTES:
        check_chosen_cuts(body, parsed, expected)
    else:
        for at in range(0, len(body) + 1, len(body) // PLACES + 1):
            assert parsed(cut_at(body, [at])) == expected
        for width in (2, 3, 7):
            assert parsed(in_pieces(body, width)) == expected
    assert parsed(in_pieces(body, 1)) == expected


def check_chosen_cuts(body: bytes, parsed: Callable[[list[bytes]], object], expected: object) -> None:
    @settings(max_examples=10)
    @given(st.lists(st.integers(0, len(body)), max_size=40))
    def check(cuts: list[int]) -> None:
        assert parsed(cut_at(body, cuts)) == expected

    check()


def in_pieces(body: bytes, width: int) -> list[bytes]:
    return [body[at : at + width] for at in range(0, len(body), width)]


@every
def test_plain_vcrpy_plays_it_with_requests(path: Path) -> None:
    cassette = Cassette.load(path)
    player = vcr.VCR(record_mode="none", match_on=["method", "uri", "body"])

    with player.use_cassette(str(path)) as tape, requests.Session() as session:
        for interaction in cassette.interactions:
            sent = interaction.request
            answer = session.request(
                sent.method, sent.url, data=sent.body or None, headers=dict(sent.headers)
            )
            assert answer.content == interaction.response.body

    assert tape.all_played


@pytest.fixture(scope="module")
def httpx_client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:  # once: it reads every certificate of the machine
        yield client


@every
def test_plain_vcrpy_plays_it_with_httpx(path: Path, httpx_client: httpx.Client) -> None:
    cassette = Cassette.load(path)
    player = vcr.VCR(record_mode="none", match_on=["method", "uri"])

    with player.use_cassette(str(path)) as tape:
        for interaction in cassette.interactions:
            sent = interaction.request
            answer = httpx_client.request(
                sent.method, sent.url, content=sent.body, headers=dict(sent.headers)
            )
            assert answer.content == interaction.response.body

    assert tape.all_played
