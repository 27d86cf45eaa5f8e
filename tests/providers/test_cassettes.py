"""Every cassette, on every plane: the same events or the same error, however its bytes are cut."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import vcr
from hypothesis import given, settings
from hypothesis import strategies as st

from g4fsdk import Event, TextDelta
from g4fsdk.testing import Cassette
from tests.support.players import CASSETTES, Outcome, name_of, play_async, play_pure, play_sync

every = pytest.mark.parametrize("path", CASSETTES, ids=name_of)
#: Above this, hypothesis chooses where to cut; below, every place is tried.
MAX_BYTES_FOR_EVERY_CUT = 3000


def test_every_provider_has_at_least_twelve() -> None:
    counts = {
        folder: sum(path.parent == folder for path in CASSETTES) for folder in {p.parent for p in CASSETTES}
    }

    assert len(counts) == 5
    assert min(counts.values()) >= 12


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

    def same(cut: Callable[[bytes], list[bytes]]) -> bool:
        is_text = path.parent.name == "yqcloud"
        return joined(play_pure(cassette, cut), is_text=is_text) == joined(expected, is_text=is_text)

    if size > MAX_BYTES_FOR_EVERY_CUT:
        check_chosen_cuts(size, same)
        return
    for at in range(size + 1):
        assert same(partial(at_cuts, cuts=[at]))
    for width in (2, 3, 7):
        assert same(partial(in_pieces, width=width))
    assert same(partial(in_pieces, width=1))


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


@every
def test_plain_vcrpy_plays_it_with_httpx(path: Path) -> None:
    cassette = Cassette.load(path)
    player = vcr.VCR(record_mode="none", match_on=["method", "uri"])

    with player.use_cassette(str(path)) as tape, httpx.Client() as client:
        for interaction in cassette.interactions:
            sent = interaction.request
            answer = client.request(sent.method, sent.url, content=sent.body, headers=dict(sent.headers))
            assert answer.content == interaction.response.body

    assert tape.all_played
