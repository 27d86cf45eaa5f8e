"""`python docs/terminal.py` makes `docs/_static/terminal.svg`: what a terminal shows for four commands.

Beside it `terminal.txt` has the same as text, for a package index, which has no pictures of ours.
"""

from __future__ import annotations

import io
import re
import shlex
import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from g4fsdk.cli.app import app

ROOT = Path(__file__).parents[1]
PICTURE = Path(__file__).parent / "_static" / "terminal.svg"
WIDTH = 104
COMMANDS = (
    "g4fsdk chat --replay demo",
    "g4fsdk chat --base-url http://localhost:1/v1 -m llama3.2 'Hello'",
    "g4fsdk cassette check cassettes/openai",
    "g4fsdk cassette show cassettes/openai/aimock-cut.yaml",
)


def session() -> str:
    """Return what is typed and what comes, wrapped as a terminal wraps it."""
    lines: list[str] = []
    for command in COMMANDS:
        words = shlex.split(command)[1:] + (["--pace", "instant"] if "demo" in command else [])
        result = CliRunner().invoke(app, words, env={"COLUMNS": str(WIDTH)})
        said = [line for line in result.output.splitlines() if not line.startswith(("replaying", "live:"))]
        lines += [f"$ {command}", *(part for line in said for part in textwrap.wrap(line, WIDTH) or [""]), ""]
    return "\n".join(lines).rstrip()


def picture(text: str) -> str:
    """Return *text* as a picture that fetches nothing."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    for line in text.splitlines():
        console.print(Text(line, style="bold green" if line.startswith("$ ") else ""), highlight=False)
    svg = console.export_svg(title="g4fsdk", unique_id="terminal")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    said = session()
    PICTURE.write_text(picture(said), encoding="utf-8")
    PICTURE.with_suffix(".txt").write_text(f"```console\n{said}\n```\n\n", encoding="utf-8")
