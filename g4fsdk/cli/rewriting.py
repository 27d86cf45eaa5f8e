"""`g4fsdk cassette scrub|update|prune|import`: what writes recordings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from g4fsdk._core.model.redact import redact_url
from g4fsdk.cli._recordings.findings import load_for_use
from g4fsdk.cli._terminal.output import write, write_document
from g4fsdk.cli._words import options
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError

CassetteFile = Annotated[
    Path, typer.Argument(metavar="CASSETTE", exists=True, dir_okay=False, help="The recording.")
]


def scrub(
    file: CassetteFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write the clean recording here, not over CASSETTE.", metavar="PATH"
        ),
    ] = None,
    as_json: options.AsJSON = False,
) -> None:
    """Take the secrets out of a recording, and say where they were.

    Exit code 1: something can't be searched for secrets, and stays as it is.
    """
    from g4fsdk.testing._secrets.leaks import find_leaks, find_unsearched
    from g4fsdk.testing._secrets.scrub import Scrubber

    loaded, target = Cassette.load(file), output or file
    scrubbed = Scrubber().scrub_cassette(loaded)
    scrubbed.save(target)
    left = [*find_leaks(scrubbed), *find_unsearched(scrubbed)]
    taken = [leak for leak in find_leaks(loaded) if leak not in left]
    if as_json:
        places = {"scrubbed": [*map(asdict, taken)], "left": [*map(asdict, left)]}
        write_document({"path": str(target), **places})
    else:
        write("".join(f"{leak}\n" for leak in taken) + f"{target}: {len(taken)} secrets taken out\n")
        write("".join(f"left as it is: {leak}\n" for leak in left))
    if left:
        raise typer.Exit(1)


def update(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="The recordings."),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 if a recording would change.")
    ] = False,
    provenance: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What answered, for recordings of vcrpy, which don't say it."),
    ] = None,
    as_json: options.AsJSON = False,
) -> None:
    """Bring recordings up to date from themselves, when a provider's requests change; make vcrpy's ours.

    The recorded call is made again, its recorded answers are played, and the requests sent now are kept.
    Answers, times and what is said of the recording stay. All are read before any is written. A recording of
    vcrpy, of which nothing is said, loses its secrets and gets what can be known: provider, day, call, and
    that its chunks are not known.
    """
    loaded = {file: load_for_use(file) for file in files}
    updated = {file: _updated(file, old, provenance) for file, old in loaded.items()}
    changed = {file: now for file, now in updated.items() if now != loaded[file] or not _is_current(file)}
    if not check:
        for file, now in changed.items():
            now.save(file)
    if as_json:
        write_document([{"path": str(file), "changed": file in changed} for file in loaded])
    else:
        said = "would change" if check else "updated"
        write("".join(f"{file}: {said if file in changed else 'up to date'}\n" for file in loaded))
    if check and changed:
        raise typer.Exit(1)


def _is_current(file: Path) -> bool:
    from g4fsdk.testing._cassette.document import is_current
    from g4fsdk.testing._cassette.yaml import load_file

    return is_current(load_file(file))


def _updated(file: Path, cassette: Cassette, provenance: str | None) -> Cassette:
    from g4fsdk.testing._imports.vcr import adopted, with_call
    from g4fsdk.testing._record.update import updated
    from g4fsdk.testing._secrets.scrub import Scrubber

    try:
        if not cassette.metadata:
            return Scrubber().clean(with_call(adopted(cassette, provenance=provenance)), file)
        return updated(cassette)
    except CassetteError as error:
        raise CassetteError(f"{file}: {error}") from error


def prune(
    unplayed: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="What pytest --g4f-unplayed=FILE wrote at the end of a whole run.",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    as_json: options.AsJSON = False,
) -> None:
    """Take out of recordings what no test played. Of those of which nothing was played it only tells."""
    from g4fsdk.testing._checks.unplayed import read_unplayed, without

    found = read_unplayed(unplayed)
    loaded = {left.path: load_for_use(Path(left.path)) for left in found.cassettes}
    if not dry_run:
        for left in found.cassettes:
            without(loaded[left.path], left.numbers).save(left.path)
    if as_json:
        pruned = [{"path": left.path, "unplayed": left.numbers} for left in found.cassettes]
        write_document({"pruned": pruned, "unused": found.unused})
        return
    said = "would be taken out" if dry_run else "taken out"
    for left in found.cassettes:
        requests = [loaded[left.path].interactions[number].request for number in left.numbers]
        lines = [f"  {one.method} {redact_url(one.url)}\n" for one in requests]
        write(f"{left.path}: {said}:\n{''.join(lines)}")
    write("".join(f"{path}: nothing of it was played; it is left\n" for path in found.unused))
    if not found.cassettes:
        write("nothing to take out\n")


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="A HAR file of a browser, or a cassette of plain vcrpy.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Write the recording here.", metavar="CASSETTE")
    ],
    provider: Annotated[
        str | None,
        typer.Option(
            "-p", "--provider", metavar="NAME", help="Whose requests are meant, if FILE has several."
        ),
    ] = None,
    as_json: options.AsJSON = False,
) -> None:
    """Make a recording of what others recorded. Secrets are taken out."""
    from g4fsdk.testing._imports.har import import_file
    from g4fsdk.testing._secrets.scrub import Scrubber

    found = Scrubber().clean(import_file(file, provider), output)
    found.save(output)
    count = len(found.interactions)
    if as_json:
        write_document({"path": str(output), "metadata": found.metadata, "interactions": count})
    else:
        write(f"{output}: {count} interactions, {found.metadata['provenance']}\n")
