"""`g4fsdk config`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from g4fsdk.cli._kept.config import config_path, known_settings, settings_in, store, written
from g4fsdk.cli._terminal.output import say, write, write_document
from g4fsdk.cli._terminal.usage import Group
from g4fsdk.cli._words import options
from g4fsdk.cli._words.question import as_typed

app: typer.Typer = typer.Typer(
    name="config", cls=Group, help="Show and change what is meant where a command says nothing."
)


@app.command()
def show(as_json: options.AsJSON = False) -> None:
    """Print what is set, a line each."""
    document = written()
    if as_json:
        write_document(document)
        return
    settings = settings_in(document)
    write(
        "".join(f"{'.'.join(names)} = {json.dumps(value, ensure_ascii=False)}\n" for names, value in settings)
    )
    if not document:
        say(f"nothing is set in {config_path()}; known: {', '.join(known_settings())}")


@app.command("set")
def set_(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Such as defaults.model, or endpoints.local.base_url.")
    ],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What it is from now on; '' takes it out.")],
) -> None:
    """Set one thing: g4fsdk config set endpoints.local.base_url http://localhost:8000/v1

    defaults.provider, defaults.model and defaults.base_url say whom to ask where neither the command, nor the
    environment does; defaults.log false keeps no chats. endpoints.NAME.provider, .base_url, .model and
    .api_key_env, the NAME of the variable that holds the key, are asked with -e NAME.
    """
    store(as_typed(name), as_typed(value))


@app.command()
def path() -> None:
    """Print where the file is. G4FSDK_HOME names another folder."""
    write(f"{config_path()}\n")
