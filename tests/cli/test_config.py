"""`g4fsdk config`, and whom it lets the commands ask."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from g4fsdk.cli._kept import folder
from tests.support.command_line import run
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import answer

KEY = "sk-a1b2c3d4e5f6a1b2c3d4e5f6"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's settings are to be."""
    monkeypatch.setenv("G4FSDK_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "config.toml"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(lambda _: answer("openai", "Hello")) as server:
        yield server


def keep(*settings: str) -> None:
    """Set what is said as NAME=VALUE."""
    for setting in settings:
        result = run("config", "set", *setting.split("=", 1))
        assert (result.exit_code, result.output) == (0, "")


def asked(server: Server, *words: object) -> tuple[str, str, str]:
    """Ask something, and return where it was asked, for which model, and with which key."""
    result = run("chat", *words, "Hi")
    assert result.stdout == "Hello\n", result.stderr
    request = server.requests[-1]
    model = json.loads(request.body)["model"]
    return request.target.split("/")[1], model, request.headers.get("authorization", "").split(" ")[-1]


# --- The file ---


def test_what_is_set_is_shown(file: Path) -> None:
    keep("endpoints.local.base_url=http://localhost:8000/v1", "defaults.log=off", "defaults.model=größer")

    assert run("config", "show").stdout.splitlines() == [
        'endpoints.local.base_url = "http://localhost:8000/v1"',
        "defaults.log = false",
        'defaults.model = "größer"',
    ]
    assert json.loads(run("config", "show", "--json").stdout)["defaults"] == {"log": False, "model": "größer"}
    assert run("config", "path").stdout == f"{file}\n"


def test_nothing_set_is_said_on_stderr() -> None:
    result = run("config", "show")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "endpoints.NAME.api_key_env" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the platform asks its registry")
@pytest.mark.parametrize(("user", "folder"), [
    pytest.param({"HOME": "/home/me", "XDG_DATA_HOME": ""}, "/home/me/", id="home"),
    pytest.param({"XDG_DATA_HOME": "/data"}, "/data/g4fsdk/", id="XDG"),
])  # fmt: skip
def test_without_a_folder_of_its_own_it_stands_where_the_platform_says(
    user: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("G4FSDK_HOME")
    for name, value in user.items():
        monkeypatch.setenv(name, value)

    assert run("config", "path").stdout.startswith(folder)


@pytest.mark.parametrize("found", [RuntimeError("no home"), Path("~/.local/share/g4fsdk")], ids=str)
def test_a_user_without_a_home_asks_all_the_same(
    found: Path | RuntimeError, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def user_data_path(*_: object, **__: object) -> Path:
        if isinstance(found, RuntimeError):
            raise found
        return found

    monkeypatch.delenv("G4FSDK_HOME")
    monkeypatch.setattr("platformdirs.user_data_path", user_data_path)
    monkeypatch.setattr(folder, "_NOWHERE", tmp_path / "nowhere")

    assert asked(server, "--base-url", f"{server.url}/v1", "-m", "m") == ("v1", "m", "")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such file")
def test_a_home_that_is_no_folder_costs_a_line_and_no_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4FSDK_HOME", os.devnull)

    result = run("chat", "--base-url", f"{server.url}/v1", "-m", "m", "Hi")

    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
    assert result.stderr.startswith("g4fsdk: this is not kept: /dev/null: ")


@pytest.mark.parametrize("written", [
    "# mine\n[endpoints.local] # at home\nmodel = 'm'  # small\n",
    "# mine\nendpoints.local.model = 'm'  # small\n# at home\n",
    "# mine\nendpoints = {local = {model = 'm'}}  # small, at home\n",
], ids=["table", "dotted", "inline"])  # fmt: skip
def test_what_a_person_wrote_around_it_stays(written: str, file: Path) -> None:
    file.parent.mkdir()
    file.write_text(written)

    keep("endpoints.other.model=n", "endpoints.local.model=o", "endpoints.other.model=")

    text = file.read_text()
    assert all(comment in text for comment in ("# mine", "small", "at home"))
    assert 'endpoints.local.model = "o"' in run("config", "show").stdout


def test_a_file_that_cannot_be_changed_stays_as_it_is(file: Path) -> None:
    file.parent.mkdir()
    text = "endpoints.a.model = 'x'\nendpoints.b.model = 'y'\n[defaults]\n"
    file.write_text(text)

    result = run("config", "set", "endpoints.c.model", "z")  # a table among dotted names

    assert (result.exit_code, result.stderr.count("\n"), file.read_text()) == (2, 1, text)
    assert "only you can change it: endpoints.c.model" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="its files have no modes")
def test_the_file_is_for_the_user_alone(file: Path) -> None:
    keep("defaults.log=true")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [*file.parent.iterdir()] == [file]


@pytest.mark.parametrize(("name", "value", "said"), [
    ("defaults.modle", "x", "no such setting; known: defaults.provider"),
    ("defaults", "x", "no such setting"),
    ("endpoints.a b.model", "x", "letters, digits"),
    ("defaults.log", "maybe", "true or false, not 'maybe'"),
    ("defaults.provider", "nope", "unknown provider 'nope'; known: cohere-c4ai"),
    ("defaults.base_url", "localhost", "it must begin with http://"),
    ("defaults.model", "", "it is not set"),
    ("endpoints.a.api_key", KEY, "api_key_env takes the name of its variable"),
    ("endpoints.a.api_key_env", KEY, "not the key"),
    ("endpoints.a.api_key_env", "a1b2c3d4e5f6a1b2c3d4e5f6", "not the key"),
    ("endpoints.a.base_url", "http://me:pass-a1b2c3@localhost/v1", "looks like a key"),
])  # fmt: skip
def test_what_cannot_be_set_is_one_line(name: str, value: str, said: str, file: Path) -> None:
    result = run("config", "set", name, value)

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert said in result.stderr
    assert "a1b2c3" not in result.stderr
    assert not file.exists()


@pytest.mark.parametrize(("text", "line", "said"), [
    (b"[defaults]\n\nmodel = \n", 3, "it is no TOML: Invalid value"),
    (b"[defaults]\nmodel = 'a", 2, "it is no TOML"),
    (b"# mine\n\xff", 2, "it is not UTF-8 text"),
    (b"[defaults]\nmodel = 'm'\nmodle = 'm'\n", 3, "defaults.modle: no such setting"),
    (b"[endpoints.a]\nmodel = 'm'\n[endpoints.b]\nmodel = 3\n", 4, "endpoints.b.model: it takes a text"),
    (b"[endpoints]\nmodel = 'm'\n", 2, "endpoints.model: no such setting"),
    (f"[endpoints.a]\napi_key = '{KEY}'".encode(), 2, "endpoints.a.api_key: no key stands in this file"),
])  # fmt: skip
@pytest.mark.parametrize("words", [["chat", "-p", "yqcloud", "Hi"], ["config", "set", "defaults.log", "on"]])
def test_a_wrong_file_is_one_line_that_says_where(
    words: Sequence[str], text: bytes, line: int, said: str, file: Path
) -> None:
    file.parent.mkdir()
    file.write_bytes(text)

    result = run(*words)

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith(f"g4fsdk: {file}, line {line}: {said}")
    assert file.read_bytes() == text


# --- Whom to ask ---


def test_an_option_counts_more_than_an_endpoint_than_the_environment_than_the_settings(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(f"defaults.base_url={server.url}/settings", "defaults.model=of-settings")
    keep(f"endpoints.mine.base_url={server.url}/endpoint", "endpoints.mine.model=of-endpoint")
    keep("endpoints.mine.api_key_env=MINE")
    monkeypatch.setenv("MINE", "key-of-endpoint")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/others")
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-others")
    at_settings = asked(server)
    monkeypatch.setenv("G4FSDK_API_KEY", "key-of-environment")
    with_key = asked(server)
    monkeypatch.setenv("G4FSDK_BASE_URL", f"{server.url}/environment")
    monkeypatch.setenv("G4FSDK_MODEL", "of-environment")

    assert at_settings == ("settings", "of-settings", "")
    assert with_key == ("settings", "of-settings", "key-of-environment")
    assert asked(server) == ("environment", "of-environment", "key-of-environment")
    keep("defaults.provider=yqcloud")
    assert asked(server) == ("environment", "of-environment", "key-of-environment")
    assert asked(server, "-e", "mine") == ("endpoint", "of-endpoint", "key-of-endpoint")
    assert asked(server, "-e", "mine", "-m", "m", "--api-key", "k") == ("endpoint", "m", "k")
    assert asked(server, "-e", "mine", "--base-url", f"{server.url}/option") == ("option", "of-endpoint", "")
    assert asked(server, "--base-url", f"{server.url}/option") == ("option", "of-environment", "")


def test_an_endpoint_takes_its_model_from_what_is_said_of_none(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(f"endpoints.mine.base_url={server.url}/v1", "defaults.model=of-settings")

    assert asked(server, "-e", "mine")[1] == "of-settings"
    monkeypatch.setenv("G4FSDK_MODEL", "of-environment")
    assert asked(server, "-e", "mine")[1] == "of-environment"


def test_a_default_is_for_its_provider_alone() -> None:
    keep("defaults.provider=openai", "defaults.base_url=http://127.0.0.1:9/v1", "defaults.model=llama3.2")

    result = run("chat", "-p", "amigo", "-m", "gpt-4oo", "Hi")

    assert "unknown model 'gpt-4oo' of amigo" in result.stderr
    assert "no options" in run("chat", "-p", "yqcloud", "--option", "seed=1", "Hi").stderr


def test_the_next_endpoint_is_asked_when_one_fails(server: Server) -> None:
    keep("endpoints.down.base_url=http://127.0.0.1:9/v1", "endpoints.down.model=a")
    keep(f"endpoints.up.base_url={server.url}/up", "endpoints.up.model=b")

    assert asked(server, "-e", "down", "-e", "up", "--retries", 1) == ("up", "b", "")


def test_every_command_that_asks_knows_endpoints(tmp_path: Path) -> None:
    models = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'
    image = b'{"created": 1, "data": [{"url": "http://img.test/1"}]}'
    script = [Reply([body], headers=[("Content-Type", "application/json")]) for body in (models, image)]
    (tmp_path / "in.txt").write_text("Hi\n")
    with Server([*script, answer("openai", "Hello")]) as server:
        keep(f"endpoints.mine.base_url={server.url}/v1", "endpoints.mine.model=m")

        assert run("models", "-e", "mine").stdout == "m\n"
        assert run("image", "-e", "mine", "a cat").stdout == "http://img.test/1\n"
        run("batch", tmp_path / "in.txt", "-o", tmp_path / "out", "-e", "mine", "--retries", 1)

    assert [json.loads(one.body).get("model") for one in server.requests[1:]] == ["m", "m"]


@pytest.mark.parametrize(("words", "said"), [
    (["-e", "nope"], "there is no endpoint 'nope'; known: mine, other; `g4fsdk config set endpoints.nope."),
    (["-e", "mine"], "the endpoint 'mine' takes its key from MINE, which is not set"),
    (["-e", "other"], "say which model: add -m NAME; `g4fsdk models -e other` lists them"),
    (["-e", "other", "-p", "yqcloud"], "the endpoint 'other' is of openai: leave out -p"),
    (["-e", "other", "-e", "mine", "--api-key", "k"], "--api-key belongs to one provider: name one"),
])  # fmt: skip
def test_an_endpoint_that_cannot_be_asked_is_one_line(words: Sequence[str], said: str) -> None:
    keep("endpoints.mine.api_key_env=MINE", "endpoints.other.base_url=http://127.0.0.1:9/v1")

    result = run("chat", *words, "Hi")

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert said in result.stderr


def test_doctor_examines_endpoints_by_name(server: Server) -> None:
    keep(f"endpoints.mine.base_url={server.url}/v1", "endpoints.mine.model=m")

    found = json.loads(run("doctor", "-e", "mine", "--json").stdout)

    assert [(one["provider"], one["findings"]) for one in found] == [("mine", [])]
