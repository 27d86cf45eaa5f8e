"""`g4fsdk cassette`: looking at recordings and serving them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from g4fsdk._core.model.redact import redact_url
from g4fsdk.cli import rewriting
from g4fsdk.cli._recordings.findings import compare, load_for_use, report
from g4fsdk.cli._terminal.output import (
    write,
    write_document,
    write_json_line,
    write_table,
)
from g4fsdk.cli._terminal.usage import Group
from g4fsdk.cli._words import options
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.values import Interaction

if TYPE_CHECKING:
    from g4fsdk.testing._server.server import ReplayServer

app: typer.Typer = typer.Typer(
    name="cassette",
    help="Look at recordings, check, compare, import, clean, update, prune and serve them.",
    cls=Group,
)


@app.command()
def show(file: rewriting.CassetteFile, as_json: options.AsJSON = False) -> None:
    """Say what a recording holds: what answered, what was asked and said, when it came, and each request."""
    from g4fsdk.cli._recordings.told import timeline, told

    loaded = Cassette.load(file)
    rows = [_row(number, one) for number, one in enumerate(loaded.interactions)]
    said = told(loaded)
    if as_json:
        facts = {"path": str(file), "metadata": loaded.metadata, "interactions": rows}
        answer = said.to_dict() if said else None
        write_document({**facts, "answer": answer})
        return
    times = [timeline(one.response) for one in loaded.interactions]
    blocks = (
        [str(file), *_facts(loaded.metadata)],
        said.lines() if said else (),
        [f"{number}  {line}" for number, line in enumerate(times) if line],
    )
    write("\n".join(text for block in blocks if (text := "".join(f"{line}\n" for line in block))))
    write("\n" * bool(rows))
    write_table(rows)


def _facts(metadata: Mapping[str, Any]) -> list[str]:
    names = ("provider", "provenance", "recorded_at", "sdk_version", "ids_seed")
    return [f"{name}: {metadata[name]}" for name in names if metadata.get(name) is not None]


def _row(number: int, interaction: Interaction) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    return {
        "no": number,
        "method": request.method,
        "url": redact_url(request.url),
        "status": response.status,
        "chunks": len(response.chunks),
        "bytes": len(response.body),
        "ms": round(response.at_ms[-1]) if response.at_ms else 0,
        "end": response.end,
    }


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", exists=True, help="A recording, or a folder of them.")
    ],
    max_age: Annotated[
        float | None,
        typer.Option(min=0, metavar="DAYS", help="Recordings must not be older than so many days."),
    ] = None,
    as_json: options.AsJSON = False,
) -> None:
    """Check recordings: format, sums, provenance, age, and secrets left in them.

    Exit code 0: all is fine, 1: something is not.
    """
    from g4fsdk.testing._checks.folder import check_folder

    findings = check_folder(path, max_age_days=max_age, now=datetime.now(UTC))
    report(findings, as_json=as_json, fine="all is fine")


@app.command()
def diff(
    old: Annotated[
        Path, typer.Argument(metavar="OLD", exists=True, dir_okay=False, help="The older recording.")
    ],
    new: Annotated[
        Path, typer.Argument(metavar="NEW", exists=True, dir_okay=False, help="The newer recording.")
    ],
    texts: Annotated[
        bool,
        typer.Option("--texts", help="Say first how what was said and called differs; it does not count."),
    ] = False,
    as_json: options.AsJSON = False,
) -> None:
    """Say how the service changed between two recordings: requests, keys, types, event types, end marker.

    Texts, ids and times do not count. Exit code 0: nothing changed, 1: something did, 2: no comparison.
    """
    from g4fsdk.cli._recordings.told import told_apart

    before, after = load_for_use(old), load_for_use(new)
    changes = compare(before, after)
    if texts and as_json:
        write_document({"changes": [*map(asdict, changes)], "texts": told_apart(before, after)})
        raise typer.Exit(bool(changes))
    if texts:
        write("".join(f"{line}\n" for line in told_apart(before, after)))
    report(changes, as_json=as_json, fine="no change")


app.command()(rewriting.scrub)
app.command()(rewriting.update)
app.command()(rewriting.prune)
app.command("import")(rewriting.import_)


@app.command()
def serve(
    source: Annotated[
        Path, typer.Argument(metavar="PATH", exists=True, help="A recording, or a folder of them.")
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0 takes one that is free.")
    ] = 0,
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen at.")] = "127.0.0.1",
    pace: options.PaceText = "instant",
    as_json: options.AsJSON = False,
) -> None:
    """Serve recordings to clients in any language, until Ctrl-C. Prints the address to give them."""
    from g4fsdk.testing._server.server import serve_forever

    def ready(server: ReplayServer) -> None:
        addresses = {"url": server.url, "base_url": _base_url(server)}
        if as_json:
            write_json_line(addresses)
        else:
            write(f"{addresses['base_url'] or server.url}\n")

    serve_forever(source, ready=ready, pace=options.read_pace(pace), host=host, port=port)


def _base_url(server: ReplayServer) -> str | None:
    try:
        return server.base_url
    except ValueError:  # the recordings of several providers have none in common
        return None
