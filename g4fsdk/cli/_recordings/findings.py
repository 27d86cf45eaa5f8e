"""What checks and comparisons find: on stdout, and as an exit code for CI."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import typer

from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._terminal.output import write, write_document
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError

if TYPE_CHECKING:
    from g4fsdk.testing._checks.drift import Change

Finding: TypeAlias = Any  # a frozen dataclass whose str() is the line to print


def compare(old: Cassette, new: Cassette) -> list[Change]:
    """Return what changed in the service between two recordings."""
    from g4fsdk.testing._checks.drift import diff

    return diff(old, new)


def load_for_use(path: Path) -> Cassette:
    """Return the cassette at *path*. Raises UsageError when it is none, which is no finding."""
    try:
        return Cassette.load(path)
    except CassetteError as error:
        raise UsageError(str(error)) from error


def report(findings: Sequence[Finding], *, as_json: bool, fine: str) -> None:
    """Print *findings*, or *fine* when there are none.

    Raises:
        typer.Exit: With exit code 1: there are some.
    """
    if as_json:
        write_document([dataclasses.asdict(finding) for finding in findings])
    else:
        write("".join(f"{finding}\n" for finding in findings) or f"{fine}\n")
    if findings:
        raise typer.Exit(1)
