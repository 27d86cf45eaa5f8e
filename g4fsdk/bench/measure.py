"""The parsers on this machine: each stream, cut in several ways, beside the floor where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from g4fsdk._core.framing.parser import Parser
from g4fsdk.bench.contenders import (
    OURS,
    Contender,
    check,
    lines_floor,
    lines_parser,
    parsing,
    sse_floor,
    sse_parser,
    text_floor,
    text_parser,
)
from g4fsdk.bench.corpora import (
    CUTS,
    EVENTS,
    SSE,
    TEXT_BYTES,
    Corpus,
    chat_ui,
    cut_name,
    text,
)
from g4fsdk.bench.recorded import MEGABYTES, Answer, feed
from g4fsdk.bench.timing import MIN_ROUNDS, Samples, alternate

SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Figure:
    """How fast one stream was parsed. *floor* is the time against the floor's; 1.0 is as fast as that."""

    stream: str
    cut: str
    events: int
    size: int
    seconds: float
    floor: float | None = None

    def as_row(self) -> dict[str, object]:
        """Return the figure as users read it."""
        return {
            "stream": self.stream,
            "cut into": self.cut,
            "events/s": f"{self.events / self.seconds:,.0f}",
            "MB/s": f"{self.size / self.seconds / 1e6:,.1f}",
            "ns/event": f"{self.seconds / max(1, self.events) * 1e9:,.0f}",
            "x floor": "" if self.floor is None else f"{self.floor:.2f}",
        }

    def as_document(self) -> dict[str, object]:
        """Return the figure as JSON has it."""
        return {
            "stream": self.stream,
            "cut": self.cut,
            "events": self.events,
            "bytes": self.size,
            "seconds": self.seconds,
            "events_per_s": self.events / self.seconds,
            "mb_per_s": self.size / self.seconds / 1e6,
            "times_floor": self.floor,
        }


def generated(seconds: float = SECONDS, events: int = EVENTS) -> Iterator[Figure]:
    """Measure the generated streams; *seconds* is about what each figure takes."""
    for make in SSE.values():
        yield from _figures(make(events), sse_parser, lambda corpus, _: sse_floor(corpus), seconds)
    yield from _figures(chat_ui(events), lines_parser, lambda corpus, _: lines_floor(corpus), seconds)
    plain = text(min(TEXT_BYTES, events * 100))
    yield from _figures(plain, text_parser, lambda _, chunks: text_floor(chunks), seconds)


def _figures(
    corpus: Corpus,
    make: Callable[[], Parser],
    floor_of: Callable[[Corpus, list[bytes]], Contender],
    seconds: float,
) -> Iterator[Figure]:
    for cut in CUTS:
        chunks = corpus.chunks(cut)
        contenders = [parsing(OURS, make, chunks, corpus.says), floor_of(corpus, chunks)]
        for contender in contenders:
            check(contender, corpus.text)
        ours, floor = alternate({one.name: one.run for one in contenders}, seconds=seconds / 2).values()
        yield Figure(
            corpus.name,
            cut_name(cut),
            len(corpus.texts),
            len(corpus.wire),
            ours.median,
            ours.median / floor.median,
        )


def recorded(found: list[Answer], seconds: float = SECONDS, megabytes: float = MEGABYTES) -> Iterator[Figure]:
    """Measure recorded answers, each played often enough to make *megabytes*, by a new parser each time."""
    for number, answer in enumerate(found):
        times = answer.times(megabytes)
        for cut in (None, *(cut for cut in CUTS if cut is not None)):
            yield Figure(
                f"answer {number + 1}",
                "as recorded" if cut is None else cut_name(cut),
                answer.play(cut) * times,
                len(answer.body) * times,
                _played(answer, answer.cut(cut), times, seconds).median,
            )


def _played(answer: Answer, chunks: list[bytes], times: int, seconds: float) -> Samples:
    """Return how long *times* parsers take for *chunks*, again and again; making them is not counted."""
    samples = Samples()
    while len(samples) < MIN_ROUNDS or sum(samples) < seconds:
        parsers = [answer.make() for _ in range(times)]
        start = time.process_time()
        for parser in parsers:
            feed(parser, chunks)
        samples.append(time.process_time() - start)
    return samples
