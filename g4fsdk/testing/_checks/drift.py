"""What changed between the shapes of two sessions, in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from g4fsdk.testing._cassette.shape import Exchange, Fields, shape
from g4fsdk.testing._cassette.values import Session

Severity: TypeAlias = Literal["breaking", "new", "other"]
ORDER: Final[dict[Severity, int]] = {"breaking": 0, "new": 1, "other": 2}

READ_HEADERS: Final = frozenset({"set-cookie", "retry-after", "location"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: *where* (which request), what in plain words, and the *file* that reads it.

    *severity* is ``breaking`` when something that is read is gone or has another type, ``new`` when
    something came, ``other`` for what nobody reads, and for what the request was built of.
    """

    where: str
    text: str
    file: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.text} ({self.file})"


Found: TypeAlias = Iterator[tuple[Severity, str]]


def diff(old: Session, new: Session) -> list[Change]:
    """Return what changed in shape from *old* to *new*, the breaking changes first."""
    was, is_now = shape(old), shape(new)
    file = was.file
    before, after = ({each.where: each for each in one.exchanges} for one in (was, is_now))
    found = [
        Change(where, "this request is no longer made", file, "breaking") for where in before.keys() - after
    ]
    found += [Change(where, "this request is new", file, "new") for where in after.keys() - before]
    for where in before.keys() & after:
        found += [
            Change(where, text, file, how) for how, text in _compared(before[where], after[where], was.reads)
        ]
    return sorted(found, key=lambda change: (ORDER[change.severity], change.where, change.text))


def _compared(old: Exchange, new: Exchange, reads: frozenset[str]) -> Found:
    yield from _one_value("the status", old.statuses, new.statuses)
    yield from _one_value("the body's format", old.formats, new.formats)
    # Parsers go by what a body holds, as services label it in many ways.
    yield from _one_value("the content type", old.content_types, new.content_types, "other")
    # That the client left says nothing about the service.
    yield from _one_value("the end of the body", old.ends - {"client_closed"}, new.ends - {"client_closed"})
    old_markers, new_markers = old.markers - {"end of body"}, new.markers - {"end of body"}
    yield from _members(
        "the answer no longer ends with {}", "the answer now ends with {}", old_markers, new_markers
    )
    yield from _members("event type {} is gone", "new event type {}", old.kinds, new.kinds)
    yield from _members(
        "the header {} is gone", "new header {}", old.headers, new.headers, READ_HEADERS.__contains__
    )
    yield from _fields(old.request, new.request, lambda path: ("the request", "has"), lambda path: False)
    if old.formats & new.formats:  # else every key is another, and the format says it
        lasting = frozenset(field for field in old.answer if _kind(field[0]) in {"", *new.kinds})
        known = frozenset(field for field in new.answer if _kind(field[0]) in {"", *old.kinds})
        is_stream = bool(old.formats & {"SSE", "JSON lines"})
        yield from _fields(
            lasting, known, lambda path: _answer_words(path, is_stream), lambda path: _last_key(path) in reads
        )


def _kind(path: str) -> str:
    return path.partition(": ")[0] if ": " in path else ""


def _answer_words(path: str, is_stream: bool) -> tuple[str, str]:
    """Return who has the key *path*, and the verb."""
    if kind := _kind(path):
        return f"the answer's `{kind}` events", "have"
    return ("the answer's events", "have") if is_stream else ("the answer", "has")


def _one_value(
    subject: str, old: frozenset[str], new: frozenset[str], severity: Severity = "breaking"
) -> Found:
    if old and new and not old & new:
        yield severity, f"{subject} was {_either(old)} and is {_either(new)}"
    else:
        for value in sorted(new - old) if old else ():
            yield "new", f"{subject} can also be `{value}`"


def _either(values: frozenset[str]) -> str:
    return " or ".join(f"`{value}`" for value in sorted(values))


def _members(
    gone: str,
    came: str,
    old: frozenset[str],
    new: frozenset[str],
    is_read: Callable[[str], bool] = lambda name: True,
) -> Found:
    for name in sorted(old - new):
        yield "breaking" if is_read(name) else "other", gone.format(f"`{name}`")
    for name in sorted(new - old):
        yield "new", came.format(f"`{name}`")


def _last_key(path: str) -> str:
    return re.split(r"\.|: ", path)[-1].removesuffix("[]")


def _fields(
    old: Fields, new: Fields, words: Callable[[str], tuple[str, str]], is_read: Callable[[str], bool]
) -> Found:
    before, after = _types_by_path(old), _types_by_path(new)
    for path in _outermost(before.keys() - after):
        owner, verb = words(path)
        yield "breaking" if is_read(path) else "other", f"{owner} no longer {verb} `{_key(path)}`"
    for path in _outermost(after.keys() - before):
        owner, verb = words(path)
        yield "new", f"{owner} now {verb} `{_key(path)}`"
    for path in sorted(before.keys() & after):
        if before[path] and after[path] and not before[path] & after[path]:
            owner, _ = words(path)
            text = f"`{_key(path)}` in {owner} was {_either(before[path])} and is {_either(after[path])}"
            yield "breaking" if is_read(path) else "other", text


def _key(path: str) -> str:
    return path.rpartition(": ")[2]


def _types_by_path(fields: Fields) -> dict[str, frozenset[str]]:
    """Return the types of each path, without null, which says nothing about the others."""
    types: dict[str, frozenset[str]] = {}
    for path, name in fields:
        types[path] = types.get(path, frozenset()) | ({name} - {"null"})
    return types


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return *paths* in order, without those that lie in another of them."""
    outer = set(paths)
    return sorted(path for path in outer if outer.isdisjoint({*_containers(path)} - {path}))


def _containers(path: str) -> Iterator[str]:
    """Yield the paths that *path* lies in: ``a[].b`` in ``a[]`` and ``a``."""
    for cut in re.finditer(r"\[\]|\.", path):
        yield path[: cut.start()]
        yield path[: cut.start()] + "[]"
