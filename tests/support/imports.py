"""What a Python file imports, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, TypeAlias

Sources: TypeAlias = Mapping[str, str]  # by module name
#: Loaded when the module runs, for types alone, or only named in a string.
Kind: TypeAlias = Literal["run", "types", "string"]
Arrow: TypeAlias = tuple[str, Kind]  # what is imported, and how


@cache
def arrows_of(source: str) -> tuple[Arrow, ...]:
    """Return what *source* imports anywhere, and the modules of ours that it names in a string."""
    return tuple(_arrows(ast.parse(source).body, kind="run"))


def _arrows(nodes: list[Any], *, kind: Kind) -> Iterator[Arrow]:
    for node in nodes:
        match node:
            case ast.Import(names=names):
                yield from ((alias.name, kind) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((f"{module}.{alias.name}", kind) for alias in names)
            case ast.Constant(value=str(text)) if re.fullmatch(r"g4fsdk(\.\w+)+", text):
                yield text, "string"
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=orelse):
                yield from _arrows(body, kind="types")
                yield from _arrows(orelse, kind=kind)
            case ast.AST():
                yield from _arrows([*ast.iter_child_nodes(node)], kind=kind)


def prefixes(name: str) -> Iterator[str]:
    """Give the dotted *name* and the names of what holds it, the longest first."""
    while name:
        yield name
        name = name.rpartition(".")[0]
