"""Answers read into a type of the caller's: what is asked for, and what came."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any, Generic, TypeVar

import msgspec

from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import ProtocolError, UsageError
from g4fsdk._core.model.http import JSON

T = TypeVar("T")


class ParsedCompletion(Completion, Generic[T], kw_only=True, eq=False):
    """A complete answer, and what its text says as a value of the type asked for."""

    parsed: T


def format_of(kind: type) -> dict[str, JSON]:
    """Return the `response_format` that asks for a *kind*: a msgspec Struct, a dataclass or a pydantic model.

    Raises:
        UsageError: It is none of these, or holds what JSON Schema cannot say.
    """
    schema = _closed(_schema(kind))
    return {"type": "json_schema", "json_schema": {"name": kind.__name__, "schema": schema, "strict": True}}


def _schema(kind: Any) -> dict[str, JSON]:
    found = _schema_of(kind)
    named = found.pop("$ref", "").removeprefix("#/$defs/")
    return {**found["$defs"][named], **found} if named else found  # the outermost has to stand there itself


def _schema_of(kind: Any) -> dict[str, JSON]:
    if hasattr(kind, "__pydantic_validator__"):  # its models, and its dataclasses
        from pydantic import TypeAdapter

        found: dict[str, JSON] = TypeAdapter(kind).json_schema()
        return found
    if not (is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))):
        raise UsageError(
            f"response_format must be a msgspec Struct, a dataclass or a pydantic model, not {kind!r}"
        )
    try:
        return msgspec.json.schema(kind)
    except TypeError as error:
        raise UsageError(f"{kind!r} cannot be said as JSON Schema: {error}") from error


def _closed(schema: JSON) -> JSON:
    """Return *schema* with every object closed and all its keys required, as OpenAI's strict mode has it."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _closed(item) for key, item in schema.items() if key != "default"}
    if isinstance(found.get("properties"), dict):
        found |= {"additionalProperties": False, "required": [*found["properties"]]}
    return found


def parsed_as(kind: type[T], completion: Completion) -> ParsedCompletion[T]:
    """Return *completion* with its text read as a *kind*. Raises ProtocolError when it does not fit."""
    fields = {name: getattr(completion, name) for name in completion.__struct_fields__}
    return ParsedCompletion(**fields, parsed=_read(kind, completion))


def _read(kind: Any, completion: Completion) -> Any:
    text = completion.text
    try:
        if hasattr(kind, "__pydantic_validator__"):
            return kind.__pydantic_validator__.validate_json(text)
        return msgspec.json.decode(text, type=kind)
    except (
        ValueError,
        msgspec.DecodeError,
        RecursionError,
    ) as cause:  # msgspec 0.19 has its own
        said = completion.choices[0].message.refusal or str(cause)
        error = ProtocolError(f"the answer does not fit {kind.__name__}: {said}", excerpt=text.encode())
        error.provider = completion.provider
        error.of_stream(text, completion.conversation, completion)
        raise error from cause
