"""The gateway asked by clients that are not ours: the openai package, and curl."""

from __future__ import annotations

import json
import shutil
import subprocess
from threading import Event
from typing import Any

import httpx
import openai
import pytest

from g4fsdk import AsyncClient, Client
from g4fsdk.providers import PROVIDERS
from g4fsdk.server.upstream import Upstream, recorded
from tests.support.command_line import ANSWER
from tests.support.gateway import HELLO, openai_at, serving, upstream_of
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import answer, as_json, document, every_service, set_up, unfinished
from tests.support.players import FOLDER
from tests.support.wire import sse

TEXT = ANSWER.rstrip("\n")
TOOLS: list[Any] = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]


def played(name: str) -> Upstream:
    """Return recordings of ours as what the gateway asks."""
    return recorded(
        FOLDER / name,
        lambda provider, base_url, transport: AsyncClient(
            provider, base_url=base_url, transport=transport, retries=1
        ),
    )


def model_of(provider: str) -> str:
    return PROVIDERS[provider].default_model or "m"


@every_service
def test_openai_streams_from_any_provider(provider: str) -> None:
    replies = [*set_up(provider), answer(provider, "Hel", "lo ✓")]
    with Server(replies) as server, serving(upstream_of(server.url, provider)) as address:
        client = openai_at(address)
        chunks = [*client.chat.completions.create(model=model_of(provider), messages=HELLO, stream=True)]
        client.close()

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).replace("\0", "") == "Hello ✓"
    assert len({(chunk.id, chunk.created, chunk.object) for chunk in chunks}) == 1
    assert chunks[0].id
    assert [chunk.choices[0].delta.role for chunk in chunks][:2] == ["assistant", None]


@every_service
def test_openai_gets_a_whole_answer_of_any_provider(provider: str) -> None:
    replies = [*set_up(provider), document(provider, "Hello")]
    with Server(replies) as server, serving(upstream_of(server.url, provider)) as address:
        client = openai_at(address)
        completion = client.chat.completions.create(model=model_of(provider), messages=HELLO)
        client.close()

    assert completion.choices[0].message.content == "Hello"
    assert completion.id
    assert completion.created
    assert completion.object == "chat.completion"


async def test_openai_asks_asynchronously() -> None:
    with Server([answer("openai", "Hel", "lo")]) as server, serving(upstream_of(server.url)) as address:
        client = openai.AsyncOpenAI(base_url=address, api_key="any", max_retries=0)
        chats: Any = client.chat.completions
        chats = chats if hasattr(chats, "stream") else client.beta.chat.completions  # before 1.92
        async with client, chats.stream(model="m", messages=HELLO) as stream:
            texts = [event.delta async for event in stream if event.type == "content.delta"]
            final = await stream.get_final_completion()

    assert texts == ["Hel", "lo"]
    assert final.choices[0].message.content == "Hello"
    assert final.choices[0].finish_reason == "stop"


def test_each_event_goes_out_when_it_comes() -> None:
    gate = Event()
    reply = unfinished("openai", "first", gate, "second", b"data: [DONE]\n\n")
    with Server([reply]) as server, serving(upstream_of(server.url)) as address, openai_at(address) as client:
        stream = client.chat.completions.create(model="m", messages=HELLO, stream=True)
        first = next(iter(stream)).choices[0].delta.content
        gate.set()
        rest = [chunk.choices[0].delta.content for chunk in stream]

    assert (first, rest[0]) == ("first", "second")


def test_tools_counts_and_several_answers_go_through() -> None:
    pieces = [
        {"choices": [{"index": 1, "delta": {"content": "b"}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
        ]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}},
    ]  # fmt: skip
    wire = [*(b"data: " + as_json(piece) + b"\n\n" for piece in pieces), b"data: [DONE]\n\n"]
    reply = Reply(wire, headers={"Content-Type": "text/event-stream"})
    call: Any = {
        "n": 2,
        "tools": TOOLS,
        "stream_options": {"include_usage": True},
        "extra_body": {"top_a": 0.5},
    }
    with Server([reply]) as server, serving(upstream_of(server.url)) as address, openai_at(address) as client:
        chunks = [*client.chat.completions.create(model="m", messages=HELLO, stream=True, **call)]

    sent = json.loads(server.requests[0].body)
    assert (sent["n"], sent["tools"], sent["stream_options"]) == (2, TOOLS, {"include_usage": True})
    assert sent["top_a"] == 0.5  # what is newer than this package goes on as it is
    *rest, last = chunks
    said = [choice for chunk in rest for choice in chunk.choices]
    assert (said[0].index, said[0].delta.content) == (1, "b")
    assert next(one.delta.tool_calls[0].function.name for one in said if one.delta.tool_calls) == "add"
    assert {one.index: one.finish_reason for one in said if one.finish_reason} == {0: "tool_calls", 1: "stop"}
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 7
    assert all(chunk.usage is None for chunk in rest)


