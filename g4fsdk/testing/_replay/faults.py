"""Faults: what goes wrong on a wire, put into a recording that was fine.

A fault is a value. It is applied, purely, to one interaction of a session, and what comes of it is the same
for the pure core (`Player`), in process (`Replay`) and on a socket (`ReplayServer`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import ClassVar

from g4fsdk.testing._cassette.values import End, Headers, RecordedResponse
from g4fsdk.testing._cassette.wire_events import (
    BOM,
    WireFormat,
    event_ends,
    wire_format,
)
from g4fsdk.testing._replay import pieces as _pieces
from g4fsdk.testing._replay.planned import Piece, PlannedAnswer

GARBLED_BYTE = 0xFF  # in UTF-8 nowhere allowed, so that the damage never passes for another character

KEEPALIVES: dict[WireFormat, bytes] = {
    "sse": b": keep-alive\n\n",
    "json lines": b'{"type":"status","status":"keepAlive"}\n',  # as chat-ui sends it
}

CHALLENGE_PAGE = (
    b'<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title>'
    b'<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">'
    b'<meta name="robots" content="noindex,nofollow"></head><body><noscript>'
    b"<div>Enable JavaScript and cookies to continue</div></noscript>"
    b'<script>(function(){window._cf_chl_opt={cvId:"3",cType:"managed"};'
    b'var a=document.createElement("script");a.src="/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1";'
    b'document.getElementsByTagName("head")[0].appendChild(a);}());</script></body></html>'
)
_CHALLENGE_HEADERS: Headers = [
    ("Content-Type", "text/html; charset=UTF-8"),
    ("Server", "cloudflare"),
    ("cf-mitigated", "challenge"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong; made by the class methods.

    *interaction* is which request of the session, from 0, or from the end with -1, the last. Positions refer
    to the recording: *at_byte* is after so many bytes of its (decoded) body, *at_event* after so many whole
    wire events (SSE events that are no comments, JSON lines, else chunks). Faults compose in the order
    given. A position that the recording hasn't got is a ValueError when the fault is applied.
    """

    interaction: int = -1

    @classmethod
    def drop(cls, *, at_byte: int | None = None, at_event: int | None = None, interaction: int = -1) -> Fault:
        """The connection is closed (FIN) without the end of the body: `truncated`."""
        return _Break(at=_position(at_byte, at_event), end="truncated", interaction=interaction)

    @classmethod
    def reset(
        cls, *, at_byte: int | None = None, at_event: int | None = None, interaction: int = -1
    ) -> Fault:
        """The connection is reset (RST)."""
        return _Break(at=_position(at_byte, at_event), end="reset", interaction=interaction)

    @classmethod
    def stall(
        cls,
        *,
        at_byte: int | None = None,
        at_event: int | None = None,
        seconds: float,
        interaction: int = -1,
    ) -> Fault:
        """Nothing comes for *seconds*, whatever the pace; a library's shorter read timeout ends the wait."""
        _require(0 <= seconds < math.inf, f"seconds {seconds!r}: expected a number from 0")
        return _Stall(at=_position(at_byte, at_event), seconds=seconds, interaction=interaction)

    @classmethod
    def drip(cls, *, bytes_per_s: float, interaction: int = -1) -> Fault:
        """The body comes slowly, *bytes_per_s* whatever the pace."""
        _require(0 < bytes_per_s < math.inf, f"bytes_per_s {bytes_per_s!r}: expected a number above 0")
        return _Drip(bytes_per_s=bytes_per_s, interaction=interaction)

    @classmethod
    def bom(cls, *, interaction: int = -1) -> Fault:
        """A UTF-8 byte order mark stands in front of the body."""
        return _Bom(interaction=interaction)

    @classmethod
    def garble(cls, *, at_byte: int, interaction: int = -1) -> Fault:
        """The byte of the body at index *at_byte* arrives as 0xFF, which is not UTF-8."""
        _require(at_byte >= 0, f"at_byte {at_byte!r}: expected a number from 0")
        return _Garble(at_byte=at_byte, interaction=interaction)

    @classmethod
    def challenge(cls, *, interaction: int = -1) -> Fault:
        """A Cloudflare challenge page (403) comes instead of the answer, each time it is asked for."""
        return _Challenge(interaction=interaction)

    @classmethod
    def status(
        cls,
        code: int,
        times: int | None = 1,
        retry_after: float | str | None = None,
        *,
        interaction: int = -1,
    ) -> Fault:
        """The first *times* requests are answered with status *code*; the recorded answer comes after them.

        With *times* None each request is, for ever. *retry_after* is the Retry-After header: seconds, or a
        date as HTTP writes it. These answers consume no interaction.
        """
        _require(100 <= code <= 599, f"status {code!r}: expected 100 to 599")
        _require(times is None or times >= 0, f"times {times!r}: expected a number from 0, or None")
        return _Status(code=code, times=times, retry_after=retry_after, interaction=interaction)

    @classmethod
    def duplicate(cls, *, at_chunk: int, interaction: int = -1) -> Fault:
        """The recorded chunk with index *at_chunk* comes twice.

        A format without sequence numbers can't tell: its text is then doubled in the answer too.
        """
        _require(at_chunk >= 0, f"at_chunk {at_chunk!r}: expected a number from 0")
        return _Duplicate(at_chunk=at_chunk, interaction=interaction)

    @classmethod
    def keepalive(cls, *, every: int = 1, interaction: int = -1) -> Fault:
        """A keep-alive comes before the first wire event and before each *every*-th one after it.

        It is a comment in SSE and a keepAlive status in JSON lines; plain text has none (ValueError).
        """
        _require(every >= 1, f"every {every!r}: expected a number from 1")
        return _Keepalive(every=every, interaction=interaction)

    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        """Return what is played in place of *answer*."""
        return [answer]


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


