"""`g4fsdk image`, `providers`, `models`, and what `g4fsdk` itself prints."""

from __future__ import annotations

import json
import re
from base64 import b64encode, encodebytes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from g4fsdk import __version__
from g4fsdk.cli._terminal.output import write_table
from g4fsdk.cli.app import app
from g4fsdk.providers import PROVIDERS
from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse, ReplayServer
from tests.support.command_line import run
from tests.support.loopback import Reply, Server

PNG = b"\x89PNG\r\n\x1a\n and more"
IMAGES = "http://model.test/v1/images/generations"


def answered(url: str, document: object, sent: object = None, status: int = 200) -> Cassette:
    """Return the recording of one whole answer."""
    request = RecordedRequest("POST" if sent else "GET", url, body=json.dumps(sent).encode() if sent else b"")
    if sent:
        request.headers = [("Content-Type", "application/json")]
    response = RecordedResponse(
        status, "", [("Content-Type", "application/json")], [json.dumps(document).encode()], [0.0]
    )
    return Cassette([Interaction(request, response)], {"provider": "openai"})


@pytest.fixture
def painter() -> Iterator[list[str]]:
    """A server that draws one image by address and two as bytes; the words that ask it."""
    with Server(Reply([PNG], headers=[("Content-Type", "image/png")])) as gallery:
        data = [{"url": f"{gallery.url}/a b"}, *[{"b64_json": b64encode(PNG).decode()}] * 2]
        cassette = answered(IMAGES, {"data": data}, {"model": "m", "prompt": "a cat", "size": "1x1"})
        with ReplayServer(cassette) as server:
            yield ["image", "a cat", "--base-url", server.base_url, "-m", "m", "--option", "size=1x1"]


def test_images_are_printed_as_addresses(painter: list[str]) -> None:
    result = run(*painter)
    address, *data = result.stdout.splitlines()

    assert (result.exit_code, address.endswith("/a b")) == (0, True)
    assert data == [f"data:image/png;base64,{b64encode(PNG).decode()}"] * 2


def test_images_are_saved_in_a_folder(painter: list[str], tmp_path: Path) -> None:
    (tmp_path / "image-1.png").write_bytes(b"mine")

    result = run(*painter, "-o", tmp_path)

    written = [tmp_path / f"image-{number}.png" for number in (2, 3, 4)]
    assert result.stdout.splitlines() == [*map(str, written)], result.stderr
    assert [path.read_bytes() for path in written] == [PNG] * 3
    assert (tmp_path / "image-1.png").read_bytes() == b"mine"


def test_images_are_saved_as_a_file(painter: list[str], tmp_path: Path) -> None:
    shown = json.loads(run(*painter, "-o", tmp_path / "cat.png", "--json").stdout)

    written = [tmp_path / name for name in ("cat.png", "cat-2.png", "cat-3.png")]
    assert [image["path"] for image in shown] == [*map(str, written)]
    assert [path.read_bytes() for path in written] == [PNG] * 3


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param(Reply(status=403), "403", id="refused"),
        pytest.param(Reply([b"no picture"]), "expected a picture, got b'no picture'", id="no picture"),
        pytest.param(Reply([PNG, b"x"], framing="close", end="rst"), "broke", id="broken"),
    ],
)
def test_the_address_of_an_image_that_cannot_be_had_is_not_lost(
    reply: Reply, said: str, tmp_path: Path
) -> None:
    with Server(lambda _: reply) as gallery:
        cassette = answered(IMAGES, {"data": [{"url": f"{gallery.url}/1"}]}, {"model": "m", "prompt": "x"})
        with ReplayServer(cassette) as server:
            words = ["--base-url", server.base_url, "-m", "m", "--api-key", "sk-secret", "--retries", 1]
            result = run("image", "x", *words, "-o", tmp_path / "a.png")

    assert (result.exit_code, result.stdout) == (1, f"{gallery.url}/1\n")
    assert said in result.stderr
    assert [*tmp_path.iterdir()] == []
    assert "authorization" not in gallery.requests[0].headers


def test_images_as_json(painter: list[str]) -> None:
    first, *_ = json.loads(run(*painter, "--json").stdout)

    assert first.pop("url").endswith("/a b")
    assert first == {"b64_json": None, "revised_prompt": None, "extra": {}}


def paint(b64: str, folder: Path) -> Result:
    """Let an image that comes as *b64* be written to *folder*."""
    with ReplayServer(
        answered(IMAGES, {"data": [{"b64_json": b64}]}, {"model": "m", "prompt": "x"})
    ) as server:
        return run("image", "x", "--base-url", server.base_url, "-m", "m", "-o", folder)


def test_base64_may_be_broken_into_lines(tmp_path: Path) -> None:
    paint(encodebytes(PNG * 9).decode().replace("\n", "\r\n"), tmp_path)

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [PNG * 9]


@pytest.mark.parametrize("b64", ["a", "sorry, no image!", "data:image/png;base64,iVBORw0K"])
def test_an_image_that_is_no_base64_fails(tmp_path: Path, b64: str) -> None:
    result = paint(b64, tmp_path)

    assert (result.exit_code, [*tmp_path.iterdir()]) == (1, [])
    assert "image 1 is not in base64" in result.stderr


def test_an_image_of_a_server_needs_the_name_of_a_model() -> None:
    result = run("image", "x", "--base-url", "http://127.0.0.1:9/v1")

    assert result.exit_code == 2
    assert "add -m NAME; `g4fsdk models --base-url http://127.0.0.1:9/v1` lists them" in result.stderr


