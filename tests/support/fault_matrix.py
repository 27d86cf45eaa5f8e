"""The fault matrix: what a call over a socket has to come to, whatever goes wrong, and what it came to.

The rule here is not ours to share: bodies are read by a reading of their own, and the number of requests is
counted from what is said in words beside it. Of a provider nothing is known but one of its recordings, and
whether its service keeps a conversation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal, TypeAlias

from g4fsdk import FinalText, Ids, Response, Stream, Timeouts, advance, providers
from g4fsdk.testing import Cassette, Fault, RecordedResponse, ReplayServer
from tests.support.asking import chat_of
from tests.support.loopback_clients import QUICK, Colour, Outcome, ask
from tests.support.players import FOLDER

Wire: TypeAlias = Literal["events", "lines", "text"]
Breaks: TypeAlias = Literal["ends well", "breaks", "falls silent"]
#: Where what makes an answer whole is not its end: a title may follow.
GOES_ON: Wire = "lines"
TRIES = 3
IDLE_S = 0.5

# --- A service: one question, answered well ---


@dataclass(frozen=True)
class Service:
    """One recording of a provider: the last answer streams, those before it set up."""

    provider: str
    cassette: Cassette
    wire: Wire

    @property
    def answer(self) -> RecordedResponse:
        return self.cassette.interactions[-1].response

    @property
    def set_up(self) -> int:
        """How many requests come before the one that asks."""
        return len(self.cassette.interactions) - 1

    @cached_property
    def keeps(self) -> bool:
        """Whether the service keeps the conversation: a question that is sent twice stands there twice."""
        flow = providers.get(self.provider).chat(chat_of(self.provider))
        step = advance(flow)
        for each in self.cassette.interactions[:-1]:
            step = advance(flow, Response(each.response.status, each.response.headers, each.response.body))
        assert isinstance(step, Stream)
        return not step.repeatable

    @cached_property
    def units(self) -> list[Unit]:
        """The units of the answer, to the one that ends it."""
        units = [*units_of(self.wire, self.answer.body)]
        return units[: next((at for at, unit in enumerate(units, 1) if unit.is_over), None)]

    @property
    def middle(self) -> int:
        """Behind half of the units that come before the one that ends the answer."""
        return self.units[len(self.units) // 2].start


def service_of(provider: str) -> Service | None:
    """Return the smallest of *provider*'s recordings whose every letter is needed, None if it has none."""
    recordings = [Cassette.load(path) for path in sorted((FOLDER / provider).glob("*.yaml"))]
    found = [service for cassette in recordings for service in _plain(provider, cassette)]
    found.sort(key=lambda one: (one.answer.body.isascii(), len(one.answer.body), len(one.answer.chunks)))
    return next(iter(found), None)


