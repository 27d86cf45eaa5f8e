"""Places in a JSON document, as JSONPath writes them: `$.metadata.time`, `$.items[*].id`, `$['a name']`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from g4fsdk._core.model.errors import UsageError

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
#: Names and indexes; None stands for each one there is.
Path: TypeAlias = tuple[str | int | None, ...]

#: The name under which a document stands that was found as base64 in a string.
UNFOLDED = "(base64)"
_STEP = re.compile(
    r"""\.(?P<name>[^\s.\[\]'"*]+) | \[(?P<index>-?\d+)\] | \[(?P<quote>['"])(?P<quoted>.+?)(?P=quote)\]
    | (?P<each>\.\*|\[\*\])""",
    re.VERBOSE,
)


def read_path(text: str) -> Path:
    """Return the steps of *text*. Raises UsageError when it is no path."""
    steps: list[str | int | None] = []
    at = 1
    while text.startswith("$") and at < len(text) and (found := _STEP.match(text, at)):
        index = found["index"]
        steps.append(int(index) if index else found["name"] or found["quoted"])
        at = found.end()
    if not text.startswith("$") or at < len(text):
        raise UsageError(
            f"{text!r} is no path into a JSON body at {text[at:] or text!r}; expected '$', then names and "
            "indexes, like '$.metadata.time', '$.items[0]', '$.items[*].id', \"$['a name']\""
        )
    return tuple(steps)


def _anything(value: JSON) -> bool:
    return True


def without(value: JSON, path: Path, is_meant: Callable[[JSON], bool] = _anything) -> JSON:
    """Return *value* without what *path* leads to, where *is_meant* says so of it.

    An element of a list leaves None, so that the others keep their places; all of them leave an empty list.
    """
    if not path:
        return value
    match value:
        case {"(base64)": inner}:
            return {UNFOLDED: without(inner, path, is_meant)}
        case dict():
            return _without_name(value, path, is_meant)
        case list():
            return _without_element(value, path, is_meant)
    return value


def _without_name(value: dict[str, JSON], path: Path, is_meant: Callable[[JSON], bool]) -> JSON:
    step, rest = path[0], path[1:]
    names: Iterable[str] = value if step is None else [step] if isinstance(step, str) else ()
    found = [name for name in names if name in value]
    if rest:
        return {**value, **{name: without(value[name], rest, is_meant) for name in found}} if found else value
    dropped = {name for name in found if is_meant(value[name])}
    return {name: inner for name, inner in value.items() if name not in dropped} if dropped else value


def _without_element(value: list[JSON], path: Path, is_meant: Callable[[JSON], bool]) -> JSON:
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        return value
    if step is None and not rest:
        return [inner for inner in value if not is_meant(inner)]
    chosen = range(len(value)) if step is None else range(len(value))[step : step + 1 or None]
    kept = [*value]
    for i in chosen:
        if rest:
            kept[i] = without(value[i], rest, is_meant)
        elif is_meant(value[i]):
            kept[i] = None
    return kept
