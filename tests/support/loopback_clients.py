"""Both clients behind one call, and what each provider's service sends: for tests over loopback."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import pytest

from g4fsdk import (
    AsyncClient,
    Client,
    Conversation,
    ConversationEvent,
    DeadlineError,
    Event,
    G4FError,
    Ids,
    IncompleteStreamError,
    Retries,
    TextDelta,
    TransportError,
)
from tests.support.loopback import Received, Reply, Script, Server

Colour: TypeAlias = Literal["sync", "async"]
COLOURS: tuple[Colour, ...] = ("sync", "async")
#: What the services send that are imitated below.
WIRES: Mapping[str, Literal["chat-ui", "chunks", "text"]] = {
    "cohere-c4ai": "chat-ui",
    "autonomous": "chunks",
    "yqcloud": "text",
    "amigo": "chunks",
    "openai": "chunks",
}
QUICK = Retries(wait=lambda state: 0.0)
ONCE = Retries(attempts=1)
KEY = "sk-never-to-be-seen-0123456789"
CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"

both = pytest.mark.parametrize("colour", COLOURS)
every_service = pytest.mark.parametrize("provider", WIRES)
#: One of each wire, for what only bytes make a difference to.
every_wire = pytest.mark.parametrize("provider", {wire: name for name, wire in WIRES.items()}.values())


@dataclass
class Outcome:
    """What a caller saw: the events, and how it ended."""

    events: list[Event] = field(default_factory=list)
    error: G4FError | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    def said(self, *, is_text: bool = False) -> tuple[object, ...]:
        """What has to be equal between the clients: the events, and of the error all that is ours.

        *is_text*: the wire is plain text, whose pieces are what the reads gave, and only their sum counts.
        """
        error = self.error
        seen = [self.text, *_without_text(self.events)] if is_text else self.events
        events = [_anywhere(event) for event in seen]
        if error is None:
            return (events,)
        details = (_anywhere(getattr(error, name, None)) for name in _DETAILS)
        return events, type(error), _own_words(error), *details


_DETAILS = (
    *("provider", "partial", "conversation", "code", "retryable", "status", "clock", "sent", "retry_after"),
    *("offset", "excerpt", "body"),
)


def _anywhere(said: object) -> object:
    """Return what is said of a conversation without its server's address: each client asks one of its own."""
    if isinstance(said, ConversationEvent):
        return _anywhere(said.conversation)
    return said.elsewhere() if isinstance(said, Conversation) else said


def _without_text(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, TextDelta)]


def _own_words(error: G4FError) -> str:
    """Of a broken connection each library says in its own words how it broke; of clocks we say it.

    Each client's server has a port of its own, which is left out.
    """
    is_broken = isinstance(error, TransportError | IncompleteStreamError) and error.__cause__ is not None
    is_theirs = is_broken and not isinstance(error, DeadlineError)
    if is_theirs:
        return error.message.partition(":")[0].partition("(")[0]
    return re.sub(r"(127\.0\.0\.1):\d+", r"\1", error.message)


def ask(
    colour: Colour,
    provider: str,
    url: str,
    messages: Any = "Hello",
    *,
    on_event: Callable[[Event], object] = lambda event: None,
    call: dict[str, Any] | None = None,
    **settings: Any,
) -> Outcome:
    """Stream one answer with the client of *colour*; *on_event* sees each event as it comes."""
    run = _ask_sync if colour == "sync" else _ask_async
    return run(_settings(provider, url, settings), messages, on_event, _call(provider, call))


def many(colour: Colour, provider: str, url: str, count: int) -> list[Outcome]:
    """Stream *count* answers with one client, one after the other."""
    settings, call = _settings(provider, url, {}), _call(provider, None)
    if colour == "sync":
        with Client(**settings) as client:
            return [_streamed(client, "Hello", lambda event: None, call) for _ in range(count)]

    async def main() -> list[Outcome]:
        async with AsyncClient(**settings) as client:
            return [await _streamed_async(client, "Hello", lambda event: None, call) for _ in range(count)]

    return asyncio.run(main())


