"""Text arrives exactly once, whatever fails before and after it, and whatever providers stand behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from g4fsdk import AsyncClient, Client, G4FError, Retries, TextDelta, providers
from g4fsdk.providers import PROVIDERS, Provider
from tests.support.asking import ONE_REQUEST
from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import WIRES, answer, failure, unfinished

NAMES = [name for name in ONE_REQUEST if name in WIRES]
TALKATIVE = [name for name in NAMES if WIRES[name] != "text"]
TEXTS = ("Hé", "llo ", "世界", "!")
Way: TypeAlias = Literal["answer", "cut", "failure", "no head", "busy", "refused"]
ERRORS: dict[Way, str] = {
    "cut": "IncompleteStreamError",
    "failure": "ProviderError",
    "no head": "TransportError",
    "busy": "ServerError",
    "refused": "AuthError",
}
#: Where nothing was said yet, and the same question may do better.
AGAIN: tuple[Way, ...] = ("no head", "busy")


@dataclass(frozen=True)
class Try:
    """How one request ends, behind the first *said* texts where it is answered at all."""

    way: Way
    said: int = 0

    def reply(self, name: str) -> Reply:
        said = TEXTS[: self.said]
        match self.way:
            case "answer":
                return answer(name, *TEXTS)
            case "cut":
                return unfinished(name, *said, framing="length", end="fin")
            case "failure":
                return unfinished(name, *said, failure(name))
            case "no head":
                return Reply(has_head=False, framing="close")
            case _:
                return Reply([b"{}"], status=503 if self.way == "busy" else 401, framing="length")


@dataclass(frozen=True)
class Member:
    """A provider of a fallback list, and how the requests to it end, one after the other."""

    name: str
    tries: tuple[Try, ...]

    def at(self, url: str) -> Provider:
        model = PROVIDERS[self.name].default_model or "m"
        return providers.get(self.name, base_url=url, model=model)


@dataclass
class Seen:
    """What a caller saw: the text, the error, those of the providers before, and the requests to each."""

    text: str = ""
    error: str = ""
    errors: list[str] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)


@st.composite
def members(draw: st.DrawFn, attempts: int) -> Member:
    name = draw(st.sampled_from(NAMES))
    ways = [
        *(["failure"] if name in TALKATIVE else []),
        "answer",
        "cut",
        "no head",
        "no head",
        "busy",
        "busy",
        "refused",
    ]
    one = st.builds(Try, st.sampled_from(ways), st.integers(0, len(TEXTS)))
    return Member(name, tuple(draw(st.lists(one, min_size=attempts, max_size=attempts))))


def right(schedule: list[Member]) -> Seen:
    """Return what has to be seen: the first text, and nothing behind it."""
    seen = Seen(requests=[0] * len(schedule))
    for number, member in enumerate(schedule):
        for one in member.tries:
            seen.requests[number] += 1
            if one.way not in AGAIN:
                break
        if one.way == "answer":
            return Seen("".join(TEXTS), requests=seen.requests)
        seen.errors.append(ERRORS[one.way])
        if one.way in ("cut", "failure") and one.said:
            seen.text = "".join(TEXTS[: one.said])
            break
    seen.error = seen.errors[-1]
    return seen


class Services:
    """The services of a schedule, all on one server: each below a path of its own."""

    def __init__(self, schedule: list[Member]) -> None:
        self._rest: list[Iterator[Reply]] = [
            iter([one.reply(member.name) for one in member.tries]) for member in schedule
        ]
        self.asked: Counter[int] = Counter()

    def __call__(self, request: Received) -> Reply:
        number = int(request.target.split("/")[1])
        self.asked[number] += 1
        return next(self._rest[number])


def seen_by(is_async: bool, schedule: list[Member], attempts: int) -> Seen:
    services, seen = Services(schedule), Seen()
    retries = Retries(attempts=attempts, wait=lambda state: 0.0)
    with Server(services) as server:
        members = [member.at(f"{server.url}/{number}") for number, member in enumerate(schedule)]
        try:
            for text in texts_async(members, retries) if is_async else texts(members, retries):
                seen.text += text
        except G4FError as error:
            kept = type(error).__name__ if error.partial == seen.text else f"partial {error.partial!r}"
            seen.error, seen.errors = kept, [type(each).__name__ for each in error.errors]
    seen.requests = [services.asked[number] for number in range(len(schedule))]
    return seen


def texts(members: list[Provider], retries: Retries) -> Iterator[str]:
    with Client(members, retries=retries) as client, client.chat.completions.stream("Hello") as stream:
        yield from stream.text_stream


def texts_async(members: list[Provider], retries: Retries) -> Iterator[str]:
    came: list[str] = []

    async def read() -> G4FError | None:
        try:
            async with (
                AsyncClient(members, retries=retries) as client,
                client.chat.completions.stream("Hello") as stream,
            ):
                async for event in stream:
                    came.extend([event.text] if isinstance(event, TextDelta) else [])
        except G4FError as error:
            return error
        return None

    error = asyncio.run(read())
    yield from came
    if error is not None:
        raise error


@settings(max_examples=60)
@given(st.data(), st.integers(1, 3))
def test_text_arrives_exactly_once(data: st.DataObject, attempts: int) -> None:
    schedule = data.draw(st.lists(members(attempts), min_size=1, max_size=3))
    expected = right(schedule)

    for is_async in (False, True):
        assert seen_by(is_async, schedule, attempts) == expected
