"""What one sees on a terminal: answers as they come, what is waited for, thoughts."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from threading import Event

import pytest

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

import pyte
from rich.console import Console

from g4fsdk.cli._terminal.markdown import Drawing
from tests.support.command_line import delta, openai_cassette
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import answer, unfinished
from tests.support.terminal import Terminal

TEXT = """\
# A title
Some *words* and <b>html</b>, a [link](https://a.test/?b=c&d) and ![pic](https://a.test/1.png).
The next line of a paragraph that is too long for a narrow terminal.
- one
  - inner

  still inner
- two

1. first
```python
def f(x):

    return x
```
| name | address |
|---|---|
| a | https://a.test/which/is/longer/than/any/cell/of/a/narrow/terminal |

> quoted

    indented
Setext
---
[1]: https://a.test/reference
The end"""


def seen(text: str, size: int, columns: int) -> str:
    """Return what a terminal of so many *columns* shows of *text*, which came in pieces of *size*."""
    out = io.StringIO()
    drawing = Drawing(Console(file=out, force_terminal=True, width=columns, height=8))
    with drawing:
        for start in range(0, len(text), size):
            drawing.add(text[start : start + size])
    screen = pyte.Screen(columns, 200)
    pyte.Stream(screen).feed(out.getvalue().replace("\n", "\r\n"))
    return "\n".join(line.rstrip() for line in screen.display).strip()


@pytest.mark.parametrize("columns", [120, 40])
def test_markdown_looks_the_same_however_it_was_cut(columns: int) -> None:
    whole = seen(TEXT, len(TEXT), columns)

    assert {seen(TEXT, size, columns) for size in (1, 2, 7, 61)} == {whole}


def test_nothing_of_an_answer_is_left_out_on_a_narrow_terminal() -> None:
    shown = "".join(seen(TEXT, 5, 40).split())

    for text in ("<b>html</b>", "https://a.test/?b=c&d", "1.png", "https://a.test/reference", "Theend"):
        assert text in shown
    for piece in ("which/is/", "longer/", "any/", "cell/", "terminal"):
        assert piece in shown


def chat(server: Server, *words: object, **settings: object) -> Terminal:
    return Terminal("chat", "--base-url", f"{server.url}/v1", "-m", "m", "Hi", *words, **settings)  # type: ignore[arg-type]  # typed there


@pytest.mark.parametrize("columns", [120, 40])
def test_a_line_says_what_is_waited_for_and_is_gone_when_the_answer_begins(columns: int) -> None:
    busy = Reply(status=503, headers=[("Retry-After", "1")])
    go_on = Event()
    reply = answer("openai", "So **bo", "ld**")
    reply.pieces = [go_on, *reply.pieces]

    with Server([busy, reply]) as server, chat(server, columns=columns) as terminal:
        terminal.see("trying again in 1.0 s: openai")
        server.wait_until(lambda server: len(server.requests) == 2)
        go_on.set()
        code = terminal.end()

    assert (code, terminal.text) == (0, "So bold")


def test_an_answer_is_seen_while_it_comes_and_kept_when_it_breaks_off() -> None:
    go_on = Event()

    with (
        Server(unfinished("openai", "- one\n", go_on, "- two", framing="close")) as server,
        chat(server, "--retries", 1) as terminal,
    ):
        terminal.see("• one")
        go_on.set()
        code = terminal.end()

    assert code == 1
    assert terminal.text.split("\n")[0].strip() == "• one"
    assert "• two\ng4fsdk: openai: the" in terminal.text


def test_what_is_typed_meanwhile_is_not_seen_and_the_terminal_is_left_as_it_was() -> None:
    go_on = Event()

    with (
        Server(unfinished("openai", "- one\n", go_on, "- two", end="hold")) as server,
        chat(server, "--retries", 1) as terminal,
    ):
        terminal.see("• one")
        terminal.type("make\rmake\r")
        go_on.set()
        terminal.see("• two")
        hidden = not terminal.shows_keys
        terminal.kill(signal.SIGTERM)
        code, shown = terminal.end(), terminal.shows_keys

    assert (code, hidden, shown) == (143, True, True)
    assert terminal.text == " • one\n • two"
    assert terminal.written.rindex(b"\x1b[?25h") > terminal.written.rindex(b"\x1b[?25l")  # the cursor


def test_plain_text_and_what_is_piped_stay_as_they_came(tmp_path: Path) -> None:
    with Server(lambda _: answer("openai", "So **bold**", pause_s=0.2)) as server:
        with chat(server, "--plain") as plain:
            plain.end()
        with chat(server, output=tmp_path / "out") as piped:
            piped.end()

    assert plain.text == "So **bold**"
    assert (tmp_path / "out").read_bytes() == b"So **bold**\n"
    assert piped.text == ""


def test_thoughts_are_dimmed_and_what_would_steer_the_terminal_is_spelt_out(tmp_path: Path) -> None:
    openai_cassette(delta(reasoning_content="Hm\u202e."), delta(content="Yes\x1b[31m")).save(
        tmp_path / "a.yaml"
    )

    with Terminal("chat", "--replay", tmp_path / "a.yaml", "--show-reasoning") as terminal:
        terminal.end()

    assert terminal.text.endswith("Hm\\u202e.\nYes\\u001b[31m")
    assert b"\x1b[2mHm" in terminal.written


@pytest.mark.parametrize("columns", [100, 60, 40])
def test_nothing_of_a_table_is_cut_and_a_narrow_one_is_a_list(columns: int) -> None:
    with Terminal("providers", columns=columns, lines=60) as terminal:
        terminal.end()

    assert "cohere-c4ai" in terminal.text
    assert ("command-a-03-2025" in terminal.text, "…" in terminal.text) == (True, False)
    assert ("name           cohere-c4ai" in terminal.text) == (columns < 80)
