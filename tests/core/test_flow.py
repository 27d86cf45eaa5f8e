"""Flows and streams: how a provider's steps run, and what an answer that is no success means."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from g4fsdk import (
    BlockedError,
    Chat,
    IncompleteStreamError,
    RateLimitError,
    Request,
    Response,
    ServerError,
    Stream,
    TextDelta,
    TransportError,
    advance,
    providers,
)
from g4fsdk._core.flow.provider import is_success
from g4fsdk._core.model.errors import MAX_ERROR_BODY
from g4fsdk.parsers import Parser, SSEParser, TextParser
from tests.support.wire import chunk, run, sse, stream_of

YQCLOUD = providers.get("yqcloud")


def a_stream(parser: Parser | None = None) -> Stream:
    return Stream(Request("POST", "http://x"), parser or SSEParser(), YQCLOUD, "m")


def test_a_flow_runs_step_by_step() -> None:
    last = a_stream()

    def flow() -> Generator[Request, Response, Stream]:
        first = yield Request("GET", "http://x/1")
        second = yield Request("GET", f"http://x/{first.status}")
        assert second.status == 202
        return last

    running = flow()

    assert advance(running) == Request("GET", "http://x/1")
    assert advance(running, Response(201)) == Request("GET", "http://x/201")
    assert advance(running, Response(202)) is last


def test_what_a_flow_raises_comes_out() -> None:
    def flow() -> Generator[Request, Response, Stream]:
        response = yield Request("GET", "http://x")
        raise ServerError(f"no: {response.status}")

    running = flow()
    advance(running)

    with pytest.raises(ServerError, match="no: 500"):
        advance(running, Response(500))


def test_a_flow_may_go_on_without_an_answer() -> None:
    last = a_stream()

    def flow() -> Generator[Request, Response, Stream]:
        try:
            yield Request("GET", "http://x")
        except TransportError:
            return last
        raise AssertionError("never answered")

    running = flow()
    advance(running)

    assert advance(running, TransportError("reset")) is last


@pytest.mark.parametrize(
    ("status", "expected"), [(199, False), (200, True), (299, True), (300, False), (0, False)]
)
def test_every_2xx_is_a_success(status: int, expected: bool) -> None:
    assert is_success(Response(status)) == expected


def test_an_accepted_stream_knows_the_head_of_its_answer() -> None:
    stream = a_stream()

    parser = stream.accept(Response(201, {"Content-Type": "Text/Event-Stream"}))

    assert parser is stream.parser
    assert (parser.status, parser.content_type) == (201, "text/event-stream")


def test_a_parser_is_chosen_by_the_provider_and_not_by_the_declared_type() -> None:
    stream = stream_of(providers.get("openai").chat(Chat("Hello", "m")))

    found = run(stream.accept(Response(200, {"Content-Type": "text/plain"})), [sse(chunk({"content": "Hi"}))])

    assert found.text == "Hi"


REFUSAL = b'{"error":{"message":"slow down","code":"rate"}}'


def test_a_refusal_is_raised_when_its_body_ends() -> None:
    parser = a_stream().accept(Response(429, {"Retry-After": "3"}))

    assert parser.feed(REFUSAL[:10]) == parser.feed(REFUSAL[10:]) == []
    with pytest.raises(RateLimitError) as caught:
        parser.close()

    error = caught.value
    assert (error.status, error.code, error.retry_after, error.body) == (429, "rate", 3.0, REFUSAL)
    assert error.retryable
    with pytest.raises(RateLimitError):
        parser.close()


def test_a_refusal_whose_body_breaks_off_is_still_one() -> None:
    parser = a_stream().accept(Response(503))
    parser.feed(b"down")

    error = parser.cut("reset")

    assert isinstance(error, ServerError)
    assert error.body == b"down"
    assert parser.cut("again") is error


def test_a_refusal_keeps_a_mebibyte_and_waits_for_no_more() -> None:
    parser = a_stream().accept(Response(500))

    found = run(parser, [b"x" * 65536] * 40)

    assert isinstance(found.error, ServerError)
    assert len(found.error.body) == MAX_ERROR_BODY == 1 << 20


def test_a_refusal_may_be_a_challenge() -> None:
    found = run(a_stream().accept(Response(503)), [b"<title>Just a moment...</title>"])

    assert isinstance(found.error, BlockedError)


def test_a_refusal_carries_no_text_as_an_answer() -> None:
    found = run(a_stream(TextParser()).accept(Response(500)), [b"down"])

    assert (found.events, found.text) == ([], "")
    assert found.error is not None
    assert found.error.partial == ""


def test_a_success_that_breaks_off_is_incomplete() -> None:
    found = run(a_stream(TextParser()).accept(Response(200)), [b"so far"], cut="reset")

    assert isinstance(found.error, IncompleteStreamError)
    assert found.events == [TextDelta("so far")]
