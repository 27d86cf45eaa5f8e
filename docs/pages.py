"""What pages take from the code: the commands with their options, and the figures of the benchmarks.

```{commands}
```
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from g4fsdk.cli.app import app

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "results.json"


def commands(command: Any, name: str = "g4fsdk") -> Iterator[str]:
    """Give the lines that describe *command* and those below it, in Markdown."""
    words = [shown for one in command.params if (shown := _argument(one))]
    yield from (
        f"## `{name}`",
        "",
        _prose(command.help or ""),
        "",
        "```text",
        " ".join([name, *words]),
        "```",
        "",
    )
    rows = [row for one in command.params if (row := _row(one))]
    if rows:
        yield from ("| option | |", "|---|---|", *rows, "")
    for below in sorted(getattr(command, "commands", {})):
        yield from commands(command.commands[below], f"{name} {below}")


def _argument(one: Any) -> str:
    if one.param_type_name != "argument":
        return ""
    name = one.metavar or f"{one.name.upper()}{'...' * (one.nargs == -1)}"
    return name if one.required or name.startswith("[") else f"[{name}]"


def _row(one: Any) -> str:
    if one.param_type_name != "option" or "--help" in one.opts:
        return ""
    names = ", ".join([*one.opts, *one.secondary_opts])
    takes = f" {one.metavar or one.opts[-1].strip('-').upper()}" if not one.is_flag else ""
    default = one.default if isinstance(one.default, str | int | float) and not one.is_flag else None
    said = f" Default: `{default}`." if default not in (None, "") else ""
    variable = f" Or the variable `{one.envvar}`." if one.envvar else ""
    return f"| `{_cell(names + takes)}` | {_cell(one.help or '')}{said}{variable} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _prose(text: str) -> str:
    return text.replace("\b", "").replace("{", "\\{")


def findings() -> Iterator[str]:
    """Give the lines of the table of all figures of the benchmarks, in Markdown."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    python, system, cores = (results["machine"][name] for name in ("python", "system", "cores"))
    yield f"One run of `{results['command']}` on {python}, {system}, {cores} cores:"
    yield from (f"{versions}.", "", "| what | | measured | goal | |", "|---|---|---|---|---|")
    for one in results["findings"]:
        figure = f"{one['measured']:.3g} {one['unit']}"
        cells = (one["row"], one["what"], figure, one["goal"] or "", one["verdict"] or "")
        yield f"| {' | '.join(map(_cell, cells))} |"


class Written(SphinxDirective):
    """A directive whose Markdown the code writes."""

    def run(self) -> list[nodes.Node]:
        lines = [*(commands(get_command(app)) if self.name == "commands" else findings())]
        container = nodes.section()
        container.document = self.state.document
        self.state.nested_parse(StringList(lines, source=self.name), 0, container, match_titles=True)
        return container.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("commands", Written)
    app.add_directive("findings", Written)
    return {"parallel_read_safe": True}