@dataclass(frozen=True, slots=True)
class _Position:
    """Where in a recorded body: after *count* bytes, or after *count* wire events."""

    unit: str
    count: int

    def in_bytes(self, answer: PlannedAnswer) -> int:
        recorded = answer.recorded
        ends = range(len(recorded.body) + 1) if self.unit == "bytes" else [0, *event_ends(recorded)]
        found = f"interactions[{answer.number}] has {len(ends) - 1} {self.unit}"
        _require(self.count < len(ends), f"{found}, no fault fits after {self.count}")
        return ends[self.count]


def _position(at_byte: int | None, at_event: int | None) -> _Position:
    match at_byte, at_event:
        case int(count), None if count >= 0:
            return _Position("bytes", count)
        case None, int(count) if count >= 0:
            return _Position("events", count)
    raise ValueError(f"at_byte={at_byte!r}, at_event={at_event!r}: expected one of them, a number from 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Break(Fault):
    at: _Position
    end: End

    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        kept, _ = _pieces.split_at(answer.pieces, self.at.in_bytes(answer))
        return [replace(answer, pieces=tuple(kept), response=replace(answer.response, end=self.end))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stall(Fault):
    at: _Position
    seconds: float

    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        return [_with(answer, _pieces.delay_tail(answer.pieces, self.at.in_bytes(answer), self.seconds))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drip(Fault):
    bytes_per_s: float

    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        return [_with(answer, _pieces.slow_down(answer.pieces, self.bytes_per_s))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bom(Fault):
    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        at_ms = answer.pieces[0].at_ms if answer.pieces else 0.0
        return [_with(answer, [Piece(BOM, at_ms), *answer.pieces])]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Garble(Fault):
    at_byte: int

    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        _Position("bytes", self.at_byte + 1).in_bytes(answer)
        return [_with(answer, _pieces.change_byte(answer.pieces, self.at_byte, GARBLED_BYTE))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Challenge(Fault):
    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        page = _instead(answer, 403, _CHALLENGE_HEADERS, CHALLENGE_PAGE)
        return [replace(page, lasting=True, excuses=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status(Fault):
    code: int
    times: int | None
    retry_after: float | str | None

    BODY: ClassVar[bytes] = b'{"error": {"message": "injected by a Fault", "type": "injected"}}'

    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        after = [] if self.retry_after is None else [("Retry-After", str(self.retry_after))]
        no = _instead(answer, self.code, [("Content-Type", "application/json"), *after], self.BODY)
        if self.times is None:
            return [replace(no, injected=True, lasting=True, excuses=True)]
        return [*[replace(no, injected=True)] * self.times, answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Duplicate(Fault):
    at_chunk: int

    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        count = len(answer.recorded.chunks)
        _require(self.at_chunk < count, f"{self}: interactions[{answer.number}] has {count} chunks")
        return [_with(answer, _pieces.repeat_chunk(answer.pieces, self.at_chunk))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keepalive(Fault):
    every: int

    def apply(self, answer: PlannedAnswer) -> list[PlannedAnswer]:
        kind = wire_format(answer.recorded)
        _require(
            kind in KEEPALIVES,
            f"{self}: interactions[{answer.number}] is plain text, which has no keep-alive",
        )
        starts = [0, *event_ends(answer.recorded)[:-1]][:: self.every]
        return [_with(answer, _pieces.insert_at(answer.pieces, starts, KEEPALIVES[kind]))]


def _with(answer: PlannedAnswer, pieces: Iterable[Piece]) -> PlannedAnswer:
    return replace(answer, pieces=tuple(pieces))


def _instead(answer: PlannedAnswer, code: int, headers: Headers, body: bytes) -> PlannedAnswer:
    """Return *answer* with another response, which comes when the first recorded byte came."""
    at_ms = answer.recorded.at_ms[0] if answer.recorded.at_ms else 0.0
    known = {status.value: status.phrase for status in HTTPStatus}
    response = RecordedResponse(code, known.get(code, ""), list(headers), [body], [at_ms])
    return replace(answer, response=response, pieces=(Piece(body, at_ms),))
