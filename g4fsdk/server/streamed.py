"""A stream as OpenAI sends it: an event each chunk, `[DONE]` behind a complete answer, else an error."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import anyio
from starlette.types import Send

from g4fsdk._core.model.chunks import Chunk
from g4fsdk._core.model.completions import Completion, ImagesResponse
from g4fsdk._core.model.events import Usage
from g4fsdk._core.model.shape import as_json, given
from g4fsdk.server.refused import Refused

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # a proxy such as nginx would keep events back
]
#: What OpenAI calls the counts of images.
_OF_IMAGES = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "prompt_tokens_details": "input_tokens_details",
    "completion_tokens_details": "output_tokens_details",
}
_AHEAD_BYTES = 1 << 16
_APART_S = 0.001  # events further apart come alone


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


def painted(images: ImagesResponse, now: int) -> dict[str, Any]:
    """Return images, and what their service says beside them."""
    counts = {} if images.usage is None else images.usage.to_dict()
    usage = {_OF_IMAGES.get(name, name): count for name, count in counts.items()} or None
    made = {"created": images.created or now, "data": [image.to_dict() for image in images.data]}
    return made | given(usage=usage) | images.extra


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
        before, self._last = self._last, self._identity.given(chunk.to_dict())
        self._usage = chunk.usage or self._usage
        if chunk.usage is not None or chunk.conversation is not None:
            self._last.pop("usage", None)
            if before in ({}, self._last | {"choices": before.get("choices")}):
                return b""  # else the service said more beside it
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


class Outbox:
    """Sends events: one that comes alone at once, those that come together together.

    To send costs more than all else that an event does, and so does to hand it to another task.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._events: list[bytes] = []
        self._size, self._since = 0, 0.0
        self._is_busy = self._is_closed = False
        self._come, self._gone = anyio.Event(), anyio.Event()

    async def put(self, data: bytes) -> None:
        """Take *data*; wait where much is not sent yet."""
        before, self._since = self._since, time.perf_counter()
        if self._since - before > _APART_S and not (self._events or self._is_busy):
            await self._write(data)
            return
        self._events.append(data)
        self._size += len(data)
        self._come.set()
        if self._size > _AHEAD_BYTES:
            self._gone = anyio.Event()
            await self._gone.wait()

    def close(self) -> None:
        """Let `run` end once all is sent."""
        self._is_closed = True
        self._come.set()

    async def run(self) -> None:
        """Send what comes together, until it is closed."""
        while not self._is_closed or self._events:
            await self._come.wait()
            if not self._is_closed:
                self._come = anyio.Event()
            data, self._events, self._size = b"".join(self._events), [], 0
            self._gone.set()
            if data:
                await self._write(data)

    async def _write(self, data: bytes) -> None:
        self._is_busy = True
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._is_busy = False
