"""Failures as one line on stderr and an exit code: 1 for what failed, 2 for what was asked wrongly."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Any

import typer

from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk.cli._terminal.output import say, say_json_line
from g4fsdk.testing._cassette.errors import (
    CassetteError,
    LeakError,
    MismatchError,
    UnplayedError,
)

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
# typer brought its own copy of click in 0.2x: this is ClickException of either.
_COMMAND_LINE_ERROR: Any = typer.BadParameter.__mro__[2]
_WRONG_PATH = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
_SEVERAL_LINES = (CassetteError, LeakError, MismatchError, UnplayedError)
#: What an error advises programs to do, and what to type for it.
_TO_TYPE = {
    **dict.fromkeys(
        [f"raise Timeouts({clock}=...)" for clock in ("first_event", "idle", "whole", "total")],
        "raise --timeout",
    ),
    "; leave it out, or say ignore_unsupported=True": "; leave it out",
    "check the key or session": "check the key (--api-key, or G4FSDK_API_KEY)",
    "check base_url and the model's name": "check --base-url and -m",
    "check the address, the network": "check the address (--base-url), the network",
    "base_url must": "the address (--base-url, or G4FSDK_BASE_URL) must",
    "stream it, or raise --timeout": "leave out --no-stream, or raise --timeout",
    "verify=..., SSL_CERT_FILE": "SSL_CERT_FILE",
    "; allow more with max_bytes=...": "",
    "model=...; client.models.list() asks the server for its own": "-m NAME; `g4fsdk models` lists them",
    "'response_format'": "'response_format' (--schema)",
}


def exit_code(run: Callable[[], object], *, as_json: bool = False) -> int:
    """Return the exit code of *run*, and say why when it is not 0: in a line, or *as_json*.

    A reader that goes away (`| head -1`) is no failure.
    """
    try:
        run()
    except typer.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        return _let_go()
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        return _let_go()  # rich, which prints the help, wanted to end the process with 1
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except (_COMMAND_LINE_ERROR, *_SEVERAL_LINES, G4FError, OSError) as error:
        message, code = _told(error)
        if as_json:
            say_json_line({"error": {"type": type(error).__name__, "message": message}})
        else:
            say(f"g4fsdk: {message}")
        return code
    return 0


def _told(error: Any) -> tuple[str, int]:
    """Return what *error* says to people who type, and its exit code."""
    match error:
        case _ if isinstance(error, _SEVERAL_LINES):
            return str(error), 1
        case G4FError():
            return " ".join(typed(error).split()), 2 if isinstance(error, UsageError) else 1
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            return f"{place}{error.strerror or error}", 2 if isinstance(error, _WRONG_PATH) else 1
        case _:
            return f"{error.format_message()}{_hint(error)}", 2


def typed(error: G4FError) -> str:
    """Return the message of *error*, which advises what can be typed."""
    message = str(error)
    for advice, typed in _TO_TYPE.items():
        message = message.replace(advice, typed)
    return re.sub(r"(?<![\w.])base_url\b", "--base-url", message)  # but endpoints.NAME.base_url is typed so


def _hint(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context is not None else ""


def _let_go() -> int:
    """Point stdout nowhere, so that the interpreter's last flush does not fail, too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return 0
