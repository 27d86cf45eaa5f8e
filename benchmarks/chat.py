"""Server-sent events of chat completions, from bytes to events."""

from __future__ import annotations

from operator import attrgetter

from benchmarks import _peers, corpora
from benchmarks._bench import Bench, Table
from g4fsdk.bench.contenders import (
    FLOOR,
    OURS,
    PLAIN,
    Contender,
    parsing,
    plain_sse_parser,
    sse_floor,
    sse_parser,
)

OPENAI_JSON = "openai decoder + json.loads"
HTTPX_SSE = "httpx-sse, framing alone"
_ROW = "SSE chat -> typed events"
_DATA = attrgetter("data")  # all there is to see of an event whose document nobody read

# Name, what it needs, how it reads, and where the text is.
_PEERS: tuple[tuple[str, tuple[str, ...], _peers.Items, _peers.TextOf], ...] = (
    (OPENAI_JSON, ("openai",), _peers.openai_json, _peers.content),
    ("openai decoder, framing alone", ("openai",), _peers.openai_framing, _peers.content_of_event),
    ("anthropic decoder, framing alone", ("anthropic",), _peers.anthropic_framing, _peers.content_of_event),
    (HTTPX_SSE, ("httpx_sse",), _peers.httpx_sse_framing, _peers.content_of_event),
    ("sseclient-py, framing alone", ("sseclient",), _peers.sseclient_framing, _peers.content_of_event),
    ("requests iter_lines + orjson", ("orjson",), _peers.requests_orjson, _peers.content),
    ("huggingface_hub, typed", ("huggingface_hub",), _peers.huggingface_typed, _peers.typed_content),
    ("g4f, chunk objects", ("g4f",), _peers.g4f_chunks, _peers.typed_content),
)


def run(bench: Bench) -> None:
    """Measure every shape of the stream; the constant one at every cut, against everybody."""
    constant = corpora.SSE["constant"](bench.scale.events)
    by_cut = {cut: _table(bench, constant, cut, peers=len(_PEERS)) for cut in corpora.CUTS}
    _judge_constant(bench, by_cut)
    for shape in ("changing shape", "obfuscation"):
        corpus = corpora.SSE[shape](bench.scale.events)
        _judge_changing(bench, f"{_ROW}, {shape}, an event a chunk", _table(bench, corpus, None))
        table = _table(bench, corpus, 16384)
        bench.ratio(f"{_ROW}, {shape}, 16 KiB chunks", table, OURS, PLAIN, 1.05)
    crlf = _table(bench, corpora.SSE["CRLF"](bench.scale.events), None)
    bench.ratio(f"{_ROW}, CRLF", crlf, OURS, OPENAI_JSON, 7.5, at_least=True)
    thinking = corpora.SSE["reasoning"](bench.scale.events)
    for cut in (None, 16384):
        row = f"{_ROW}, reasoning, {corpora.cut_name(cut)}"
        bench.ratio(row, _table(bench, thinking, cut, peers=0), OURS, FLOOR, None)
    for shape in ("comments", "spaced JSON"):
        table = _table(bench, corpora.SSE[shape](bench.scale.events), None)
        bench.ratio(f"{_ROW}, {shape}", table, OURS, FLOOR, None)


def _judge_constant(bench: Bench, by_cut: dict[int | None, Table]) -> None:
    row, table = f"{_ROW}, constant, an event a chunk", by_cut[None]
    bench.ratio(row, table, OURS, FLOOR, 1.05, stretch=0.95)
    bench.ratio(row, table, OURS, OPENAI_JSON, 17, at_least=True)
    bench.ratio(row, table, OURS, HTTPX_SSE, 7, at_least=True)
    row, table = f"{_ROW}, constant, 16 KiB chunks", by_cut[16384]
    bench.ratio(row, table, OURS, OPENAI_JSON, 12, at_least=True)
    bench.ratio(row, table, OURS, FLOOR, 1.3)
    bench.ratio(f"{_ROW}, constant, 37-byte chunks", by_cut[37], OURS, OPENAI_JSON, 4, at_least=True)
    bench.ratio(f"{_ROW}, constant, 1,460-byte chunks", by_cut[1460], OURS, OPENAI_JSON, None, at_least=True)


def _judge_changing(bench: Bench, row: str, table: Table) -> None:
    bench.ratio(row, table, OURS, FLOOR, 2.0, stretch=1.8)
    bench.ratio(row, table, OURS, OPENAI_JSON, 7.5, at_least=True)
    bench.ratio(row, table, OURS, PLAIN, 1.05)


def _table(bench: Bench, corpus: corpora.Corpus, cut: int | None, peers: int = 1) -> Table:
    chunks = corpus.chunks(cut)
    ours = [
        parsing(OURS, sse_parser, chunks, corpus.says),
        parsing(PLAIN, plain_sse_parser, chunks, corpus.says),
        sse_floor(corpus),
    ]
    others: list[Contender | tuple[str, str]] = []
    for name, needs, items, text_of in _PEERS[:peers]:
        why = bench.missing(*needs)
        look = _DATA if text_of is _peers.content_of_event else None
        others.append((name, why) if why else _peers.contender(name, items, text_of, chunks, look))
    name = f"SSE chat, {corpus.name}, {corpora.cut_name(cut)}"
    return bench.table(name, bench.scale.events, [*ours, *others], corpus.text)
