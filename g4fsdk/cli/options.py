"""Options that several commands have, and how their values and the prompt are read."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from g4fsdk._core.model.errors import UsageError

if TYPE_CHECKING:
    from g4fsdk.testing._replay.planned import Pace

_WHOM = "Whom to ask"

Providers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--provider",
        metavar="NAME",
        help="Ask this provider. Give it again to name the ones to try when it fails.",
        rich_help_panel=_WHOM,
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        help="Ask for this model. Without a provider, those that list it are tried.",
        rich_help_panel=_WHOM,
    ),
]
BaseURL: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Ask at this address, such as http://localhost:11434/v1. Without -p the provider is openai.",
        metavar="URL",
        rich_help_panel=_WHOM,
    ),
]
APIKey: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Send this key. Without it, provider openai gets G4FSDK_API_KEY at G4FSDK_BASE_URL, "
        "OPENAI_API_KEY at OPENAI_BASE_URL; where those are not set, at OpenAI's own address. No key of the "
        "environment goes anywhere else.",
        metavar="KEY",
        rich_help_panel=_WHOM,
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        help="Give up when nothing came for so many seconds.",
        metavar="SECONDS",
        rich_help_panel="Network",
    ),
]
Retries: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=0, help="How often to try, all in all; 3 if not given.", metavar="N", rich_help_panel="Network"
    ),
]
Proxy: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Go through this proxy, like http://user:password@host:port.",
        metavar="URL",
        rich_help_panel="Network",
    ),
]
Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="Set an option, such as temperature=0.2. The value is JSON, or else text. Repeatable.",
    ),
]
AsJSON: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]

PaceText: TypeAlias = Annotated[
    str,
    typer.Option(
        help="How fast to play it: as recorded, instant, or a factor on the recorded waits.",
        metavar="instant|recorded|FACTOR",
        rich_help_panel="Recording",
    ),
]

_HAVE_THEIR_OWN = {"messages": "PROMPT", "prompt": "PROMPT", "model": "--model", "stream": "--no-stream"}


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


def read_pace(text: str) -> Pace:
    """Return the pace that *text* names. Raises UsageError for anything else."""
    named: dict[str, Pace] = {"instant": "instant", "recorded": "recorded"}
    if text in named:
        return named[text]
    try:
        factor = float(text)
    except ValueError:
        factor = -1.0
    if not 0 <= factor < float("inf"):
        raise UsageError(f"--pace takes instant, recorded, or a factor such as 0.5, not {text!r}")
    return factor


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
