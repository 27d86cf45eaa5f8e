"""What is asked: the prompt, from the line and from stdin, and what else a call takes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any, Self

from g4fsdk._core.model.errors import UsageError

_HAVE_THEIR_OWN = {"messages": "PROMPT", "prompt": "PROMPT", "model": "--model", "stream": "--no-stream"}


@dataclass(frozen=True, slots=True)
class Question:
    """What the words of the command ask. *settings* are options of `create`, by name."""

    prompt: str | None
    system: str | None
    settings: dict[str, Any]

    @classmethod
    def read(cls, prompt: str | None, system: str | None, settings: list[str] | None) -> Self:
        """Raises UsageError for a setting that is none."""
        return cls(prompt, system, read_settings(settings))

    def call(self) -> dict[str, Any]:
        """Return the arguments of `create`; what is piped in follows the prompt.

        Raises:
            UsageError: Nothing is asked.
        """
        return {"messages": as_messages(read_prompt(self.prompt), self.system), **self.settings}


def read_settings(settings: list[str] | None) -> dict[str, Any]:
    """Return name=value pairs as keyword arguments. Raises UsageError for what is no pair."""
    return dict(map(_read_setting, settings or ()))


def _read_setting(setting: str) -> tuple[str, Any]:
    name, separator, value = setting.partition("=")
    if not name or not separator:
        raise UsageError(f"--option takes NAME=VALUE, for instance temperature=0.2, not {setting!r}")
    if name in _HAVE_THEIR_OWN:
        raise UsageError(f"{name!r} is not given with --option: use {_HAVE_THEIR_OWN[name]}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def read_prompt(prompt: str | None) -> str:
    """Return *prompt*, a blank line and what is piped in; one of them may be missing.

    Raises:
        UsageError: Both are missing, or stdin holds no text.
    """
    parts = [part for part in (prompt, _piped()) if part]
    if not parts:
        raise UsageError('there is no prompt: g4fsdk chat "Hello", or pipe one in')
    return "\n\n".join(parts)


def _piped() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"stdin is not UTF-8 text: {error.reason} at byte {error.start}") from error


def as_messages(prompt: str, system: str | None) -> list[dict[str, Any]]:
    """Return *prompt* as a list of messages, after *system* where it is given."""
    before = [{"role": "system", "content": system}] if system else []
    return [*before, {"role": "user", "content": prompt}]
