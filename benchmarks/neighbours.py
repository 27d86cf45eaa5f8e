"""`python -m benchmarks.neighbours`: do other people's programs record and play here as they answer live?

Each asks a replay server that stands for the service, once through our `Recorder` where it takes a transport
of ours; what was recorded is played to it again, in process and over a `ReplayServer`. The text has to be
the same each time. What is not installed is left out; see `neighbours.txt`. Node's openai is looked for in
the folder that NODE_PATH names.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from g4fsdk.testing import (
    Cassette,
    Interaction,
    RecordedRequest,
    RecordedResponse,
    Recorder,
    Replay,
    ReplayServer,
)

#: Asks at a base URL, over a transport where there is one, streamed or not; returns the text.
Ask: TypeAlias = Callable[[str, Any, bool], str]

TEXT = '{"said": "Hello"}'
QUESTION = "Say hello as JSON."
MESSAGES = [{"role": "user", "content": QUESTION}]
_JSON = [("Content-Type", "application/json")]
_EVENTS = [("Content-Type", "text/event-stream")]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A program that asks; *needs* has to be importable, *in_process*: it takes a transport of ours."""

    ask: Ask
    needs: tuple[str, ...]
    in_process: bool = True
    ways: tuple[bool, ...] = (False, True)


def _service(url: str, transport: Any, kind: str = "OpenAI", http: str = "DefaultHttpxClient") -> Any:
    openai: Any = import_module("openai")
    own = {"http_client": getattr(openai, http)(transport=transport)} if transport else {}
    return getattr(openai, kind)(base_url=url, api_key="none", max_retries=0, **own)


