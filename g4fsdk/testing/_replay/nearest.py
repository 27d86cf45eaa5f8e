"""Says why a request fits no recorded one: the nearest, and what differs, in lines that people read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from g4fsdk.testing._cassette.match import url_meaning
from g4fsdk.testing._cassette.paths import JSON
from g4fsdk.testing._cassette.values import RecordedRequest
from g4fsdk.testing._replay.matching import Matching, TreeOf

MAX_SHOWN = 8  # differences in one message
MAX_VALUE = 100  # characters of a value
MAX_COMPARED = 500  # recorded requests; a message is no reason to wait seconds

_ABSENT = object()


def _whole(number: int, request: RecordedRequest) -> dict[str, JSON]:
    return Matching().tree(request, frozenset())


def explain_mismatch(
    sent: RecordedRequest,
    unplayed: Sequence[tuple[int, RecordedRequest]],
    played: Iterable[tuple[int, RecordedRequest]],
    *,
    tree: TreeOf = _whole,
) -> str:
    """Return the text of a `MismatchError`.

    *unplayed* and *played* are the recorded requests with their places in the session; all requests,
    *sent* too, have their secrets removed already. *tree* says what is compared of a request, as of the one
    at a place.
    """
    lines = ["no recorded interaction answers this request:", f"  {request_line(sent)}"]
    used = [
        f"interactions[{n}]" for n, one in islice(played, MAX_COMPARED) if _same(tree(n, sent), tree(n, one))
    ]
    if used:
        lines.append(f"it was recorded, and played already, as {', '.join(used)}")
    if not unplayed:
        return "\n".join([*lines, "no recorded interaction is left"])
    number, nearest, found = _nearest(sent, unplayed, tree)
    told = [f"  {difference}" for difference in found[:MAX_SHOWN]]
    told += [f"  ... and {len(found) - MAX_SHOWN} more"] if len(found) > MAX_SHOWN else []
    # The differences first: some who show this cut it.
    lines += [
        "what differs:" if found else "nothing differs, but match_on= says that it is another",
        *told,
        f"from the nearest recorded request, interactions[{number}]:",
        f"  {request_line(nearest)}",
    ]
    return "\n".join(lines)


def _same(one: dict[str, JSON], other: dict[str, JSON]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _nearest(
    sent: RecordedRequest, unplayed: Sequence[tuple[int, RecordedRequest]], tree: TreeOf
) -> tuple[int, RecordedRequest, list[str]]:
    compared = [
        (n, one, list(differences(tree(n, sent), tree(n, one)))) for n, one in unplayed[:MAX_COMPARED]
    ]
    return min(compared, key=lambda one: (_path(sent) != _path(one[1]), len(one[2])))


def _path(request: RecordedRequest) -> JSON:
    return [request.method, url_meaning(request.url, with_origin=False)["path"]]


def differences(sent: dict[str, JSON], recorded: dict[str, JSON]) -> Iterator[str]:
    """Yield one line for each field in which requests, as trees, differ."""
    has_body, had_body = (tree.get("body") is not None for tree in (sent, recorded))
    if has_body != had_body:
        yield f"body: {'one was sent, and none' if has_body else 'none was sent, and one'} is recorded"
        sent, recorded = ({**tree, "body": None} for tree in (sent, recorded))
    ours, theirs = _fields(_named(sent)), _fields(_named(recorded))
    for place in [*ours, *(place for place in theirs if place not in ours)]:
        was_sent, was_recorded = ours.get(place, _ABSENT), theirs.get(place, _ABSENT)
        if _is_opened(place, was_sent, theirs) or _is_opened(place, was_recorded, ours):
            continue
        if was_sent != was_recorded or type(was_sent) is not type(was_recorded):
            yield f"{_shorten(place)}: {_compared(was_sent, was_recorded)}"


def _is_opened(place: str, value: object, others: Iterable[str]) -> bool:
    """Tell whether *value* is nothing but empty where the other request has places, which say more."""
    return value in ({}, []) and any(other.startswith((f"{place}.", f"{place}[")) for other in others)


def _compared(sent: object, recorded: object) -> str:
    if recorded is _ABSENT:
        return f"{_show(sent)} was sent, and is not recorded"
    if sent is _ABSENT:
        return f"{_show(recorded)} is recorded, and was not sent"
    return f"sent {_show(sent)}, recorded {_show(recorded)}"


def _named(tree: dict[str, JSON]) -> dict[str, JSON]:
    """Return *tree* with the values of query, headers and form under their names, where there are any."""
    named: dict[str, JSON] = {}
    for part, value in tree.items():
        match value:
            case dict() if "query" in value:
                named[part] = {name: each for name, each in value.items() if name != "query"}
                named |= {"query": _by_name(value["query"])} if value["query"] else {}
            case {"form": form}:
                named[part] = {"form": _by_name(form)}
            case list():
                named[part] = _by_name(value)
            case _:
                named[part] = value
    return named


def _by_name(pairs: JSON) -> dict[str, JSON]:
    values: dict[str, list[JSON]] = {}
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list):
            values.setdefault(str(pair[0]), []).append(pair[1])
    return {name: found[0] if len(found) == 1 else [*found] for name, found in values.items()}


def _fields(tree: JSON) -> dict[str, object]:
    return {place.removeprefix("."): value for place, value in _flatten("", tree)}


def _flatten(place: str, value: JSON) -> Iterator[tuple[str, object]]:
    match value:
        case dict() if value:
            for name, inner in value.items():
                yield from _flatten(f"{place}.{name}", inner)
        case list() if value:
            for i, inner in enumerate(value):
                yield from _flatten(f"{place}[{i}]", inner)
        case _:
            yield place, value


def _show(value: object) -> str:
    return _shorten(repr(value) if isinstance(value, str) else json.dumps(value))


def request_line(request: RecordedRequest) -> str:
    """Return *request*, its secrets removed already, as one line of text."""
    body = request.body.decode("utf-8", "backslashreplace")
    return f"{request.method} {_shorten(request.url, 200)}" + (f"  {_shorten(body)}" if body else "")


def _shorten(text: str, limit: int = MAX_VALUE) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
