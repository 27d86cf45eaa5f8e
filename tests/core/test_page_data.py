"""Flattened values: every index is checked, and nothing is taken for what it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g4fsdk._core.decoding.page_data import Flattened

# A page as chat-ui sends it, cut to what matters: equal values are stored once.
DATA: list[Any] = [
    {"messages": 1, "title": 7, "gone": -1},
    [2, 8],
    {"id": 3, "from": 4, "content": 5, "ancestors": 6, "createdAt": 9},
    *("0f0e", "system", "Be brief", [], "New Chat"),
    {"id": 7, "from": 4},
    ["Date", "2025-01-01T00:00:00.000Z"],
]


def test_a_path_is_followed_by_indexes() -> None:
    data = Flattened(DATA)

    first, last = data.items(data.key(0, "messages"))

    assert data.text(data.key(first, "id")) == "0f0e"
    assert data.text(data.key(last, "id")) == "New Chat"
    assert data.items(data.key(first, "ancestors")) == []
    assert data.at(data.key(first, "createdAt")) == ["Date", "2025-01-01T00:00:00.000Z"]


@pytest.mark.parametrize(
    ("index", "value"), [(-1, None), (-2, None), (-4, math.inf), (-5, -math.inf), (-6, -0.0)]
)
def test_negative_indexes_are_constants(index: int, value: Any) -> None:
    assert Flattened(DATA).at(index) == value


def test_minus_three_is_no_number_and_minus_six_has_its_sign() -> None:
    assert math.isnan(Flattened(DATA).at(-3))
    assert math.copysign(1, Flattened(DATA).at(-6)) == -1


@pytest.mark.parametrize("values", [None, [], {}, "text", 7, -1])
def test_only_a_list_of_something_is_flattened(values: Any) -> None:
    with pytest.raises(ValueError, match="flattened"):
        Flattened(values)


@pytest.mark.parametrize("index", [10, -7, -100, "0", None, 1.0, True, [0], {}])
def test_what_is_no_index_is_refused(index: Any) -> None:
    with pytest.raises(ValueError, match="index"):
        Flattened(DATA).at(index)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda data: data.key(0, "none"), id="no such key"),
        pytest.param(lambda data: data.key(1, "id"), id="a list has no keys"),
        pytest.param(lambda data: data.key(-1, "id"), id="undefined has no keys"),
        pytest.param(lambda data: data.items(0), id="an object is no list"),
        pytest.param(lambda data: data.items(9), id="a typed value is no list"),
        pytest.param(lambda data: data.items(-2), id="a hole is no list"),
        pytest.param(lambda data: data.text(1), id="a list is no text"),
        pytest.param(lambda data: data.text(-1), id="undefined is no text"),
    ],
)
def test_a_value_of_another_kind_is_refused(ask: Callable[[Flattened], Any]) -> None:
    with pytest.raises(ValueError, match="page data"):
        ask(Flattened(DATA))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["messages", "id", "from"]), inner)
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(values, min_size=1, max_size=8))
def test_any_list_gives_a_value_or_a_value_error(flat: list[Any]) -> None:
    data = Flattened(flat)
    try:
        for item in data.items(data.key(0, "messages")):
            assert isinstance(data.text(data.key(item, "id")), str)
    except ValueError:
        pass
