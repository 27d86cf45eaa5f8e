"""The strategies that users import."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from g4fsdk.testing import Cassette, CassetteError
from g4fsdk.testing.strategies import cassettes, cuts
from tests.support.players import CASSETTES, FOLDER

LINE = "data: é\r\n\r\n".encode()


@given(st.data())
def test_pieces_join_to_the_data_and_none_is_empty(data: st.DataObject) -> None:
    whole = data.draw(st.binary(max_size=200))

    pieces = data.draw(cuts(whole))

    assert b"".join(pieces) == whole
    assert all(pieces)


@pytest.mark.parametrize(
    "data", [b"", b"x", LINE, bytes(range(256)) * 40], ids=["none", "one", "line", "long"]
)
def test_the_simplest_is_one_piece(data: bytes) -> None:
    assert find(cuts(data), lambda _: True) == ([data] if data else [])


def test_a_failing_cut_shrinks_to_that_cut() -> None:
    inside_the_character = find(cuts(LINE), lambda pieces: any(not _is_utf8(piece) for piece in pieces))

    assert inside_the_character == [LINE[:7], LINE[7:]]


def test_short_data_comes_in_single_bytes_too() -> None:
    assert find(cuts(LINE), lambda pieces: len(pieces) == len(LINE))


@pytest.mark.parametrize("at", [1, LINE.index("é".encode()) + 1, len(LINE) - 1])
def test_any_place_is_cut(at: int) -> None:
    assert find(cuts(LINE), lambda pieces: pieces[0] == LINE[:at])


def test_long_data_comes_in_single_bytes_too() -> None:
    data = LINE * 200

    assert find(cuts(data), lambda pieces: len(pieces) == len(data))


@given(cassettes(FOLDER))
@settings(max_examples=20, deadline=None)
def test_a_cassette_can_be_played(cassette: Cassette) -> None:
    assert cassette.interactions
    assert cassette.metadata["provider"]


def test_each_cassette_is_read_anew() -> None:
    strategy = cassettes(FOLDER / "yqcloud")

    first, again = (find(strategy, lambda _: True) for _ in range(2))

    assert first == again
    assert first is not again


def test_the_simplest_cassette_is_the_first_by_name() -> None:
    assert find(cassettes(FOLDER), lambda _: True) == Cassette.load(CASSETTES[0])


@pytest.mark.parametrize("provider", sorted({path.parent.name for path in CASSETTES}))
def test_cassettes_of_every_folder_are_found(provider: str) -> None:
    found = find(cassettes(FOLDER), lambda cassette: cassette.metadata["provider"] == provider)

    assert found.interactions


def test_a_folder_without_cassettes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".hidden.yaml").write_text("{}")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "notes.txt").write_text("none")

    with pytest.raises(CassetteError, match=r"no cassette in this folder \(looked for \.yaml"):
        cassettes(tmp_path)


def _is_utf8(data: bytes) -> bool:
    return data.decode("utf-8", "ignore").encode() == data
