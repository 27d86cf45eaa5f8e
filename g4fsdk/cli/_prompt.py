"""The prompt: from the command line, from stdin, or both."""

from __future__ import annotations

import sys
from typing import Any

from g4fsdk._core.model.errors import UsageError


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
