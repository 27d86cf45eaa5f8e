"""The command line, `g4fsdk`. Importing this imports nothing else: typer and rich come with an extra."""

from __future__ import annotations

import io
import os
import sys

_EXTRA = frozenset({"click", "rich", "typer", "yaml"})


def main() -> None:
    """Run the command line on the arguments of the process, and exit."""
    # A stream that the shell closed (>&-) is None.
    sys.stdout, sys.stderr = (
        stream or open(os.devnull, "w")  # noqa: SIM115  # open as long as the process
        for stream in (sys.stdout, sys.stderr)
    )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an answer may hold what the terminal can't show
    try:
        from g4fsdk.cli.app import app

        app(prog_name="g4fsdk")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(f"g4fsdk: the command line needs {error.name}: install g4fsdk[cli]\n")
        sys.exit(2)
