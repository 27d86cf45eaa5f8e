"""`g4fsdk doctor`: whether providers answer as they should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._terminal.output import write, write_document, write_table
from g4fsdk.cli._terminal.waiting import Waiting
from g4fsdk.cli._words import options
from g4fsdk.cli._words.target import Said, Target, working
from g4fsdk.testing._cassette.errors import CassetteError

if TYPE_CHECKING:
    from g4fsdk.cli.examined import Examined
    from g4fsdk.testing._cassette.cassette import Cassette


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROVIDER...",
            help="Ask these. Without any: all that are known to work, and whom the environment or your "
            "settings name, with a model.",
        ),
    ] = None,
    endpoint: options.Endpoints = None,
    model: options.Model = None,
    base_url: options.BaseURL = None,
    api_key: options.APIKey = None,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            help="Give each so many seconds, all in all.",
            metavar="SECONDS",
            rich_help_panel="Network",
        ),
    ] = 30.0,
    proxy: options.Proxy = None,
    cassettes: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="Compare the shape of the answers with these recordings, too.",
            metavar="FILE|FOLDER",
            rich_help_panel="Recording",
        ),
    ] = None,
    as_json: options.AsJSON = False,
) -> None:
    """Ask each provider one small thing, all at once, and say what is wrong, if anything is.

    Whether it can be reached, or sends a challenge page; whether its answer has the shape that is read, or
    the one that was recorded; how long the first token took; who vouches for it, for how many days yet; and
    the proxy on the way. Exit code 0: all is fine, 1: something is not.
    """
    import asyncio

    from g4fsdk.cli.examined import examine_all

    said = Said.read(names, model, base_url, api_key, None, None, proxy, endpoint)
    recordings = None if cassettes is None else _loaded(cassettes)
    with Waiting():
        found = asyncio.run(examine_all(_each(said), timeout, recordings))
    if as_json:
        write_document([asdict(one) for one in found])
    else:
        _show(found)
    if any(one.findings for one in found):
        raise typer.Exit(1)


def _each(said: Said) -> list[Target]:
    """Return whom to ask, each alone. Raises UsageError for a model missing."""
    if said.names_somebody:
        return said.target().with_model().each()
    usual = replace(said, providers=working()).target()
    own = [one for one in said.target().each() if one.names[0] not in usual.names and one.has_model]
    return [*usual.each(), *own]


def _loaded(source: Path) -> Sequence[Cassette]:
    from g4fsdk.testing._cassette.sources import load_sessions

    try:
        return load_sessions(source)
    except CassetteError as error:
        raise UsageError(str(error)) from error


def _show(found: Sequence[Examined]) -> None:
    write_table([_row(one) for one in found])
    for one in found:
        write("".join(f"{one.provider}: {text}\n" for text in one.findings))
        write("".join(f"{one.provider}: new: {text}\n" for text in one.notes))


def _row(one: Examined) -> dict[str, Any]:
    return {
        "provider": one.provider,
        "fine": not one.findings,
        "reachable": one.reachable,
        "challenge": one.challenge,
        "shape": one.shape,
        "first token": None if one.first_token_ms is None else f"{one.first_token_ms} ms",
        "certificate": one.certificate,
        "proxy": one.proxy,
    }
