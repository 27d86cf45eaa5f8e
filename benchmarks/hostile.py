"""Streams that mean harm: one endless line, a million comments, an event made of endless lines."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import _peers, corpora
from benchmarks._bench import Bench
from g4fsdk import G4FError
from g4fsdk.bench.timing import slope
from g4fsdk.parsers import JSONLinesParser, Parser, SSEParser

OURS = "g4fsdk"
_PIECE = 64
_GOAL = 1.1
_SIZES = 5
_MORE_ROUNDS = 4
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Reader:
    """A parser, and the packages it needs."""

    name: str
    needs: tuple[str, ...]
    read: Callable[[Sequence[bytes]], object]


def _through(items: Callable[[Sequence[bytes]], Iterable[object]]) -> Callable[[Sequence[bytes]], object]:
    def read(chunks: Sequence[bytes]) -> None:
        for _ in items(chunks):
            pass

    return read


def fed(chunks: Iterable[bytes], make: Callable[[], Parser] = SSEParser) -> None:
    """Feed *chunks* to a new parser, up to the error it may raise."""
    parser = make()
    try:
        for chunk in chunks:
            parser.feed(chunk)
        parser.close()
    except G4FError:
        return


_READERS = (
    Reader(OURS, (), fed),
    Reader("openai decoder", ("openai",), _through(_peers.openai_framing)),
    Reader("anthropic decoder", ("anthropic",), _through(_peers.anthropic_framing)),
    Reader("httpx-sse", ("httpx_sse",), _through(_peers.httpx_sse_framing)),
    Reader("sseclient-py", ("sseclient",), _through(_peers.sseclient_framing)),
    Reader("requests iter_lines", (), _through(_peers.requests_lines)),
)


def run(bench: Bench) -> None:
    """Measure how time grows with size, and where the size limit stops an answer."""
    line = f"hostile: one line in {_PIECE}-byte pieces"
    _grow(bench, line, bench.scale.hostile_bytes, _long_line, _READERS)
    lines = bench.scale.hostile_lines
    ours = _READERS[:1]
    _grow(bench, "hostile: comments, 16 KiB chunks", lines, lambda n: _blocks(corpora.comments(n)), ours)
    _grow(bench, "hostile: comments, one a chunk", lines, lambda n: [corpora.comments(1)] * n, ours)
    _grow(
        bench, "hostile: empty data lines of one event", lines, lambda n: _blocks(corpora.data_lines(n)), ours
    )
    _grow(bench, "hostile: data lines of one event, one a chunk", lines, lambda n: [b"data: 1\n"] * n, ours)
    _grow(bench, "hostile: empty chunks and blank lines", lines, lambda n: [b"", b"\n"] * (n // 2), ours)
    _grow(bench, "hostile: pieces of one tool call", lines // 10, lambda n: [corpora.TOOL_CALL] * n, ours)
    _grow(bench, "hostile: a key of its own in each event", lines // 10, _keys, ours)
    chat_ui = (Reader(OURS, (), lambda chunks: fed(chunks, JSONLinesParser)),)
    _grow(bench, "hostile: one chat-ui line, in pieces", bench.scale.hostile_bytes, _long_update, chat_ui)
    _grow(bench, "hostile: blank lines of chat-ui", lines, lambda n: [b"\n"] * n, chat_ui)
    _judge_memory(bench)
    _judge_limits(bench)


def _long_line(size: int) -> list[bytes]:
    return [*corpora.pieces(corpora.long_line(size), _PIECE)]


def _long_update(size: int) -> list[bytes]:
    line = b'{"type":"stream","token":"' + b"x" * size + b'"}\n'
    return [*corpora.pieces(line, _PIECE)]


def _keys(count: int) -> list[bytes]:
    text = '{"choices":[{"delta":{"content":"x"}}],"key %d":1}'
    return [b"data: %b\n\n" % (text % number).encode() for number in range(count)]


def _blocks(wire: bytes) -> list[bytes]:
    return [*corpora.pieces(wire, 16384)]


def _grow(
    bench: Bench, row: str, most: int, make: Callable[[int], Sequence[bytes]], readers: Sequence[Reader]
) -> None:
    """Time *readers* at sizes up to *most*; one that takes too long is spared the larger ones."""
    sizes = [most >> shift for shift in reversed(range(_SIZES))]
    streams = [make(size) for size in sizes]
    present = [one for one in readers if not bench.missing(*one.needs)]
    took = {one.name: _best_times(one, streams, bench.scale.patience) for one in present}
    bench.series[row] = {name: [*zip(sizes, times, strict=False)] for name, times in took.items()}
    bench.say(f"\n{row}")
    for name, times in took.items():
        exponent = slope(sizes[: len(times)], times) if len(times) > 1 else None
        shown = ", ".join(f"{size:,}: {each * 1e3:,.1f} ms" for size, each in zip(sizes, times, strict=False))
        bench.say(f"  {name:24} {shown}")
        note = "" if exponent is not None else f"{times[-1]:.1f} s at {sizes[len(times) - 1]:,} already"
        goal = _GOAL if name == OURS else None
        bench.judge(row, f"{name}: exponent of time against size", exponent, goal, unit="", note=note)


def _best_times(reader: Reader, streams: Sequence[Sequence[bytes]], patience: float) -> list[float]:
    """Time *reader* on *streams*, the smallest first, and all of them again: what slows the machine for a
    while must not look like growth."""
    best: list[float] = []
    for chunks in streams:
        if best and best[-1] >= patience:
            break
        best.append(_seconds(reader, chunks))
    for _ in range(_MORE_ROUNDS if sum(best) < patience else 1):
        best = [
            min(seconds, _seconds(reader, chunks)) for seconds, chunks in zip(best, streams, strict=False)
        ]
    return best


def _seconds(reader: Reader, chunks: Sequence[bytes]) -> float:
    start = time.process_time()
    reader.read(chunks)
    return time.process_time() - start


def _judge_memory(bench: Bench) -> None:
    """The peak of memory over the size of one line: that, and its text."""
    size = bench.scale.hostile_bytes
    line = corpora.long_line(size)
    tracemalloc.start()
    try:
        fed(corpora.pieces(line, _PIECE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    row = f"hostile: memory for one line of {size:,} bytes"
    bench.judge(row, f"{OURS}: peak / size of the line", peak / size, 2.5)


def _judge_limits(bench: Bench) -> None:
    """How many times the limit a parser takes in before it says no; more than 4 counts as never."""
    streams: dict[str, Iterator[bytes]] = {
        "one endless line": _endless(b"data: " + b"x" * 10, b"x" * 4096),
        "endless data lines of one event": _endless(b"", b"data: " + b"1" * 90 + b"\n"),
        "endless empty data lines": _endless(b"", b"data:\n" * 100),
    }
    for name, chunks in streams.items():
        parser, taken = SSEParser(max_bytes=_LIMIT), 0
        try:
            for chunk in chunks:
                if taken > 40 * _LIMIT:
                    break
                taken += len(chunk)
                parser.feed(chunk)
            parser.close()
        except G4FError:
            held = taken / _LIMIT
        else:
            held = float("inf")
        # An empty data line is six bytes on the wire and one in the event.
        goal = 6.1 if "empty" in name else 1.1
        bench.judge("hostile: size limit", f"{name}: taken in / limit", held, goal)


def _endless(start: bytes, more: bytes) -> Iterator[bytes]:
    if start:
        yield start
    while True:
        yield more
