"""`g4fsdk batch`: many rows from a file, their answers into another."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from g4fsdk._core.flow.rows import read_row
from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._terminal.output import is_terminal, say
from g4fsdk.cli._words import options
from g4fsdk.cli._words.question import read_settings
from g4fsdk.cli._words.target import Said, Target

if TYPE_CHECKING:
    from g4fsdk._core.model.completions import Completion
    from g4fsdk._core.model.errors import G4FError
    from g4fsdk.cli.batch_files import Output, Row


def batch(
    file: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="The rows, a line each: as in OpenAI's batch files, or with an id and a prompt, or plain "
            "text. `-` reads them from stdin.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Write the answers here, or go on with them.", metavar="OUT"),
    ],
    concurrency: Annotated[int, typer.Option(min=1, help="Ask so many at once.", metavar="N")] = 8,
    rate: Annotated[
        str | None,
        typer.Option(help="Ask, and ask again, no more than so many: N/s, N/min or N/h.", metavar="RATE"),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            help="Let the workers of this Dask scheduler ask, such as tcp://host:8786. The bounds are for "
            "all of them together.",
            metavar="ADDRESS",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask the rows again that OUT has an error for.")
    ] = False,
    provider: options.Providers = None,
    endpoint: options.Endpoints = None,
    model: options.Model = None,
    base_url: options.BaseURL = None,
    api_key: options.APIKey = None,
    option: options.Settings = None,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    proxy: options.Proxy = None,
) -> None:
    """Ask all rows of IN, and write each answer to OUT as it comes, as OpenAI's batches have it.

    Killed at any moment, the same command goes on where it was: what OUT has is not asked again. A row that
    fails is written with its error. Exit code 0: all rows are answered, 1: some failed.
    """
    from g4fsdk.cli.batch_files import Output, Row, read_input

    said = Said.read(provider, model, base_url, api_key, timeout, retries, proxy, endpoint)
    target = said.target().checked()
    rows, settings = read_input(file), read_settings(option)
    if any("model" not in read_row(row).call for row in rows.values()):
        target = target.with_model()
    if file != "-" and output.exists() and output.samefile(file):
        raise UsageError(f"{output} is IN: give OUT another name")
    out, left = Output(output), list[Row]()  # filled when it is known what OUT has
    with _asker(target, dask) as ask:
        results = ask(left, concurrency=concurrency, rate=rate, **settings)
        with out, closing(results):
            if retry_failed:
                out.forget(rows)
            left += [row for name, row in rows.items() if name not in out.answered | out.failed]
            _write(results, out, len(rows), len(left))
    _conclude(len(rows), len(left), len(out.failed & rows.keys()), output)


def _write(results: Iterable[tuple[Row, Completion | G4FError]], out: Output, total: int, asked: int) -> None:
    """Write *results* to *out* as they come, and show how far it is."""
    with _progress(total, total - asked) as step:
        for row, result in results:
            out.write(str(read_row(row).id), result)
            step()


@contextmanager
def _asker(target: Target, dask: str | None) -> Iterator[Callable[..., Any]]:
    """Give what asks many rows: a client, or the workers of the scheduler at *dask*."""
    if dask is None:
        with target.client() as client:
            yield client.batch
        return
    from g4fsdk.integrations.dask import batch, connected

    with connected(dask) as cluster:
        if not cluster.nthreads():  # type: ignore[no-untyped-call]  # so it is
            say(f"g4fsdk: there is no worker yet, and the rows wait for one: dask worker {dask}")
        yield partial(batch, cluster, provider=target.providers(), settings=target.settings())


def _conclude(rows: int, asked: int, failed: int, output: Path) -> None:
    """Say how many rows there are, and what became of them. Raises typer.Exit when some failed."""
    say(f"g4fsdk: rows: {rows}; asked: {asked}; failed: {failed}; {output}")
    if failed:
        raise typer.Exit(1)


@contextmanager
def _progress(total: int, done: int) -> Iterator[Callable[[], None]]:
    """Show on a terminal how far it is, how fast, and how long yet; give what counts a row."""
    if not is_terminal(sys.stderr):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task("", total=total, completed=done, pace="")

        def step() -> None:
            shown.advance(task)
            shown.update(task, pace=f"{60 * (shown.tasks[0].speed or 0):.0f}/min")

        yield step
