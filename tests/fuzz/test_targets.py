"""Every fuzz target holds for its seeds and for what hypothesis makes of them, so that none can rot."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.inputs import HEAD, Input
from tests.fuzz.targets import TARGETS, Target

TOKENS = (
    b"",
    b"\n",
    b"\0",
    b"\xff",
    b'"',
    b"\\ud83d",
    b"{",
    b"]",
    b"-1",
    b"1e999",
    b"null",
    b"\xef\xbb\xbf",
    b"<",
)
every_target = pytest.mark.parametrize("name", TARGETS)
edits = st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(TOKENS) | st.binary(max_size=6))


@cache
def seeds_of(name: str) -> list[bytes]:
    """Return some short seeds of a target."""
    return sorted(TARGETS[name].seeds(), key=len)[:6]


def edited(seed: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for place, size, new in changes:
        at = round(place * len(seed))
        seed = seed[:at] + new + seed[at + size :]
    return seed


@every_target
def test_a_target_holds_for_its_seeds(name: str) -> None:
    assert seeds_of(name)
    for seed in seeds_of(name):
        TARGETS[name](seed)


@every_target
@given(st.data())
@settings(max_examples=20, deadline=None)
def test_a_target_holds_for_what_is_made_of_its_seeds(name: str, data: st.DataObject) -> None:
    head = data.draw(st.binary(min_size=HEAD, max_size=HEAD))
    seed = data.draw(st.sampled_from(seeds_of(name)))

    TARGETS[name](head + edited(seed[HEAD:], data.draw(st.lists(edits, max_size=4))))


def test_a_target_that_fails_is_seen() -> None:
    def check(given: Input) -> None:
        assert b"".join(given.pieces) == given.body == b"ok"

    Target(check, list)(bytes(HEAD) + b"ok")
    with pytest.raises(AssertionError):
        Target(check, list)(bytes(HEAD) + b"no")
