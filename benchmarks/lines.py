"""chat-ui's lines and plain text, from bytes to events."""

from __future__ import annotations

from typing import Any

from benchmarks import _peers, corpora
from benchmarks._bench import Bench
from g4fsdk.bench.contenders import (
    CODECS,
    FLOOR,
    OURS,
    Contender,
    lines_floor,
    lines_parser,
    parsing,
    text_floor,
    text_parser,
)

G4F_LOOP = "g4f's loop"
HTTPX_TEXT = "httpx iter_text"
_TEXT_GOALS = {None: 1.05, 37: 1.8, 16384: 1.2}


def run_lines(bench: Bench) -> None:
    """Measure chat-ui's lines at every cut."""
    corpus = corpora.chat_ui(bench.scale.events)
    for cut in corpora.CUTS:
        chunks = corpus.chunks(cut)
        contenders = [
            parsing(OURS, lines_parser, chunks),
            lines_floor(corpus),
            _peers.contender("httpx iter_lines + json", _peers.httpx_lines_json, _token, chunks),
            _peers.contender(G4F_LOOP, _peers.g4f_lines, str, chunks),
        ]
        where = corpora.cut_name(cut).replace("an event", "a line")
        table = bench.table(f"chat-ui lines, {where}", bench.scale.events, contenders, corpus.text)
        row = f"chat-ui lines -> events, {where}"
        if cut is None:
            bench.ratio(row, table, OURS, FLOOR, 1.5)
            bench.ratio(row, table, OURS, G4F_LOOP, 4.5, at_least=True)
        elif cut == 16384:
            bench.ratio(row, table, OURS, G4F_LOOP, 4.2, stretch=5.5, at_least=True)


def _token(update: Any) -> str:
    return update["token"].rstrip("\0") if update["type"] == "stream" else ""


def run_text(bench: Bench) -> None:
    """Measure plain text at every cut."""
    corpus = corpora.text(bench.scale.text_bytes)
    for cut in corpora.CUTS:
        chunks = corpus.chunks(cut)
        contenders: list[Contender | tuple[str, str]] = [
            parsing(OURS, text_parser, chunks),
            text_floor(chunks),
            _peers.contender(HTTPX_TEXT, _peers.httpx_text, str, chunks),
        ]
        table = bench.table(f"text, {corpora.cut_name(cut)}", len(chunks), contenders, corpus.text)
        row = f"text -> events, {corpora.cut_name(cut)}"
        bench.ratio(row, table, OURS, CODECS, _TEXT_GOALS.get(cut))
        if cut is None:
            bench.ratio(row, table, OURS, HTTPX_TEXT, 3.0, at_least=True)
