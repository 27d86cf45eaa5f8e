"""Any OpenAI-compatible endpoint: what goes out, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from g4fsdk import (
    AuthError,
    Chat,
    Finish,
    G4FError,
    IncompleteStreamError,
    Model,
    NotFoundError,
    ProtocolError,
    ProviderError,
    Response,
    TextDelta,
    UsageError,
    advance,
)
from g4fsdk import providers as g4f_providers
from tests.support.asking import (
    SYSTEM,
    TURNS,
    body_of,
    headers_of,
    stream_for,
)
from tests.support.wire import answer_to, chunk, sse, stream_of

get = g4f_providers.get


def test_openai_is_asked_as_its_reference_says() -> None:
    request = stream_for("openai", [SYSTEM, TURNS[0]], settings={"api_key": "topsecret"}).request

    assert (request.method, request.url) == ("POST", "https://api.openai.com/v1/chat/completions")
    assert headers_of(request) == {
        "accept": "*/*",
        "content-type": "application/json",
        "authorization": "Bearer topsecret",
    }
    assert body_of(request) == {"model": "gpt-4o", "messages": [SYSTEM, TURNS[0]], "stream": True}


def test_openai_sends_no_key_that_there_is_not() -> None:
    assert "authorization" not in headers_of(stream_for("openai").request)


def test_openai_sends_everything_as_it_is() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}],
        },
        {
            "role": "assistant",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "4"},
    ]
    options = {
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_object"},
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "stop": ["\n"],
        "n": 2,
        "extra_body": {"top_k": 3, "model": "override"},
        "extra_headers": {"X-Title": "t", "accept": "text/event-stream"},
    }

    request = stream_for("openai", messages, options=options).request

    body = body_of(request)
    assert body.pop("messages") == messages
    assert body == {
        **{key: value for key, value in options.items() if not key.startswith("extra")},
        "model": "override",
        "top_k": 3,
        "stream": True,
    }
    assert headers_of(request)["x-title"] == "t"
    assert headers_of(request)["accept"] == "text/event-stream"


@pytest.mark.parametrize("header", [{"X": "a\nb"}, {"X": 7}, {"X": "é"}])
def test_extra_headers_that_cannot_be_sent_are_refused(header: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        stream_for("openai", options={"extra_headers": header})


@pytest.mark.parametrize("option", ["extra_body", "extra_headers"])
def test_extras_of_another_type_are_refused(option: str) -> None:
    with pytest.raises(UsageError):
        stream_for("openai", options={option: "text"})


def test_openai_wants_to_know_which_model() -> None:
    with pytest.raises(UsageError, match="which model"):
        advance(get("openai").chat(Chat("Hello")))


def test_openai_takes_any_model() -> None:
    assert stream_for("openai", model="my/own:model").model == "my/own:model"


def test_openai_can_be_told_that_a_server_ends_with_its_body() -> None:
    wire = sse(chunk({"content": "Hi"}), done=False)

    incomplete = answer_to(stream_for("openai"), Response(200, (), wire))
    complete = answer_to(stream_for("openai", settings={"end": "eof"}), Response(200, (), wire))

    assert isinstance(incomplete.error, IncompleteStreamError)
    assert complete.error is None
    assert complete.of(Finish) == [Finish(None)]


@pytest.mark.parametrize("options", [{"n": 2}, {"extra_body": {"n": 2}}, {"n": 1, "extra_body": {"n": 2}}])
def test_openai_tells_several_answers_apart(options: dict[str, Any]) -> None:
    wire = sse(
        *({"choices": [{"index": at, "delta": {"content": "x"}, "finish_reason": "stop"}]} for at in (0, 1))
    )

    found = answer_to(stream_for("openai", options=options), Response(200, (), wire))

    assert found.of(TextDelta) == [TextDelta("x", 0), TextDelta("x", 1)]


def test_openai_makes_images() -> None:
    options = {"size": "1x1", "n": 2, "extra_body": {"x": 1}, "extra_headers": {"X-Title": "t"}}

    stream = stream_of(get("openai").image("a cat", "dall-e-3", options))

    assert stream.request.url == "https://api.openai.com/v1/images/generations"
    assert body_of(stream.request) == {"model": "dall-e-3", "prompt": "a cat", "size": "1x1", "n": 2, "x": 1}
    assert options["extra_headers"] == {"X-Title": "t"}
    with pytest.raises(UsageError, match="'sise'"):
        get("openai").image("a cat", "dall-e-3", {"sise": 1})
    with pytest.raises(UsageError, match="which model"):
        get("openai").image("a cat")


def test_openai_asks_for_the_models() -> None:
    request = get("openai", api_key="topsecret", base_url="http://x/v1").list_models()

    assert request is not None
    assert (request.method, request.url, request.body) == ("GET", "http://x/v1/models", b"")
    assert request.headers["Authorization"] == "Bearer topsecret"


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (
            b'{"object":"list","data":[{"id":"a","created":5,"context_length":8},{"id":"b","owned_by":"me"}]}',
            [Model("a", created=5, extra={"context_length": 8}), Model("b", "me")],
        ),
        (b'[{"id":"a"}]', [Model("a")]),
        (b'{"data":[]}', []),
    ],
)
def test_a_list_of_models_is_read(body: bytes, models: list[Model]) -> None:
    assert get("openai").read_models(Response(200, (), body)) == models


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(Response(200, (), b"{}"), ProtocolError, id="another shape"),
        pytest.param(Response(200, (), b'{"data":[{"name":"a"}]}'), ProtocolError, id="no ids"),
        pytest.param(Response(200, (), b'{"data":["a"]}'), ProtocolError, id="text"),
        pytest.param(Response(200, (), b""), ProtocolError, id="nothing"),
        pytest.param(Response(200, (), b"<html></html>"), ProtocolError, id="page"),
        pytest.param(Response(200, (), b'{"error":"no"}'), ProviderError, id="failure"),
        pytest.param(Response(401, (), b'{"error":"no"}'), AuthError, id="401"),
        pytest.param(Response(404, (), b""), NotFoundError, id="404"),
    ],
)
def test_what_is_no_list_of_models_is_an_error(response: Response, kind: type[G4FError]) -> None:
    with pytest.raises(kind):
        get("openai").read_models(response)


def test_an_address_to_which_no_path_can_be_added_is_refused() -> None:
    with pytest.raises(UsageError, match="no fragment"):
        get("openai", base_url="https://host.test/v1#part")