def complete(
    colour: Colour, provider: Any, url: str, *, call: dict[str, Any] | None = None, **settings: Any
) -> Any:
    """Ask for one whole answer; return the completion or the error."""
    said = _call(provider, call)
    try:
        if colour == "sync":
            with Client(**_settings(provider, url, settings)) as client:
                return client.chat.completions.create("Hello", **said)

        async def main() -> Any:
            async with AsyncClient(**_settings(provider, url, settings)) as client:
                return await client.chat.completions.create("Hello", **said)

        return asyncio.run(main())
    except G4FError as error:
        return error


def image(colour: Colour, provider: str, url: str, **settings: Any) -> Any:
    """Ask for one image; return the answer or the error."""
    said = _settings(provider, url, settings)
    model: dict[str, Any] = {"model": "dall-e-3"}
    try:
        if colour == "sync":
            with Client(**said) as client:
                return client.images.generate("a cat", **model)

        async def main() -> Any:
            async with AsyncClient(**said) as client:
                return await client.images.generate("a cat", **model)

        return asyncio.run(main())
    except G4FError as error:
        return error


def models(colour: Colour, provider: str, url: str, **settings: Any) -> Any:
    """Ask for the list of models; return it or the error."""
    said = _settings(provider, url, settings)
    try:
        if colour == "sync":
            with Client(**said) as client:
                return client.models.list()

        async def main() -> Any:
            async with AsyncClient(**said) as client:
                return await client.models.list()

        return asyncio.run(main())
    except G4FError as error:
        return error


def _settings(provider: Any, url: str, settings: dict[str, Any]) -> dict[str, Any]:
    if url:
        settings.setdefault("base_url", base_url(provider, url))
    return {"provider": provider, "ids": Ids.seeded(1), "retries": ONCE} | settings


def _call(provider: Any, call: dict[str, Any] | None) -> dict[str, Any]:
    return ({"model": "gpt-4o"} if provider == "openai" else {}) | (call or {})


def base_url(provider: str, url: str) -> str:
    return f"{url}/v1" if provider == "openai" else url


def _ask_sync(
    settings: dict[str, Any], messages: Any, on_event: Callable[[Event], object], call: dict[str, Any]
) -> Outcome:
    try:
        with Client(**settings) as client:
            return _streamed(client, messages, on_event, call)
    except G4FError as error:  # there can be no such client
        return Outcome(error=error)


def _streamed(
    client: Client, messages: Any, on_event: Callable[[Event], object], call: dict[str, Any]
) -> Outcome:
    outcome = Outcome()
    try:
        with client.chat.completions.stream(messages, **call) as stream:
            for event in stream:
                outcome.events.append(event)
                on_event(event)
    except G4FError as error:
        outcome.error = error
    return outcome


def _ask_async(
    settings: dict[str, Any], messages: Any, on_event: Callable[[Event], object], call: dict[str, Any]
) -> Outcome:
    async def main() -> Outcome:
        try:
            async with AsyncClient(**settings) as client:
                return await _streamed_async(client, messages, on_event, call)
        except G4FError as error:  # there can be no such client
            return Outcome(error=error)

    return asyncio.run(main())


async def _streamed_async(
    client: AsyncClient, messages: Any, on_event: Callable[[Event], object], call: dict[str, Any]
) -> Outcome:
    outcome = Outcome()
    try:
        async with client.chat.completions.stream(messages, **call) as stream:
            async for event in stream:
                outcome.events.append(event)
                on_event(event)
    except G4FError as error:
        outcome.error = error
    return outcome


def both_outcomes(
    provider: str, script: Callable[[], Script], *, at_once: bool = False, **settings: Any
) -> Outcome:
    """Ask with both clients, each at a server of its own; return what both saw, which must be equal."""

    def outcome(colour: Colour) -> Outcome:
        with Server(script()) as server:
            return ask(colour, provider, server.url, **settings)

    with ThreadPoolExecutor(2 if at_once else 1) as pool:
        outcomes = list(pool.map(outcome, COLOURS))
    is_text = WIRES[provider] == "text"
    assert outcomes[0].said(is_text=is_text) == outcomes[1].said(is_text=is_text)
    return outcomes[0]


