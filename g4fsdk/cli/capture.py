"""`g4fsdk capture`: records a program, and says what to attach to a bug report."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._recordings.findings import compare, load_for_use, report
from g4fsdk.cli._terminal.output import say
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.files import check_place

_OURS = frozenset({"chat", "image", "models"})  # commands of ours that may stand in place of a program


def capture(
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="-- COMMAND...",
            help="The program and its arguments, or chat, image or models with theirs.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Write the recording here.", metavar="CASSETTE")
    ] = Path("bug.yaml"),
    against: Annotated[
        Path | None,
        typer.Option(
            help="Compare with this recording, print what changed in the service, and fail if anything did.",
            metavar="CASSETTE",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Run a program while every g4fsdk client in it records, and write what to attach to a bug report.

    Secrets are removed; prompts and answers are not. Clients that bring a session or transport of their own
    are not recorded. `g4fsdk chat --replay CASSETTE` plays the last call again. Exit code: the program's;
    with --against, whether anything changed.
    """
    from g4fsdk._client.transport import TRANSPORT
    from g4fsdk.testing._record.capture import CAPTURE, FACTORY, merged

    check_place(output)
    earlier = None if against is None else load_for_use(against)
    with tempfile.TemporaryDirectory(prefix="g4fsdk-") as folder:
        code = run_program(_program(command), {**os.environ, CAPTURE: folder, TRANSPORT: FACTORY})
        cassette = merged(folder)
    if not cassette.interactions:
        say(f"g4fsdk: no g4fsdk client sent anything, so nothing is written; the program's exit code: {code}")
        raise typer.Exit(code or 1)
    cassette.save(output)
    _say_what_to_do(cassette, output, code)
    if earlier is None:
        raise typer.Exit(code)
    report(compare(earlier, cassette), as_json=False, fine=f"no change since {against}")


def _program(command: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "g4fsdk", *command] if command[0] in _OURS else [*command]


def run_program(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run *command* to its end and return its exit code, as shells have it.

    Ctrl-C and SIGTERM are for the program: a terminal sends it the first, too, and the second is handed on.

    Raises:
        UsageError: There is no such program.
    """
    with _on(signal.SIGINT, lambda *_: None):
        try:
            process = subprocess.Popen(command, env=environment)
        except (FileNotFoundError, PermissionError) as error:
            raise UsageError(f"{command[0]!r} cannot be run: {error.strerror}") from error
        with _on(signal.SIGTERM, lambda number, _: process.send_signal(number)):
            code = process.wait()
    return code if code >= 0 else 128 - code  # a signal ended it


@contextmanager
def _on(number: int, do: Callable[[int, object], object]) -> Iterator[None]:
    """Have the signal *number* do this in the block."""
    before = signal.signal(number, do)
    try:
        yield
    finally:
        signal.signal(number, before)


def _say_what_to_do(cassette: Cassette, output: Path, code: int) -> None:
    say(f"g4fsdk: requests recorded: {len(cassette.interactions)}; the program's exit code: {code}")
    say(f"  attach to a bug report: {output} (secrets are removed; prompts and answers are in it)")
    say(f"  look at it:             g4fsdk cassette show {output}")
    if "call" in cassette.metadata:
        say(f"  play it again:          g4fsdk chat --replay {output}")
