"""Checking a folder of cassettes, for a CI: format, provenance, age, leaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, TypeAlias

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.sources import cassette_paths
from g4fsdk.testing._secrets.leaks import find_leaks, find_unsearched

Kind: TypeAlias = Literal["format", "provenance", "age", "leak"]

PROVENANCES: Final = (
    "recorded from the live service",
    "recorded from the real server software on loopback",
    "reconstructed from the protocol",
    "captured in a browser (HAR)",
    "captured with",
    "recorded by g4fsdk",
    "recorded with vcrpy",
)
"""How a provenance may begin: each says truthfully what answered."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the cassette at *path*."""

    path: Path
    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.kind}: {self.text}"


def check_folder(
    path: str | Path,
    *,
    max_age_days: float | None = None,
    now: datetime | None = None,
    secrets: Iterable[str] = (),
) -> list[Finding]:
    """Return what is wrong with the cassettes in *path*, a folder with all below it, or one file.

    With *max_age_days* a recording must not be older than that at *now*. *secrets* are values that must
    not occur, beside what looks like a secret. A folder without any cassette is a finding, too.

    Raises:
        ValueError: *max_age_days* without *now*.
        FileNotFoundError: There is nothing at *path*.
    """
    if max_age_days is not None and now is None:
        raise ValueError("max_age_days needs now, the time to count from")
    root, known = Path(path), list(secrets)
    if not root.exists():
        raise FileNotFoundError(f"no such file or folder: {root}")
    try:
        files = cassette_paths(root) if root.is_dir() else [root]
    except CassetteError as error:
        return [_malformed(root, error)]
    oldest = now - timedelta(days=max_age_days) if now is not None and max_age_days is not None else None
    return [finding for file in files for finding in check_file(file, oldest=oldest, secrets=known)]


def check_file(
    path: Path, *, oldest: datetime | None = None, secrets: Iterable[str] = ()
) -> Iterator[Finding]:
    """Yield what is wrong with the cassette at *path*; *oldest* is the earliest time it may be from."""
    try:
        cassette = Cassette.load(path)
    except CassetteError as error:
        yield _malformed(path, error)
        return
    checks = {
        "format": _timing(cassette),
        "provenance": _provenance(cassette),
        "age": find_age(cassette, oldest) if oldest else (),
        "leak": map(str, [*find_leaks(cassette, secrets), *find_unsearched(cassette)]),
    }
    kinds: tuple[Kind, ...] = ("format", "provenance", "age", "leak")
    for kind in kinds:
        yield from (Finding(path, kind, text) for text in checks[kind])


def _malformed(path: Path, error: CassetteError) -> Finding:
    return Finding(path, "format", str(error).removeprefix(f"{path}: "))


def _timing(cassette: Cassette) -> Iterator[str]:
    if not cassette.interactions:
        yield "there is no interaction in it"
    for number, interaction in enumerate(cassette.interactions):
        times = interaction.response.at_ms
        if any(later < earlier for earlier, later in pairwise(times)):
            yield f"interactions[{number}].response.wire.at_ms: a chunk comes before the one in front of it"
        if times and times[0] < 0:
            yield f"interactions[{number}].response.wire.at_ms: a chunk comes before the request"


def _provenance(cassette: Cassette) -> Iterator[str]:
    said = cassette.metadata.get("provenance")
    if not said:
        yield "g4fsdk.provenance is missing: say what answered"
    elif not str(said).startswith(PROVENANCES):
        known = ", ".join(map(repr, PROVENANCES))
        yield f"g4fsdk.provenance is {str(said)[:80]!r}; it has to begin with one of {known}"


def find_age(cassette: Cassette, oldest: datetime) -> Iterator[str]:
    """Yield what is wrong with the age of *cassette*; *oldest* is the earliest time it may be from."""
    said = cassette.metadata.get("recorded_at")
    recorded_at = _moment(said)
    if recorded_at is None:
        yield f"g4fsdk.recorded_at is {said!r}, which is no ISO date or time: its age is unknown"
    elif recorded_at < _in_utc(oldest):
        yield f"recorded at {said}, which is before {oldest:%Y-%m-%d}: record it again"


def _moment(said: object) -> datetime | None:
    """Return the time that *said* tells, in UTC where it names no zone; YAML may have read it already."""
    if isinstance(said, datetime):
        return _in_utc(said)
    try:
        return _in_utc(datetime.fromisoformat(said.isoformat() if isinstance(said, date) else str(said)))
    except ValueError:
        return None


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
