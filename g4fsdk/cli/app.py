"""The commands by name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from g4fsdk._version import __version__
from g4fsdk.cli import cassette, config, logs
from g4fsdk.cli.batch import batch
from g4fsdk.cli.bench import bench
from g4fsdk.cli.capture import capture
from g4fsdk.cli.chat import chat
from g4fsdk.cli.doctor import doctor
from g4fsdk.cli.failures import exit_code
from g4fsdk.cli.image import image
from g4fsdk.cli.listing import models, providers
from g4fsdk.cli.output import write
from g4fsdk.cli.serve import serve
from g4fsdk.cli.usage import Command, Group


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


app: typer.Typer = typer.Typer(
    name="g4fsdk",
    cls=Commands,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        write(f"g4fsdk {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def g4fsdk(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Chat with providers of the gpt4free family and with any OpenAI-compatible server.

    Answers go to stdout, everything else to stderr. Exit codes: 0 fine, 1 it failed, 2 it was asked wrongly;
    of `capture` the program's own. With --json a failure is JSON, too: {"error": {"type", "message"}}.
    """
    if context.invoked_subcommand is None:
        write(context.get_help() + "\n")


app.command()(chat)
app.command()(image)
app.command()(providers)
app.command()(models)
app.command(context_settings={"allow_interspersed_args": False})(capture)  # the rest is the program's
app.command()(batch)
app.command()(serve)
app.command()(doctor)
app.command()(bench)
app.add_typer(cassette.app)
app.add_typer(config.app)
app.add_typer(logs.app)
for _commands in (app, *(info.typer_instance for info in app.registered_groups)):
    for _command in _commands.registered_commands if _commands else ():
        _command.cls = Command
