"""AmigoChat: what goes out, byte for byte by the protocol, and what comes back."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from g4fsdk import (
    AuthError,
    BlockedError,
    G4FError,
    Ids,
    ImageEvent,
    ProviderError,
    RateLimitError,
    Response,
    TextDelta,
    UsageError,
)
from g4fsdk import providers as g4f_providers
from tests.support.asking import (
    SYSTEM,
    TEXT,
    TURNS,
    body_of,
    headers_of,
    stream_for,
)
from tests.support.wire import answer_to, chunk, sse, stream_of

get = g4f_providers.get


AMIGO_HEADERS = {
    "accept": "*/*",
    "accept-language": "en-US,en;q=0.9",
    "authorization": "Bearer",
    "cache-control": "no-cache",
    "content-type": "application/json",
    "origin": "https://amigochat.io/chat/",
    "pragma": "no-cache",
    "priority": "u=1, i",
    "referer": "https://amigochat.io/chat//",
    "sec-ch-ua": '"Chromium";v="129", "Not=A?Brand";v="8"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "x-device-language": "en-US",
    "x-device-platform": "web",
    "x-device-version": "1.0.45",
}
#: Copied from the protocol reference, not from the code.
AMIGO_CHAT = """
gpt-4o-2024-11-20 gpt
gpt-4o summarizer
gpt-4o-mini amigo
o1-preview- openai-o-one
o1-preview-2024-09-12- orion
o1-mini- openai-o-one-mini
meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo llama-three-point-one
meta-llama/Llama-3.2-90B-Vision-Instruct-Turbo llama-3-2
codellama/CodeLlama-34b-Instruct-hf codellama-CodeLlama-34b-Instruct-hf
gemini-1.5-pro gemini-1-5-pro
gemini-1.5-flash gemini-1.5-flash
claude-3-5-sonnet-20240620 claude
claude-3-5-sonnet-20241022 clude-claude-3-5-sonnet-20241022
claude-3-5-haiku-latest 3-5-haiku
Qwen/Qwen2.5-72B-Instruct-Turbo qwen-2-5
google/gemma-2b-it google-gemma-2b-it
google/gemma-7b google-gemma-7b
Gryphe/MythoMax-L2-13b Gryphe-MythoMax-L2-13b
mistralai/Mistral-7B-Instruct-v0.3 mistralai-Mistral-7B-Instruct-v0.1
mistralai/mistral-tiny mistralai-mistral-tiny
mistralai/mistral-nemo mistralai-mistral-nemo
deepseek-ai/deepseek-llm-67b-chat deepseek-ai-deepseek-llm-67b-chat
databricks/dbrx-instruct databricks-dbrx-instruct
NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO NousResearch-Nous-Hermes-2-Mixtral-8x7B-DPO
x-ai/grok-beta x-ai-grok-beta
anthracite-org/magnum-v4-72b anthracite-org-magnum-v4-72b
cohere/command-r-plus cohere-command-r-plus
ai21/jamba-1-5-mini ai21-jamba-1-5-mini
zero-one-ai/Yi-34B zero-one-ai-Yi-34B
"""
AMIGO_IMAGE = """
flux-pro/v1.1 flux-1-1-pro
flux-realism flux-realism
flux-pro flux-pro
flux-pro/v1.1-ultra flux-pro-v1.1-ultra
flux-pro/v1.1-ultra-raw flux-pro-v1.1-ultra-raw
flux/dev flux-dev
dall-e-3 dalle-three
recraft-v3 recraft
"""
AMIGO_ALIASES = """
gpt-4o gpt-4o-2024-11-20
gpt-4o-mini gpt-4o-mini
llama-3.1-405b meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo
llama-3.2-90b meta-llama/Llama-3.2-90B-Vision-Instruct-Turbo
codellama-34b codellama/CodeLlama-34b-Instruct-hf
gemini-flash gemini-1.5-flash
claude-3.5-sonnet claude-3-5-sonnet-20241022
claude-3.5-haiku claude-3-5-haiku-latest
qwen-2.5-72b Qwen/Qwen2.5-72B-Instruct-Turbo
gemma-2b google/gemma-2b-it
mythomax-13b Gryphe/MythoMax-L2-13b
mixtral-7b mistralai/Mistral-7B-Instruct-v0.3
mistral-nemo mistralai/mistral-nemo
deepseek-chat deepseek-ai/deepseek-llm-67b-chat
dbrx-instruct databricks/dbrx-instruct
mixtral-8x7b-dpo NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO
grok-beta x-ai/grok-beta
magnum-72b anthracite-org/magnum-v4-72b
command-r-plus cohere/command-r-plus
jamba-mini ai21/jamba-1-5-mini
flux-dev flux/dev
"""


def table(text: str) -> dict[str, str]:
    return dict(line.split() for line in text.split("\n") if line)


@pytest.mark.parametrize(("model", "persona"), table(AMIGO_CHAT).items())
def test_each_chat_model_of_amigo_has_its_persona(model: str, persona: str) -> None:
    target = table(AMIGO_ALIASES).get(model, model)  # an alias wins over the id of the same name

    body = body_of(stream_for("amigo", model=model).request)

    assert (body["model"], body["personaId"]) == (target, table(AMIGO_CHAT)[target])
    assert g4f_providers.Amigo().get_persona_id(model) == persona


@pytest.mark.parametrize(("model", "persona"), table(AMIGO_IMAGE).items())
def test_each_image_model_of_amigo_has_its_persona(model: str, persona: str) -> None:
    for stream in (stream_of(get("amigo").image("a cat", model)), stream_for("amigo", "a cat", model=model)):
        request = stream.request

        assert (request.method, request.url) == ("POST", "https://api.amigochat.io/v1/images/generations")
        assert body_of(request) == {"prompt": "a cat", "model": model, "personaId": persona}


@pytest.mark.parametrize(("alias", "model"), table(AMIGO_ALIASES).items())
def test_each_alias_of_amigo_has_its_model(alias: str, model: str) -> None:
    assert get("amigo").get_model(alias) == model


def test_amigo_lists_what_the_protocol_lists() -> None:
    assert (len(table(AMIGO_CHAT)), len(table(AMIGO_IMAGE)), len(table(AMIGO_ALIASES))) == (29, 8, 21)
    assert [*get("amigo").models] == [*table(AMIGO_CHAT)]
    assert [*get("amigo").image_models] == [*table(AMIGO_IMAGE)]
    assert {**get("amigo").aliases} == table(AMIGO_ALIASES)


def test_amigo_is_asked_as_its_page_asks() -> None:
    ids = Ids.seeded(7)

    request = stream_for("amigo", [SYSTEM, {"role": "user", "content": TEXT}], ids=ids).request

    headers, body = headers_of(request), body_of(request)
    assert (request.method, request.url) == ("POST", "https://api.amigochat.io/v1/chat/completions")
    assert uuid.UUID(headers.pop("x-device-uuid")) != uuid.UUID(body.pop("chatId"))
    assert headers == AMIGO_HEADERS
    assert body == {
        "frequency_penalty": 0,
        "max_tokens": 4000,
        "messages": [SYSTEM, {"role": "user", "content": TEXT}],
        "model": "gpt-4o-mini",
        "personaId": "amigo",
        "presence_penalty": 0,
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.95,
    }


def test_amigo_has_a_new_device_each_attempt_and_a_new_chat_each_call() -> None:
    tries = [stream_for("amigo", ids=Ids.seeded(7), attempt=attempt).request for attempt in (0, 1)]
    calls = [stream_for("amigo", ids=Ids.seeded(7).child(call)).request for call in (0, 1)]

    assert len({headers_of(request)["x-device-uuid"] for request in tries}) == 2
    assert len({body_of(request)["chatId"] for request in tries}) == 1
    assert len({body_of(request)["chatId"] for request in calls}) == 2


def test_amigo_takes_sampling_options_and_a_chat_id() -> None:
    options = {"temperature": 1, "top_p": 0.1, "max_tokens": 5, "frequency_penalty": 1, "presence_penalty": 2}

    body = body_of(stream_for("amigo", options={**options, "chat_id": "my-chat"}, stream=False).request)

    assert options.items() <= body.items()
    assert (body["chatId"], body["stream"], "chat_id" in body) == ("my-chat", False, False)


def test_amigo_sends_a_key_where_one_is_given() -> None:
    request = stream_for("amigo", settings={"api_key": "topsecret"}).request

    assert headers_of(request)["authorization"] == "Bearer topsecret"


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(
            {"message": {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}},
            "Hi",
            id="wrapped",
        ),
        pytest.param({"choices": [{"message": {"content": "Hi"}}]}, "Hi", id="unwrapped"),
        pytest.param({"message": "Hi"}, "Hi", id="text"),
    ],
)
def test_a_whole_answer_of_amigo_may_be_wrapped(value: Any, text: str, status: int) -> None:
    body = json.dumps({**value, "nobodyKnows": 7}).encode()

    found = answer_to(stream_for("amigo", stream=False), Response(status, (), body))

    assert found.error is None
    assert found.text == text
    assert found.answer.completion("amigo", "m").extra == {"nobodyKnows": 7}


QUOTA = "Amigo, your balance is not enough to make the request, wait until 12 UTC or upgrade your plan"
RELAY = "Error handling AIML chat completion stream"


@pytest.mark.parametrize(
    ("status", "wire", "kind"),
    [
        pytest.param(
            201,
            sse(chunk({"content": QUOTA[:9]}), chunk({"content": QUOTA[9:]}), chunk({}, "stop")),
            RateLimitError,
            id="quota as the answer",
        ),
        pytest.param(
            201, sse(chunk({"content": RELAY}), chunk({}, "stop")), ProviderError, id="relay as the answer"
        ),
        pytest.param(201, sse({"error": {"message": RELAY}}), ProviderError, id="relay as an event"),
        pytest.param(201, json.dumps({"message": QUOTA}).encode(), RateLimitError, id="quota as a document"),
        pytest.param(
            200,
            json.dumps({"error": QUOTA}).encode(),
            (RateLimitError, ProviderError),
            id="quota as an error document",
        ),
        pytest.param(
            403, json.dumps({"message": QUOTA, "statusCode": 403}).encode(), RateLimitError, id="quota 403"
        ),
        pytest.param(403, b'{"message":"Forbidden","statusCode":403}', AuthError, id="forbidden"),
        pytest.param(
            406,
            b'{"message":"not implemented","error":"Not Acceptable","statusCode":406}',
            G4FError,
            id="406",
        ),
        pytest.param(
            200,
            b'{"message":"not implemented","error":"Not Acceptable","statusCode":406}',
            ProviderError,
            id="406 under 200",
        ),
        pytest.param(
            403, b"<html><title>Attention Required! | Cloudflare</title>", BlockedError, id="blocked"
        ),
    ],
)
def test_amigo_says_no_in_many_ways(status: int, wire: bytes, kind: Any) -> None:
    found = answer_to(stream_for("amigo"), Response(status, (), wire))

    assert isinstance(found.error, kind)
    assert not found.error.retryable
    assert found.of(TextDelta) == []


def test_amigo_may_talk_about_its_quota() -> None:
    wire = sse(chunk({"content": f"It said: {QUOTA}"}), chunk({}, "stop"))

    assert answer_to(stream_for("amigo"), Response(201, (), wire)).text == f"It said: {QUOTA}"


def test_amigo_takes_the_last_message_for_a_picture() -> None:
    stream = stream_for("amigo", TURNS, model="flux-realism")

    assert body_of(stream.request)["prompt"] == "Second question"


def test_an_image_of_amigo_is_given_as_sent() -> None:
    stream = stream_of(get("amigo").image("a cat"))
    found = answer_to(stream, Response(201, (), b'{"data":[{"url":"https://x/a%20b?s=%2F"}]}'))

    assert stream.model == "flux-realism"
    assert not stream.repeatable
    [event] = found.of(ImageEvent)
    assert (event.urls, event.prompt) == (["https://x/a%20b?s=%2F"], "a cat")


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        pytest.param("gpt-4o", {}, "makes no images; known: flux-pro/v1.1", id="a chat model"),
        pytest.param("nothing", {}, "unknown model", id="no model"),
        pytest.param("flux-realism", {"size": "1x1"}, "'size'", id="an option"),
    ],
)
def test_an_image_that_amigo_cannot_make_is_refused(model: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        get("amigo").image("a cat", model, options)


def test_a_persona_of_no_model_is_refused() -> None:
    with pytest.raises(UsageError, match="gpt-17"):
        g4f_providers.Amigo().get_persona_id("gpt-17")
