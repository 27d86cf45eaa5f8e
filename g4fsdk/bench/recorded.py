"""The answer streams of a cassette, as something to measure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from g4fsdk._core.flow.provider import Stream, advance
from g4fsdk._core.framing.json_lines import JSONLinesParser
from g4fsdk._core.framing.parser import Parser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.framing.text import TextParser
from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.http import Request, Response
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError, MismatchError
from g4fsdk.testing._cassette.values import RecordedResponse
from g4fsdk.testing._cassette.wire_events import wire_format
from g4fsdk.testing._replay.player import Player, recorded_call

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
    opener = _opener(cassette)
    found = [
        Answer(one.response.chunks, partial(opener.parser, one.response))
        for one in cassette.interactions
        if one.request.method == "POST" and _is_answer(one.response) and not opener.sets_up(one.request.url)
    ]
    if not found:
        raise UsageError("there is no streamed answer in this cassette; record one with `g4fsdk capture`")
    return found


def _is_answer(response: RecordedResponse) -> bool:
    return 200 <= response.status < 300 and bool(response.body)


class ByShape:
    """Parsers for recordings that do not say what they are of, as those of other tools: the bytes do."""

    def sets_up(self, url: str) -> bool:
        return False

    def parser(self, response: RecordedResponse) -> Parser:
        return _PARSERS[wire_format(response)]()


class ByCall:
    """Parsers as the recorded call opens them.

    Raises:
        G4FError: The call gets to no stream.
        MismatchError: It asks something else than is recorded.
        CassetteError: It is not there.
    """

    def __init__(self, cassette: Cassette) -> None:
        self._call = recorded_call(cassette)
        self._set_up: list[tuple[str, Response]] = []
        player = Player(cassette)
        step = advance(flow := self._call.start())
        while isinstance(step, Request):
            answer = player.answer(step)
            self._set_up.append((step.url, Response(answer.status, answer.headers, answer.body)))
            step = advance(flow, self._set_up[-1][1])

    def sets_up(self, url: str) -> bool:
        """Whether what is asked at *url* only leads to an answer, be it for another conversation."""
        return _endpoint(url) in [_endpoint(one) for one, _ in self._set_up]

    def parser(self, response: RecordedResponse) -> Parser:
        """Return a new parser for *response*."""
        step = advance(flow := self._call.start())
        for _, answer in self._set_up:
            step = advance(flow, answer)
        assert isinstance(step, Stream)
        return step.accept(Response(response.status, response.headers))


def _opener(cassette: Cassette) -> ByShape | ByCall:
    try:
        return ByCall(cassette)
    except (G4FError, MismatchError, CassetteError):
        return ByShape()


def _endpoint(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]
