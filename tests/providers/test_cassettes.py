"""Every cassette, on every plane: the same events or the same error, however its bytes are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import vcr
from hypothesis import given, settings
from hypothesis import strategies as st

from g4fsdk import Event, G4FError, Response, Stream, TextDelta, advance
from g4fsdk.parsers import TextParser
from g4fsdk.providers import PROVIDERS
from g4fsdk.testing import Cassette
from tests.support.players import CASSETTES, Outcome, name_of, play_async, play_pure, play_sync, start

every = pytest.mark.parametrize("path", CASSETTES, ids=name_of)
#: Above this, hypothesis chooses where to cut.
MAX_BYTES = 3000
#: In longer bodies not every place is tried: events repeat, and are met by the step at other places each.
PLACES = 400


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
    size = len(cassette.interactions[-1].response.body)
    expected = play_pure(cassette)

    is_text = reads_text(cassette)

    def same(cut: Callable[[bytes], list[bytes]]) -> bool:
        return joined(play_pure(cassette, cut), is_text=is_text) == joined(expected, is_text=is_text)

    if size > MAX_BYTES:
        check_chosen_cuts(size, same)
        return
    for at in range(0, size + 1, size // PLACES + 1):
        assert same(partial(at_cuts, cuts=[at]))
    for width in (2, 3, 7):
        assert same(partial(in_pieces, width=width))
    assert same(partial(in_pieces, width=1))


def reads_text(cassette: Cassette) -> bool:
    """Return whether the answer that *cassette* ends with is plain text to its provider."""
    flow = start(cassette)
    step = advance(flow)
    for answer in (interaction.response for interaction in cassette.interactions):
        if isinstance(step, Stream):
            break
        try:
            step = advance(flow, Response(answer.status, answer.headers, answer.body))
        except G4FError:
            return False
    return isinstance(step, Stream) and isinstance(step.parser, TextParser)


def joined(outcome: Outcome, *, is_text: bool) -> Outcome:
    """Plain text has no events of its own: there the pieces are the chunks, and only their sum counts."""
    events: list[Event] = []
    for event in outcome.events:
        last = events[-1] if events else None
        if is_text and isinstance(last, TextDelta) and isinstance(event, TextDelta):
            events[-1] = TextDelta(last.text + event.text)
        else:
            events.append(event)
    return Outcome(events, outcome.error)


def check_chosen_cuts(size: int, same: Callable[[Callable[[bytes], list[bytes]]], bool]) -> None:
    @settings(max_examples=20, deadline=None, database=None)
    @given(st.lists(st.integers(0, size), max_size=40).map(sorted))
    def check(cuts: list[int]) -> None:
        assert same(partial(at_cuts, cuts=cuts))

    check()
    assert same(partial(in_pieces, width=1))


def in_pieces(body: bytes, width: int) -> list[bytes]:
    return [body[at : at + width] for at in range(0, len(body), width)]


def at_cuts(body: bytes, cuts: list[int]) -> list[bytes]:
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


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
