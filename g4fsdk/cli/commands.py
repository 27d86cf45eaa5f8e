"""The commands by name. One is imported when it is asked for: they need much, each its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

from g4fsdk._version import __version__
from g4fsdk.cli._terminal.failures import exit_code
from g4fsdk.cli._terminal.output import write
from g4fsdk.cli._terminal.usage import Command, Group

#: The modules of the commands, in the order of the help.
COMMANDS = {
    "chat": "chat",
    "image": "image",
    "providers": "listing",
    "models": "listing",
    "capture": "capture",
    **{name: name for name in ("batch", "serve", "doctor", "bench", "cassette", "config", "logs")},
}
_SETTINGS = {"capture": {"allow_interspersed_args": False}}  # the rest is the program's


class Commands(Group):
    """All commands. Their failures become one line and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        prog_name = prog_name or "g4fsdk"
        self._main_shell_completion(extra, prog_name, complete_var)
        words = sys.argv[1:] if args is None else list(args)

        def run() -> None:
            with self.make_context(prog_name, words, **extra) as context:
                self.invoke(context)

        sys.exit(exit_code(run, as_json=_wants_json(words)))


def _wants_json(words: Sequence[str]) -> bool:
    """Whether failures are JSON, too. What is captured has its own options."""
    return "--json" in words and words[0] != "capture"


def _show_version(wanted: bool) -> None:
    if wanted:
        write(f"g4fsdk {__version__}\n")
        raise typer.Exit


def _g4fsdk(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Chat with providers of the gpt4free family and with any OpenAI-compatible server.

    Answers go to stdout, everything else to stderr. Exit codes: 0 fine, 1 it failed, 2 it was asked wrongly;
    of `capture` the program's own. With --json a failure is JSON, too: {"error": {"type", "message"}}.
    """


def make_app(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command line; where *words* begin with a command, with no other."""
    made = typer.Typer(
        name="g4fsdk",
        cls=Commands,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_g4fsdk)
    for name in COMMANDS.keys() & {*words[:1]} or COMMANDS:
        _add(made, name)
    return made


def _add(app: typer.Typer, name: str) -> None:
    module = import_module(f"g4fsdk.cli.{COMMANDS[name]}")
    commands = getattr(module, "app", None)
    if commands is None:
        app.command(cls=Command, context_settings=_SETTINGS.get(name))(getattr(module, name))
        return
    for command in commands.registered_commands:
        command.cls = Command
    app.add_typer(commands)
