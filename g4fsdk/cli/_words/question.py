"""What is asked: the prompt, from the line and from stdin, and what else a call takes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from g4fsdk._core.model.chat import Content
from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._words.attachments import Attachments, too_large

if TYPE_CHECKING:
    from g4fsdk.cli._words.schema import Schema

MAX_PIPED = 16 << 20  # bytes: some four million tokens, which no model takes
_HAVE_THEIR_OWN = {"messages": "PROMPT", "prompt": "PROMPT", "model": "--model", "stream": "--no-stream"}


class Question(msgspec.Struct, frozen=True):
    """What the words of the command ask. *settings* are options of `create`, by name."""

    prompt: str | None
    system: str | None
    settings: dict[str, Any]
    attachments: Attachments = Attachments()
    schema: Schema | None = None

    @classmethod
    def read(
        cls,
        prompt: str | None,
        system: str | None,
        settings: list[str] | None,
        attached: list[str] | None = None,
        schema: Path | None = None,
    ) -> Self:
        """Raises UsageError for a setting, a file or a schema that is none."""
        prompt, system = (text and as_typed(text) for text in (prompt, system))
        attachments, asked = Attachments.read(attached or ()), read_settings(settings)
        if schema is None:
            return cls(prompt, system, asked, attachments)
        from g4fsdk.cli._words.schema import Schema

        wanted = Schema.read(schema)
        return cls(prompt, system, wanted.option() | asked, attachments, wanted)

    def call(self) -> dict[str, Any]:
        """Return the arguments of `create`; what is piped in follows the prompt, and what is attached both.

        Raises:
            UsageError: Nothing is asked.
        """
        said = read_prompt(self.prompt)
        if not said and not self.attachments:
            raise UsageError('there is no prompt: g4fsdk chat "Hello", or pipe one in')
        return {"messages": as_messages(self.attachments.beside(said), self.system), **self.settings}


def as_typed(text: str) -> str:
    """Return the word *text* of the command as it was typed: in UTF-8, whatever Python takes the locale for.

    Raises:
        UsageError: It is no text.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError as error:
        raise UsageError(f"this is not UTF-8 text: {text!r}") from error


def read_settings(settings: list[str] | None) -> dict[str, Any]:
    """Return name=value pairs as keyword arguments. Raises UsageError for what is no pair."""
    return dict(map(_read_setting, map(as_typed, settings or ())))


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
    """Return *prompt*, a blank line and what is piped in; any may be missing.

    Raises:
        UsageError: Stdin holds no text, or too much.
    """
    return "\n\n".join(part for part in (prompt, _piped()) if part)


def _piped() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    data = sys.stdin.buffer.read(MAX_PIPED + 1)
    if len(data) > MAX_PIPED:
        raise UsageError(too_large("stdin", "text", MAX_PIPED))
    try:
        return data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"stdin is not UTF-8 text: {error.reason} at byte {error.start}") from error


def as_messages(said: Content, system: str | None) -> list[dict[str, Any]]:
    """Return what is *said* as a list of messages, after *system* where it is given."""
    before = [{"role": "system", "content": system}] if system else []
    return [*before, {"role": "user", "content": said}]