def _said(chunks: Iterable[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def _httpx(library: str, url: str, transport: Any, stream: bool) -> str:
    asked = {"model": "m", "messages": MESSAGES, "stream": stream}
    with import_module(library).Client(transport=transport) as client:
        body: str = client.post(f"{url}/chat/completions", json=asked).text
    lines = body.removesuffix("data: [DONE]\n\n").split("\n\n")
    found = [json.loads(line.removeprefix("data: ")) for line in lines if line]
    if not stream:
        return str(found[0]["choices"][0]["message"]["content"])
    return "".join(one["choices"][0]["delta"].get("content", "") for one in found)


def _openai(url: str, transport: Any, stream: bool) -> str:
    answer = _service(url, transport).chat.completions.create(model="m", messages=MESSAGES, stream=stream)
    return _said(answer) if stream else str(answer.choices[0].message.content)


def _langchain(url: str, transport: Any, stream: bool) -> str:
    chat_openai: Any = import_module("langchain_openai").ChatOpenAI
    own = (
        {"http_client": import_module("openai").DefaultHttpxClient(transport=transport)} if transport else {}
    )
    model = chat_openai(model="m", base_url=url, api_key="none", max_retries=0, **own)
    if not stream:
        return str(model.invoke(QUESTION).content)
    return "".join(str(chunk.content) for chunk in model.stream(QUESTION))


def _litellm(url: str, transport: Any, stream: bool) -> str:
    own = {"client": _service(url, transport), "api_base": url, "api_key": "none"}
    answer = import_module("litellm").completion("openai/m", MESSAGES, stream=stream, **own)
    return _said(answer) if stream else str(answer.choices[0].message.content)


def _pydantic_ai(url: str, transport: Any, stream: bool) -> str:
    model: Any = import_module("pydantic_ai.models.openai").OpenAIChatModel
    provider: Any = import_module("pydantic_ai.providers.openai").OpenAIProvider

    async def ask() -> str:
        service = _service(url, transport, "AsyncOpenAI", "DefaultAsyncHttpxClient")
        agent = import_module("pydantic_ai").Agent(model("m", provider=provider(openai_client=service)))
        if not stream:
            return str((await agent.run(QUESTION)).output)
        async with agent.run_stream(QUESTION) as result:
            return str(await result.get_output())

    return asyncio.run(ask())


def _instructor(url: str, transport: Any, stream: bool) -> str:
    instructor: Any = import_module("instructor")
    wanted = import_module("pydantic").create_model("Wanted", said=(str, ...))
    client = instructor.from_openai(_service(url, transport), mode=instructor.Mode.JSON)
    found = client.chat.completions.create(model="m", messages=MESSAGES, response_model=wanted)
    return json.dumps({"said": found.said})


def _llm(url: str, transport: Any, stream: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        listed = f"- model_id: here\n  model_name: m\n  api_base: {url}\n  api_key_name: here\n"
        Path(folder, "extra-openai-models.yaml").write_text(listed)
        words = [sys.executable, "-m", "llm", "-m", "here", "--key", "none", "--no-log"]
        return _run([*words, *([] if stream else ["--no-stream"]), QUESTION], LLM_USER_PATH=folder)


_NODE = """
const OpenAI = require("openai");
const [url, stream, question] = process.argv.slice(1);
(async () => {
  const client = new OpenAI({baseURL: url, apiKey: "none", maxRetries: 0});
  const asked = {model: "m", messages: [{role: "user", content: question}]};
  if (stream === "no") {
    const answer = await client.chat.completions.create(asked);
    process.stdout.write(answer.choices[0].message.content);
  } else {
    for await (const chunk of await client.chat.completions.create({...asked, stream: true}))
      process.stdout.write(chunk.choices[0]?.delta?.content || "");
  }
})();
"""


def _node(url: str, transport: Any, stream: bool) -> str:
    return _run(["node", "-e", _NODE, url, "yes" if stream else "no", QUESTION])


def _run(words: Sequence[str], **settings: str) -> str:
    done = subprocess.run(
        words, env={**os.environ, **settings}, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-500:])
    return done.stdout.strip()


NEIGHBOURS = {
    "httpx": Neighbour(partial(_httpx, "httpx"), ("httpx",)),
    "httpx2": Neighbour(partial(_httpx, "httpx2"), ("httpx2",)),
    "openai": Neighbour(_openai, ("openai",)),
    "langchain-openai": Neighbour(_langchain, ("langchain_openai",)),
    "litellm": Neighbour(_litellm, ("litellm",)),
    "pydantic-ai": Neighbour(_pydantic_ai, ("pydantic_ai",)),
    "instructor": Neighbour(_instructor, ("instructor",), ways=(False,)),
    "llm": Neighbour(_llm, ("llm",), in_process=False),
    "node openai": Neighbour(_node, (), in_process=False),
}


def service(stream: bool) -> Cassette:
    """Return a recording that answers any question with `TEXT`, streamed or not."""
    head = {"id": "c", "created": 1, "model": "m"}
    if stream:
        deltas: list[tuple[dict[str, str], str | None]] = [
            ({"role": "assistant", "content": TEXT[:7]}, None),
            ({"content": TEXT[7:]}, None),
            ({}, "stop"),
        ]
        documents = [
            {
                **head,
                "object": "chat.completion.chunk",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }
            for delta, finish in deltas
        ]
        chunks = [f"data: {json.dumps(one)}\n\n".encode() for one in documents] + [b"data: [DONE]\n\n"]
    else:
        message = {"role": "assistant", "content": TEXT}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        whole = {**head, "object": "chat.completion", "choices": choices, "usage": usage}
        chunks = [json.dumps(whole).encode()]
    response = RecordedResponse(200, "OK", _EVENTS if stream else _JSON, chunks, [0.0] * len(chunks))
    request = RecordedRequest("POST", "http://service.test/v1/chat/completions", [*_JSON], b"{}")
    return Cassette([Interaction(request, response)], {"provider": "openai"})


def outcomes(one: Neighbour, stream: bool) -> Iterator[tuple[str, str]]:
    """Yield how *one* asked, and what text it got."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ReplayServer(service(stream), match_on=("method", "url"), reuse=True) as live,
    ):
        yield "over a server", _tried(lambda: one.ask(live.base_url, None, stream))
        if not one.in_process:
            return
        path = Path(folder, "recorded.yaml")
        with Recorder(path) as recorder:
            yield "recorded", _tried(lambda: one.ask(live.base_url, recorder.httpx_transport(), stream))
        replay = Replay(path)
        yield "played", _tried(lambda: one.ask(live.base_url, replay.httpx_transport(), stream))
        replay.assert_all_played()
        yield "served", _tried(lambda: _served(one, path, stream))


def _served(one: Neighbour, path: Path, stream: bool) -> str:
    with ReplayServer(path) as server:
        return one.ask(server.base_url, None, stream)


def _tried(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except Exception as error:  # noqa: BLE001  # whatever a neighbour raises is its outcome
        return f"{type(error).__name__}: {error}"


def missing(name: str) -> str:
    """Return what the neighbour *name* lacks here, or ""."""
    if name.startswith("node"):
        return "" if shutil.which("node") and os.environ.get("NODE_PATH") else "node and NODE_PATH"
    return next((each for each in NEIGHBOURS[name].needs if importlib.util.find_spec(each) is None), "")


def main(names: Sequence[str]) -> int:
    """Say of each of *names*, or of all, whether it got the same text each time."""
    wrong = 0
    for name in names or NEIGHBOURS:
        if lacks := missing(name):
            print(f"{name}: left out, needs {lacks}")  # noqa: T201  # a program
            continue
        for stream in NEIGHBOURS[name].ways:
            for how, text in outcomes(NEIGHBOURS[name], stream):
                wrong += text != TEXT
                verdict = "same" if text == TEXT else f"NOT THE SAME: {text}"
                print(f"{name}, stream={stream}, {how}: {verdict}", flush=True)  # noqa: T201
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
