"""The command line as a process: pipes, signals, exit codes, and what it imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import (
    ENVIRONMENT,
    NORMAL,
    Forks,
    delta,
    g4fsdk,
    openai_cassette,
    python,
    start,
)
from tests.support.loopback import Server
from tests.support.loopback_clients import answer


def test_it_runs_as_a_module() -> None:
    result = g4fsdk("chat", "--replay", NORMAL, "--pace", "instant")

    assert (result.returncode, result.stdout) == (0, "Hello, this is the reference server.\n")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    if not hasattr(os, "fork"):
        pytest.skip("no process can be forked here")
    found = Forks()
    yield found
    found.close()


def test_it_fails_with_its_exit_code(forks: Forks) -> None:
    result = forks.run("chat", "--replay", str(NORMAL), "Other.")

    assert result.returncode == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("words", [["--help"], ["providers"], ["chat", "--bogus"], []])
def test_there_is_no_colour_when_piped(words: list[str], forks: Forks) -> None:
    result = forks.run(*words)

    assert result.stdout + result.stderr
    assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param([], b"sch\xf6n \\u2713\n", id="text"),
        pytest.param(
            ["--json"], b'{"type": "TextDelta", "text": "sch\\u00f6n \\u2713", "choice": 0}\n', id="JSON"
        ),
    ],
)
def test_text_that_the_terminal_cannot_show_is_escaped(
    options: list[str], said: bytes, tmp_path: Path
) -> None:
    openai_cassette(delta(content="schön ✓")).save(tmp_path / "a.yaml")
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "g4fsdk", "chat", "--replay", str(tmp_path / "a.yaml"), *options]

    result = subprocess.run(
        command, capture_output=True, env=environment, stdin=subprocess.DEVNULL, check=True
    )

    assert said in result.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="its words are no bytes")
def test_words_are_what_was_typed_whatever_the_locale(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "LC_ALL": "C", "PYTHONUTF8": "0", "G4FSDK_HOME": str(tmp_path)}
    with Server(lambda _: answer("openai", "Hello")) as server:
        asking = ["chat", "--base-url", f"{server.url}/v1", "-m", "m", "-s", "schön", "Größe?", "--option"]
        done = [
            subprocess.run(
                [sys.executable, "-m", "g4fsdk", *words],
                capture_output=True, env=environment, stdin=subprocess.DEVNULL, check=False,
            )
            for words in ([*asking, 'stop=["Maß"]'], ["logs", "search", "größe", "--json"])
        ]  # fmt: skip
    sent = json.loads(server.requests[0].body)

    assert [one.returncode for one in done] == [0, 0], done
    assert [one["content"] for one in sent["messages"]] == ["schön", "Größe?"]
    assert sent["stop"] == ["Maß"]
    assert [turn["prompt"] for turn in json.loads(done[1].stdout)] == ["Größe?"]


def test_a_reader_that_leaves_is_no_failure(tmp_path: Path) -> None:
    lines = [delta(content=f"line {n} " + "x" * 10_000 + "\n") for n in range(100)]  # more than a pipe holds
    openai_cassette(*lines).save(tmp_path / "a.yaml")
    process = start("chat", "--replay", tmp_path / "a.yaml", "--pace", "instant")
    assert process.stdout is not None
    assert process.stderr is not None

    assert process.stdout.readline().startswith("line 0 ")
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()

    assert process.wait() == 0
    assert said.startswith("replaying ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("words", [["--help"], ["chat", "--help"], ["models"], []], ids=str)
def test_a_reader_that_never_came_is_no_failure(words: list[str], forks: Forks) -> None:
    result = forks.run(*words, is_read=False)

    assert (result.returncode, result.stderr) == (0, "")


CLOSED = pytest.mark.parametrize("closed", [[1], [2], [1, 2]], ids=str)


@pytest.mark.parametrize(
    ("words", "code"), [("--help", 0), ("models", 0), ("--version", 0), ("chat -p nope Hi", 2)]
)
@CLOSED
def test_a_closed_stream_is_no_failure(words: str, code: int, closed: list[int], forks: Forks) -> None:
    result = forks.run(*words.split(), closed=closed)

    assert (result.returncode, "Traceback" in result.stderr) == (code, False)
    assert bool(result.stdout) == (1 not in closed and code == 0)


@pytest.mark.skipif(sys.platform == "win32", reason="its shell closes no stream")
@CLOSED
def test_a_stream_that_the_shell_closed_is_no_failure(closed: list[int]) -> None:
    shut = " ".join(f"{number}>&-" for number in closed)
    command = f'"{sys.executable}" -m g4fsdk.cli --version {shut}'

    result = subprocess.run(command, shell=True, capture_output=True, env=ENVIRONMENT, check=False)

    assert result.returncode == 0
    assert b"Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_ends_it_quietly(tmp_path: Path) -> None:
    cassette = openai_cassette(delta(content="first\n"), delta(content="an hour later"))
    cassette.interactions[0].response.at_ms = [0.0, 3_600_000.0, 3_600_000.0]
    cassette.save(tmp_path / "a.yaml")
    process = start("chat", "--replay", tmp_path / "a.yaml", "--timeout", "7200")
    assert process.stdout is not None

    assert process.stdout.readline() == "first\n"  # text is there before the answer ends
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate()

    assert (process.returncode, rest) == (130, "")
    assert "Traceback" not in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("missing", "words"), [("typer", []), ("yaml", ["chat", "--replay", str(NORMAL)])])
def test_a_missing_extra_is_one_line(missing: str, words: list[str]) -> None:
    code = f"import sys; sys.modules['{missing}'] = None; from g4fsdk.cli import main; main()"
    result = python(code, *words)

    assert result.returncode == 2
    assert result.stderr == f"g4fsdk: the command line needs {missing}: pip install 'g4fsdk[cli]'\n"


def test_another_missing_module_is_our_bug() -> None:
    result = python("import sys; sys.modules['msgspec'] = None; from g4fsdk.cli import main; main()")

    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_importing_it_imports_nothing() -> None:
    result = python(
        "import sys, g4fsdk.cli; print({'typer', 'rich', 'requests', 'httpx'} & set(sys.modules))"
    )

    assert result.stdout == "set()\n"


def test_help_loads_nothing_that_a_command_alone_needs() -> None:
    heavy = {"requests", "httpx", "vcr", "rich", "prompt_toolkit", "asyncio", "sqlite3", "yaml"}
    code = "import sys, typer.main; theirs = {*sys.modules}; from g4fsdk.cli.app import app; "

    assert python(f"{code} print({heavy} & ({{*sys.modules}} - theirs))").stdout == "set()\n"
