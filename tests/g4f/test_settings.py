"""Addresses, proxies, time limits and keywords of g4f's classes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from g4fsdk import DeadlineError, UsageError
from g4fsdk.g4f import (
    AmigoChat,
    AutonomousAI,
    CohereForAI_C4AI_Command,
    Yqcloud,
)
from tests.support.g4f_service import Service, sse, turn

QUESTION = [{"role": "user", "content": "Hi"}]
ROOT = "http://service.test:8000"
ANSWERS: dict[type[Any], list[Any]] = {
    Yqcloud: ["Hi"],
    AutonomousAI: [sse("Hi")],
    AmigoChat: [sse("Hi")],
    CohereForAI_C4AI_Command: turn("Hi"),
}
PATHS: dict[type[Any], str] = {
    Yqcloud: "/api/generateStream",
    AutonomousAI: "/api/v1/ai/chat",
    AmigoChat: "/v1/chat/completions",
    CohereForAI_C4AI_Command: "/conversation",
}


async def text(kind: Any, service: Any, **arguments: Any) -> str:
    if kind in (AutonomousAI, AmigoChat):
        arguments.setdefault("stream", True)
    items = kind.create_async_generator("", QUESTION, transport=service, **arguments)
    return "".join([str(item) async for item in items])


@pytest.mark.parametrize("kind", ANSWERS)
async def test_base_url_stands_in_place_of_the_services_address(kind: Any) -> None:
    service = Service(*ANSWERS[kind])

    assert await text(kind, service, base_url=f"{ROOT}/") == "Hi"
    assert service.seen[0].url == ROOT + PATHS[kind]


@pytest.mark.parametrize(
    ("kind", "attribute", "value", "expected"),
    [
        (Yqcloud, "api_endpoint", f"{ROOT}/other/path", f"{ROOT}/other/path"),
        (AutonomousAI, "api_endpoints", {"llama": f"{ROOT}/llama/a"}, f"{ROOT}/llama/a"),
        (AutonomousAI, "api_endpoints", {}, "https://chatgpt.autonomous.ai/api/v1/ai/chat"),
        (AmigoChat, "chat_api_endpoint", f"{ROOT}/chat", f"{ROOT}/chat"),
        (CohereForAI_C4AI_Command, "url", ROOT, f"{ROOT}/conversation"),
        (CohereForAI_C4AI_Command, "conversation_url", f"{ROOT}/c/conversation", f"{ROOT}/c/conversation"),
    ],
)
async def test_addresses_on_the_class_may_be_set(
    kind: Any, attribute: str, value: Any, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, attribute, value)
    service = Service(*ANSWERS[kind])

    assert await text(kind, service) == "Hi"
    assert service.seen[0].url == expected


async def test_the_image_address_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AmigoChat, "image_api_endpoint", f"{ROOT}/image")
    image = '{"data": [{"url": "https://images.test/1.png"}]}'
    service = Service(image, image)

    AmigoChat.create_image("flux-realism", "a cat", transport=service)
    assert await anext(AmigoChat.create_async_generator("flux/dev", QUESTION, transport=service))
    assert [request.url for request in service.seen] == [f"{ROOT}/image"] * 2


async def test_cohere_sends_the_origin_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CohereForAI_C4AI_Command, "url", f"{ROOT}/")
    service = Service(*turn("Hi"))

    await text(CohereForAI_C4AI_Command, service)

    assert CohereForAI_C4AI_Command.conversation_url == f"{ROOT}/conversation"
    assert {request.headers["origin"] for request in service.seen} == {ROOT}


async def test_a_conversation_url_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CohereForAI_C4AI_Command, "conversation_url", f"{ROOT}/chat")

    with pytest.raises(UsageError, match="must end in /conversation"):
        await text(CohereForAI_C4AI_Command, Service())


@pytest.mark.parametrize("kind", ANSWERS)
async def test_unknown_keywords_are_accepted_and_logged_by_name(
    kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "g4fsdk"):
        assert await text(kind, Service(*ANSWERS[kind]), web_search="secret", retries=1) == "Hi"

    assert [record.getMessage() for record in caplog.records] == ["these keywords have no effect: web_search"]


@pytest.fixture
async def proxy() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy on loopback that answers everything itself: its address, and the request heads it got."""
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        length = int(heads[-1].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        streams = b'"stream":true' in await reader.readexactly(length)
        body = sse("Hi") if streams else b'{"choices": [{"message": {"content": "Hi"}}]}'
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://user:password@127.0.0.1:{port}", heads


@pytest.mark.parametrize("kind", [AutonomousAI, AmigoChat, Yqcloud])
async def test_the_proxy_is_asked(kind: Any, proxy: tuple[str, list[bytes]]) -> None:
    address, heads = proxy

    assert "Hi" in await text(kind, None, base_url="http://service.test", proxy=address)
    assert heads[0].startswith(f"POST http://service.test{PATHS[kind]} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==" in heads[0]


async def test_the_proxy_is_asked_by_blocking_calls(proxy: tuple[str, list[bytes]]) -> None:
    address, heads = proxy

    answer = await asyncio.to_thread(
        AmigoChat.create_chat, "gpt-4o", "c", QUESTION, address, base_url="http://service.test"
    )

    assert answer == "Hi"
    assert heads[0].startswith(b"POST http://service.test/v1/chat/completions HTTP/1.1\r\n")


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """A server on loopback that says one word and then nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + sse("Hi").split(b"\n\n")[0] + b"\n\n")
        await reader.read()  # until the client leaves
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_amigo_timeout_is_in_seconds_and_text_is_not_repeated(silent: str) -> None:
    items = AmigoChat.create_async_generator("", QUESTION, stream=True, timeout=1.0, base_url=silent)

    assert await anext(items) == "Hi"
    with pytest.raises(DeadlineError) as caught:
        await anext(items)
    assert caught.value.partial == "Hi"


async def test_amigo_timeout_of_blocking_calls(silent: str) -> None:
    chunks = AmigoChat.stream_chat("gpt-4o", "c", QUESTION, timeout=1.0, base_url=silent)

    assert await asyncio.to_thread(next, chunks) == "Hi"
    with pytest.raises(DeadlineError):
        await asyncio.to_thread(next, chunks)
