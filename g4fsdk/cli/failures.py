"""Failures as one line on stderr and an exit code: 1 for what failed, 2 for what was asked wrongly."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk.cli.output import say
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


def exit_code(run: Callable[[], object]) -> int:
    """Return the exit code of *run*, and say why when it is not 0.

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
    except _COMMAND_LINE_ERROR as error:
        return _fail(f"{error.format_message()}{_hint(error)}", 2)
    except _SEVERAL_LINES as error:
        return _fail(str(error), 1)
    except G4FError as error:
        return _fail(" ".join(str(error).split()), 2 if isinstance(error, UsageError) else 1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}", 2 if isinstance(error, _WRONG_PATH) else 1)
    return 0


def _fail(message: str, code: int) -> int:
    say(f"g4fsdk: {message}")
    return code


def _hint(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context is not None else ""


def _let_go() -> int:
    """Point stdout nowhere, so that the interpreter's last flush does not fail, too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return 0