def _plain(provider: str, cassette: Cassette) -> Iterator[Service]:
    """Give *cassette* as a service if it streams one answer, of several units, that ends well."""
    call = cassette.metadata.get("call", {})
    answers = [each.response for each in cassette.interactions]
    is_asked = call.get("stream") and "messages" in call and "conversation" not in call
    is_fine = all(each.status // 100 == 2 and each.end in ("complete", "client_closed") for each in answers)
    shown = answers[-1].body.decode("utf-8", "replace")
    if not (is_asked and is_fine) or "\ufffd" in shown or shown.startswith("\ufeff") or '"error"' in shown:
        return
    for each in answers:
        each.end = "complete"
    service = Service(provider, cassette, _wire(answers[-1].body))
    is_over = service.units[-1:] and (service.units[-1].is_over or service.wire == "text")
    if is_over and len({unit.text.strip() for unit in service.units}) > 3:
        yield service


# --- Reading a body: what each wire says, in the fewest words ---


def _wire(body: bytes) -> Wire:
    if re.match(rb"(data|event|id|retry|)\s?:", body):
        return "events"
    return "lines" if re.match(rb'\{.*\}\n\{"', body) else "text"


@dataclass(frozen=True)
class Unit:
    """From where to where a unit goes, and what has been said up to its end."""

    start: int = 0
    end: int = 0
    text: str = ""
    is_over: bool = False
    is_bad: bool = False


def units_of(wire: Wire, body: bytes) -> Iterator[Unit]:
    """Give the units of *body*, to one that is none, or behind which nothing counts."""
    text, is_over = "", False
    for found in re.finditer(_WHOLE[wire], body, re.DOTALL):
        try:
            said, ends = _SAID[wire](found[0])
        except ValueError:
            yield Unit(found.start(), found.end(), text, is_over, is_bad=True)
            return
        text, is_over = text + said, is_over or ends
        yield Unit(found.start(), found.end(), text, is_over)
        if is_over and wire != GOES_ON:
            return


def read(wire: Wire, body: bytes) -> Unit:
    """Return what *body* says, as far as it goes; what stands behind its end is nothing."""
    return [Unit(), *units_of(wire, body)][-1]


def _event(unit: bytes) -> tuple[str, bool]:
    if unit.startswith(b":"):
        return "", False
    data = unit.strip().removeprefix(b"data:").strip()
    if data == b"[DONE]":
        return "", True
    choice = (json.loads(data).get("choices") or [{}])[0] or {}
    return (choice.get("delta") or {}).get("content") or "", bool(choice.get("finish_reason"))


def _letter(unit: bytes) -> tuple[str, bool]:
    return unit.decode("utf-8", "replace"), False


def _line(unit: bytes) -> tuple[str, bool]:
    update = json.loads(unit.strip() or b"{}")
    token = update["token"].rstrip("\0") if update.get("type") == "stream" else ""
    return token, update.get("type") == "finalAnswer"


_WHOLE: dict[Wire, bytes] = {
    "events": rb".*?\n\r?\n",
    "lines": rb".*?\n",
    "text": rb"[\0-\x7f\xff]|[\xc0-\xdf].|[\xe0-\xef]..|[\xf0-\xf7]...",
}
_SAID: dict[Wire, Callable[[bytes], tuple[str, bool]]] = {"events": _event, "lines": _line, "text": _letter}

# --- What goes wrong where ---

# "finish": behind what makes the answer complete (a finish reason), ahead of what marks its end ([DONE]).
SET_UP, FIRST, MIDDLE, LAST, FINISH, END = POSITIONS = ("set-up", "first", "middle", "last", "finish", "end")


@dataclass(frozen=True)
class Expected:
    """How a call has to end: the class of its error ("" for none), its text, the requests it took."""

    error: str
    text: str
    requests: int

    def __str__(self) -> str:
        return f"{self.error.removesuffix('Error') or 'answer'} {len(self.text)} x{self.requests}"


@dataclass(frozen=True)
class Cell:
    """One fault at one position of one service: how to play it, and what has to come of it."""

    service: Service
    at: str
    expected: Expected
    faults: Sequence[Fault] = ()
    cassette: Cassette | None = None
    cuts: Any = "recorded"
    limits: Timeouts = field(default_factory=Timeouts)


def _requests(service: Service, at: str, *, again: bool) -> int:
    """Count the requests when the one at *at* goes wrong; *again*: it is tried as often as is allowed.

    Every try begins with the set-up; but a conversation that was made is used by the next, so that the first
    request is sent once where the service keeps it.
    """
    step = service.set_up - (at == SET_UP)
    tries = TRIES if again else 1
    return 1 + tries * step if step and service.keeps else tries * (step + 1)


def _refused(service: Service, at: str, error: str, *, again: bool) -> Expected:
    return Expected(error, "", _requests(service, at, again=again))


def _came(service: Service, body: bytes, how: Breaks) -> Expected:
    """Return what an answer of *body* comes to that ends *how*: nothing of it is asked for again."""
    said, requests = read(service.wire, body), service.set_up + 1
    error = {"breaks": "IncompleteStreamError", "falls silent": "DeadlineError", "ends well": ""}[how]
    if said.is_bad and not said.is_over:
        return Expected("ProtocolError", said.text, requests)
    return Expected("" if said.is_over else error, said.text, requests)


def _places(service: Service) -> dict[str, int]:
    """Return behind which byte of the answer each position is."""
    last = service.units[-1]
    return {
        FIRST: 0,
        MIDDLE: service.middle,
        LAST: (last.start + last.end) // 2,
        **_finish(service),
        END: len(service.answer.body),
    }


def _finish(service: Service) -> dict[str, int]:
    """Return behind which byte the answer is complete, where more follows."""
    last = service.units[-1]
    return {FINISH: last.end} if last.is_over and last.end < len(service.answer.body) else {}


def _inside_set_up(service: Service) -> dict[str, int]:
    if not service.set_up:
        return {}
    return {"at_byte": len(service.cassette.interactions[-2].response.body) // 2, "interaction": -2}


def _breaks(make: Callable[..., Fault], how: Breaks, service: Service) -> Iterator[Cell]:
    limits = Timeouts(idle=IDLE_S) if how == "falls silent" else Timeouts()
    if inside := _inside_set_up(service):
        error = "DeadlineError" if how == "falls silent" else "IncompleteStreamError"
        expected = _refused(service, SET_UP, error, again=how == "breaks")
        yield Cell(service, SET_UP, expected, [make(**inside)], limits=limits)
    for at, place in _places(service).items():
        expected = _came(service, service.answer.body[:place], how)
        yield Cell(service, at, expected, [make(at_byte=place)], limits=limits)


def _no_head(service: Service) -> Iterator[Cell]:
    """The connection closes before anything came; a question that would stand twice is not repeated."""
    for at, step in [(SET_UP, -2), (FIRST, -1)][not service.set_up :]:
        interactions = [*service.cassette.interactions]
        interactions[step] = replace(interactions[step], response=RecordedResponse(0, end="truncated"))
        again = at == SET_UP or not service.keeps
        expected = _refused(service, at, "TransportError", again=again)
        yield Cell(service, at, expected, cassette=Cassette(interactions, service.cassette.metadata))


def _instead(fault: Callable[..., Fault], error: str, again: bool, service: Service) -> Iterator[Cell]:
    """Something else comes in place of an answer."""
    for at, step in [(SET_UP, -2), (FIRST, -1)][not service.set_up :]:
        yield Cell(service, at, _refused(service, at, error, again=again), [fault(interaction=step)])


def _garbled(service: Service) -> Iterator[Cell]:
    """A byte is no UTF-8: in text it is a character that cannot be shown, elsewhere it is no JSON."""
    body = service.answer.body
    if service.set_up:
        expected = _refused(service, SET_UP, "ProtocolError", again=False)
        yield Cell(service, SET_UP, expected, [Fault.garble(at_byte=0, interaction=-2)])
    starts = {FIRST: 0, MIDDLE: service.middle, LAST: service.units[-1].start, **_finish(service)}
    for at, start in starts.items():
        place = start if service.wire == "text" or at == FINISH else body.index(b"{", start)
        sent = body[:place] + b"\xff" + body[place + 1 :]
        yield Cell(service, at, _came(service, sent, "ends well"), [Fault.garble(at_byte=place)])


def _doubled(service: Service) -> Iterator[Cell]:
    """A chunk comes twice: who can't tell says it twice."""
    chunks = service.answer.chunks
    ends = [*accumulate(map(len, chunks))]
    inside = {FIRST: 0, MIDDLE: service.middle, LAST: service.units[-1].start}
    inside |= {**_finish(service), END: ends[-1] - 1}
    for at, place in inside.items():
        number = next(n for n, end in enumerate(ends) if end > place)
        sent = b"".join([*chunks[: number + 1], *chunks[number:]])
        yield Cell(service, at, _came(service, sent, "ends well"), [Fault.duplicate(at_chunk=number)])


def _whole(service: Service) -> Expected:
    return _came(service, service.answer.body, "ends well")


def _slow(service: Service) -> Iterator[Cell]:
    """It comes slowly, a tenth of a second in all; and byte by byte."""
    yield Cell(service, FIRST, _whole(service), [Fault.drip(bytes_per_s=10 * len(service.answer.body))])
    yield Cell(service, MIDDLE, _whole(service), cuts=1)
    if service.set_up:
        yield Cell(service, SET_UP, _whole(service), [Fault.drip(bytes_per_s=10_000, interaction=-2)])


def _marked(service: Service) -> Iterator[Cell]:
    """A byte order mark stands in front."""
    for at, step in [(SET_UP, -2), (FIRST, -1)][not service.set_up :]:
        yield Cell(service, at, _whole(service), [Fault.bom(interaction=step)])


def _kept_alive(service: Service) -> Iterator[Cell]:
    """What says nothing stands between any two events; text has no room for it."""
    if service.wire != "text":
        yield Cell(service, MIDDLE, _whole(service), [Fault.keepalive(every=1)])


def _status(code: int) -> Callable[..., Fault]:
    return lambda **where: Fault.status(code, None, retry_after=0, **where)


def _stall(**where: int) -> Fault:
    return Fault.stall(seconds=30.0, **where)


FAULTS: dict[str, Callable[[Service], Iterator[Cell]]] = {
    "FIN": lambda service: _breaks(Fault.drop, "breaks", service),
    "RST": lambda service: _breaks(Fault.reset, "breaks", service),
    "silence": lambda service: _breaks(_stall, "falls silent", service),
    "no head": _no_head,
    "status 503": lambda service: _instead(_status(503), "ServerError", True, service),
    "status 429": lambda service: _instead(_status(429), "RateLimitError", True, service),
    "status 401": lambda service: _instead(_status(401), "AuthError", False, service),
    "challenge page": lambda service: _instead(Fault.challenge, "BlockedError", False, service),
    "garbled byte": _garbled,
    "doubled chunk": _doubled,
    "slow drip": _slow,
    "byte order mark": _marked,
    "keep-alives": _kept_alive,
}


def place_of(fault: str, at: str) -> int:
    """Return how far down a table of all cells this one stands."""
    return [*FAULTS].index(fault) * len(POSITIONS) + POSITIONS.index(at)


# --- Playing it ---


def play(cell: Cell, colour: Colour) -> Expected:
    """Return what the client of *colour* comes to in *cell*."""
    service, metadata = cell.service, cell.service.cassette.metadata
    call = {name: value for name, value in metadata["call"].items() if name != "stream"}
    source = cell.cassette or service.cassette
    with ReplayServer(source, faults=cell.faults, cuts=cell.cuts, reuse=True) as server:
        outcome = ask(
            colour,
            service.provider,
            "",
            call.pop("messages"),
            base_url=server.base_url,
            timeout=cell.limits,
            retries=QUICK,
            ids=Ids.seeded(metadata.get("ids_seed", 0)),
            call=call,
        )
        return Expected(_error(outcome), outcome.text, len(server.requests))


def _error(outcome: Outcome) -> str:
    """Return the class of the error; its partial has to be the text that came, or that of a final answer."""
    error = outcome.error
    if error is None:
        return ""
    text = next((each.text for each in outcome.events if isinstance(each, FinalText)), outcome.text)
    return type(error).__name__ if error.partial == text else f"partial {error.partial!r}"
