"""Commands whose help is plain text: options in their groups, names whole and without types, however narrow
it is; and whose words are read without a library for it.
"""

from __future__ import annotations

from functools import partial
from shutil import get_terminal_size
from typing import Any

from typer.core import TyperCommand, TyperGroup

_WIDEST = 24  # columns of names beside their help; wider ones stand above it
_OPTIONS = "Options"


class _Light:
    """A command that has typer convert only what has to be converted.

    From 0.29 on, typer loads pydantic for any value, be it text or left out: a quarter of what a chat takes
    to begin.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for param in self.get_params(ctx):  # type: ignore[attr-defined]  # of typer's command
            kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
            if kind is not None:
                param.process_value = partial(_process_value, param, kind, param.process_value)
        return super().parse_args(ctx, args)  # type: ignore[misc, no-any-return]  # of typer's command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.width = min(formatter.width, get_terminal_size().columns)  # click's has 50 at least
        super().format_help(ctx, formatter)  # type: ignore[misc]  # of typer's command


def _process_value(param: Any, kind: object, convert: Any, context: Any, value: Any) -> Any:
    is_text = kind is str and isinstance(value, str)
    is_texts = kind == list[str] and value and isinstance(value, list | tuple)
    if not (is_text or is_texts or (value is None and not param.required)):
        return convert(context, value)
    if value is None and (param.multiple or param.nargs == -1):
        value = ()
    return value if param.callback is None else param.callback(context, param, value)


class Command(_Light, TyperCommand):
    """A command whose help has the groups of its options (`rich_help_panel`) as sections."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [param for param in self.get_params(ctx) if param.param_type_name == "argument"]
        names = [_named(one) if one.required else f"[{_named(one)}]" for one in arguments]
        return [f"[{_OPTIONS.upper()}]", *names]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], _OPTIONS: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and param.param_type_name == "argument":
                sections["Arguments"].append((_named(param), record[1]))
            elif record is not None:
                panel = getattr(param, "rich_help_panel", None) or _OPTIONS
                sections.setdefault(panel, []).append(record)
        for name, records in sections.items():
            _write(name, records, formatter)


class Group(_Light, TyperGroup):
    """Commands whose help says of each what it does, in a whole sentence; it is what no word asks for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        records = [param.get_help_record(ctx) for param in self.get_params(ctx)]
        _write(_OPTIONS, [record for record in records if record is not None], formatter)
        commands = [
            (name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))
        ]
        told = [
            (name, (command.help or "").partition("\n\n")[0].replace("\n", " ")) for name, command in commands
        ]
        _write("Commands", told, formatter)


def _named(argument: Any) -> str:
    """Return how an argument is called, without its type."""
    name = (argument.metavar or argument.name.upper()).strip("[]")
    return name if argument.nargs == 1 or name.endswith("...") else f"{name}..."


def _write(title: str, records: list[tuple[str, str]], formatter: Any) -> None:
    if records:
        with formatter.section(title):
            formatter.write_dl(records, col_max=min(_WIDEST, formatter.width // 3))
