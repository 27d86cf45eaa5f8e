"""Streams read in several ways at once: every event is given once, and one request is sent."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import responses
import respx

from g4fsdk import (
    AsyncClient,
    ChatStream,
    Client,
    Event,
    Finish,
    Response,
    TextDelta,
    Timeouts,
    UsageError,
)
from g4fsdk._client.blocking.streams import OpenStream
from g4fsdk._client.clocks import Clocks
from g4fsdk._core.model.http import AnswerHead
from g4fsdk.testing import Replay
from tests.support.wire import chunk, sse

QUESTION = Path(__file__).parents[2] / "cassettes" / "yqcloud" / "normal.yaml"


def test_an_event_is_given_once_whoever_asks() -> None:
    with (
        Client("yqcloud", transport=Replay(QUESTION)) as client,
        client.chat.completions.stream("Question.") as stream,
    ):
        first = next(stream)
        second = next(stream.text_stream)
        whole = stream.get_final_completion()

        assert isinstance(first, TextDelta)
        assert whole.text.startswith(first.text + second)
        assert [*stream] == []
        assert [*stream.text_stream] == []


async def test_an_event_is_given_once_whoever_awaits_it() -> None:
    client = AsyncClient("yqcloud", transport=Replay(QUESTION))
    async with client.chat.completions.stream("Question.") as stream:
        first = await anext(stream)
        second = await anext(stream.text_stream)
        whole = await stream.get_final_completion()

        assert isinstance(first, TextDelta)
        assert whole.text.startswith(first.text + second)
        assert [event async for event in stream] == []
        assert [text async for text in stream.text_stream] == []


async def test_two_tasks_that_open_a_stream_send_one_request() -> None:
    player = Replay(QUESTION, pace="recorded")
    async with AsyncClient("yqcloud", transport=player) as client:
        stream = client.chat.completions.stream("Question.")

        async def read() -> list[Event]:
            return [event async for event in stream]

        events, refused = await asyncio.gather(read(), read(), return_exceptions=True)
        await stream.close()

    assert isinstance(events, list)
    assert Finish("stop") in events
    assert isinstance(refused, UsageError)
    player.assert_all_played()


def test_the_http_side_of_an_answer_is_there_and_its_repr_says_no_header() -> None:
    with Client("yqcloud", transport=Replay(QUESTION)) as client:
        stream = client.chat.completions.stream("Question.")
        before = stream.response
        whole = stream.get_final_completion()
    with (
        Client("yqcloud", transport=Replay(QUESTION)) as client,
        client.chat.completions.create("Question.", stream=True) as chunks,
    ):
        assert before is None
        for head in (stream.response, whole.response, chunks.response):
            assert head is not None
            assert (head.status, head.request_id) == (200, None)
            assert "content-type" in head.headers
            assert "content-type" not in repr(head)


async def test_the_http_side_of_an_answer_is_there_for_whoever_awaits_it() -> None:
    async with AsyncClient("yqcloud", transport=Replay(QUESTION)) as client:
        stream = client.chat.completions.stream("Question.")
        before = stream.response
        whole = await stream.get_final_completion()

    assert before is None
    assert stream.response is whole.response is not None


def test_the_head_of_an_answer_holds_no_cookie_and_knows_its_request() -> None:
    pairs = [("Set-Cookie", "a=b"), ("X-Request-Id", "r1"), ("via", "a"), ("Via", "b")]

    head = AnswerHead.of(Response(200, pairs))

    assert (head.headers, head.request_id) == ({"x-request-id": "r1", "via": "a, b"}, "r1")


MOCKED = "http://service.test/v1/chat/completions"
HELLO = sse(chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop"))


def test_responses_answers_the_blocking_client() -> None:
    with responses.RequestsMock() as mock:
        mock.post(MOCKED, HELLO, content_type="text/event-stream")
        with (
            Client("openai", base_url="http://service.test/v1", model="m") as client,
            client.chat.completions.stream("Question.") as stream,
        ):
            assert "".join(stream.text_stream) == "Hello"


async def test_respx_answers_the_async_client() -> None:
    with respx.mock() as router:
        router.post(MOCKED).respond(content=HELLO, content_type="text/event-stream")
        async with (
            AsyncClient("openai", base_url="http://service.test/v1", model="m") as client,
            client.chat.completions.stream("Question.") as stream,
        ):
            assert "".join([text async for text in stream.text_stream]) == "Hello"


async def test_what_watches_requests_and_httpx_sees_our_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tracing and mocking libraries put themselves there."""
    seen = []
    send, async_send = requests.Session.send, httpx.AsyncClient.send

    def watched(self: Any, request: Any, **options: Any) -> Any:
        seen.append(("requests", request.url))
        return send(self, request, **options)

    async def async_watched(self: Any, request: Any, **options: Any) -> Any:
        seen.append(("httpx", str(request.url)))
        return await async_send(self, request, **options)

    monkeypatch.setattr(requests.Session, "send", watched)
    monkeypatch.setattr(httpx.AsyncClient, "send", async_watched)
    with Client("yqcloud", transport=Replay(QUESTION)) as client:
        assert [*client.chat.completions.create("Question.", stream=True)]
    async with AsyncClient("yqcloud", transport=Replay(QUESTION)) as other:
        assert [chunk async for chunk in await other.chat.completions.create("Question.", stream=True)]

    assert [name for name, _ in seen] == ["requests", "httpx"]
    assert len({url for _, url in seen}) == 1


def test_a_stream_that_is_closed_while_it_begins_sends_nothing() -> None:
    def begin() -> Clocks:
        stream.close()  # another thread, in the middle of it
        return Clocks(Timeouts())

    stream = ChatStream(begin, never)
    with pytest.raises(UsageError, match="this stream is closed"):
        next(stream)


def test_two_threads_that_open_a_stream_send_one_request() -> None:
    def begin() -> Clocks:
        with ThreadPoolExecutor(1) as other, pytest.raises(UsageError, match="another thread is opening"):
            other.submit(next, stream).result()
        raise UsageError("that was the one request")

    stream = ChatStream(begin, never)
    with pytest.raises(UsageError, match="the one request"):
        next(stream)


def never(clocks: Clocks) -> OpenStream[Event]:
    raise AssertionError("something was sent")
