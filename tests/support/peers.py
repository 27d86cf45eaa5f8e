"""What the table in the README compares: broken answers asked for with several clients, and two recorders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias

import requests
import vcr

from g4fsdk import Client
from g4fsdk.testing import Recorder
from tests.support.loopback import Reply, Server

Outcome: TypeAlias = Literal["an error", "ends as if whole", "loses its beginning", "the whole text"]
TEXT = "Hello world"
MEDIA = {"Content-Type": "text/event-stream"}
PAGE = {"Content-Type": "text/html"}
ASKED: Any = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}


def chunk(text: str, finish: str | None = None) -> bytes:
    reason = f'"{finish}"' if finish else "null"
    said = f'{{"index":0,"delta":{{"role":"assistant","content":"{text}"}},"finish_reason":{reason}}}'
    head = '"id":"1","object":"chat.completion.chunk","created":1,"model":"m"'
    return f'data: {{{head},"choices":[{said}]}}\n\n'.encode()


PIECES = [chunk("Hello"), chunk(" world"), chunk("", "stop"), b"data: [DONE]\n\n"]
#: By the words of the README.
BROKEN = {
    "stops in the middle, the connection closed properly": Reply(PIECES[:1], headers=MEDIA),
    "is an HTML page under status 200": Reply(
        [b"<html><title>Hi</title></html>"], headers={"Content-Type": "text/html"}
    ),
    "is empty": Reply([], headers=MEDIA),
    "begins with a byte order mark": Reply([b"\xef\xbb\xbf", *PIECES], headers=MEDIA),
}


def by_g4fsdk(url: str) -> str:
    with Client("openai", base_url=url, model="m", retries=1) as client:
        return said(client.chat.completions.create("Hi", stream=True))


def by_openai(url: str) -> str:
    openai: Any = import_module("openai")
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        return said(
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
            )
        )


def by_litellm(url: str) -> str:
    litellm: Any = import_module("litellm")
    return said(litellm.completion("openai/m", **ASKED, base_url=url, api_key="none", max_retries=0))


CLIENTS: dict[str, Callable[[str], str]] = {"g4fsdk": by_g4fsdk, "openai": by_openai, "litellm": by_litellm}


def said(chunks: Iterable[Any]) -> str:
    return "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)


def outcome(client: str, broken: str) -> Outcome:
    """Return what comes of it when *client* asks for an answer that is *broken* so."""
    with Server(lambda _: BROKEN[broken]) as server:
        try:
            text = CLIENTS[client](f"{server.url}/v1")
        except Exception:  # noqa: BLE001  # each has errors of its own
            return "an error"
    if text == TEXT:
        return "the whole text"
    return "loses its beginning" if text and TEXT.endswith(text) else "ends as if whole"


#: What the recorders keep of one answer in five pieces, and of one that is reset after the second.
FIVE = [b"one", b"two", b"three", b"four", b"five"]
KEY = "sk-the-key-of-the-shop-0123456789"


def record_with_g4fsdk(url: str, file: Path) -> None:
    with Recorder(file, provenance="recorded by a test") as recorder, requests.Session() as session:
        session.mount("http://", recorder.requests_adapter())
        read_all(session, url)


def record_with_vcrpy(url: str, file: Path) -> None:
    with vcr.use_cassette(file), requests.Session() as session:
        read_all(session, url)


def read_all(session: requests.Session, url: str) -> None:
    with session.get(url, headers={"Authorization": f"Bearer {KEY}"}, stream=True) as answer:
        for _ in answer.iter_content(None):
            pass
