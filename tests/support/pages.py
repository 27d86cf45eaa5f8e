"""The examples of a page of the documentation, tried one after the other in a folder of their own.

A block of Python runs in the names of the page; one below a line that ends in "`name.py`:" is a file. One of
`sh` is typed, line by line, but for what installs. One of `text` is what the block before it printed,
where `...` stands for whatever.
Whoever has no transport of their own is answered by a recording that fits the way they ask.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import fnmatch
import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import yaml
from typer.testing import CliRunner

from g4fsdk.cli.app import app
from g4fsdk.testing import RecordedRequest, Replay
from tests.support.players import FOLDER
from tests.support.plugin_project import Project

ROOT = Path(__file__).parents[2]
TRANSPORT = "G4FSDK_TRANSPORT"
#: How the pages ask, each as often as a page may want to.
RECORDINGS = (
    "openai/aimock-stream openai/aimock-whole openai/aimock-image yqcloud/normal yqcloud/stream-false "
    "cohere-c4ai/single-turn-english autonomous/normal amigo/normal amigo/image-normal"
).split()
#: The languages that are tried; others are read by people only.
RUN = frozenset({"python", "sh", "text", "yaml"})
_BLOCK = re.compile(
    r"(?:^(?P<before>\S[^\n]*)\n\n)?^```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^```$", re.M | re.S
)
_FILE = re.compile(r"`([\w./-]+\.\w+)`:$")


@dataclass(frozen=True)
class Block:
    """A piece of code on a page; *file* is where it belongs, "" for nowhere."""

    language: str
    text: str
    file: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    for found in _BLOCK.finditer(page):
        name = _FILE.search(found["before"] or "")
        yield Block(
            found["language"],
            found["text"],
            name[1] if name else "",
            page.count("\n", 0, found.start("text")),
        )


def recorded() -> Replay:
    """Return what stands in place of the network for clients that bring nothing of their own."""
    return Replay([FOLDER / f"{name}.yaml" for name in RECORDINGS * 8], match_on=_asks_alike)


def _asks_alike(sent: RecordedRequest, known: RecordedRequest) -> bool:
    return _way(sent) == _way(known)


def _way(request: RecordedRequest) -> tuple[object, ...]:
    path = urlsplit(request.url).path
    body = json.loads(request.body) if request.body.startswith(b"{") else {}
    return request.method, "openai" if path.endswith("/chat/completions") else path, bool(body.get("stream"))


class Page:
    """Tries the blocks of a page, in the folder that is the current one."""

    def __init__(self, name: str, project: Project) -> None:
        self.name = name
        self.project = project
        self.said = ""
        module = sys.modules["page"] = ModuleType("page")  # where a dataclass looks for its own
        self.names = vars(module)

    def try_all(self, page: str) -> int:
        """Try the blocks of *page*; return how many there are."""
        found = [*blocks(page)]
        for block in found:
            try:
                self.try_one(block)
            except Exception as error:
                error.add_note(f"{self.name}:{block.line + 1}\n{block.text}")
                raise
        return len(found)

    def try_one(self, block: Block) -> None:
        match block:
            case Block(file=file) if file:
                path = Path(file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            case Block(language="python"):
                self.said = self.run(block)
            case Block(language="sh"):
                lines = block.text.replace("\\\n", " ").splitlines()
                self.said = "".join(self.type(line) for line in lines if line and not line.startswith("#"))
            case Block(language="text"):
                assert fnmatch.fnmatchcase(_one_line(self.said), _pattern(block.text)), self.said
            case Block(language="yaml"):
                assert yaml.safe_load(block.text)

    def type(self, line: str) -> str:
        """Type *line*; return what it printed. It has to end as it says: well, or `  # exit code 1`."""
        words, line, expected = _exit_code(line)
        match words:
            case ["g4fsdk", *_] | ["cat", _, "|", "g4fsdk", *_]:
                return _in_this_process(words, expected)
            case ["pytest", *words]:
                done = self.project.run("-W", "default", *words)  # older versions of others warn
                assert done.ret == expected
                return "\n".join(done.outlines)
            case ["export", *words]:
                os.environ.update({name: value for name, _, value in (word.partition("=") for word in words)})
                return ""
            case ["pip" | "python3" | "git", *_]:
                return ""
        return _in_a_shell(line, expected)

    def run(self, block: Block) -> str:
        source = "\n" * block.line + block.text
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(source, self.name, "exec", flags=flags)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            if code.co_flags & inspect.CO_COROUTINE:
                asyncio.run(eval(code, self.names))
            else:
                exec(code, self.names)
        return said.getvalue()


def _pattern(text: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", _one_line(text)).replace("...", "*")


def _one_line(text: str) -> str:
    """Return *text* as it reads wherever lines are broken."""
    return " ".join(text.split())


def _exit_code(line: str) -> tuple[list[str], str, int]:
    """Return the words of *line*, what is typed, and the exit code that it says it ends with."""
    typed, _, code = line.partition("  # exit code ")
    typed = typed.partition("  #")[0]
    return shlex.split(typed), typed, int(code or 0)


def _in_this_process(words: list[str], expected: int) -> str:
    """Run a command of ours, maybe on the text of a file, or into a file: a process of its own costs much."""
    read = Path(words[1]).read_text(encoding="utf-8") if words[0] == "cat" else None
    words = words[words.index("g4fsdk") + 1 :]
    words, file = (words[:-2], words[-1]) if ">" in words else (words, "")
    at_once = ["--pace", "instant"] if "--replay" in words and "chat" in words else []
    result = CliRunner().invoke(app, [*words, *at_once], input=read)
    assert result.exit_code == expected, (words, result.output, result.exception)
    if not file:
        return result.stdout
    Path(file).write_text(result.stdout, encoding="utf-8")
    return ""


def _in_a_shell(line: str, expected: int) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == expected, (line, done.stdout, done.stderr)
    return done.stdout
