"""The command line, `g4fsdk`. Importing this imports nothing else: typer and rich come with an extra."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import NoReturn

_EXTRAS = {
    "cli": {"click", "platformdirs", "prompt_toolkit", "rich", "tomlkit", "typer", "yaml"},
    "dask": {"distributed"},
    "server": {"starlette", "uvicorn"},
}


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
    for number in {getattr(signal, name, signal.SIGTERM) for name in ("SIGTERM", "SIGHUP")}:
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored
            signal.signal(number, _end)
    try:
        from g4fsdk.cli.commands import make_app

        make_app(sys.argv[1:])(prog_name="g4fsdk")
    except KeyboardInterrupt:  # while it was loaded
        sys.exit(130)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        extra = next((extra for extra, names in _EXTRAS.items() if missing in names), None)
        if extra is None:
            raise
        sys.stderr.write(f"g4fsdk: the command line needs {missing}: pip install 'g4fsdk[{extra}]'\n")
        sys.exit(2)


def _end(number: int, _: object) -> NoReturn:
    """End as Ctrl-C does: what came is kept, and a terminal is left as it was."""
    raise SystemExit(128 + number)  # as shells have it
