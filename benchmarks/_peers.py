"""The parsers of other packages, each from bytes to what it gives its users. Imported when they run."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, TypeAlias

from g4fsdk.bench.contenders import Contender

Items: TypeAlias = Callable[[Sequence[bytes]], Iterable[Any]]
TextOf: TypeAlias = Callable[[Any], str]


def content(chunk: Any) -> str:
    """Return the text of a chat completion chunk as plain JSON."""
    choices = chunk["choices"]
    return (choices[0]["delta"].get("content") or "") if choices else ""


def content_of_event(event: Any) -> str:
    """Return the text of a server-sent event whose data has not been read."""
    return "" if event.data == "[DONE]" else content(json.loads(event.data))


def contender(
    name: str, items: Items, text_of: TextOf, chunks: Sequence[bytes], look: TextOf | None = None
) -> Contender:
    """Return the contender that goes through *items* of *chunks*, and has a *look* at what each says."""
    look = look or text_of

    def run() -> int:
        said = 0
        for item in items(chunks):
            said += len(look(item))
        return said

    def text() -> str:
        return "".join(map(text_of, items(chunks)))

    return Contender(name, run, text)


def openai_framing(chunks: Sequence[bytes]) -> Iterable[Any]:
    decoder: Any = import_module("openai._streaming").SSEDecoder()
    events: Iterable[Any] = decoder.iter_bytes(iter(chunks))
    return events


def openai_json(chunks: Sequence[bytes]) -> Iterator[Any]:
    for event in openai_framing(chunks):
        if event.data == "[DONE]":
            return
        yield json.loads(event.data)


def anthropic_framing(chunks: Sequence[bytes]) -> Iterable[Any]:
    decoder: Any = import_module("anthropic._streaming").SSEDecoder()
    events: Iterable[Any] = decoder.iter_bytes(iter(chunks))
    return events


def httpx_sse_framing(chunks: Sequence[bytes]) -> Iterable[Any]:
    import httpx

    headers = {"content-type": "text/event-stream; charset=utf-8"}
    response = httpx.Response(200, headers=headers, content=iter(chunks))
    events: Iterable[Any] = import_module("httpx_sse").EventSource(response).iter_sse()
    return events


def sseclient_framing(chunks: Sequence[bytes]) -> Iterable[Any]:
    events: Iterable[Any] = import_module("sseclient").SSEClient(iter(chunks)).events()
    return events


class Raw:
    """A body for requests in place of urllib3's: gives the chunks as they are."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = chunks

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        return iter(self._chunks)


def requests_lines(chunks: Sequence[bytes]) -> Iterator[bytes]:
    import requests

    response = requests.Response()
    response.raw = Raw(chunks)
    lines: Iterator[bytes] = response.iter_lines()
    return lines


def requests_orjson(chunks: Sequence[bytes]) -> Iterator[Any]:
    loads = import_module("orjson").loads
    for line in requests_lines(chunks):
        if line.startswith(b"data: ") and line != b"data: [DONE]":
            yield loads(line[6:])


def httpx_lines(chunks: Sequence[bytes]) -> Iterator[str]:
    import httpx

    headers = {"content-type": "application/jsonl; charset=utf-8"}
    return httpx.Response(200, headers=headers, content=iter(chunks)).iter_lines()


def httpx_text(chunks: Sequence[bytes]) -> Iterator[str]:
    import httpx

    headers = {"content-type": "text/plain; charset=utf-8"}
    return httpx.Response(200, headers=headers, content=iter(chunks)).iter_text()


def httpx_lines_json(chunks: Sequence[bytes]) -> Iterator[Any]:
    return map(json.loads, httpx_lines(chunks))


def huggingface_typed(chunks: Sequence[bytes]) -> Iterable[Any]:
    """As its blocking client does: lines of text by httpx, then its dataclasses."""
    read: Any = import_module("huggingface_hub.inference._common")._stream_chat_completion_response
    events: Iterable[Any] = read(httpx_lines(chunks))
    return events


def typed_content(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


def g4f_lines(chunks: Sequence[bytes]) -> Iterator[Any]:
    """The loop of g4f's chat-ui provider over the lines of the body, which aiohttp cuts for it."""
    return _driven(_g4f_updates(_aiohttp_lines(chunks)))


async def _g4f_updates(lines: AsyncIterator[bytes]) -> AsyncIterator[str]:
    # Source: g4f 8.8.6, g4f/Provider/hf_space/CohereForAI_C4AI_Command.py, create_async_generator.
    async for line in lines:
        data = json.loads(line)
        if data["type"] == "stream":
            yield data["token"].replace("\u0000", "")
        elif data["type"] == "finalAnswer":
            break


def _aiohttp_lines(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    """Lines as `async for line in response.content` of aiohttp gives them."""

    async def lines() -> AsyncIterator[bytes]:
        rest: list[bytes] = []
        for chunk in chunks:
            first, *others = chunk.split(b"\n")
            rest.append(first)
            for other in others:
                yield b"".join(rest) + b"\n"
                rest = [other]

    return lines()


def g4f_chunks(chunks: Sequence[bytes]) -> Iterator[Any]:
    """g4f's OpenAI template over the lines of the body, and its client's chunk objects on top."""
    template: Any = import_module("g4f.Provider.template.OpenaiTemplate")
    client: Any = import_module("g4f.client")
    response = _G4FResponse(_aiohttp_lines(chunks))
    info = {"name": "x", "url": "", "label": ""}
    read = template.read_response(response, True, "", info, False)
    made: Iterator[Any] = client.iter_response(_driven(read), True)
    return made


class _G4FResponse:
    headers = {"content-type": "text/event-stream"}  # noqa: RUF012  # never changed
    status = 200
    ok = True

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        self.content = content


def _driven(items: AsyncIterator[Any]) -> Iterator[Any]:
    """Run an async iterator that never really waits, without a loop: the cheapest way there is."""
    try:
        while True:
            try:
                step: Any = items.__anext__().__await__()
                step.send(None)
            except StopIteration as end:
                yield end.value
    except StopAsyncIteration:
        return


def first_missing(modules: Sequence[str]) -> str | None:
    """Return the first of *modules* that is not installed, or None."""
    for name in modules:
        try:
            import_module(name)
        except ImportError:
            return name.partition(".")[0]
    return None
