"""Documents without anything unusual are read in one pass, and mean what they mean to PyYAML."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from g4fsdk.testing._cassette.plain_yaml import UNUSUAL, read_plain
from tests.support.players import CASSETTES


def read(text: str) -> Any:
    loader = yaml.SafeLoader(text)
    try:
        return read_plain(loader, deepest=20)
    finally:
        loader.dispose()


def test_nearly_every_cassette_is_plain() -> None:
    unusual = 0
    for path in CASSETTES:
        text = path.read_text(encoding="utf-8")
        found = read(text)
        unusual += found is UNUSUAL
        assert found is UNUSUAL or repr(found) == repr(yaml.load(text, Loader=yaml.CSafeLoader))
    assert unusual < len(CASSETTES) / 20


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(max_size=3)
)
WORDS = st.sampled_from("~ null yes No 0x1F 0o7 1_000 1e3 .inf .nan 12:30:45 2020-01-01 'a' 1.5 08".split())


@given(
    st.recursive(SCALARS | WORDS, lambda inner: st.lists(inner) | st.dictionaries(SCALARS | WORDS, inner)),
    st.sampled_from([True, False, None]),
)
def test_what_is_read_is_what_pyyaml_reads(document: Any, flow: bool | None) -> None:
    text = yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True)

    found = read(text)

    assert found is UNUSUAL or repr(found) == repr(yaml.safe_load(text))


@given(st.dictionaries(st.text("ab"), WORDS))
def test_plain_words_mean_what_they_mean_to_pyyaml(words: dict[str, str]) -> None:
    text = "".join(f'"{name}": {word}\n' for name, word in words.items()) or "{}"

    found = read(text)

    assert found is UNUSUAL or repr(found) == repr(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: &x 1\nb: *x\n", id="anchor"),
        pytest.param("a: &x []\n", id="anchor of a list"),
        pytest.param("a: !!str 1\n", id="tag"),
        pytest.param("a: !!python/tuple [1]\n", id="tag of a list"),
        pytest.param("1: a\n", id="key that is no text"),
        pytest.param("? [1]\n: a\n", id="key that is a list"),
        pytest.param("a: {<<: {b: 1}}\n", id="merge"),
        pytest.param("a: =\n", id="default value"),
        pytest.param("--- 1\n--- 2\n", id="two documents"),
        pytest.param("", id="none"),
        pytest.param("[" * 21 + "]" * 21, id="too deep"),
    ],
)
def test_what_is_unusual_is_left_to_pyyaml(text: str) -> None:
    assert read(text) is UNUSUAL
