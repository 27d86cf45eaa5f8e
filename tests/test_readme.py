"""What the README says is so: its commands, its examples, its tables."""

from __future__ import annotations

import ast
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import g4fsdk
from g4fsdk import AsyncClient, Client, Request, TextDelta, providers
from g4fsdk.providers import PROVIDERS
from g4fsdk.testing import Cassette, Player, Replay
from tests.support.loopback import Server
from tests.support.loopback_clients import document
from tests.support.plugin_project import Project

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
EXAMPLES = [text for language, text in BLOCKS if language == "python"]


def test_the_first_two_blocks_are_one_command_each() -> None:
    (first, show), (second, check) = BLOCKS[:2]

    assert (first, second) == ("sh", "sh")
    assert show.count("\n") == check.count("\n") == 1
    assert "chat --replay demo" in show


def test_the_gate_runs_the_tests_as_the_readme_does() -> None:
    command = BLOCKS[1][1].strip().rpartition("&& .venv/bin/")[2]

    assert command.startswith("python -m pytest")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_demo_is_one_of_the_cassettes() -> None:
    demo = (ROOT / "g4fsdk" / "demo.yaml").read_bytes()

    assert demo in [path.read_bytes() for path in (ROOT / "cassettes").glob("*/*.yaml")]
    assert (
        Cassette.load(ROOT / "g4fsdk" / "demo.yaml")
        .metadata["provenance"]
        .startswith("recorded from the real server software on loopback")
    )


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_import_what_exists(example: str) -> None:
    tree = ast.parse(example, "README.md")  # the await of an async example stands at the top level
    imported = [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("g4fsdk")
        for alias in node.names
    ]

    assert all(hasattr(import_module(module or ""), name) for module, name in imported)


def test_the_examples_use_the_package() -> None:
    assert sum("from g4fsdk" in example for example in EXAMPLES) >= 3


def played(stream: bool) -> Replay:
    """Return a recording of a compatible server, which is asked what the examples ask."""
    name = "litellm-stream" if stream else "litellm-whole"
    return Replay(ROOT / "cassettes" / "openai" / f"{name}.yaml")


def recorded(stream: bool) -> dict[str, Any]:
    name = "litellm-stream" if stream else "litellm-whole"
    call: dict[str, Any] = Cassette.load(ROOT / "cassettes" / "openai" / f"{name}.yaml").metadata["call"]
    return {key: value for key, value in call.items() if key != "stream"}


def test_the_calls_of_the_blocking_example(capsys: pytest.CaptureFixture[str]) -> None:
    expected = "Hello from the mock: naïve café 你好 🙂, a second sentence follows."

    with Client("openai", transport=played(stream=False)) as client:
        assert client.chat.completions.create(**recorded(stream=False)).text == expected
    with Client("openai", transport=played(stream=True)) as client:
        for chunk in client.chat.completions.create(**recorded(stream=True), stream=True):
            sys.stdout.write(chunk.choices[0].delta.content or "")
    assert capsys.readouterr().out == expected


async def test_the_calls_of_the_async_example() -> None:
    async with AsyncClient("openai", transport=played(stream=False)) as client:
        completion = await client.chat.completions.create(**recorded(stream=False))
    async with (
        AsyncClient("openai", transport=played(stream=True)) as client,
        client.chat.completions.stream(**recorded(stream=True)) as stream,
    ):
        texts = [text async for text in stream.text_stream]

    assert "".join(texts) == completion.text


def test_the_conftest_of_the_example_records_and_plays(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    [example] = [text for text in EXAMPLES if "def g4f_settings" in text]
    project.add_test("""
        @pytest.mark.g4f_cassette("openai/hello")
        def test_it(g4f_client):
            assert g4f_client.chat.completions.create("Hello").text == "Hi"
    """)
    monkeypatch.setenv("API_KEY", "sk-the-key-of-the-shop-0123456789")

    for mode in ("once", "all"):  # each time a server at another port
        with Server(lambda request: document("openai", "Hi")) as server:
            project.write("conftest.py", example.replace("http://localhost:11434", server.url))
            project.run(f"--g4f-record={mode}").assert_outcomes(passed=1)
            assert len(server.requests) == 1
    monkeypatch.delenv("API_KEY")
    project.write("conftest.py", example)
    project.run().assert_outcomes(passed=1)


def test_the_example_of_a_transport_gives_what_the_player_gives(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [example] = [text for text in EXAMPLES if "def ask(" in text]
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    player = Player("cassettes/yqcloud/normal.yaml")

    def send(request: Request) -> tuple[int, Any, list[bytes]]:
        answer = player.answer(request)
        return answer.status, answer.headers, answer.chunks

    exec(compile(example, "README.md", "exec"), names)
    events = [*names["ask"](providers.get("yqcloud").chat(names["chat"]), send)]
    player.assert_all_played()
    assert [str(event) for event in events] == capsys.readouterr().out.splitlines()
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == (
        "Hello, this is the reference server."
    )


def test_the_table_names_providers_that_there_are() -> None:
    named = set(re.findall(r"^\| `([a-z0-9-]+)` \|", README, re.MULTILINE))

    assert named
    assert named <= set(PROVIDERS)


def test_every_error_is_in_the_tree() -> None:
    errors = {name for name in g4fsdk.__all__ if name.endswith("Error")}

    assert {name for name in errors if name not in README} == set()
