"""Autonomous AI: what goes out, byte for byte by the protocol."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import date

import pytest

from g4fsdk import providers as g4f_providers
from tests.support.asking import (
    SYSTEM,
    TEXT,
    TURNS,
    body_of,
    conversation_with,
    headers_of,
    stream_for,
)

get = g4f_providers.get


AUTONOMOUS_HEADERS = {
    "accept": "*/*",
    "accept-language": "en-US,en;q=0.9",
    "content-type": "application/json",
    "country-code": "US",
    "origin": "https://www.autonomous.ai",
    "referer": "https://www.autonomous.ai/",
    "time-zone": "America/New_York",
}


@pytest.mark.parametrize(
    ("model", "agent", "path"),
    [
        ("", "llama", "chat"),
        ("llama", "llama", "chat"),
        ("qwen_coder", "qwen_coder", "chat"),
        ("hermes", "hermes", "chat-hermes"),
        ("vision", "vision", "chat-vision"),
        ("summary", "summary", "summary"),
        ("llama-3.3-70b", "llama", "chat"),
        ("qwen-2.5-coder-32b", "qwen_coder", "chat"),
        ("hermes-3", "hermes", "chat-hermes"),
        ("llama-3.2-90b", "vision", "chat-vision"),
        ("llama-3.2-70b", "summary", "summary"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_autonomous_is_asked_as_its_page_asks(model: str, agent: str, path: str, stream: bool) -> None:
    messages = [SYSTEM, {"role": "user", "content": TEXT, "name": "bob"}]

    request = stream_for("autonomous", messages, model=model, stream=stream).request

    body = body_of(request)
    inner = b64decode(body.pop("messages"), validate=True)
    assert (request.method, request.url) == ("POST", f"https://chatgpt.autonomous.ai/api/v1/ai/{path}")
    assert headers_of(request) == AUTONOMOUS_HEADERS
    assert body == {"threadId": agent, "stream": stream, "aiAgent": agent}
    assert inner.isascii()
    assert json.loads(inner) == messages


def test_autonomous_is_told_the_whole_history() -> None:
    handle = conversation_with("autonomous", SYSTEM, *TURNS[:2])

    request = stream_for("autonomous", "Second question", conversation=handle).request

    assert json.loads(b64decode(body_of(request)["messages"])) == [SYSTEM, *TURNS]


def test_autonomous_is_told_in_json_what_no_text_is() -> None:
    part = {"type": "text", "text": "Hello", "when": date(2026, 11, 28)}

    request = stream_for("autonomous", [{"role": "user", "content": [part]}]).request

    [sent] = json.loads(b64decode(body_of(request)["messages"]))
    assert sent["content"] == [{**part, "when": "2026-11-28"}]
