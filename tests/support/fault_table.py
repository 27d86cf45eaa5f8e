"""The fault matrix as a table under the tests, from whichever worker its rows come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

PROPERTY = "fault matrix"
#: The place in the table, fault and position, provider, what was expected, and what each client came to.
Row = tuple[int, str, str, str, list[str]]


def summary(reporter: pytest.TerminalReporter) -> None:
    """Write the table, where the matrix was tested."""
    rows = _rows(reporter)
    if not rows:
        return
    calls, wrong = sum(len(row[-1]) for row in rows), sum(_is_wrong(row) for row in rows)
    reporter.section(f"fault matrix: {calls} calls, {wrong} cells of {len(rows)} wrong")
    reporter.line("what the caller gets, characters of text x requests; the same in both clients")
    for line in _table(rows):
        reporter.line(line)


def _rows(reporter: pytest.TerminalReporter) -> list[Row]:
    """Return what the tests have noted."""
    reports = [each for kind in ("passed", "failed") for each in reporter.getreports(kind)]
    noted = (rows for report in reports for name, rows in report.user_properties if name == PROPERTY)
    return sorted(tuple(row) for rows in noted for row in rows)


def _is_wrong(row: Row) -> bool:
    *_, expected, seen = row
    return {*seen} != {expected}


def _table(rows: list[Row]) -> Iterator[str]:
    """Give the lines of the table: a row for each fault at each position, a column for each provider."""
    columns = {provider: provider for _, _, provider, _, _ in rows}
    yield _line("", columns)
    for fault in dict.fromkeys(row[1] for row in rows):
        cells = {row[2]: _shown(row) for row in rows if row[1] == fault}
        yield _line(fault, {provider: cells.get(provider, "-") for provider in columns})


def _line(title: str, cells: Mapping[str, str]) -> str:
    return "".join([f"{title:24}", *(f"{cell:25}" for cell in cells.values())]).rstrip()


def _shown(row: Row) -> str:
    *_, expected, seen = row
    return f"WRONG: {', '.join(seen)}, not {expected}" if _is_wrong(row) else expected
