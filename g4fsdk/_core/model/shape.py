"""OpenAI's JSON and back: what is named here becomes fields, all else stays as it stood, in `extra`."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self

import msgspec

from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.http import JSON


def split(value: Mapping[str, JSON], kinds: Mapping[str, type]) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """Return what of *value* has a name and the type in *kinds*, and all else but nulls."""
    rest = {key: item for key, item in value.items() if item is not None}
    named = {key: rest.pop(key) for key, kind in kinds.items() if type(rest.get(key)) is kind}
    return named, rest


def given(**fields: JSON) -> dict[str, JSON]:
    """Return those *fields* that are not None."""
    return {key: value for key, value in fields.items() if value is not None}


def nested(known: dict[str, JSON], extra: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return *known* with what stood beside it, or inside one of its mappings or lists."""
    return dict(known) | {key: _both(known.get(key), value) for key, value in extra.items()}


def _both(known: JSON, extra: JSON) -> JSON:
    if isinstance(known, dict) and isinstance(extra, dict):
        return nested(known, extra)
    if isinstance(known, list):
        return [*known, *(extra if isinstance(extra, list) else [extra])]
    return extra


def mappings(items: Iterable[JSON]) -> list[dict[str, JSON]]:
    """Return *items*. Raises UsageError when one is no mapping."""
    found = [*items]
    if not all(isinstance(item, dict) for item in found):
        raise UsageError(f"expected OpenAI's JSON, got a list with other things in it: {found!r}"[:300])
    return found


def as_json(value: object) -> str:
    """Return *value*, structs and what JSON knows, as JSON text."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # half a character, which only an escape can say
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))


class OpenAIShape:
    """What has the shape of an OpenAI object: JSON and back, and a mapping, so that web frameworks take it.

    Two are equal when they say the same.
    """

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return OpenAI's JSON."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> Self:
        """Read OpenAI's JSON. Raises UsageError when *value* is something else."""
        raise NotImplementedError

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return as_json(self.to_dict())

    def __getitem__(self, key: str) -> JSON:
        return self.to_dict()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def keys(self) -> KeysView[str]:
        return self.to_dict().keys()

    def values(self) -> ValuesView[JSON]:
        return self.to_dict().values()

    def items(self) -> ItemsView[str, JSON]:
        return self.to_dict().items()

    def get(self, key: str, default: JSON = None) -> JSON:
        return self.to_dict().get(key, default)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        """Let pydantic, and FastAPI with it, take this as the type of an answer."""
        from pydantic_core import core_schema

        def read(value: Any, _dict: object) -> Any:
            try:
                return value if isinstance(value, cls) else cls.from_dict(value)
            except UsageError as error:
                raise ValueError(error.message) from error  # which pydantic takes for a value that is wrong

        return core_schema.no_info_wrap_validator_function(
            read,
            core_schema.dict_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(
                cls.to_dict, return_schema=core_schema.dict_schema()
            ),
        )


# FastAPI takes no other class for the type of a body.
Mapping.register(OpenAIShape)  # pyright: ignore[reportAttributeAccessIssue]  # an ABCMeta has it
