"""A stream as OpenAI sends it: an event each chunk, `[DONE]` behind a complete answer, else an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from g4fsdk._core.model.chunks import Chunk
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.events import Usage
from g4fsdk._core.model.shape import as_json
from g4fsdk.server.refused import Refused

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # a proxy such as nginx would keep events back
]


def event(value: Mapping[str, Any]) -> bytes:
    """Return *value* as an event."""
    return f"data: {as_json(value)}\n\n".encode()


def failed(refused: Refused) -> bytes:
    """Return the event that ends a stream which broke off."""
    return event(refused.document())


class Identity:
    """The id and time of an answer, where its service names none."""

    def __init__(self, now: int) -> None:
        self._facts = {"id": f"chatcmpl-{uuid4().hex}", "created": now}

    def given(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return *document*, an answer or a chunk, with both."""
        return document | {name: document.get(name) or fact for name, fact in self._facts.items()}


def whole(completion: Completion, identity: Identity) -> dict[str, Any]:
    """Return a complete answer."""
    return identity.given(completion.to_dict())


class Told:
    """What a stream has told so far: who speaks, and how much was counted."""

    def __init__(self, identity: Identity, *, shows_usage: bool) -> None:
        self._identity = identity
        self._shows_usage = shows_usage
        self._speakers: set[int] = set()
        self._usage: Usage | None = None
        self._last: dict[str, Any] = {}

    def chunk(self, chunk: Chunk) -> bytes:
        """Return the event of *chunk*; b"" where it says nothing that the caller can use."""
        self._last = self._identity.given(chunk.to_dict())
        self._usage = chunk.usage or self._usage
        if chunk.usage is not None or chunk.conversation is not None:
            return b""
        for choice in self._last["choices"]:
            if choice["index"] not in self._speakers:
                self._speakers.add(choice["index"])
                choice["delta"] = {"role": "assistant"} | choice["delta"]
        return event(self._last)

    def end(self) -> bytes:
        """Return the end of a complete answer: the counts, where they are wanted and known, and the mark."""
        counts = b""
        if self._shows_usage and self._usage is not None:
            counts = event({**self._last, "choices": [], "usage": self._usage.to_dict()})
        return counts + b"data: [DONE]\n\n"
