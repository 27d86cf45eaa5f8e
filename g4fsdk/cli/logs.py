"""`g4fsdk logs`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from textwrap import shorten
from typing import Annotated, Any, TypeAlias

import typer
from msgspec.structs import asdict

from g4fsdk._core.model.chat import read_messages
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._kept.log import Kept, Log, Turn, log_path
from g4fsdk.cli._terminal.output import say, write, write_document, write_json_line, write_table
from g4fsdk.cli._terminal.usage import Group
from g4fsdk.cli._words import options
from g4fsdk.cli._words.question import as_typed

_ID_LETTERS = 8  # of an id, shown
_WIDTH = 60  # of a text that is only mentioned
_BEFORE = 20  # letters shown before what was searched

Limit: TypeAlias = Annotated[
    int, typer.Option("-n", min=0, metavar="N", help="No more than so many; 0: all.")
]


class _Commands(Group):
    """The commands of `logs`; without one, it lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        has_none = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if has_none else args)


app: typer.Typer = typer.Typer(
    name="logs",
    cls=_Commands,
    help="Read the chats that are kept, in logs.db beside the settings; without a command, list them.",
)


@app.command("list")
def list_(limit: Limit = 20, as_json: options.AsJSON = False) -> None:
    """List the conversations, the newest first."""
    found = Log().newest(limit)
    if as_json:
        write_document([_overview(kept) for kept in found])
    else:
        write_table([_row(kept) for kept in found])
    if not found:
        say(f"g4fsdk: nothing is kept in {log_path()} yet")


@app.command()
def show(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="The conversation, or the beginning of its id; else the last."),
    ] = None,
    as_json: options.AsJSON = False,
) -> None:
    """Print a conversation: who said what, and why an answer came no further."""
    found = Log().newest(1) if name is None else [Log().find(name)]
    if not found:
        raise UsageError(f"nothing is kept in {log_path()} yet")
    [kept] = found
    if as_json:
        write_document(kept.to_dict())
    else:
        write("\n".join(_told(kept)) + "\n")


@app.command()
def search(
    words: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help="What stands in a question or its answer.")
    ],
    limit: Limit = 20,
    as_json: options.AsJSON = False,
) -> None:
    """Find turns in which every word of TEXT stands, in whatever case, the newest first."""
    wanted = as_typed(" ".join(words)).split()
    if not wanted:
        raise UsageError("there is no word to search for")
    found = Log().search(wanted, limit)
    if as_json:
        write_document([{"conversation": name, **asdict(turn)} for name, turn in found])
    else:
        write_table([_found(name, turn, wanted[0]) for name, turn in found])
    if not found:
        say("g4fsdk: it stands in none of them")


@app.command()
def export(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="These conversations; else all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, a list.")] = False,
) -> None:
    """Print conversations as JSON, a line each, the oldest first."""
    log = Log()
    found = [log.find(name) for name in names] if names else log.newest(0)[::-1]
    if as_json:
        write_document([_exported(kept) for kept in found])
        return
    for kept in found:
        write_json_line(_exported(kept))


# --- A conversation, as it is shown ---


def _row(kept: Kept) -> dict[str, object]:
    last = kept.last
    return {
        "id": kept.id[:_ID_LETTERS],
        "when": _local(last.asked_at),
        "model": last.model,
        "turns": len(kept.turns),
        "about": _short(kept.title or kept.turns[0].prompt),
    }


def _overview(kept: Kept) -> dict[str, object]:
    first, last = kept.turns[0], kept.last
    whom = {"provider": last.provider, "endpoint": last.endpoint, "model": last.model}
    told = {"title": kept.title, "prompt": first.prompt, "turns": len(kept.turns)}
    return {"id": kept.id, "begun_at": first.asked_at, "asked_at": last.asked_at, **whom, **told}


def _found(name: str, turn: Turn, word: str) -> dict[str, object]:
    text = next(
        text for text in (turn.prompt, turn.answer, "") if word.casefold() in text.casefold() or not text
    )
    at = text.casefold().find(word.casefold())
    excerpt = _short(("…" if at > _BEFORE else "") + text[max(0, at - _BEFORE) :])
    return {"id": name[:_ID_LETTERS], "when": _local(turn.asked_at), "model": turn.model, "where": excerpt}


def _told(kept: Kept) -> Iterator[str]:
    """Yield who said what, a line each, under the time and whom it was said to."""
    from g4fsdk.cli._recordings.told import Told

    yield f"{kept.id}  {kept.title}".rstrip()
    for turn in kept.turns:
        where = f"replay of {turn.replay}" if turn.replay else turn.base_url
        yield f"\n{_local(turn.asked_at)}  {_whom(turn)} {turn.model}  {where}"
        asked = [(message.role, message.text) for message in read_messages(turn.messages)]
        choices = Completion.from_dict(turn.completion).choices if turn.completion else []
        parts = Told(asked, choices, turn.error).parts()
        yield from (f"{name}: {text}" for name, text in parts if name != "finish reason")


def _exported(kept: Kept) -> dict[str, object]:
    """Return *kept* with all that was said in it as OpenAI's messages."""
    said = [message for turn in kept.turns for message in [*turn.messages, *_answers(turn)]]
    return {**kept.to_dict(), "messages": said}


def _answers(turn: Turn) -> list[dict[str, Any]]:
    return [choice["message"] for choice in (turn.completion or {}).get("choices", [])[:1] if turn.answer]


def _whom(turn: Turn) -> str:
    return turn.endpoint or turn.provider


def _local(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def _short(text: str) -> str:
    return shorten(text, _WIDTH, placeholder="…")
