"""A scripted service in place of the network, for both clients: answers in turn, and keeps what it saw."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

Body = str | bytes | Sequence[bytes]


@dataclass
class Answer:
    """What the service says. With *breaks* the connection is reset behind the last piece."""

    body: Body = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    breaks: bool = False

    @property
    def pieces(self) -> list[bytes]:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return [body] if isinstance(body, bytes) else [*body]


@dataclass
class Seen:
    """A request as the service saw it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> Any:
        """The JSON in the only part of a multipart body."""
        return json.loads(self.body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0])

    @property
    def coded_messages(self) -> Any:
        return json.loads(base64.b64decode(self.json["messages"]))


class Service:
    """Give it as `transport=`."""

    def __init__(self, *answers: Answer | Body) -> None:
        self._answers = [item if isinstance(item, Answer) else Answer(item) for item in answers]
        self.seen: list[Seen] = []
        self.open: set[object] = set()  # connections of clients, and answers, not yet closed

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def answer(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        self.seen.append(Seen(method, url, {name.lower(): value for name, value in headers.items()}, body))
        return self._answers.pop(0)

    def httpx_transport(self) -> httpx.AsyncBaseTransport:
        return _Transport(self)

    def requests_adapter(self) -> BaseAdapter:
        return _Adapter(self)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, service: Service, answer: Answer) -> None:
        self._service, self._answer = service, answer
        service.open.add(self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._answer.pieces:
            yield piece
        if self._answer.breaks:
            raise httpx.ReadError("connection reset")

    async def aclose(self) -> None:
        self._service.open.discard(self)


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, service: Service) -> None:
        self._service = service
        service.open.add(self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._service.answer(
            request.method, str(request.url), dict(request.headers), await request.aread()
        )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Stream(self._service, answer), request=request
        )

    async def aclose(self) -> None:
        self._service.open.discard(self)


class _Adapter(HTTPAdapter):
    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service
        service.open.add(self)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        body = request.body if isinstance(request.body, bytes) else b""
        answer = self._service.answer(request.method or "", request.url or "", {**request.headers}, body)
        raw = urllib3.HTTPResponse(
            io.BytesIO(b"".join(answer.pieces)), answer.headers, answer.status, preload_content=False
        )
        return self.build_response(request, raw)

    def close(self) -> None:
        self._service.open.discard(self)


def sse(*texts: str, reason: str | None = "stop") -> bytes:
    """An OpenAI-shaped stream that says *texts*."""
    chunks: list[Any] = [{"choices": [{"delta": {"content": text}}]} for text in texts]
    chunks.append({"choices": [{"delta": {}, "finish_reason": reason}]})
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"


CREATED = "65f0c0ffee65f0c0ffee0001"
PARENT = "0f0e0d0c-0b0a-4908-8706-050403020100"


def created(conversation_id: str = CREATED, cookie: str = "hf-chat=visitor-1", **more: Any) -> Answer:
    """chat-ui's answer to the request for a conversation."""
    body = json.dumps({"conversationId": conversation_id, **more})
    return Answer(body, headers={"Set-Cookie": f"{cookie}; Path=/; Secure; HttpOnly; SameSite=None"})


def page(*senders: str) -> Answer:
    """chat-ui's page data of a conversation with a message from each of *senders*; the last is PARENT."""
    data: list[Any] = [{"messages": 1}, [], PARENT]
    for number, sender in enumerate(senders):
        data[1].append(len(data))
        is_last = number == len(senders) - 1
        data.append({"id": 2 if is_last else len(data) + 1, "from": len(data) + (1 if is_last else 2)})
        data += [sender] if is_last else [f"message-{number}", sender]
    return Answer(json.dumps({"type": "data", "nodes": [None, {"type": "data", "data": data}]}) + "\n")


def updates(*tokens: str, title: str | None = None, final: str | None = None) -> Answer:
    """chat-ui's answer stream."""
    lines: list[Any] = [{"type": "status", "status": "started"}]
    lines += [{"type": "stream", "token": token.ljust(16, "\0")} for token in tokens]
    lines += [{"type": "title", "title": title}] if title else []
    lines += [
        {"type": "finalAnswer", "text": "".join(tokens) if final is None else final, "interrupted": False}
    ]
    return Answer(
        "".join(json.dumps(line) + "\n" for line in lines), headers={"Content-Type": "application/jsonl"}
    )


def turn(*tokens: str, title: str | None = None) -> list[Answer]:
    """The three answers to the first turn of a conversation."""
    return [created(), page("system"), updates(*tokens, title=title)]