def test_the_image_provider_is_amigo_unless_named() -> None:
    assert "makes no images" in run("image", "x", "-m", "gpt-4o").stderr
    assert "there is no prompt" in run("image", " ", "-p", "amigo").stderr
    assert "yqcloud makes no images" in run("image", "x", "-p", "yqcloud").stderr


def test_providers_are_listed() -> None:
    lines = run("providers").stdout.splitlines()

    assert lines[0].split() == ["name", "working", "url", "default_model", "models", "streaming"]
    assert [line.split()[0] for line in lines[1:]] == [*PROVIDERS]
    assert ["yqcloud", "yes", "https://api.binjie.fun"] in [line.split()[:3] for line in lines]


def test_providers_as_json() -> None:
    by_name = {row["name"]: row for row in json.loads(run("providers", "--json").stdout)}

    assert by_name["yqcloud"] == {
        "name": "yqcloud",
        "working": True,
        "url": "https://api.binjie.fun",
        "default_model": "gpt-4",
        "models": 1,
        "streaming": True,
    }
    assert by_name["openai"]["models"] is None


def test_models_of_all_providers_whose_list_is_fixed() -> None:
    lines = run("models").stdout.splitlines()

    fixed = [
        [name, model] for name, kind in PROVIDERS.items() for model in (*kind.models, *kind.image_models)
    ]
    assert [line.split() for line in lines[1:]] == fixed


def test_models_of_one_provider_are_one_a_line() -> None:
    assert run("models", "-p", "yqcloud").stdout == "gpt-4\n"


def test_a_server_is_asked_for_its_own_models() -> None:
    listed = answered("http://model.test/v1/models", {"data": [{"id": "a"}, {"id": "b"}]})
    with ReplayServer(listed) as server:
        result = run("models", "--base-url", server.base_url, "--api-key", "secret", "--json")

    assert [row["id"] for row in json.loads(result.stdout)] == ["a", "b"]
    assert ("Authorization", "Bearer secret") in server.requests[0].headers


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-p", "nope"], "unknown provider"),
        (["-p", "yqcloud", "-p", "openai", "--base-url", "http://a.test"], "belongs to one provider"),
    ],
)
def test_models_of_nobody(words: list[str], said: str) -> None:
    result = run("models", *words)

    assert result.exit_code == 2
    assert said in result.stderr


def test_alone_it_prints_help() -> None:
    result = run()

    assert result.exit_code == 0
    assert all(
        f" {name} " in result.stdout
        for name in ("chat", "image", "providers", "models", "cassette", "capture")
    )


def every_command(commands: Any, *before: str) -> Iterator[tuple[str, ...]]:
    for name, command in commands.items():
        yield (*before, name)
        yield from every_command(getattr(command, "commands", {}), *before, name)


def test_every_command_explains_itself_in_sentences() -> None:
    import typer

    found = list(every_command(typer.main.get_command(app).commands))  # type: ignore[attr-defined]  # it is a group
    for words in found:
        result = run(*words, "-h")
        assert (result.exit_code, result.stderr) == (0, ""), words
        assert "." in result.stdout, words
    assert len(found) >= 12


@pytest.mark.parametrize("width", [30, 60])
def test_help_is_whole_and_without_types_however_narrow(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    monkeypatch.setenv("COLUMNS", str(width))
    group: Any = typer.main.get_command(app)
    for words in every_command(group.commands):
        command = group
        for word in words:
            command = command.commands[word]
        text = command.get_help(command.context_class(command, info_name=words[-1]))

        assert not re.search(r"[<{]\w|…", text), text
        assert max(map(len, text.splitlines())) <= width
        options = {name for param in command.params for name in param.opts if name.startswith("-")}
        assert options <= {*re.findall(r"(?<!\S)--?[a-z-]+", text)}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("g4fsdk cha", {"chat"}),
        ("g4fsdk chat -p y", {"yqcloud"}),
        ("g4fsdk chat -p cohere-c4ai -m command-r-plus", {"command-r-plus", "command-r-plus-08-2024"}),
        ("g4fsdk chat -e loc", {"local"}),
        ("g4fsdk chat --sch", {"--schema"}),
    ],
)
def test_the_shell_completes_names(line: str, found: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("config", "set", "endpoints.local.base_url", "http://localhost:8000/v1").exit_code == 0
    monkeypatch.setenv("_G4FSDK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))

    assert {*run().stdout.split()} == found


def test_the_shell_completes_nothing_of_settings_that_are_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text("bogus = 1")
    monkeypatch.setenv("G4FSDK_HOME", str(tmp_path))
    monkeypatch.setenv("_G4FSDK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "g4fsdk chat -e ")
    monkeypatch.setenv("COMP_CWORD", "3")

    result = run()

    assert (result.exit_code, result.output.split()) == (0, [])


def test_it_says_its_version() -> None:
    assert run("--version").stdout == f"g4fsdk {__version__}\n"


@pytest.mark.parametrize("words", [["nope"], ["--nope"]])
def test_a_command_that_is_none_is_one_line(words: list[str]) -> None:
    result = run(*words)

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "(see g4fsdk --help)" in result.stderr


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)

    write_table([{"name": "[b]x", "working": None}])

    shown = capsys.readouterr().out
    assert re.sub(r"\x1b\[\d*m", "", shown).split() == ["name", "working", "[b]x"]


def test_no_rows_are_no_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([])

    assert capsys.readouterr().out == ""
