"""The findings as a table for people and as JSON for plots."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks._bench import Bench, Finding
from g4fsdk import __version__

_PACKAGES = (
    *("msgspec", "requests", "urllib3", "httpx", "openai", "anthropic", "httpx2", "httpx-sse"),
    *("huggingface_hub", "g4f", "sseclient-py", "orjson", "httpx-aiohttp", "aiohttp"),
)


def machine() -> dict[str, Any]:
    """Return what the figures were made on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load_average": [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict[str, str]:
    """Return the versions of all that takes part and is installed."""
    found = {"g4fsdk": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def verdict(finding: Finding) -> str:
    if finding.measured is None:
        return finding.note or "not measured"
    if finding.goal is None:
        return ""
    if not finding.holds(finding.goal):
        return "NOT MET"
    return "met, and the stretch" if finding.holds(finding.stretch) else "met"


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    shown = f"{value:,.0f}" if abs(value) >= 1000 or unit in ("ns", "tokens") else f"{value:.3g}"
    return f"{shown} {unit}".strip()


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the table of all findings, in aligned columns."""
    head = ("what", "goal", "stretch", "measured", "best", "verdict")
    cells: list[tuple[str, ...]] = [head]
    rows: list[str] = [""]
    for one in findings:
        sign = ">=" if one.at_least else "<="
        goal = f"{sign} {_number(one.goal)}" if one.goal is not None else ""
        stretch = f"{sign} {_number(one.stretch)}" if one.stretch is not None else ""
        measured = _number(one.measured, one.unit)
        cells.append((one.what, goal, stretch, measured, _number(one.best), verdict(one)))
        rows.append(one.row)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    last = ""
    for row, cell in zip(rows, cells, strict=True):
        if row != last:
            yield f"\n{row}"
            last = row
        padded = (text.ljust(width) for text, width in zip(cell, widths, strict=True))
        yield ("  " + "  ".join(padded)).rstrip()


def document(bench: Bench, date: str, command: Sequence[str]) -> dict[str, Any]:
    """Return everything that was measured."""
    return {
        "date": date,
        "command": " ".join(("python -m benchmarks", *command)),
        "machine": machine(),
        "versions": versions(),
        "garbage_collector": "as Python leaves it",
        "findings": [_finding(one) for one in bench.findings],
        "tables": [
            {
                "name": table.name,
                "units": table.units,
                "clock": table.clock,
                "samples": {
                    name: [_rounded(value) for value in each] for name, each in table.samples.items()
                },
                "missing": table.missing,
            }
            for table in bench.tables
        ],
        "series": _rounded(bench.series),
    }


def _finding(one: Finding) -> dict[str, Any]:
    sign = ">=" if one.at_least else "<="
    return {
        "row": one.row,
        "what": one.what,
        "measured": _rounded(one.measured),
        "best": _rounded(one.best),
        "unit": one.unit,
        "goal": None if one.goal is None else f"{sign} {one.goal}",
        "stretch": None if one.stretch is None else f"{sign} {one.stretch}",
        "verdict": verdict(one),
    }


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.4g}") if abs(value) != float("inf") else str(value)
        case dict():
            return {key: _rounded(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_rounded(inner) for inner in value]
        case _:
            return value


def write(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def show(bench: Bench) -> None:
    """Print the findings."""
    sys.stdout.write("\n".join(lines(bench.findings)) + "\n")
    judged = [one for one in bench.findings if one.holds(one.goal) is not None]
    met = sum(bool(one.holds(one.goal)) for one in judged)
    sys.stdout.write(f"\n{met} of {len(judged)} goals met\n")
