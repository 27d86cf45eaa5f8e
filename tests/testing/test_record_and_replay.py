"""A session that a client recorded is played to another client that was made in the same way."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from g4fsdk import (
    AsyncClient,
    Client,
    ServerError,
    UsageError,
    providers,
)
from g4fsdk.testing import Cassette, Recorder, Replay
from tests.support.command_line import run
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import document


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
