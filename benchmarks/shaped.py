"""OpenAI-shaped chunks from `chat.completions.create(stream=True)`, without a socket."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks import _clients, corpora
from benchmarks._bench import Bench
from g4fsdk.bench.contenders import Contender

BLOCKING, AWAITED = "g4fsdk Client", "g4fsdk AsyncClient"
OPENAI, ASYNC_OPENAI = "openai OpenAI", "openai AsyncOpenAI"
_ROW = "OpenAI-shaped chunks, in memory"
# A chunk may leave so many bytes behind: its text, which becomes the completion.
_FLAT_BYTES = 16.0


def run(bench: Bench) -> None:
    """Measure both clients against openai's, then how memory grows."""
    corpus = corpora.SSE["constant"](bench.scale.events)
    goals = {
        None: ((BLOCKING, OPENAI, 18.0), (AWAITED, ASYNC_OPENAI, 40.0)),
        16384: ((BLOCKING, OPENAI, 60.0), (AWAITED, ASYNC_OPENAI, 60.0)),
    }
    with asyncio.Runner() as runner:
        for cut, pairs in goals.items():
            contenders = _contenders(bench, corpus.chunks(cut), runner)
            where = corpora.cut_name(cut)
            table = bench.table(f"{_ROW}, {where}", bench.scale.events, contenders, corpus.text)
            for ours, reference, goal in pairs:
                bench.ratio(f"{_ROW}, {where}", table, ours, reference, goal, at_least=True)
    _judge_memory(bench)


def _contenders(
    bench: Bench, chunks: list[bytes], runner: asyncio.Runner
) -> list[Contender | tuple[str, str]]:
    made: list[Contender | tuple[str, str]] = [
        _blocking(BLOCKING, _clients.blocking(chunks)),
        _awaited(AWAITED, _clients.awaited(chunks), runner),
    ]
    why = bench.missing("openai")
    if why:
        return [*made, (OPENAI, why), (ASYNC_OPENAI, why)]
    made.append(_blocking(OPENAI, _clients.openai_blocking(chunks)))
    made.append(_awaited(ASYNC_OPENAI, _clients.openai_awaited(chunks), runner))
    return made


def _blocking(name: str, client: Any) -> Contender:
    return Contender(name, partial(_clients.read_blocking, client), partial(_clients.text_blocking, client))


def _awaited(name: str, client: Any, runner: asyncio.Runner) -> Contender:
    return Contender(
        name,
        lambda: runner.run(_clients.read_awaited(client)),
        lambda: runner.run(_clients.text_awaited(client)),
    )


class _Endless:
    """A stream of *count* chunks that is made while it is read, so that it takes no memory itself."""

    def __init__(self, count: int) -> None:
        corpus = corpora.SSE["constant"](100)
        self._some = corpus.events[:-2]
        self._end = corpus.events[-2:]
        self._times = count // len(self._some)

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._times):
            yield from self._some
        yield from self._end


def _judge_memory(bench: Bench) -> None:
    most = bench.scale.flat_chunks
    for name, read in ((BLOCKING, _read), (AWAITED, _read_awaited)):
        small, large = (_peak(partial(read, _Endless(count))) for count in (most // 2, most))
        grown = (large - small) / (most - most // 2)
        bench.series[f"peak bytes, {name}"] = {"chunks": [most // 2, most], "peak": [small, large]}
        row = f"{_ROW}, memory over {most:,} chunks"
        bench.judge(row, f"{name}: peak growth a chunk", grown, _FLAT_BYTES, unit="bytes")


def _read(chunks: _Endless) -> None:
    _clients.read_blocking(_clients.blocking(chunks))


def _read_awaited(chunks: _Endless) -> None:
    asyncio.run(_clients.read_awaited(_clients.awaited(chunks)))


def _peak(run: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