def test_what_stands_beside_the_counts_goes_through_and_thoughts_in_parts_are_told_once() -> None:
    thought = {"type": "reasoning.text", "text": "why", "format": "f", "index": 0}
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    wire = sse(
        {"choices": [{"delta": {"reasoning": "why", "reasoning_details": [thought]}}]},
        {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": counts, "request_id": "r-1"},
    )
    with (
        Server([Reply([wire])]) as server,
        serving(upstream_of(server.url)) as address,
        Client("openai", base_url=address, model="m") as client,
        client.chat.completions.stream("Hello") as stream,
    ):
        completion = stream.get_final_completion()

    assert (completion.text, completion.choices[0].message.reasoning) == ("Hi", "why")
    assert completion.choices[0].message.extra["reasoning_details"] == [thought]
    assert completion.extra["request_id"] == "r-1"


def test_models_are_listed_and_found() -> None:
    listed = Reply([as_json({"data": [{"id": "a"}, {"id": "org/b"}]})], framing="length")
    with Server(listed) as server, serving(upstream_of(server.url)) as address, openai_at(address) as client:
        ids = [model.id for model in client.models.list()]
        found = client.models.retrieve("org/b")
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("c")

    assert ids == ["a", "org/b"]
    assert (found.id, found.object) == ("org/b", "model")


@pytest.mark.parametrize("names", [["openai", "yqcloud"], ["openai"]])
def test_who_does_not_list_models_hides_only_its_own(names: list[str]) -> None:
    with Server(Reply(status=500)) as server, serving(upstream_of(server.url, *names)) as address:
        answer = httpx.get(f"{address}/models")

    listed = {model["owned_by"] for model in answer.json().get("data", ())}
    assert (answer.status_code, listed) == ((200, {"yqcloud"}) if len(names) == 2 else (500, set()))


def test_images_are_made() -> None:
    said = {
        "created": 7,
        "size": "256x256",
        "usage": {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5},
    }
    made = Reply([as_json({"data": [{"url": "https://img.test/a"}, {"b64_json": "YQ=="}], **said})])
    with Server([made]) as server, serving(upstream_of(server.url)) as address, openai_at(address) as client:
        images = client.images.generate(model="m", prompt="a cat", n=2, size="256x256")

    assert images.data is not None
    assert [(one.url, one.b64_json) for one in images.data] == [("https://img.test/a", None), (None, "YQ==")]
    assert json.loads(server.requests[0].body)["size"] == "256x256"
    assert images.to_dict().items() >= said.items()


@pytest.mark.parametrize(
    ("name", "model", "question", "text"),
    [
        pytest.param("yqcloud/normal.yaml", "gpt-4", "Question.", TEXT, id="a file"),
        pytest.param("yqcloud", "gpt-4", "Question.", None, id="a folder"),
        pytest.param("", "gpt-4", "Question.", None, id="of all providers"),
    ],
)
def test_recordings_answer_again_and_again(name: str, model: str, question: str, text: str | None) -> None:
    asked: Any = [{"role": "user", "content": question}]
    with serving(played(name)) as address, openai_at(address) as client:
        answers = [
            client.chat.completions.create(model=model, messages=asked) for _ in range(2 if text else 1)
        ]
        with pytest.raises(openai.APIStatusError) as raised:
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Never."}])
        models = {one.id for one in client.models.list()}

    assert all(one.choices[0].message.content == text for one in answers if text)
    assert raised.value.status_code == 501
    assert raised.value.code == "not_recorded"
    assert model in models


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_curl_streams() -> None:
    with serving(played("yqcloud/normal.yaml")) as address:
        body = {"model": "gpt-4", "stream": True, "messages": [{"role": "user", "content": "Question."}]}
        words = ["curl", "-sN", "--max-time", "20", f"{address}/chat/completions", "--json", json.dumps(body)]
        said = subprocess.run(words, capture_output=True, encoding="utf-8", check=True).stdout

    *events, done, rest = said.split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == TEXT
    assert (done, rest) == ("data: [DONE]", "")


_NODE = """
const [address] = process.argv.slice(1);
const body = {model: "gpt-4", stream: true, messages: [{role: "user", content: "Question."}]};
const headers = {"content-type": "application/json"};
const call = {method: "POST", headers, body: JSON.stringify(body)};
const answer = await fetch(`${address}/chat/completions`, call);
let text = "";
for (const event of (await answer.text()).split("\\n\\n")) {
  if (event && event !== "data: [DONE]") text += JSON.parse(event.slice(6)).choices[0].delta.content ?? "";
}
process.stdout.write(text);
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_node_fetches() -> None:
    with serving(played("yqcloud/normal.yaml")) as address:
        words = ["node", "--input-type=module", "--eval", _NODE, address]
        result = subprocess.run(words, capture_output=True, encoding="utf-8", check=False, timeout=60)

    assert (result.stdout, result.returncode) == (TEXT, 0), result.stderr
