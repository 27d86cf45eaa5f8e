"""`g4fsdk serve` as a process: its address, its end, and what it refuses."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.command_line import ENVIRONMENT, NORMAL, python, run, start
from tests.support.gateway import post
from tests.support.loopback import Server
from tests.support.loopback_clients import document


@pytest.mark.skipif(sys.platform == "win32", reason="there is no signal to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_and_ends_quietly(number: signal.Signals) -> None:
    process = start("serve", "--replay", NORMAL, "--port", 0, "--api-key", "k")
    assert process.stdout is not None
    address = process.stdout.readline().rstrip("\n")
    asked = {"model": "gpt-4", "messages": [{"role": "user", "content": "Question."}]}

    refused = post(address, asked)
    answered = post(address, asked, headers={"authorization": "Bearer k"})
    process.send_signal(number)
    rest, said = process.communicate(timeout=60)

    assert address.startswith("http://127.0.0.1:")
    assert address.endswith("/v1")
    assert (refused.status_code, answered.status_code) == (401, 200)
    assert (process.returncode, rest, said) == (0, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no signal to send")
def test_with_nobody_named_the_models_are_those_of_all() -> None:
    process = start("serve", "--port", 0, "--host", "0.0.0.0")
    assert process.stdout is not None
    port = process.stdout.readline().rstrip("\n").rpartition(":")[2]
    models = httpx.get(f"http://127.0.0.1:{port}/models").json()["data"]
    process.terminate()
    _, said = process.communicate(timeout=60)

    assert "yqcloud" in {model["owned_by"] for model in models}
    assert "--api-key KEY" in said


@pytest.mark.parametrize(("words", "said"), [
    (["-p", "nope"], "unknown provider 'nope'"),
    (["--replay", NORMAL, "-p", "yqcloud", "-p", "amigo"], "a recording is of one provider"),
    (["--api-key", "ü"], "printable ASCII"),
    (["--replay", NORMAL, "--pace", "odd"], "--pace takes"),
])  # fmt: skip
def test_what_cannot_be_is_said_at_once(words: list[str], said: str) -> None:
    result = run("serve", *words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_an_address_that_is_taken_is_one_line() -> None:
    result = run("serve", "--replay", NORMAL, "--host", "192.0.2.1")

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_extra_is_one_line(missing: str) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; sys.argv = ['g4fsdk', 'serve', '-p', 'yqcloud']"

    result = python(f"{program}; from g4fsdk.cli import main; main()")

    assert result.returncode == 2
    assert result.stderr == f"g4fsdk: the command line needs {missing}: pip install 'g4fsdk[server]'\n"


ENDPOINTS = """
[endpoints.one]
base_url = "{url}/one"
model = "m"
[endpoints.two]
base_url = "{url}/two"
[endpoints.out]
api_key_env = "NOWHERE"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no signal to send")
@pytest.mark.parametrize(("words", "left_out"), [([], 1), (["-e", "one", "-e", "two"], 0)])
def test_a_request_chooses_an_endpoint_by_its_model(
    words: list[str], left_out: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "G4FSDK_HOME", str(tmp_path))
    with Server(lambda _: document("openai", "Hello")) as server:
        (tmp_path / "config.toml").write_text(ENDPOINTS.format(url=server.url))
        process = start("serve", "--port", 0, *words)
        assert process.stdout is not None
        address = process.stdout.readline().rstrip("\n")
        asked = {"messages": [{"role": "user", "content": "Hi"}]}
        answers = [post(address, asked | {"model": name}) for name in ("one", "two/n", "one/a/b", "two")]
        models = [model["id"] for model in httpx.get(f"{address}/models").json()["data"]]
        process.terminate()
        _, said = process.communicate(timeout=60)

    assert [(one.target.split("/")[1], json.loads(one.body)["model"]) for one in server.requests] == [
        ("one", "m"),
        ("two", "n"),
        ("one", "a/b"),
    ]
    assert [one.status_code for one in answers] == [200, 200, 200, 400]
    assert "say which model: two/MODEL" in answers[3].text
    assert models[:2] == ["one", "two"]
    assert said.count("NOWHERE, which is not set, so it is left out") == left_out
