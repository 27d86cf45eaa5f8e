"""Yqcloud: what goes out, byte for byte by the protocol, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from g4fsdk import (
    BlockedError,
    ConversationEvent,
    Finish,
    Ids,
    RateLimitError,
    Response,
    TextDelta,
    UsageError,
)
from g4fsdk import providers as g4f_providers
from tests.support.asking import (
    LONG,
    PROMPT,
    SYSTEM,
    TEXT,
    TURNS,
    body_of,
    handed_over,
    headers_of,
    stream_for,
)
from tests.support.wire import answer_to, cut_at

get = g4f_providers.get


YQCLOUD_HEADERS = {
    "accept": "application/json, text/plain, */*",
    "accept-language": "en-US,en;q=0.9",
    "content-type": "application/json",
    "origin": "https://chat9.yqcloud.top",
    "referer": "https://chat9.yqcloud.top/",
}


@pytest.mark.parametrize(
    ("messages", "prompt", "system"),
    [
        pytest.param("Hello", "Hello", "", id="one"),
        pytest.param(TURNS, PROMPT, "", id="several"),
        pytest.param([SYSTEM, {"role": "user", "content": TEXT}], TEXT, "Be brief.", id="system first"),
        pytest.param(
            [TURNS[0], SYSTEM, TURNS[2]],
            "User: First question\nSystem: Be brief.\nUser: Second question\nAssistant:",
            "",
            id="system later",
        ),
        pytest.param(
            [SYSTEM, LONG, TURNS[0]],
            "System: Be long.\nUser: First question\nAssistant:",
            "Be brief.",
            id="two systems",
        ),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_yqcloud_is_asked_as_its_page_asks(messages: Any, prompt: str, system: str, stream: bool) -> None:
    ids = Ids.seeded(7)

    request = stream_for("yqcloud", messages, stream=stream, ids=ids).request

    assert (request.method, request.url) == ("POST", "https://api.binjie.fun/api/generateStream")
    assert headers_of(request) == YQCLOUD_HEADERS
    assert body_of(request) == {
        "prompt": prompt,
        "userId": f"#/chat/{ids.now_ms()}",
        "network": True,
        "system": system,
        "withoutContext": False,
        "stream": stream,
    }


def test_yqcloud_keeps_one_user_a_conversation_and_is_told_the_whole_history() -> None:
    first = stream_for("yqcloud", [SYSTEM, TURNS[0]], ids=Ids.seeded(1))
    [event] = answer_to(first, Response(200, (), b"First answer")).of(ConversationEvent)
    handle = handed_over(event.conversation)

    second = stream_for("yqcloud", "Second question", conversation=handle, ids=Ids.seeded(2))

    body = body_of(second.request)
    assert body["userId"] == body_of(first.request)["userId"]
    assert (body["system"], body["prompt"]) == ("Be brief.", PROMPT)


BAN = "sorry, 您的ip已由于触发防滥用检测而被封禁,本服务网址是"


def test_yqcloud_says_when_the_address_is_banned_however_it_comes() -> None:
    wire = BAN.encode()
    for pieces in ([wire], cut_at(wire, [3, 20]), cut_at(wire, range(len(wire)))):
        found = answer_to(stream_for("yqcloud"), Response(200, {"Content-Type": "text/plain"}, wire), pieces)

        assert isinstance(found.error, BlockedError)
        assert (found.events, found.error.partial) == ([], "")


@pytest.mark.parametrize("text", [f"It said: {BAN}", "sorry, I can't", "sorry", "sorry, 您的ip", "s"])
def test_yqcloud_may_quote_the_ban(text: str) -> None:
    wire = text.encode()
    for pieces in ([wire], cut_at(wire, range(len(wire)))):
        found = answer_to(stream_for("yqcloud"), Response(200, (), wire), pieces)

        assert found.error is None
        assert found.text == text


def test_yqcloud_ends_with_its_body() -> None:
    found = answer_to(stream_for("yqcloud"), Response(200, {"Content-Type": "text/plain"}, b"  Hi\r\n"))

    assert found.events[0] == TextDelta("  Hi\r\n")
    assert isinstance(found.events[1], ConversationEvent)
    assert found.events[2] == Finish("stop")


def test_yqcloud_says_what_a_text_that_is_too_long_means() -> None:
    found = answer_to(stream_for("yqcloud"), Response(429, (), "文字过长，请删减后重试。".encode()))

    assert isinstance(found.error, RateLimitError)
    assert "too long" in found.error.message
    assert not found.error.retryable


IMAGE_PART = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]


def test_yqcloud_is_sent_text_and_nothing_else() -> None:
    with pytest.raises(UsageError, match="image_url"):
        stream_for("yqcloud", IMAGE_PART)
    with pytest.raises(UsageError, match="no text"):
        stream_for("yqcloud", "   ")
