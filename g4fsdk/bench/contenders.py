"""What runs: the parsers of this package, and the floor under each.

A contender's `run` is timed, its `text` says what came out, so that no figure is for wrong work. All read as
a user does: the text of each event is looked at, and the end of the stream is told.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk._core.decoding.chatui import UpdateDecoder
from g4fsdk._core.decoding.decoder import Kind
from g4fsdk._core.framing.json_lines import JSONLinesParser
from g4fsdk._core.framing.parser import Parser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.framing.text import TextParser
from g4fsdk._core.model.events import Event, ReasoningDelta, TextDelta
from g4fsdk.bench.corpora import Corpus


@dataclass(frozen=True, slots=True)
class Contender:
    """*run* is what is timed, and returns how long the text is; *text* returns the text itself."""

    name: str
    run: Callable[[], object]
    text: Callable[[], str]


class WrongTextError(Exception):
    """A contender gave another text than the stream holds."""


def check(contender: Contender, text: str) -> None:
    """Raises WrongTextError when *contender* does not give *text*."""
    given = contender.text()
    if given != text:
        at = next(
            (i for i, (a, b) in enumerate(zip(given, text, strict=False)) if a != b),
            min(len(given), len(text)),
        )
        raise WrongTextError(
            f"{contender.name} gives {given[at : at + 40]!r} where the stream says {text[at : at + 40]!r}"
        )


_TEXTS = (TextDelta, ReasoningDelta)


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, _TEXTS))


def parsing(
    name: str,
    make: Callable[[], Parser],
    chunks: Sequence[bytes],
    says: type[TextDelta] | type[ReasoningDelta] = TextDelta,
) -> Contender:
    """Return the contender that feeds *chunks* to a new parser of *make*, and reads the events it *says*."""

    def run() -> int:
        parser, said = make(), 0
        feed = parser.feed
        for chunk in chunks:
            for event in feed(chunk):
                if type(event) is says:
                    said += len(event.text)  # pyright: ignore[reportAttributeAccessIssue]
        return said + len(text_of(parser.close()))

    def text() -> str:
        parser = make()
        return "".join([*(text_of(parser.feed(chunk)) for chunk in chunks), text_of(parser.close())])

    return Contender(name, run, text)


class _Unlearned(ChatChunkDecoder):
    """Names no key for the fast path, so that every event takes the plain one."""

    def kinds(self) -> dict[type[Event], Kind]:
        return {event: replace(kind, keys=()) for event, kind in super().kinds().items()}


DeltaT = TypeVar("DeltaT")


class _Text(msgspec.Struct, gc=False):
    content: str | None = None


class _Thought(msgspec.Struct, gc=False):
    reasoning_content: str | None = None


class _Choice(msgspec.Struct, Generic[DeltaT], gc=False):
    delta: DeltaT


class _Chunk(msgspec.Struct, Generic[DeltaT], gc=False):
    choices: list[_Choice[DeltaT]]


class _Stream(msgspec.Struct, gc=False, tag="stream", tag_field="type"):
    token: str


class _Status(msgspec.Struct, gc=False, tag="status", tag_field="type"):
    status: str


class _FinalAnswer(msgspec.Struct, gc=False, tag="finalAnswer", tag_field="type"):
    text: str


_chunks: dict[str, msgspec.json.Decoder[Any]] = {
    "content": msgspec.json.Decoder(_Chunk[_Text]),
    "reasoning_content": msgspec.json.Decoder(_Chunk[_Thought]),
}
_updates = msgspec.json.Decoder(_Stream | _Status | _FinalAnswer)

FLOOR = "msgspec, split beforehand"
CODECS = "codecs incremental decoder"
OURS = "g4fsdk"
PLAIN = "g4fsdk, plain path"


def sse_floor(corpus: Corpus) -> Contender:
    """Return msgspec's typed decode of the text events' documents, nothing but `choices[].delta`'s text."""
    documents, decode, text_of_delta = corpus.documents, _chunks[corpus.key].decode, attrgetter(corpus.key)

    def run() -> int:
        said = 0
        for document in documents:
            said += len(text_of_delta(decode(document).choices[0].delta))
        return said

    def text() -> str:
        return "".join(text_of_delta(decode(document).choices[0].delta) for document in documents)

    return Contender(FLOOR, run, text)


def lines_floor(corpus: Corpus) -> Contender:
    """Return msgspec's decode of every line, split beforehand, into a union of structs by tag."""
    lines, decode = [event[:-1] for event in corpus.events], _updates.decode

    def run() -> int:
        said = 0
        for line in lines:
            update = decode(line)
            if isinstance(update, _Stream):
                said += len(update.token.rstrip("\0"))
        return said

    def text() -> str:
        found = (decode(line) for line in lines)
        return "".join(one.token.rstrip("\0") for one in found if isinstance(one, _Stream))

    return Contender(FLOOR, run, text)


def text_floor(chunks: Sequence[bytes]) -> Contender:
    """Return what the standard library has for bytes cut anywhere."""
    make = codecs.getincrementaldecoder("utf-8")

    def run() -> int:
        decode, said = make("replace").decode, 0
        for chunk in chunks:
            said += len(decode(chunk))
        return said + len(decode(b"", True))

    def text() -> str:
        decode = make("replace").decode
        return "".join([*map(decode, chunks), decode(b"", True)])

    return Contender(CODECS, run, text)


def sse_parser() -> Parser:
    return SSEParser()


def plain_sse_parser() -> Parser:
    return SSEParser(_Unlearned())


def lines_parser() -> Parser:
    return JSONLinesParser(UpdateDecoder())


def text_parser() -> Parser:
    return TextParser()
