"""A session that a client recorded is played to another client that was made in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import openai
import pytest

from g4fsdk import (
    AsyncClient,
    Client,
    ServerError,
    UsageError,
    providers,
)
from g4fsdk.testing import (
    Cassette,
    Interaction,
    MismatchError,
    RecordedRequest,
    RecordedResponse,
    Recorder,
    Replay,
    ReplayServer,
)
from g4fsdk.testing._cassette.values import End
from g4fsdk.testing._traffic.clock import MonotonicClock
from g4fsdk.testing._traffic.libraries import library_of
from tests.support.command_line import run
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import answer, document


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two calls of one client and one of another, whose ids nobody chose."""
    path = tmp_path / "session.yaml"
    with Server(lambda request: document("amigo", "Hello")) as server, Recorder(path) as recorder:
        for times in (2, 1):
            with Client("amigo", base_url=server.url, transport=recorder) as client:
                for _ in range(times):
                    client.chat.completions.create("Question.", temperature=0.7)
    return path


def test_clients_without_ids_of_their_own_ask_the_same_again(recorded: Path) -> None:
    replay = Replay(recorded)

    for times in (2, 1):
        with Client(
            "amigo", transport=replay, base_url=Cassette.load(recorded).metadata["base_url"]
        ) as client:
            for _ in range(times):
                client.chat.completions.create("Question.", temperature=0.7)

    replay.assert_all_played()


async def test_the_async_client_plays_what_the_blocking_one_recorded(recorded: Path) -> None:
    replay = Replay(recorded)

    for times in (2, 1):
        async with AsyncClient(
            "amigo", transport=replay, base_url=Cassette.load(recorded).metadata["base_url"]
        ) as client:
            for _ in range(times):
                await client.chat.completions.create("Question.", temperature=0.7)

    replay.assert_all_played()


def test_the_first_call_is_kept(recorded: Path) -> None:
    said = Cassette.load(recorded).metadata

    assert said["provider"] == "amigo"
    assert said["call"] == {
        "messages": [{"role": "user", "content": "Question."}],
        "stream": False,
        "temperature": 0.7,
    }
    assert isinstance(said["ids_seed"], int)


OPTIONS: dict[str, Any] = {
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"default": "", "enum": [None, ""]}}}
    ],
    "user": UUID(int=7),
    "metadata": {"since": date(2026, 1, 2), 3: b"bytes"},
    "stop": None,
}


def test_options_are_kept_as_they_were_sent(tmp_path: Path) -> None:
    path = tmp_path / "session.yaml"
    with (
        Server([document("openai", "Hello")]) as server,
        Recorder(path) as recorder,
        Client("openai", base_url=server.url, model="m", transport=recorder) as client,
    ):
        client.chat.completions.create("Question.", **OPTIONS)

    assert run("chat", "--replay", path).stdout == "Hello\n"


@pytest.mark.parametrize("models", [("", ""), ("gpt-4", "hermes-3")])
def test_the_provider_of_a_fallback_that_answered_is_kept(tmp_path: Path, models: tuple[str, str]) -> None:
    path = tmp_path / "session.yaml"
    with (
        Server([Reply(status=503)] * 2) as broken,
        Server([document("autonomous", text) for text in ("Hello", "Bye")]) as server,
        Recorder(path) as recorder,
    ):
        several = [
            providers.get("yqcloud", base_url=broken.url, model=models[0]),
            providers.get("autonomous", base_url=server.url, model=models[1]),
        ]
        with Client(several, retries=1, transport=recorder) as client:
            client.chat.completions.create("Question.")
        with Client(several[:1], retries=1, transport=recorder) as client, pytest.raises(ServerError):
            client.chat.completions.create("Question.")

    said = Cassette.load(path).metadata
    assert (said["provider"], said["base_url"]) == ("autonomous", server.url)
    assert said["call"].get("model", "") == models[1]
    assert run("chat", "--replay", path).stdout == "Hello\n"


@pytest.mark.parametrize("text", ["half \ud83d", object()], ids=["no text", "no JSON"])
def test_what_cannot_be_sent_is_said_while_recording_too(tmp_path: Path, text: Any) -> None:
    with (
        Recorder(tmp_path / "session.yaml") as recorder,
        Client("openai", model="m", transport=recorder) as client,
        pytest.raises(UsageError, match="cannot be sent as JSON"),
    ):
        client.chat.completions.create("Question.", user=text)

    assert "call" not in Cassette.load(tmp_path / "session.yaml").metadata


class NoWaiting(MonotonicClock):
    """Time that needs none."""

    async def sleep_async(self, seconds: float) -> None:
        return


