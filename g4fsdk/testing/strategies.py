"""Hypothesis strategies: where a stream is cut into chunks, and which recording it is.

from g4fsdk.testing.strategies import cassettes, cuts

@given(st.data())
def test_cuts_do_not_matter(data):
    cassette = data.draw(cassettes("cassettes/openai"))
    body = cassette.interactions[-1].response.body
    assert my_parser(data.draw(cuts(body))) == my_parser([body])
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"g4fsdk.testing.strategies needs {_error.name}: pip install 'g4fsdk[strategies]'", name=_error.name
    ) from _error

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.sources import cassette_paths

_MAX_CHOSEN = 40  # places to cut that are chosen one by one: many tell no more, and shrink slowly
_MAX_WIDTH = 16  # bytes of pieces that are all of one length
_MAX_DENSE = 200  # bytes of data that is cut nearly everywhere, at places that shrink away one by one
_MOSTLY = (False, *[True] * 63)  # so that about a third of all short lines are cut behind every byte


def cuts(data: bytes) -> SearchStrategy[list[bytes]]:
    """Return *data* cut into pieces, anywhere: inside lines, characters and line ends.

    The pieces joined are *data*, none is empty; no bytes give no piece. Some lists have a few pieces, some
    very many, down to single bytes. The simplest is *data* in one piece.

    Example:
        >>> @given(cuts("data: é\\n\\n".encode()))
        ... def test_cuts_do_not_matter(pieces: list[bytes]) -> None:
        ...     assert events_of(pieces) == [...]
    """
    size = len(data)
    # Lists, because hypothesis leaves needless elements in sets when it shrinks them.
    chosen = st.lists(st.integers(1, max(1, size - 1)), max_size=_MAX_CHOSEN).map(set)
    many = _dense(size) if 2 <= size <= _MAX_DENSE else _of_one_width(size)
    return (chosen | many).map(lambda places: _cut(data, places))


def _dense(size: int) -> SearchStrategy[set[int]]:
    is_cut = st.lists(st.sampled_from(_MOSTLY), min_size=size - 1, max_size=size - 1)
    return is_cut.map(lambda marks: {at for at, mark in enumerate(marks, 1) if mark})


def _of_one_width(size: int) -> SearchStrategy[set[int]]:
    return st.integers(1, _MAX_WIDTH).map(lambda width: {*range(width, size, width)})


def _cut(data: bytes, places: set[int]) -> list[bytes]:
    ends = [0, *sorted(place for place in places if place < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(ends) if start < end]


def cassettes(folder: str | os.PathLike[str]) -> SearchStrategy[Cassette]:
    """Return any cassette under *folder*, subfolders included, read anew each time.

    The simplest is the first by name.

    Raises:
        CassetteError: There is none; or, when it is drawn, a file is no cassette.

    Example:
        >>> @given(cassettes("cassettes"), st.integers(1, 64))
        ... def test_any_session_survives_any_cut(cassette: Cassette, size: int) -> None:
        ...     with Client("yqcloud", transport=Replay(cassette, cuts=size)) as client: ...
    """
    return st.sampled_from(cassette_paths(Path(folder))).map(Cassette.load)
