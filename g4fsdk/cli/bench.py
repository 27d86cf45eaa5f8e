"""`g4fsdk bench`: how fast the parsers are on this machine."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Annotated

import typer

from g4fsdk.cli._terminal.output import say, write_document, write_table
from g4fsdk.cli._words import options


def bench(
    cassette: Annotated[
        Path | None,
        typer.Argument(
            metavar="CASSETTE",
            exists=True,
            dir_okay=False,
            show_default=False,
            help="Measure the answers in this recording; without it, generated streams.",
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.001, max=60, help="Time to spend on each figure.", metavar="SECONDS")
    ] = 0.3,
    as_json: options.AsJSON = False,
) -> None:
    """Measure how fast streamed chunks are parsed here, by kind of stream and by where they are cut.

    The floor is msgspec's own decode of the same events, cut apart beforehand; for text, the decoder of
    the standard library. 1.00 is as fast as that. Compare figures of one run only.
    """
    from g4fsdk.bench import corpora, measure, recorded
    from g4fsdk.testing._cassette.cassette import Cassette

    if cassette is None:
        events = min(corpora.EVENTS, max(100, int(seconds * 100_000)))
        figures = [*measure.generated(seconds, events)]
    else:
        found = recorded.answers(Cassette.load(cassette))
        megabytes = min(recorded.MEGABYTES, seconds * 20)
        figures = [*measure.recorded(found, seconds, megabytes)]
    if as_json:
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        write_document({**machine, "figures": [figure.as_document() for figure in figures]})
        return
    say(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    rows = [figure.as_row() for figure in figures]
    if cassette is not None:
        rows = [{name: cell for name, cell in row.items() if name != "x floor"} for row in rows]
    write_table(rows)
