"""The whole command line."""

from __future__ import annotations

import typer

from g4fsdk.cli.commands import make_app

app: typer.Typer = make_app()
