"""What is parsed: the generated streams of `g4fsdk bench`, recorded ones, hostile ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from g4fsdk.bench.corpora import (
    CUTS,
    EVENTS,
    SSE,
    TEXT_BYTES,
    Corpus,
    chat_ui,
    cut_name,
    sse,
    text,
    tokens,
)
from g4fsdk.bench.recorded import Answer, answers

__all__ = [
    "CASSETTES",
    "CUTS",
    "EVENTS",
    "SSE",
    "TEXT_BYTES",
    "TOOL_CALL",
    "Corpus",
    "chat_ui",
    "comments",
    "cut_name",
    "data_lines",
    "long_line",
    "pieces",
    "recorded",
    "sse",
    "text",
    "tokens",
]

#: The next piece of a tool call's arguments, as an event.
TOOL_CALL = (
    b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"[1, 2, 3], "}}]}}]}\n\n'
)
CASSETTES = Path(__file__).parents[1] / "cassettes"


def recorded(name: str) -> list[Answer]:
    """Return the answers in the cassette *name*, like `openai/hello`."""
    from g4fsdk.testing import Cassette

    return answers(Cassette.load(CASSETTES / f"{name}.yaml"))


def pieces(wire: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(wire), size):
        yield wire[at : at + size]


def long_line(size: int) -> bytes:
    """Return an event that is one line of *size* bytes."""
    start, end = b'data: {"choices":[{"delta":{"content":"', b'"}}]}\n\n'
    return start + b"x" * (size - len(start) - len(end)) + end


def comments(count: int) -> bytes:
    """Return *count* comments, and no event."""
    return b": keep-alive\n\n" * count


def data_lines(count: int, value: bytes = b"") -> bytes:
    """Return *count* data lines that belong to one event, which does not end."""
    return (b"data:" + value + b"\n") * count
