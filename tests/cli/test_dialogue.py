"""`g4fsdk chat` without a prompt on a terminal."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import answer, unfinished
from tests.support.terminal import Terminal

CTRL_C, CTRL_D, UP, ALT_ENTER = "\x03", "\x04", "\x1b[A", "\x1b\r"


def reply(request: Received) -> Reply:
    """Answer what was asked last: some of it in an odd way."""
    asked = json.loads(request.body)["messages"][-1]["content"]
    if asked == "fail":
        return Reply(status=500)
    if asked == "break":
        return unfinished("openai", "Half an ", "answer", end="hold")
    return answer("openai", "You said **", repr(asked), "**")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(reply) as found:
        yield found


def talk(server: Server, home: Path, *words: object, columns: int = 80) -> Terminal:
    address = ["--base-url", f"{server.url}/v1", "-m", "m", "--retries", 1]
    settings = {"G4FSDK_HOME": str(home)}
    terminal = Terminal("chat", *address, *words, columns=columns, environment=settings)
    terminal.see("\n>")
    return terminal


def messages(server: Server) -> Any:
    """Return what the last request said, as one text a message."""
    return [one["content"] for one in json.loads(server.requests[-1].body)["messages"]]


@pytest.mark.parametrize("columns", [120, 40])
def test_it_goes_on_through_interruptions_and_failures(server: Server, tmp_path: Path, columns: int) -> None:
    with talk(server, tmp_path, columns=columns) as terminal:
        terminal.type("Hello\r")
        terminal.see("You said 'Hello'\n\n>")
        terminal.type("break\r")
        terminal.see("Half an answer")
        terminal.type(CTRL_C)
        terminal.see("interrupted\n>")
        terminal.type("fail\r")
        terminal.see("g4fsdk: openai: 500")
        terminal.type(f"not this{CTRL_C}And?\r")
        terminal.see("You said 'And?'\n\n>")
        terminal.type(CTRL_D)
        code = terminal.end()

    assert code == 0
    assert messages(server) == ["Hello", "You said **'Hello'**", "break", "Half an answer", "And?"]
    assert terminal.text.count("Half an answer") == 1


def test_lines_are_typed_pasted_and_remembered_by_the_user_alone(server: Server, tmp_path: Path) -> None:
    with talk(server, tmp_path) as terminal:
        terminal.type(f"one{ALT_ENTER}two\r")
        terminal.see("'one\\ntwo'\n\n>")
        terminal.type("\x1b[200~three\rfour\x1b[201~\r")
        terminal.see(r"'three\nfour'")
        terminal.type("/exit\r")
        assert terminal.end() == 0
    with talk(server, tmp_path, "--no-log") as terminal:
        terminal.type("a secret\r")
        terminal.see("'a secret'\n\n>")
        terminal.type(CTRL_D)
        terminal.end()

    history = tmp_path / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "two" in history.read_text()
    assert "secret" not in history.read_text()
    with talk(server, tmp_path, "-c") as terminal:
        terminal.type(f"{UP}{UP}{UP}\r")
        terminal.see(r"You said 'three\nfour'")
    assert messages(server)[0] == "one\ntwo"


def test_lines_that_cannot_be_kept_cost_a_line_and_no_answer(server: Server, tmp_path: Path) -> None:
    with talk(server, tmp_path, columns=240) as terminal:  # a path fits
        (tmp_path / "history").unlink()
        (tmp_path / "history").mkdir()
        terminal.type("Hello\r")
        terminal.see("what is typed is not kept: ", "history: Is a directory", "You said 'Hello'\n\n>")
        terminal.type(CTRL_D)

        assert terminal.end() == 0


def test_commands_change_what_is_asked_and_a_wrong_one_is_said(server: Server, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Notes.")

    with talk(server, tmp_path, columns=240) as terminal:  # a path fits
        terminal.type("/mo\t")
        terminal.see("> /model")
        terminal.type(" other\r")
        terminal.see("openai: other\n>")
        for typed, seen in (
            ("/help", "Ask this model from now on"),
            ("/system Be kind.", "Be kind."),
            ("/attach missing.txt", "missing.txt: No such file"),
            (f"/attach {tmp_path}/notes.txt", "notes.txt\n>"),
            ("/nope", "there is no /nope; known: /model"),
            ("Hello", "You said 'Hello"),
            (f"/save {tmp_path}/talk.md", "the conversation is in"),
        ):
            terminal.type(f"{typed}\r")
            terminal.see(seen)
        terminal.type("/exit\r")
        assert terminal.end() == 0

    sent = json.loads(server.requests[0].body)
    assert (len(server.requests), sent["model"]) == (1, "other")
    assert messages(server) == ["Be kind.", "Hello\n\nnotes.txt:\n\nNotes."]
    assert "## assistant\n\nYou said **'Hello" in (tmp_path / "talk.md").read_text()
