"""What goes with the prompt, and what has to come back: `chat -a`, `--schema`, `-o`, `--usage`."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from g4fsdk.cli._words import attachments
from tests.support.command_line import replay, run
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import answer, unfinished

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(20)


def ask(reply: Reply, *words: object, stdin: str | bytes | None = None) -> tuple[Result, list[Any]]:
    """Ask a server for *reply*; return what came of it, and the bodies of the requests."""
    with Server(lambda _: reply) as server:
        result = run("chat", "--base-url", f"{server.url}/v1", "-m", "m", *words, stdin=stdin)
    return result, [json.loads(request.body) for request in server.requests]


def test_pictures_and_texts_go_with_the_prompt_and_their_content_says_which_is_which(tmp_path: Path) -> None:
    (tmp_path / "cat.txt").write_bytes(PNG)
    (tmp_path / "notes.png").write_text("\ufeffline\n\n", encoding="utf-8")
    words = ["-a", tmp_path / "cat.txt", "-a", tmp_path / "notes.png", "-a", "https://x.test/y", "-a", "-"]

    result, [sent] = ask(answer("openai", "A cat"), "-s", "Be kind.", "What?", *words, stdin=WEBP)

    assert (result.exit_code, result.stdout) == (0, "A cat\n"), result.stderr
    assert sent["messages"][0] == {"role": "system", "content": "Be kind."}
    text, *pictures = sent["messages"][1]["content"]
    assert text == {"type": "text", "text": "What?\n\nnotes.png:\n\nline"}
    assert [one["image_url"]["url"] for one in pictures] == [
        f"data:image/png;base64,{b64encode(PNG).decode()}",
        "https://x.test/y",
        f"data:image/webp;base64,{b64encode(WEBP).decode()}",
    ]


def test_attached_text_goes_to_any_provider_as_text(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes", encoding="utf-8")

    with Server(lambda _: answer("yqcloud", "Read")) as server:
        result = run("chat", "-p", "yqcloud", "--base-url", server.url, "-a", tmp_path / "notes.md")

    assert (result.exit_code, result.stdout) == (0, "Read\n"), result.stderr
    assert json.loads(server.requests[0].body)["prompt"] == "notes.md:\n\n# Notes"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"%PDF-1.7\n\xe2\xe3", "neither a picture (PNG, JPEG, WebP, GIF) nor text", id="PDF"),
        pytest.param(b"RIFF\x24\x00\x00\x00WAVEfmt ", "neither a picture", id="sound"),
        pytest.param(b" \n", "is empty", id="empty"),
        pytest.param(b"x" * (attachments.MAX_TEXT + 1), "too large: a text may have 1 MiB", id="long text"),
        pytest.param(
            PNG + bytes(attachments.MAX_PICTURE), "too large: a picture may have 20 MiB", id="large"
        ),
        pytest.param(None, "No such file", id="missing"),
    ],
)
def test_what_cannot_be_attached_is_said_before_anybody_is_asked(
    data: bytes | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "thing"
    if data is not None:
        path.write_bytes(data)

    result = run("chat", "--base-url", "http://127.0.0.1:9/v1", "-m", "m", "Hi", "-a", path)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert str(path) in result.stderr


def test_a_picture_is_refused_where_a_provider_takes_none(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)

    result = run("chat", "-p", "yqcloud", "What?", "-a", tmp_path / "cat.png")

    assert result.exit_code == 2
    assert "yqcloud takes no pictures (-a), only text; these do: " in result.stderr


def test_a_schema_is_asked_for_and_the_answer_is_json(tmp_path: Path) -> None:
    schema = {"title": "A place", "type": "object", "properties": {"town": {"type": "string"}}}
    (tmp_path / "place.json").write_text(json.dumps(schema), encoding="utf-8")
    words = ["--schema", tmp_path / "place.json", "Where?"]

    good, [sent] = ask(answer("openai", '{"town": "Köln"}'), *words)
    bad, _ = ask(answer("openai", "In Cologne"), *words)
    other, _ = ask(answer("openai", '{"town": 50667}'), *words)

    assert (good.exit_code, good.stdout) == (0, '{"town": "Köln"}\n'), good.stderr
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "A_place", "schema": schema},
    }
    assert (bad.exit_code, bad.stdout) == (1, "In Cologne\n")
    assert bad.stderr.startswith("g4fsdk: the answer is not JSON: ")
    assert (other.exit_code, other.stdout) == (1, '{"town": 50667}\n')
    assert "place.json: $.town: 50667 is not of type 'string' (finish reason: " in other.stderr


def test_what_tells_whether_it_fits_may_not_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "place.json").write_text('{"type": "object"}', encoding="utf-8")
    monkeypatch.setitem(sys.modules, "jsonschema", None)

    result, _ = ask(answer("openai", "[]"), "--schema", tmp_path / "place.json", "Where?")

    assert (result.exit_code, result.stdout) == (0, "[]\n")
    assert "pip install 'g4fsdk[schema]'" in result.stderr


def test_what_a_schema_refers_to_elsewhere_is_not_fetched(tmp_path: Path) -> None:
    with Server([]) as server:
        (tmp_path / "s.json").write_text(json.dumps({"$ref": f"{server.url}/x"}), encoding="utf-8")
        result, _ = ask(answer("openai", "[]"), "--schema", tmp_path / "s.json", "Where?")

    assert (result.exit_code, result.stdout, server.requests) == (2, "[]\n", [])
    assert "refers to what is not in it: http://127.0.0.1" in result.stderr


@pytest.mark.parametrize("text", ["{", "[1]", '{"type": "objekt"}'])
def test_a_schema_that_is_none_is_a_usage_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(text, encoding="utf-8")

    result = run("chat", "-p", "yqcloud", "Hi", "--schema", tmp_path / "s.json")

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "s.json" in result.stderr


def test_an_answer_is_saved_when_it_is_complete_and_else_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.md"

    saved, _ = ask(answer("openai", "first", "!"), "Hi", "-o", path)
    broken, _ = ask(unfinished("openai", "second", framing="close"), "Hi", "-o", path, "--retries", 1)

    assert (saved.exit_code, saved.stdout) == (0, ""), saved.stderr
    assert str(path) in saved.stderr
    assert (broken.exit_code, broken.stdout) == (1, "second\n")
    assert path.read_text(encoding="utf-8") == "first!\n"
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is full")
def test_an_answer_that_cannot_be_saved_is_not_lost() -> None:
    result, _ = ask(answer("openai", "first"), "Hi", "-o", "/dev/full")

    assert (result.exit_code, result.stdout) == (1, "first\n")
    assert "No space left" in result.stderr


def test_a_place_that_cannot_be_written_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    result, sent = ask(answer("openai", "x"), "Hi", "-o", tmp_path)

    assert (result.exit_code, sent) == (2, [])
    assert str(tmp_path) in result.stderr


def test_usage_is_asked_for_and_said_in_a_line() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 1200, "completion_tokens": 3, "total_tokens": 1203}}
    reply = answer("openai", "x")
    reply.pieces = [reply.pieces[0], f"data: {json.dumps(usage)}\n\n".encode(), *reply.pieces[1:]]

    told, [sent] = ask(reply, "Hi", "--usage")

    assert told.stderr == "usage: 1,200 prompt + 3 completion = 1,203 tokens\n"
    assert sent["stream_options"] == {"include_usage": True}
    assert replay("yqcloud/normal", "--usage").stderr.endswith("usage: the service did not say\n")