# ---- what the services send

_PAGE = {
    "type": "data",
    "nodes": [
        {
            "type": "data",
            "data": [
                {"messages": 1},
                [2],
                {"id": 3, "from": 4, "content": 5},
                "0f0e0d0c-0b0a-4908-8706-050403020100",
                "system",
                "",
            ],
        }
    ],
}


def set_up(provider: str) -> list[Reply]:
    """Return the replies before the one that streams."""
    if WIRES[provider] != "chat-ui":
        return []
    created = as_json({"conversationId": "6650a0b1c2d3e4f5a6b7c8d9"})
    cookie = {"Set-Cookie": "hf-chat=cookie-of-a-session; Path=/; HttpOnly; Secure; SameSite=None"}
    return [
        Reply([created], headers=cookie, framing="length"),
        Reply([as_json(_PAGE) + b"\n"], framing="length"),
    ]


def tokens(provider: str, *texts: str) -> list[bytes]:
    """Return one piece of body a text."""
    return [_token(provider, text) for text in texts]


def _token(provider: str, text: str) -> bytes:
    match WIRES[provider]:
        case "text":
            return text.encode()
        case "chat-ui":
            return as_json({"type": "stream", "token": text.ljust(16, "\0")}) + b"\n"
        case _:
            chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
            return b"data: " + as_json(chunk) + b"\n\n"


def ending(provider: str, text: str = "") -> list[bytes]:
    """Return the pieces that end the answer *text*."""
    match WIRES[provider]:
        case "text":
            return []
        case "chat-ui":
            final = {"type": "finalAnswer", "text": text, "interrupted": False}
            return [as_json(final) + b"\n" + b" " * 4096]
        case _:
            stop = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
            return [b"data: " + as_json(stop) + b"\n\n", b"data: [DONE]\n\n"]


def answer(provider: str, *texts: str, **how: Any) -> Reply:
    """Return the reply that streams *texts*, a piece each, and ends well."""
    return Reply(
        [*tokens(provider, *texts), *ending(provider, "".join(texts))], headers=media(provider), **how
    )


def unfinished(provider: str, *pieces: Any, **how: Any) -> Reply:
    """Return a reply of *pieces* (a str is a token) without an end."""
    said = [_token(provider, piece) if isinstance(piece, str) else piece for piece in pieces]
    return Reply(said, headers=media(provider), **how)


def document(provider: str, text: str, **how: Any) -> Reply:
    """Return the reply to a call that is not streamed."""
    completion = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    match WIRES[provider]:
        case "text" | "chat-ui":
            return answer(provider, text, **how)
        case "chunks" if provider == "amigo":
            return Reply([as_json({"message": completion})], status=201, **{"framing": "length", **how})
        case _:
            return Reply([as_json(completion)], **{"framing": "length", **how})


def failure(provider: str) -> bytes:
    """Return a piece that reports a failure inside a 200."""
    match WIRES[provider]:
        case "text":
            return "sorry, 您的ip已由于触发防滥用检测而被封禁，请联系".encode()
        case "chat-ui":
            return as_json({"type": "status", "status": "error", "message": "Model is overloaded"}) + b"\n"
        case _:
            return b'data: {"error": {"message": "Model is overloaded", "code": "busy"}}\n\n'


def media(provider: str) -> dict[str, str]:
    kinds = {"text": "text/plain", "chat-ui": "application/jsonl", "chunks": "text/event-stream"}
    return {"Content-Type": kinds[WIRES[provider]]}


def as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def service(provider: str, *last: Reply) -> Callable[[Received], Reply]:
    """Return the script of a service whose streaming requests are answered with *last*, in turn."""
    rest = iter(last)
    ready = set_up(provider)

    def play(request: Received) -> Reply:
        if ready and request.target == "/conversation":
            return ready[0]
        if ready and "__data.json" in request.target:
            return ready[1]
        reply = next(rest, None)
        assert reply is not None, f"a request too many: {request.method} {request.target}"
        return reply

    return play
