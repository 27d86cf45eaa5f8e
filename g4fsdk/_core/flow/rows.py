"""The rows of a batch: what each asks, and how fast they may be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from g4fsdk._core.model.chat import Messages
from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.options import ChatOptions

#: A text, a list of messages, a row as OpenAI's batch files have them, or `{"id": ..., "prompt": ...}`.
Row: TypeAlias = Messages | Mapping[str, Any]

_SHAPES = 'a text, a list of messages, {"custom_id": ..., "body": {...}}, or {"id": ..., "prompt": ...}'
_BATCH_KEYS = frozenset({"custom_id", "method", "url", "body"})
_PROMPT_KEYS = frozenset({"id", "prompt"})
#: Names of a body that `create` has, too; all others go out in `extra_body`, as they are.
_NAMES = frozenset(ChatOptions.__annotations__) - {"extra_body", "extra_headers", "extra_query", "chat_id"}
_STREAMED = frozenset({"stream", "stream_options"})  # the answers of a batch are whole
_SECONDS = {"s": 1, "min": 60, "h": 3600}


class Asked(msgspec.Struct, frozen=True):
    """What a row asks: its name, where it has one, and the arguments of `create`."""

    id: str | None
    call: Mapping[str, Any]


def read_row(row: Any, options: Mapping[str, Any] | None = None) -> Asked:
    """Return what *row* asks; *options* are for what it does not say itself.

    Raises:
        UsageError: It is none of the shapes that a row may have.
    """
    name: str | None
    call: dict[str, Any]
    match row:
        case str():
            name, call = None, {"messages": row}
        case {"body": body}:
            _only(row, _BATCH_KEYS)
            name, call = _name(row.get("custom_id")), _body(row, body)
        case {"prompt": prompt}:
            _only(row, _PROMPT_KEYS)
            name, call = _name(row.get("id")), {"messages": _messages(prompt)}
        case _:
            name, call = None, {"messages": _messages(row)}
    return Asked(name, _merged(options or {}, call))


def _only(row: Mapping[Any, Any], known: frozenset[str]) -> None:
    odd = [name for name in row if name not in known]
    if odd:
        raise UsageError(
            f"a row with {', '.join(sorted(known & row.keys()))} has no {odd[0]!r}; options go into its body"
        )


def _name(name: object) -> str | None:
    match name:
        case None | str():
            return name
        case int() if not isinstance(name, bool):
            return str(name)
    raise UsageError(f"the id of a row is text or a number, not {name!r}")


def _messages(messages: object) -> object:
    if not isinstance(messages, Sequence) or isinstance(messages, bytes | bytearray):
        raise UsageError(f"a row is {_SHAPES}, not {type(messages).__name__}")
    return messages


def _body(row: Mapping[Any, Any], body: object) -> dict[str, Any]:
    method, url = row.get("method", "POST"), row.get("url", "/v1/chat/completions")
    if method != "POST" or not str(url).endswith("/chat/completions"):
        raise UsageError(f"a row asks for POST /v1/chat/completions, not for {method} {url}")
    if not isinstance(body, Mapping) or "messages" not in body:
        raise UsageError("the body of a row is a mapping with messages")
    call = {name: body[name] for name in body.keys() & (_NAMES | {"model"})}
    rest = {name: body[name] for name in body if name not in {"messages", "model"} | _NAMES | _STREAMED}
    extra = {"extra_body": rest} if rest else {}
    return {"messages": _messages(body["messages"]), **call, **extra}


def _merged(options: Mapping[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    merged = {**options, **call}
    if isinstance(given := options.get("extra_body"), Mapping) and "extra_body" in call:
        merged["extra_body"] = {**given, **call["extra_body"]}
    return merged


def checked_rows(rows: object) -> Any:
    """Return *rows*. Raises UsageError for what is a single row."""
    if isinstance(rows, str | bytes | Mapping) or not (
        hasattr(rows, "__iter__") or hasattr(rows, "__aiter__")
    ):
        raise UsageError(f"rows are several, each {_SHAPES}, not {type(rows).__name__}")
    return rows


def checked_concurrency(concurrency: object) -> int:
    """Return *concurrency*. Raises UsageError for what is no number of calls."""
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise UsageError(f"concurrency must be a number of calls like 8, not {concurrency!r}")
    return concurrency


def read_rate(rate: object) -> tuple[int, int]:
    """Return how many calls *rate* lets begin, and in how many seconds.

    Raises:
        UsageError: It is none of `N/s`, `N/min` and `N/h`.
    """
    found = re.fullmatch(r"\s*([1-9]\d{0,8})\s*/\s*(s|min|h)\s*", rate) if isinstance(rate, str) else None
    if found is None:
        raise UsageError(f"a rate is N/s, N/min or N/h, for instance 60/min, not {rate!r}")
    return int(found[1]), _SECONDS[found[2]]
