"""The answer streams of a cassette, as something to measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from g4fsdk._core.flow.provider import Stream, advance
from g4fsdk._core.framing.json_lines import JSONLinesParser
from g4fsdk._core.framing.parser import Parser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.framing.text import TextParser
from g4fsdk._core.model.chat import Chat, Conversation, Ids
from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.http import Request, Response
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.values import Interaction, RecordedResponse
from g4fsdk.testing._cassette.wire_events import wire_format

MEGABYTES = 4
_PARSERS: dict[str, Callable[[], Parser]] = {
    "sse": SSEParser,
    "json lines": JSONLinesParser,
    "chunks": TextParser,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer: its chunks as they came, and how to get a new parser for it."""

    chunks: list[bytes]
    make: Callable[[], Parser]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def cut(self, size: int | None) -> list[bytes]:
        """Return the body in chunks of *size* bytes; None leaves it as it was recorded."""
        if size is None:
            return self.chunks
        body = self.body
        return [body[at : at + size] for at in range(0, len(body), size)]

    def play(self, cut: int | None = None) -> int:
        """Feed the answer to a new parser; return how many events it gives, up to its end or failure."""
        return feed(self.make(), self.cut(cut))

    def times(self, megabytes: float = MEGABYTES) -> int:
        """Return how often the answer has to be played to make so many megabytes."""
        return max(1, math.ceil(megabytes * 1e6 / max(1, len(self.body))))


def feed(parser: Parser, chunks: list[bytes]) -> int:
    """Return how many events *parser* makes of *chunks*: a stream that failed when recorded fails again."""
    count = 0
    try:
        for chunk in chunks:
            count += len(parser.feed(chunk))
            if parser.done:
                break
        return count + len(parser.close())
    except G4FError as error:
        return count + len(error.events)


def answers(cassette: Cassette) -> list[Answer]:
    """Return the answers that *cassette* holds.

    Raises:
        UsageError: It holds none.
    """
    found = [*(_of_provider(cassette) if cassette.metadata.get("provider") else _of_shape(cassette))]
    if not found:
        raise UsageError("there is no streamed answer in this cassette; record one with `g4fsdk capture`")
    return found


def _of_shape(cassette: Cassette) -> Iterator[Answer]:
    """Recordings of other tools do not say what they are of: then the bytes do."""
    for interaction in cassette.interactions:
        response = interaction.response
        if interaction.request.method == "POST" and _is_answer(response):
            yield Answer(response.chunks, _PARSERS[wire_format(response)])


def _of_provider(cassette: Cassette) -> Iterator[Answer]:
    """Go through the recorded requests as the provider makes them; those it streams are answers."""
    interactions = iter(cassette.interactions)
    attempt = 0
    while (found := _next_stream(cassette, attempt, interactions)) is not None:
        attempt += 1
        response, head = found
        if _is_answer(response):
            yield Answer(response.chunks, _maker(cassette, attempt - 1, head))


def _next_stream(
    cassette: Cassette, attempt: int, interactions: Iterator[Interaction]
) -> tuple[RecordedResponse, list[Response]] | None:
    """Return the next streamed response, and those of the requests before it that lead there."""
    used: list[Response] = []
    for interaction in interactions:
        response = interaction.response
        try:
            stream = _replayed(cassette, attempt, used)
        except _NeedsMoreError:
            used.append(Response(response.status, response.headers, response.body))
        except G4FError:
            used = []  # a try that failed in its set-up; the next response belongs to the next one
        else:
            if _endpoint(stream.request.url) != _endpoint(interaction.request.url):
                continue  # such as a list of models
            return response, [*used, Response(response.status, response.headers)]
    return None


def _endpoint(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]


class _NeedsMoreError(Exception):
    """The flow wants another response."""


def _replayed(cassette: Cassette, attempt: int, used: list[Response]) -> Stream:
    flow = _flow(cassette, attempt)
    step = advance(flow)
    for response in used:
        step = advance(flow, response)
    if isinstance(step, Request):
        raise _NeedsMoreError
    return step


def _flow(cassette: Cassette, attempt: int) -> Any:
    from g4fsdk import providers

    said = cassette.metadata
    provider = providers.get(said["provider"])
    call = dict(said.get("call") or {})
    ids = Ids.seeded(said.get("ids_seed") or 0)
    if "prompt" in call:
        return provider.image(call.pop("prompt"), call.pop("model", ""), call, ids.child(attempt))
    handle = call.pop("conversation", None)
    conversation = Conversation.from_dict(handle) if handle else None
    messages, model = call.pop("messages", "Hello"), call.pop("model", "")
    stream = call.pop("stream", True)
    return provider.chat(Chat(messages, model, stream, call, conversation, ids, attempt=attempt))


def _maker(cassette: Cassette, attempt: int, responses: list[Response]) -> Callable[[], Parser]:
    def make() -> Parser:
        return _replayed(cassette, attempt, responses[:-1]).accept(responses[-1])

    return make


def _is_answer(response: RecordedResponse) -> bool:
    return 200 <= response.status < 300 and bool(response.body)
