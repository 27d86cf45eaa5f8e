"""Where g4f's classes lost an answer, or the reason there was none, ours say so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from g4fsdk import (
    AuthError,
    BlockedError,
    EmptyAnswerError,
    G4FError,
    IncompleteStreamError,
    NotFoundError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    ServerError,
    StatusError,
    UsageError,
)
from g4fsdk.g4f import (
    AmigoChat,
    AutonomousAI,
    CohereForAI_C4AI_Command,
    FinishReason,
    Yqcloud,
)
from tests.support.g4f_service import Answer, Service, created, page, sse, turn, updates

QUESTION = [{"role": "user", "content": "Hi"}]
COMPLETION = '{"choices": [{"message": {"content": "Hi"}, "finish_reason": "length"}]}'
BAN = "sorry, 您的ip已由于触发防滥用检测而被封禁，请访问 https://example.test"
CHALLENGE = "<html><title>Just a moment...</title></html>"
OPENAI_SHAPED: list[Any] = [AutonomousAI, AmigoChat]


async def answer(kind: Any, service: Service, **arguments: Any) -> list[Any]:
    arguments.setdefault("stream", True)
    if kind is CohereForAI_C4AI_Command:
        del arguments["stream"]
    items = kind.create_async_generator("", QUESTION, transport=service, retries=1, **arguments)
    return [item async for item in items]


async def collect(items: AsyncIterator[Any], given: list[Any]) -> None:
    """Append *items* to *given*, which keeps those that come before an error."""
    async for item in items:
        given.append(item)  # noqa: PERF401


def node_error(**error: Any) -> Answer:
    return Answer(json.dumps({"type": "data", "nodes": [None, {"type": "error", **error}]}))


FAILED = '{"type":"status","status":"error","message":"Model is overloaded"}\n'


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param([node_error(error={"message": "no"}, status=404)], NotFoundError, id="node 404"),
        pytest.param([node_error(error={"message": "no"}, status=403)], AuthError, id="node 403"),
        pytest.param([node_error(error={"message": "no"})], ServerError, id="node without status"),
        pytest.param([node_error(error={"message": "no"}, status=429)], RateLimitError, id="node 429"),
        pytest.param([node_error(error={"message": "no"}, status=418)], StatusError, id="node 418"),
        pytest.param([Answer("{]")], ProtocolError, id="unreadable page data"),
        pytest.param([page("system"), Answer("nonsense\n")], ProtocolError, id="unreadable update"),
        pytest.param([page("system"), Answer(FAILED)], ProviderError, id="status error"),
        pytest.param([page("system"), Answer("")], EmptyAnswerError, id="empty body"),
        pytest.param(
            [page("system"), Answer('{"type":"stream","token":"Ha"}\n')],
            IncompleteStreamError,
            id="no finalAnswer",
        ),
    ],
)
async def test_cohere_failures_are_runtime_errors_too(answers: list[Answer], error: type[G4FError]) -> None:
    service = Service(created(), *answers)

    with pytest.raises(RuntimeError) as caught:
        await answer(CohereForAI_C4AI_Command, service)

    assert isinstance(caught.value, error)
    assert isinstance(caught.value, G4FError)
    assert caught.value.provider == "cohere-c4ai"
    assert str(caught.value).startswith("cohere-c4ai: ")
    assert caught.value.request is not None
    assert caught.value.conversation is not None
    assert not service.open


async def test_cohere_keeps_the_partial_text_and_the_cause_of_a_break() -> None:
    service = Service(created(), page("system"), Answer('{"type":"stream","token":"Ha"}\n', breaks=True))

    with pytest.raises(RuntimeError) as caught:
        await answer(CohereForAI_C4AI_Command, service)

    assert isinstance(caught.value, IncompleteStreamError)
    assert caught.value.partial == "Ha"
    assert type(caught.value.__cause__).__name__ == "ReadError"


async def test_cohere_usage_errors_are_no_runtime_errors() -> None:
    with pytest.raises(UsageError) as caught:
        await answer(CohereForAI_C4AI_Command, Service(), api_key="line\nend")
    assert not isinstance(caught.value, RuntimeError)


async def test_cohere_gives_a_final_answer_that_came_alone() -> None:
    service = Service(created(), page("system"), updates(final="All at once"))

    assert await answer(CohereForAI_C4AI_Command, service) == ["All at once"]


async def test_cohere_gives_a_title_after_the_final_answer() -> None:
    late = updates("Hi")
    late.body = late.pieces[0] + b'    \n{"type":"title","title":"Late"}\n'

    items = await answer(CohereForAI_C4AI_Command, Service(created(), page("system"), late))

    assert [str(item) for item in items] == ["Hi", ""]
    assert items[1].title == "Late"


@pytest.mark.parametrize("kind", OPENAI_SHAPED)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("said", "error"),
    [
        pytest.param('{"error": {"message": "no"}}', ProviderError, id="error document"),
        pytest.param(CHALLENGE, BlockedError, id="challenge page"),
        pytest.param("", EmptyAnswerError, id="empty body"),
    ],
)
async def test_nothing_passes_for_an_answer(
    kind: Any, stream: bool, said: str, error: type[G4FError]
) -> None:
    service = Service(said)

    with pytest.raises(error):
        await answer(kind, service, stream=stream)
    assert not service.open


@pytest.mark.parametrize("kind", OPENAI_SHAPED)
async def test_an_error_in_mid_stream_is_raised_behind_the_text(kind: Any) -> None:
    service = Service([sse("Hel").split(b"data: ", 2)[1].join([b"data: ", b""]), b'data: {"error": "x"}\n\n'])
    items = kind.create_async_generator("", QUESTION, stream=True, transport=service)

    assert await anext(items) == "Hel"
    with pytest.raises(ProviderError) as caught:
        await anext(items)
    assert caught.value.partial == "Hel"


@pytest.mark.parametrize("kind", OPENAI_SHAPED)
async def test_a_prefix_in_the_text_stays_and_nothing_follows_the_end(kind: Any) -> None:
    service = Service(sse("say data: x") + sse("more"))

    assert await answer(kind, service) == ["say data: x", FinishReason("stop")]


@pytest.mark.parametrize("kind", OPENAI_SHAPED)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_given_as_text(kind: Any, stream: bool) -> None:
    key = "delta" if stream else "message"
    said = json.dumps({"choices": [{key: {"refusal": "I won't"}, "finish_reason": "stop"}]})

    items = await answer(kind, Service(f"data: {said}\n\n" if stream else said), stream=stream)

    assert items == ["I won't", FinishReason("stop")]


@pytest.mark.parametrize("kind", OPENAI_SHAPED)
async def test_the_finish_reason_is_the_services_own(kind: Any) -> None:
    assert (await answer(kind, Service(COMPLETION), stream=False))[-1] == FinishReason("length")
    assert (await answer(kind, Service(sse("a", reason="length"))))[-1] == FinishReason("length")
    assert await answer(kind, Service(sse("a", reason=None))) == ["a"]


async def test_yqcloud_a_ban_is_no_answer() -> None:
    with pytest.raises(BlockedError):
        await answer(Yqcloud, Service([BAN.encode()[:20], BAN.encode()[20:]]))


@pytest.mark.parametrize("stream", [True, False])
async def test_amigo_a_relay_failure_is_no_answer(stream: bool) -> None:
    text = "Error handling AIML chat completion stream"
    whole = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})

    with pytest.raises(ProviderError, match="another"):
        await answer(AmigoChat, Service(sse(text) if stream else whole), stream=stream)


async def test_yqcloud_text_before_a_break_is_given_out_once() -> None:
    service = Service(Answer(["Половина".encode()[:7], "Половина".encode()[7:]], breaks=True))
    items = Yqcloud.create_async_generator("gpt-4", QUESTION, transport=service)
    given: list[Any] = []

    with pytest.raises(IncompleteStreamError) as caught:
        await collect(items, given)

    assert "".join(map(str, given)) == caught.value.partial == "Половина"
    assert len(service.seen) == 1


async def test_amigo_quota_is_not_asked_for_again() -> None:
    quota = Answer('{"message": "Amigo, your balance is not enough to make the request"}', status=403)
    service = Service(quota)

    with pytest.raises(RateLimitError):
        await anext(AmigoChat.create_async_generator("", QUESTION, transport=service))
    assert len(service.seen) == 1


def test_amigo_blocking_errors() -> None:
    for call in (AmigoChat().create_chat, lambda **said: [*AmigoChat().stream_chat(**said)]):
        service = Service(Answer('{"message": "Forbidden", "statusCode": 403}', status=403))
        with pytest.raises(AuthError):
            call(model="gpt-4o", chat_id="c", messages=QUESTION, transport=service)
        assert not service.open
    with pytest.raises(ProviderError):
        AmigoChat().create_image(model="dall-e-3", prompt="x", transport=Service('{"error": "no"}'))
    with pytest.raises(UsageError, match="makes no images"):
        AmigoChat().create_image(model="gpt-4o", prompt="x", transport=Service())
    with pytest.raises(UsageError, match="unknown model"):
        AmigoChat().create_chat(model="gpt-9", chat_id="c", messages=QUESTION)


async def test_a_generator_closed_early_frees_everything() -> None:
    for kind in (Yqcloud, AutonomousAI, AmigoChat):
        service = Service([sse("a")[:-20], b"more"])
        items = kind.create_async_generator("", QUESTION, stream=True, transport=service)
        await anext(items)
        assert service.open
        await items.aclose()
        assert not service.open


async def test_a_cohere_generator_closed_early_frees_everything() -> None:
    service = Service(*turn("a", "b"))
    items = CohereForAI_C4AI_Command.create_async_generator("", QUESTION, transport=service)

    await anext(items)
    await items.aclose()

    assert not service.open


def test_a_blocking_stream_closed_early_frees_everything() -> None:
    service = Service(sse("a", "b"))
    chunks = AmigoChat.stream_chat("gpt-4o", "c", QUESTION, transport=service)

    assert next(chunks) == "a"
    chunks.close()

    assert not service.open
