"""A quick look: `python -m pytest benchmarks --benchmark-only`."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import corpora
from g4fsdk.bench.contenders import (
    Contender,
    check,
    lines_floor,
    lines_parser,
    parsing,
    plain_sse_parser,
    sse_floor,
    sse_parser,
    text_floor,
    text_parser,
)

_EVENTS = 2_000
_CUT_IDS = [corpora.cut_name(cut).replace(" ", "-") for cut in corpora.CUTS]
_RECORDED = ("openai/aimock-stream", "cohere-c4ai/tools", "yqcloud/normal")

each_cut = pytest.mark.parametrize("cut", corpora.CUTS, ids=_CUT_IDS)


def _measure(benchmark: Any, contender: Contender, text: str) -> None:
    check(contender, text)
    benchmark(contender.run)


@each_cut
@pytest.mark.parametrize("shape", [*corpora.SSE])
def test_sse(benchmark: Any, shape: str, cut: int | None) -> None:
    corpus = corpora.SSE[shape](_EVENTS)
    _measure(benchmark, parsing("g4fsdk", sse_parser, corpus.chunks(cut)), corpus.text)


@pytest.mark.parametrize("shape", [*corpora.SSE])
def test_sse_plain_path(benchmark: Any, shape: str) -> None:
    corpus = corpora.SSE[shape](_EVENTS)
    _measure(benchmark, parsing("g4fsdk", plain_sse_parser, corpus.chunks()), corpus.text)


def test_sse_floor(benchmark: Any) -> None:
    corpus = corpora.SSE["constant"](_EVENTS)
    _measure(benchmark, sse_floor(corpus), corpus.text)


@each_cut
def test_chat_ui_lines(benchmark: Any, cut: int | None) -> None:
    corpus = corpora.chat_ui(_EVENTS)
    _measure(benchmark, parsing("g4fsdk", lines_parser, corpus.chunks(cut)), corpus.text)


def test_chat_ui_floor(benchmark: Any) -> None:
    corpus = corpora.chat_ui(_EVENTS)
    _measure(benchmark, lines_floor(corpus), corpus.text)


@each_cut
def test_text(benchmark: Any, cut: int | None) -> None:
    corpus = corpora.text(100_000)
    _measure(benchmark, parsing("g4fsdk", text_parser, corpus.chunks(cut)), corpus.text)


@each_cut
def test_text_floor(benchmark: Any, cut: int | None) -> None:
    corpus = corpora.text(100_000)
    _measure(benchmark, text_floor(corpus.chunks(cut)), corpus.text)


@pytest.mark.parametrize("name", _RECORDED)
def test_recorded(benchmark: Any, name: str) -> None:
    """The bytes of a cassette, at the cuts at which they came."""
    answer = corpora.recorded(name)[-1]
    benchmark(answer.play)
