"""A session that a client recorded is played to another client that was made in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from g4fsdk import AsyncClient, Client
from g4fsdk.testing import Cassette, Recorder, Replay
from tests.loopback import Server
from tests.loopback_clients import document


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
