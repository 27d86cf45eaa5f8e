"""What an answer has to be, as a JSON Schema says it. Whether it fits, jsonschema tells (extra `schema`)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Self

import msgspec

from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import ProtocolError, UsageError
from g4fsdk.cli._terminal.output import say

_LONGEST = 200  # characters of what is wrong: it quotes the answer
_UNCHECKED = "g4fsdk: the answer is JSON; whether it fits, pip install 'g4fsdk[schema]' lets it tell"


class Schema(msgspec.Struct, frozen=True):
    """The JSON Schema in the file *path*; *validator* is jsonschema's, None where that is not installed."""

    path: Path
    document: dict[str, Any]
    validator: Any

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises UsageError for a file that is no JSON, or no schema."""
        try:
            document = json.loads(path.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise UsageError(
                f"{path} holds no JSON Schema, which is an object, but {type(document).__name__}"
            )
        return cls(path, document, _validator(path, document))

    def option(self) -> dict[str, Any]:
        """Return what asks for it, as an option of `create`."""
        name = str(self.document.get("title") or self.path.stem)
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64]  # all that OpenAI takes
        wanted = {"name": name, "schema": self.document}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}

    def check(self, completion: Completion) -> None:
        """Raises ProtocolError for an answer that is no JSON, or does not fit."""
        try:
            problem = self._problem(msgspec.json.decode(completion.text))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            problem = f"is not JSON: {error}"
        if problem:
            reason = completion.choices[0].finish_reason
            message = f"the answer {problem} (finish reason: {reason})"
            raise ProtocolError(message, excerpt=completion.text.encode())

    def _problem(self, answer: Any) -> str:
        if self.validator is None:
            say(_UNCHECKED)
            return ""
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        try:
            found = best_match(self.validator.iter_errors(answer))
        except Unresolvable as error:
            raise UsageError(f"{self.path} refers to what is not in it: {error.ref}") from error
        return f"does not fit {self.path}: {_shown(found)}" if found else ""


def _validator(path: Path, document: dict[str, Any]) -> Any:
    """Return what checks answers, or None. What *document* refers to elsewhere is not fetched."""
    try:
        from jsonschema import Draft202012Validator, SchemaError, validators
        from jsonschema_specifications import REGISTRY
    except ModuleNotFoundError:
        return None
    kind = validators.validator_for(document, default=Draft202012Validator)
    try:
        kind.check_schema(document)
    except SchemaError as error:
        raise UsageError(f"{path} is no JSON Schema: {_shown(error)}") from error
    return kind(document, registry=REGISTRY)


def _shown(error: Any) -> str:
    """Return where in a document something is wrong, and what."""
    return f"{error.json_path}: {error.message[:_LONGEST]}"