CHUNKS = [b"data: one\n\n", b"data: two\n\n"]


def blocking(library: Any, transport: Any, url: str, read_s: float) -> tuple[list[bytes], str]:
    """Return the chunks that came, and what was raised."""
    chunks: list[bytes] = []
    with library.Client(transport=transport, timeout=library.Timeout(5, read=read_s)) as client:
        try:
            with client.stream("POST", url + "/api", content=b"{}") as response:
                chunks.extend(response.iter_raw())
        except library.TransportError as error:
            return chunks, type(error).__name__
    return chunks, ""


async def awaited(library: Any, transport: Any, url: str, read_s: float) -> tuple[list[bytes], str]:
    chunks: list[bytes] = []
    async with library.AsyncClient(transport=transport, timeout=library.Timeout(5, read=read_s)) as client:
        try:
            async with client.stream("POST", url + "/api", content=b"{}") as response:
                async for chunk in response.aiter_raw():
                    chunks.append(chunk)  # noqa: PERF401  # a comprehension would lose what came before a break
        except library.TransportError as error:
            return chunks, type(error).__name__
    return chunks, ""


def asked(
    library: Any, is_async: bool, transport: Any, url: str, read_s: float = 5
) -> tuple[list[bytes], str]:
    if is_async:
        return asyncio.run(awaited(library, transport, url, read_s))
    return blocking(library, transport, url, read_s)


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
@pytest.mark.parametrize("is_async", [False, True], ids=["blocking", "async"])
@pytest.mark.parametrize(
    ("end", "raised"),
    [
        ("complete", ""),
        ("truncated", "RemoteProtocolError"),
        ("reset", "ReadError"),
        ("timeout", "ReadTimeout"),
    ],
)
def test_httpx_and_its_fork_record_and_play_alike(
    tmp_path: Path, name: str, is_async: bool, end: End, raised: str
) -> None:
    library, path = pytest.importorskip(name), tmp_path / "session.yaml"
    answer = RecordedResponse(200, "OK", chunks=CHUNKS, at_ms=[0.0, 1.0], end=end)
    served = Cassette([Interaction(RecordedRequest("POST", "http://x/api", body=b"{}"), answer)])
    with ReplayServer(served) as server, Recorder(path) as recorder:
        live = asked(
            library, is_async, recorder.httpx_transport(), server.url, 0.5 if end == "timeout" else 5
        )

    assert live == (CHUNKS, raised)
    for other in ("httpx", name):
        for way in (True, False):
            replay = Replay(path, clock=NoWaiting())
            assert asked(pytest.importorskip(other), way, replay.httpx_transport(), server.url) == live
            replay.assert_all_played()
            with pytest.raises(MismatchError, match="played already"):
                asked(library, way, replay.httpx_transport(), server.url)


def test_one_recorder_serves_both_libraries(tmp_path: Path) -> None:
    path = tmp_path / "session.yaml"
    with Server([Reply(CHUNKS)] * 4) as server, Recorder(path) as recorder:
        transport = recorder.httpx_transport()
        for name in ("httpx", "httpx2"):
            for is_async in (False, True):
                assert b"".join(asked(pytest.importorskip(name), is_async, transport, server.url)[0])

    assert len(Cassette.load(path).interactions) == 4


def test_a_request_of_neither_library_is_refused() -> None:
    with pytest.raises(TypeError, match="is no request of httpx or httpx2"):
        library_of(Path())


def _openai_says(url: str, transport: Any) -> str:
    own = openai.DefaultHttpxClient(transport=transport)
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0, http_client=own) as client:
        chunks = client.chat.completions.create(**QUESTION)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def _openai_says_async(url: str, transport: Any) -> str:
    async def ask() -> str:
        own = openai.DefaultAsyncHttpxClient(transport=transport)
        async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0, http_client=own) as client:
            chunks = await client.chat.completions.create(**QUESTION)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    return asyncio.run(ask())


QUESTION: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


@pytest.mark.parametrize("ask", [_openai_says, _openai_says_async])
def test_the_openai_package_is_recorded_and_played(ask: Callable[[str, Any], str], tmp_path: Path) -> None:
    path = tmp_path / "session.yaml"
    with Server([answer("openai", "Hel", "lo")]) as server:
        url = f"{server.url}/v1"
        with Recorder(path) as recorder:
            live = ask(url, recorder.httpx_transport())
    replay = Replay(path)

    played = ask(url, replay.httpx_transport())

    replay.assert_all_played()
    with ReplayServer(path) as serving:
        assert [live, played, ask(serving.base_url, None)] == ["Hello"] * 3
