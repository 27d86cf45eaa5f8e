"""What a project's ini file wants of the recordings that its tests play."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from g4fsdk.testing._cassette.cassette import Cassette


def broken_rules(config: pytest.Config, cassette: Cassette) -> Iterator[str]:
    """Yield the rules of *config* that *cassette* breaks, and how."""
    if days := str(config.getini("g4f_cassette_max_age") or ""):
        from g4fsdk.testing._checks.folder import find_age

        yield from find_age(cassette, datetime.now(UTC) - timedelta(days=_days(days)))
    allowed = config.getini("g4f_provenance")
    said = str(cassette.metadata.get("provenance", ""))
    if allowed and not said.startswith(tuple(allowed)):
        wanted = " or ".join(map(repr, allowed))
        yield f"its provenance is {said[:80]!r}; g4f_provenance wants it to begin with {wanted}"


def _days(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise pytest.UsageError(f"g4f_cassette_max_age takes a number of days, not {text!r}") from None
