"""Bytes into parsers, and what came out: shared by the tests of the core."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from g4fsdk import (
    Event,
    G4FError,
    Request,
    Response,
    Stream,
    TextDelta,
    advance,
)
from g4fsdk._core.decoding.answer import Answer
from g4fsdk._core.flow.provider import Flow
from g4fsdk.parsers import Parser

T = TypeVar("T")


@dataclass
class Seen:
    """What a parser gave: its events in order, the error that ended it, and the answer they add up to."""

    events: list[Event]
    error: G4FError | None
    answer: Answer

    @property
    def text(self) -> str:
        return text_of(self.events)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def summary(self) -> tuple[Any, ...]:
        """All that two ways of cutting the same bytes have to agree on."""
        return self.events, summary_of(self.error)


def summary_of(error: G4FError | None) -> tuple[Any, ...]:
    if error is None:
        return ()
    keys = ("message", "partial", "code", "offset", "excerpt", "status", "body")
    return (type(error).__name__, *(getattr(error, key, None) for key in keys))


def run(parser: Parser, pieces: Iterable[bytes], *, cut: str = "") -> Seen:
    """Feed *pieces*, as a transport does, and close; *cut* says that the body broke off instead."""
    events: list[Event] = []
    error: G4FError | None = None
    try:
        for piece in pieces:
            events += parser.feed(piece)
            if parser.done:
                break
        if cut and not parser.done:
            raise parser.cut(cut)
        events += parser.close()
    except G4FError as raised:
        events += raised.events
        error = raised
    return Seen(events, error, parser.answer)


def answer_to(stream: Stream, response: Response, pieces: Iterable[bytes] | None = None) -> Seen:
    """Run *stream*'s parser on *response*, its body in *pieces* if given."""
    head = Response(response.status, response.headers, received_at=response.received_at)
    return run(stream.accept(head), [response.body] if pieces is None else pieces)


def text_of(events: Sequence[Event]) -> str:
    """The text of choice 0."""
    return "".join(event.text for event in events if isinstance(event, TextDelta) and not event.choice)


def cut_at(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted(cuts)
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def sse(*events: Any, done: bool = True) -> bytes:
    """Return *events* (JSON values, or text as it stands) as an event stream."""
    payloads = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(f"data: {payload}\n\n" for payload in [*payloads, *(["[DONE]"] if done else [])]).encode()


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a chat completion chunk with one choice."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def stream_of(flow: Flow) -> Stream:
    """Return the stream of a flow that needs no set-up."""
    step = advance(flow)
    assert isinstance(step, Stream)
    return step


def request_of(flow: Flow) -> Request:
    """Return the set-up request with which a flow begins."""
    step = advance(flow)
    assert isinstance(step, Request)
    return step
