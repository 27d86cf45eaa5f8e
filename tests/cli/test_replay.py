"""`g4fsdk chat --replay`: a recording in place of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import ANSWER, NORMAL, delta, openai_cassette, replay, run


def test_a_recording_is_played_and_said_to_be_one() -> None:
    result = replay("yqcloud/normal")

    assert result.exit_code == 0
    assert result.stdout == ANSWER
    assert result.stderr.startswith(f"replaying {NORMAL}: reconstructed from the protocol")
    assert result.stderr.count("\n") == 1


def test_the_demo_says_how_to_go_live() -> None:
    result = run("chat", "--replay", "demo", "--pace", "0")

    assert result.exit_code == 0
    assert result.stdout.endswith("\n")
    assert result.stderr.startswith("replaying demo: ")
    assert "live: g4fsdk chat -p yqcloud" in result.stderr
    assert "local: g4fsdk chat --base-url http://localhost:11434/v1 -m" in result.stderr


@pytest.mark.parametrize(
    "name",
    ["amigo/reasoning-content", "cohere-c4ai/unicode-turn-2", "openai/transformers-whole", "autonomous/bom"],
)
def test_every_kind_of_recording_is_reproduced_without_a_prompt(name: str) -> None:
    result = replay(name)

    assert (result.exit_code, result.stdout.endswith("\n")) == (0, True)


def test_the_recorded_prompt_may_be_repeated() -> None:
    assert replay("yqcloud/normal", "Question.").stdout == ANSWER


def test_another_prompt_is_a_readable_mismatch() -> None:
    result = replay("yqcloud/normal", "Other.")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "g4fsdk: no recorded interaction answers this request:" in result.stderr
    assert "body.json.prompt: sent 'Other.', recorded 'Question.'" in result.stderr


@pytest.mark.parametrize(
    "words",
    [["--system", "Be kind."], ["-m", "other"], ["--option", "seed=4"]],
    ids=["system", "model", "option"],
)
def test_what_is_given_with_a_recording_changes_the_request(words: list[str]) -> None:
    result = replay("openai/transformers-stream", *words)

    assert result.exit_code == 1
    assert "what differs:" in result.stderr


def test_a_recording_of_an_image_prints_its_address() -> None:
    result = replay("amigo/image-several")

    assert result.stdout.endswith(
        "\nhttps://img.example.test/two.webp\nhttps://img.example.test/two.webp?n=3\n"
    )


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"provider": "openai", "call": ["Hi"]}, "g4fsdk.call: expected a mapping"),
        ({"call": {"messages": "Hi"}}, "does not say which provider it is of: add -p"),
        ({"provider": "openai"}, "does not say what was asked: give the prompt"),
    ],
    ids=["no mapping", "no provider", "no call"],
)
def test_a_recording_that_says_too_little_fails(saved: Any, metadata: dict[str, Any], said: str) -> None:
    cassette = openai_cassette(delta(content="x"))
    cassette.metadata = metadata

    result = run("chat", "--replay", saved(cassette))

    assert result.exit_code == (1 if "expected" in said else 2)
    assert said in result.stderr


@pytest.mark.parametrize("messages", [5, {"role": "user"}, [1]], ids=str)
def test_a_recording_of_what_are_no_messages_fails_in_a_line(saved: Any, messages: object) -> None:
    cassette = openai_cassette(delta(content="x"))
    cassette.metadata["call"]["messages"] = messages
    path = saved(cassette)

    asked = run("chat", "--replay", path, "-s", "Be kind.", "Hi")
    shown = run("cassette", "show", path)

    assert (asked.exit_code, asked.stderr.count("\n")) == (2, 1)
    assert shown.exit_code == 0


def test_a_recording_without_metadata_plays_when_asked_the_same(saved: Any) -> None:
    cassette = openai_cassette(delta(content="x"))
    cassette.metadata = {}

    result = run("chat", "--replay", saved(cassette), "-p", "openai", "-m", "m", "Hi")

    assert (result.exit_code, result.stdout) == (0, "x\n")


def test_a_file_that_is_no_cassette_fails(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("[]")

    result = run("chat", "--replay", tmp_path / "a.yaml")

    assert result.exit_code == 1
    assert "a.yaml: expected a mapping" in result.stderr


def test_an_empty_recording_answers_nothing(saved: Any) -> None:
    cassette = openai_cassette()
    cassette.interactions = []

    result = run("chat", "--replay", saved(cassette))

    assert result.exit_code == 1
    assert "no recorded interaction" in result.stderr
