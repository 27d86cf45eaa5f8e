"""Generated streams: seeded, so that the same bytes come out in every process and on every machine."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from g4fsdk._core.model.events import ReasoningDelta, TextDelta

#: Where streams are cut: None is one event a chunk, a number is that many bytes.
CUTS: tuple[int | None, ...] = (None, 37, 1460, 16384)
EVENTS = 20_000
TEXT_BYTES = 2 << 20

_WORDS = (
    *(" the", " of", " a", " stream", " parser", " is", " and", "ing", " to", " bytes", " chunk", "ed"),
    *(",", ".", " model", " answer", " in", " that", " server", "s", " event", " one", " with", ":"),
)
_RARE = ("\n", "\n\n", ' "', '"', "\\", "\t", " für", " naïve", " данные", " 模型", "。", " 🙂", "é", " <b>")
_TOKEN_WIDTH = 16  # chat-ui pads every token to so many characters


@dataclass(frozen=True)
class Corpus:
    """One stream: its *events* as they stand on the wire, and what they say.

    *documents* are the JSON documents of those that say text, without framing, one for each of *texts*.
    *key* is where the text of a chat completion stands in its delta.
    """

    name: str
    events: list[bytes]
    texts: list[str]
    documents: list[bytes] = field(default_factory=list)
    key: str = "content"

    @property
    def says(self) -> type[TextDelta] | type[ReasoningDelta]:
        """The kind of event that each of *texts* becomes."""
        return TextDelta if self.key == "content" else ReasoningDelta

    @cached_property
    def wire(self) -> bytes:
        return b"".join(self.events)

    @cached_property
    def text(self) -> str:
        return "".join(self.texts)

    def chunks(self, cut: int | None = None) -> list[bytes]:
        """Return the stream in chunks of *cut* bytes; None gives one event a chunk."""
        if cut is None:
            return self.events
        return [self.wire[at : at + cut] for at in range(0, len(self.wire), cut)]


def cut_name(cut: int | None) -> str:
    return "an event a chunk" if cut is None else f"{cut:,} bytes"


def tokens(count: int, seed: int = 4) -> list[str]:
    """Return pieces of text as models send them: mostly short words, some escapes, some of other scripts."""
    source = random.Random(seed)
    # g4f strips the blank space before an answer: this one has none.
    return ["So", *(source.choice(_WORDS if source.random() < 0.9 else _RARE) for _ in range(count - 1))]


_Frame: TypeAlias = Callable[[int, str, random.Random], dict[str, Any]]


def constant_frame(number: int, token: str, source: random.Random) -> dict[str, Any]:
    """What most servers send: everything but the text stays the same."""
    return {
        "id": "chatcmpl-CbX7mTqLw3nZpYkVd0RfGh8sJ2uA5",
        "object": "chat.completion.chunk",
        "created": 1763740800,
        "model": "gpt-4o-mini-2024-07-18",
        "system_fingerprint": "fp_560af6e559",
        "choices": [{"index": 0, "delta": {"content": token}, "logprobs": None, "finish_reason": None}],
    }


def obfuscated_frame(number: int, token: str, source: random.Random) -> dict[str, Any]:
    """OpenAI's own: a field of random letters hides how long each token is."""
    letters = source.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=14)
    padding = "".join(letters)[: max(1, 14 - len(token))]
    return {**constant_frame(number, token, source), "obfuscation": padding}


def thinking_frame(number: int, token: str, source: random.Random) -> dict[str, Any]:
    """What models that think aloud send first, and most of."""
    frame = constant_frame(number, token, source)
    frame["choices"][0]["delta"] = {"content": None, "reasoning_content": token}
    return frame


def changing_frame(number: int, token: str, source: random.Random) -> dict[str, Any]:
    """An id and a time of its own for each event, and keys that come and go."""
    frame = constant_frame(number, token, source)
    frame["id"] = f"chatcmpl-{source.getrandbits(100):025x}"
    frame["created"] += number // 40
    (choice,) = frame["choices"]
    if source.random() < 0.5:
        del choice["logprobs"]
    if source.random() < 0.5:
        choice["delta"] = {"role": "assistant", **choice["delta"]}
    if source.random() < 0.3:
        frame["usage"] = None
    if source.random() < 0.3:
        frame["service_tier"] = "default"
    return frame


def sse(
    name: str,
    count: int = EVENTS,
    frame: _Frame = constant_frame,
    *,
    spaced: bool = False,
    line_end: bytes = b"\n",
    comment_every: int = 0,
) -> Corpus:
    """Return *count* chat completion chunks of about 270 bytes, then a finish reason and `[DONE]`."""
    source = random.Random(f"{name} 4")
    separators = (", ", ": ") if spaced else (",", ":")
    texts = tokens(count)
    documents = [
        json.dumps(frame(number, text, source), ensure_ascii=False, separators=separators).encode()
        for number, text in enumerate(texts)
    ]
    last = constant_frame(count, "", source)
    last["choices"] = [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    ends = [json.dumps(last, separators=separators).encode(), b"[DONE]"]
    events = [b"data: " + document + 2 * line_end for document in (*documents, *ends)]
    if comment_every:
        comment = b": keep-alive" + 2 * line_end
        events = [
            comment + event if number % comment_every == 0 else event for number, event in enumerate(events)
        ]
    key = "reasoning_content" if frame is thinking_frame else "content"
    return Corpus(name, events, texts, documents, key)


#: The shapes of the one stream, by name.
SSE: dict[str, Callable[[int], Corpus]] = {
    "constant": lambda count: sse("constant", count),
    "obfuscation": lambda count: sse("obfuscation", count, obfuscated_frame),
    "changing shape": lambda count: sse("changing shape", count, changing_frame),
    "reasoning": lambda count: sse("reasoning", count, thinking_frame),
    "CRLF": lambda count: sse("CRLF", count, line_end=b"\r\n"),
    "comments": lambda count: sse("comments", count, comment_every=4),
    "spaced JSON": lambda count: sse("spaced JSON", count, spaced=True),
}


def chat_ui(count: int = EVENTS, keep_alive_every: int = 20) -> Corpus:
    """Return *count* token updates of chat-ui, padded with NULs, with keep-alives between some of them."""
    texts = tokens(count)
    documents = [_compact({"type": "stream", "token": text.ljust(_TOKEN_WIDTH, "\0")}) for text in texts]
    keep_alive = _compact({"type": "status", "status": "keepAlive"}) + b"\n"
    events = [_compact({"type": "status", "status": "started"}) + b"\n"]
    for number, document in enumerate(documents):
        if number % keep_alive_every == 0:
            events.append(keep_alive)
        events.append(document + b"\n")
    events.append(_compact({"type": "finalAnswer", "text": "".join(texts)}) + b"\n")
    return Corpus("chat-ui lines", events, texts, documents)


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def text(size: int = TEXT_BYTES) -> Corpus:
    """Return plain text of about *size* bytes, of several scripts."""
    texts = [*_until(size)]
    return Corpus("text", [piece.encode() for piece in texts], texts)


def _until(size: int) -> Iterator[str]:
    for token in tokens(size):
        if size <= 0:
            return
        size -= len(token.encode())
        yield token
