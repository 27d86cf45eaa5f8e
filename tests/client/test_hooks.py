"""`event_hooks`: what is told of each call, over sockets, in both clients alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from g4fsdk import AsyncClient, Client, Request, RetryEvent, ServerError, TextDelta, UsageError
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import (
    KEY,
    QUICK,
    Colour,
    answer,
    ask,
    both,
    complete,
    image,
    models,
    service,
    unfinished,
)

NAMES = ("request", "response", "retry", "event")
BUSY = Reply([b'{"error":"busy"}'], status=503, framing="length")


class Log:
    """Hooks of every name that keep what they are told; of coroutine functions for the async client."""

    def __init__(self, colour: Colour = "sync") -> None:
        self.told: list[tuple[str, Any]] = []
        make = self._hook if colour == "sync" else self._awaited
        self.hooks = {name: [make(name)] for name in NAMES}

    def _hook(self, name: str) -> Any:
        return lambda said: self.told.append((name, said))

    def _awaited(self, name: str) -> Any:
        async def hook(said: Any) -> None:
            await asyncio.sleep(0)
            self.told.append((name, said))

        return hook

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    def of(self, name: str) -> list[Any]:
        return [said for each, said in self.told if each == name]


@both
def test_each_request_head_and_event_is_told_once_in_order(colour: Colour) -> None:
    log = Log(colour)
    with Server(service("cohere-c4ai", answer("cohere-c4ai", "Hel", "lo"))) as server:
        outcome = ask(colour, "cohere-c4ai", server.url, event_hooks=log.hooks)

    assert outcome.error is None
    assert log.names == ["request", "response"] * 3 + ["event"] * len(outcome.events)
    assert log.of("event") == outcome.events
    asked = [(each.method, each.url.removeprefix(server.url)) for each in log.of("request")]
    assert asked == [(each.method, each.target) for each in server.requests]
    assert [each.status for each in log.of("response")] == [200] * 3


@both
def test_a_retry_is_told_between_its_tries_and_a_redirect_is_a_request(colour: Colour) -> None:
    log = Log(colour)
    moved = Reply(status=307, headers={"Location": "/v1/there"}, framing="length")
    with Server([BUSY, moved, answer("openai", "Hello")]) as server:
        complete(colour, "openai", server.url, event_hooks=log.hooks, retries=QUICK)

    asked = ["request", "response"]
    assert log.names[:7] == [*asked, "retry", *asked, *asked]
    assert [each.status for each in log.of("response")] == [503, 307, 200]
    [event] = log.of("retry")
    assert isinstance(event, RetryEvent)
    assert (event.attempt, type(event.error)) == (1, ServerError)


@both
def test_images_and_models_are_told_too(colour: Colour) -> None:
    for call in (models, image):
        log = Log(colour)
        with Server(BUSY) as server:
            call(colour, "openai", server.url, event_hooks=log.hooks)
        assert log.names == ["request", "response"]


@both
def test_what_is_told_holds_no_secrets(colour: Colour) -> None:
    log = Log(colour)
    echo = Reply(
        answer("openai", "Hello").pieces,
        headers={"X-Echo": f"for {KEY} pass word/1", "Set-Cookie": "sid=123456789"},
    )
    with Server(echo) as server:
        url = f"http://user:pass%20word%2F1@127.0.0.1:{server.port}/v1?api-key=query-key-1"
        outcome = ask(
            colour,
            "openai",
            "",
            base_url=url,
            api_key=KEY,
            headers={"Cookie": "a=cookie-1"},
            event_hooks=log.hooks,
        )

    assert outcome.error is None
    [request], [head] = log.of("request"), log.of("response")
    assert isinstance(request, Request)
    shown = f"{request.url} {request.headers} {head.headers} {log.told}"
    for secret in (KEY, "pass word/1", "pass%20word", "query-key-1", "cookie-1", "123456789"):
        assert secret not in shown
    assert head.headers["x-echo"] == "for *** ***"


class OurOwnError(OSError):
    """What a hook may raise: a full disk, say, which is no broken connection."""


@both
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "whole"])
def test_what_a_hook_raises_reaches_the_caller_and_nothing_is_left_open(
    colour: Colour, name: str, is_streamed: bool
) -> None:
    def fail(said: object) -> None:
        raise OurOwnError(name)

    first = (
        BUSY if name == "retry" else unfinished("openai", "Hel", end="hold" if is_streamed else "complete")
    )
    settings = {"event_hooks": {name: [fail]}, "max_concurrency": 1, "retries": QUICK, "timeout": 5}
    with Server([first, answer("openai", "Hello")][name == "request" :]) as server:
        error, text = _twice(colour, server, settings, is_streamed)
        assert server.all_closed()
    assert isinstance(error, OurOwnError)
    assert text == "Hello"


def _twice(
    colour: Colour, server: Server, settings: dict[str, Any], is_streamed: bool
) -> tuple[BaseException, str]:
    """Ask twice, the second time without hooks; return what the first ended with, and the second text."""
    settings = {"base_url": f"{server.url}/v1", "model": "m"} | settings

    async def main() -> tuple[BaseException, str]:
        async with AsyncClient("openai", **settings) as client:
            with pytest.raises(OurOwnError) as raised:
                await _asked(client, is_streamed)
            second = await client.with_options(event_hooks={}).chat.completions.create("Hi")
            return raised.value, second.text

    if colour == "async":
        return asyncio.run(main())
    with Client("openai", **settings) as client:
        with pytest.raises(OurOwnError) as raised:
            _ask(client, is_streamed)
        return raised.value, client.with_options(event_hooks={}).chat.completions.create("Hi").text


def _ask(client: Client, is_streamed: bool) -> None:
    if not is_streamed:
        client.chat.completions.create("Hi")
    with client.chat.completions.stream("Hi") as stream:
        stream.get_final_completion()


async def _asked(client: AsyncClient, is_streamed: bool) -> None:
    if not is_streamed:
        await client.chat.completions.create("Hi")
    async with client.chat.completions.stream("Hi") as stream:
        await stream.get_final_completion()


@both
def test_an_event_is_told_before_it_is_given_and_chunks_stay_as_they_are(colour: Colour) -> None:
    """A chunk may be made of several events: with hooks the same chunks come as without."""
    seen = []
    for hooks in ({}, Log(colour).hooks):
        with Server(answer("openai", "Hel", "lo")) as server:
            seen.append(_chunks(colour, server, hooks))

    assert seen[0] == seen[1]


def _chunks(colour: Colour, server: Server, hooks: Any) -> list[str]:
    settings: dict[str, Any] = {"base_url": f"{server.url}/v1", "model": "m", "event_hooks": hooks}
    if colour == "sync":
        with Client("openai", **settings) as client:
            return [chunk.to_json() for chunk in client.chat.completions.create("Hi", stream=True)]

    async def main() -> list[str]:
        async with AsyncClient("openai", **settings) as client:
            chunks = await client.chat.completions.create("Hi", stream=True)
            return [chunk.to_json() async for chunk in chunks]

    return asyncio.run(main())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_hooks_that_cannot_be_are_said(kind: Any) -> None:
    for hooks, words in [
        ({"respnse": [print]}, "unknown event hook 'respnse'; known: request, response, retry, event"),
        ([print], "event_hooks takes a mapping"),
        ({"event": print}, r"event_hooks\['event'\] takes a list of what can be called"),
        ({"event": [1]}, r"event_hooks\['event'\] takes a list of what can be called"),
    ]:
        with pytest.raises(UsageError, match=words):
            kind("yqcloud", event_hooks=hooks)
        with pytest.raises(UsageError, match=words):
            kind("yqcloud").with_options(event_hooks=hooks)


def test_the_blocking_client_cannot_await() -> None:
    class Hook:
        async def __call__(self, said: object) -> None: ...

    for hook in (Log("async").hooks["event"][0], Hook()):
        with pytest.raises(UsageError, match="only AsyncClient can await"):
            Client("yqcloud", event_hooks={"event": [hook]})


async def test_functions_and_coroutine_functions_may_stand_side_by_side() -> None:
    plain, awaited = Log("sync"), Log("async")
    hooks = {name: [*plain.hooks[name], *awaited.hooks[name]] for name in NAMES}
    with Server(answer("openai", "Hello")) as server:
        async with AsyncClient("openai", base_url=f"{server.url}/v1", model="m", event_hooks=hooks) as client:
            await client.chat.completions.create("Hi")

    assert plain.told == awaited.told
    assert [each.text for each in plain.of("event") if isinstance(each, TextDelta)] == ["Hello"]
