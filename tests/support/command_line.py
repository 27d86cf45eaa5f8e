"""The command line, in this process and as one of its own; and recordings for it to play."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from g4fsdk.cli.app import app
from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse
from g4fsdk.testing._cassette.values import End
from tests.support.players import FOLDER

NORMAL = FOLDER / "yqcloud" / "normal.yaml"
ANSWER = "Hello, this is the reference server.\n"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "PYTHONWARNINGS": "error",
    "TERM": "xterm-256color",
}
Message = dict[str, Any]


def run(*words: object, stdin: str | bytes | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [*map(str, words)], input=stdin)


def replay(name: str, *words: object) -> Result:
    """Play a recording of ours, such as "yqcloud/normal", in this process."""
    return run("chat", "--replay", FOLDER / f"{name}.yaml", "--pace", "instant", "--retries", 1, *words)


def g4fsdk(*words: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a process of its own, with nothing to read."""
    command = [sys.executable, "-m", "g4fsdk", *map(str, words)]
    settings.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=ENVIRONMENT, **settings)


def start(*words: object) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "g4fsdk", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        env=ENVIRONMENT,
    )


class Forks:
    """A process that has the command loaded and runs each call in a fork: a new one takes half a second.

    Streams are files, but for those that are closed, and for an output that is a pipe nobody reads.
    """

    _PROGRAM = """
import json, os, sys, tempfile
import g4fsdk.cli.app
from g4fsdk.cli import main

for line in sys.stdin:
    words, closed, is_read = json.loads(line)
    files = {number: tempfile.TemporaryFile() for number in (1, 2)}
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in files.items():
            os.dup2(file.fileno(), number)
            file.close()
        if not is_read:
            reading, writing = os.pipe()
            os.close(reading)
            os.dup2(writing, 1)
        for number in closed:
            os.close(number)
            setattr(sys, {1: "stdout", 2: "stderr"}[number], None)  # as Python has it that starts so
        sys.argv = ["g4fsdk", *words]
        main()
        sys.exit()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = [file.seek(0) or file.read().decode() for file in files.values()]
    for file in files.values():
        file.close()
    print(json.dumps([code, *said]), flush=True)
"""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=ENVIRONMENT,
        )

    def run(
        self, *words: str, closed: Sequence[int] = (), is_read: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with nothing to read."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([words, closed, is_read]) + "\n")
        self._process.stdin.flush()
        code, out, said = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess(words, code, out, said)

    def close(self) -> None:
        self._process.communicate()


def python(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)


def delta(**parts: object) -> Message:
    return {"choices": [{"index": 0, "delta": parts}]}


def openai_cassette(
    *deltas: Message, user: str = "Hi", end: End = "complete", done: bool = True, **body: Any
) -> Cassette:
    """Return the recording of a streamed answer, one chunk an event."""
    sent = {"model": "m", "messages": [{"role": "user", "content": user}], "stream": True, **body}
    chunks = [f"data: {json.dumps(one)}\n\n".encode() for one in deltas] + [b"data: [DONE]\n\n"] * done
    response = RecordedResponse(
        200, "OK", [("Content-Type", "text/event-stream")], chunks, [0.0] * len(chunks), end
    )
    request = RecordedRequest(
        "POST",
        "http://model.test/v1/chat/completions",
        [("Content-Type", "application/json")],
        json.dumps(sent).encode(),
    )
    metadata = {"provider": "openai", "provenance": "written by a test", "ids_seed": 1, "call": sent}
    return Cassette([Interaction(request, response)], metadata)
