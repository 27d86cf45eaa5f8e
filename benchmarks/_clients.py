"""Clients over an in-memory transport: everything but the socket."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from importlib import import_module
from typing import Any

import httpx
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPHeaderDict

from g4fsdk import AsyncClient, Client

MESSAGES: Any = [{"role": "user", "content": "Hi"}]
MODEL = "m"
URL = "http://model.test/v1"
_HEADERS = {"content-type": "text/event-stream"}


class _Body:
    """What requests takes for urllib3's response: a chunked body that gives *chunks* as they are."""

    chunked = True
    decode_content = False

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.headers = HTTPHeaderDict(_HEADERS)

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        """There is nothing to free."""

    def release_conn(self) -> None:
        """There is no connection."""


class MemoryAdapter(BaseAdapter):
    """Answers every request with *chunks*, an iterable that can be gone through again and again."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__()
        self._chunks = chunks

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code = 200
        answer.headers.update(_HEADERS)
        answer.raw = _Body(self._chunks)
        answer.request = request
        return answer

    def close(self) -> None:
        """There is nothing to free."""


def blocking(chunks: Iterable[bytes]) -> Client:
    session = requests.Session()
    session.mount("http://", MemoryAdapter(chunks))
    return Client("openai", base_url=URL, model=MODEL, session=session)


def awaited(chunks: Iterable[bytes]) -> AsyncClient:
    client = httpx.AsyncClient(transport=_async_transport(httpx, chunks))
    return AsyncClient("openai", base_url=URL, model=MODEL, http_client=client)


def openai_blocking(chunks: Iterable[bytes]) -> Any:
    openai: Any = import_module("openai")
    library = _library_of(openai.DefaultHttpxClient)

    def answer(_: Any) -> Any:
        return library.Response(200, headers=_HEADERS, content=iter(chunks))

    client = openai.DefaultHttpxClient(transport=library.MockTransport(answer))
    return openai.OpenAI(base_url=URL, api_key="none", http_client=client)


def openai_awaited(chunks: Iterable[bytes]) -> Any:
    openai: Any = import_module("openai")
    library = _library_of(openai.DefaultAsyncHttpxClient)
    client = openai.DefaultAsyncHttpxClient(transport=_async_transport(library, chunks))
    return openai.AsyncOpenAI(base_url=URL, api_key="none", http_client=client)


def _async_transport(library: Any, chunks: Iterable[bytes]) -> Any:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def answer(_: Any) -> Any:
        return library.Response(200, headers=_HEADERS, content=body())

    return library.MockTransport(answer)


def _library_of(client: type) -> Any:
    """Return httpx, or the fork of it whose client *client* is: the packages differ in which they use."""
    (base,) = client.__mro__[1:2]
    return sys.modules[base.__module__.partition(".")[0]]


def read_blocking(client: Any) -> int:
    """Go through the OpenAI-shaped chunks of one answer; return how many there are."""
    stream = client.chat.completions.create(messages=MESSAGES, model=MODEL, stream=True)
    return sum(1 for _ in stream)


def text_blocking(client: Any) -> str:
    stream = client.chat.completions.create(messages=MESSAGES, model=MODEL, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


async def read_awaited(client: Any) -> int:
    stream = await client.chat.completions.create(messages=MESSAGES, model=MODEL, stream=True)
    count = 0
    async for _ in stream:
        count += 1
    return count


async def text_awaited(client: Any) -> str:
    stream = await client.chat.completions.create(messages=MESSAGES, model=MODEL, stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
