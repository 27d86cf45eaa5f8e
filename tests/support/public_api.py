"""What is public, a line a name, as its source has it: `python -m tests.support.public_api` writes it down.

A class comes with the attributes that its methods set, and with what it inherits from private classes.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

from g4fsdk import AsyncClient, Client, Completion

LIST = Path(__file__).parents[1] / "public_api.txt"
MODULES = (
    "g4fsdk",
    "g4fsdk.parsers",
    "g4fsdk.providers",
    "g4fsdk.g4f",
    "g4fsdk.testing",
    "g4fsdk.testing.strategies",
    "g4fsdk.integrations.dask",
    "g4fsdk.integrations.otel",
)
#: Classes that callers meet and don't name.
REACHED = {
    Client: "Chats Completions Images Models CallOptions ParseOptions ClientOptions",
    AsyncClient: "Chats Completions Images Models",
    Completion: "Choice AssistantMessage AnswerHead",
}


def public_api() -> Iterator[str]:
    """Give a line for each public name, and one for each of what a class has."""
    for module in map(import_module, MODULES):
        for name in sorted(getattr(module, "__all__", ["cassettes", "cuts"])):
            yield from described(f"{module.__name__}.{name}", getattr(module, name))
    for owner, names in REACHED.items():
        for name in names.split():
            yield from described(f"({owner.__name__}) {name}", vars(sys.modules[owner.__module__])[name])


def described(name: str, value: object) -> Iterator[str]:
    if isinstance(value, type):
        yield f"{name} = class({', '.join(kind.__name__ for kind in value.__bases__)})"
        yield from (f"{name}.{member}" for member in sorted(members(value)))
    elif isinstance(value, FunctionType):
        yield f"{name}{signature(tree(value))}"
    else:
        yield f"{name} = {'module' if isinstance(value, ModuleType) else type(value).__name__}"


def members(kind: type) -> set[str]:
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        for node in tree(base).body if base is kind or is_private(base) else ():
            found |= dict(member(node))
    return {
        line for name, line in found.items() if not name.startswith("_") or name in ("__init__", "__iter__")
    }


@cache
def is_private(kind: type) -> bool:
    module = kind.__module__
    return module.startswith("g4fsdk") and not any(
        hasattr(import_module(name), kind.__name__) for name in MODULES
    )


def member(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Give the name and the line of what a statement of a class's body makes."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            if "overload" not in marks:
                yield node.name, f"{node.name}{signature(node)}{' '.join(['', *marks])}"
            yield from attributes(node)
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name, ast.unparse(node)
        case ast.Assign(targets=[ast.Name(id=name)]):
            yield name, name


def attributes(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, str]]:
    """Give the annotated attributes that *method* sets, and those that are parameters of the same name."""
    kinds = {arg.arg: arg.annotation for arg in (*method.args.args, *method.args.kwonlyargs)}
    for node in ast.walk(method):
        match node:
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name), annotation=kind):
                yield name, f"{name}: {ast.unparse(kind)}"
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=ast.Name(id=same)
            ):
                if given := kinds.get(same):
                    yield name, f"{name}: {ast.unparse(given)}"


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        return ""
    is_async = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(node.args)}){returns} {is_async}".rstrip()


def tree(value: type | FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef:
    [node] = ast.parse(textwrap.dedent(inspect.getsource(value))).body
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    return node


if __name__ == "__main__":
    LIST.write_text("".join(f"{line}\n" for line in public_api()), encoding="utf-8")
