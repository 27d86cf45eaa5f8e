"""What is installed with the package: floors that the gate tries, extras that bring what they say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.command_line import python

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOWEST = (ROOT / "tests/lowest.txt").read_text()
NOT_OURS = {"click"}


def floors(requirements: Iterable[str]) -> dict[str, str]:
    found = (re.match(r"([\w-]+)(?:\[.*\])?>=([\d.b]+)", requirement) for requirement in requirements)
    return {match[1]: match[2] for match in found if match}


def test_the_lowest_versions_are_the_floors() -> None:
    named = [*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)]
    lowest = dict(line.split("==") for line in LOWEST.splitlines() if not line.startswith("#"))

    assert {name: version for name, version in lowest.items() if name not in NOT_OURS} == floors(named)


def test_whatever_the_package_needs_has_a_floor() -> None:
    needed = [*PROJECT["dependencies"], *EXTRAS["cli"], *EXTRAS["testing"], *EXTRAS["socks"]]

    assert len(floors(needed)) == len({re.split(r"[<>=]", requirement)[0] for requirement in needed})


def test_a_floor_is_the_same_everywhere() -> None:
    everywhere = [floors(requirements) for requirements in (PROJECT["dependencies"], *EXTRAS.values())]

    assert len({pair for one in everywhere for pair in one.items()}) == len(
        {name for one in everywhere for name in one}
    )


WITHOUT = "import sys; sys.modules['hypothesis'] = sys.modules['vcr'] = None; "


@pytest.mark.parametrize("statement", [
    pytest.param("from g4fsdk.testing import *", id="harness"),
    pytest.param("import g4fsdk.testing.plugin", id="plugin"),
    pytest.param("import g4fsdk.testing._pytest.fixtures", id="fixtures"),
])  # fmt: skip
def test_testing_needs_neither_hypothesis_nor_vcrpy(statement: str) -> None:
    assert python(WITHOUT + statement).returncode == 0


@pytest.mark.parametrize(
    ("missing", "statement", "extra"),
    [
        ("hypothesis", "import g4fsdk.testing.strategies", "strategies"),
        ("yaml", "from g4fsdk.testing import Recorder", "testing"),
        ("opentelemetry", "import g4fsdk.integrations.otel", "otel"),
        ("distributed", "import g4fsdk.integrations.dask", "dask"),
        (
            "yaml",
            "import os; os.environ['G4FSDK_TRANSPORT'] = 'g4fsdk.testing._record.captured:transport'; "
            "import g4fsdk; g4fsdk.Client('yqcloud')",
            "testing",
        ),
        ("typer", "import g4fsdk.cli; g4fsdk.cli.main()", "cli"),
    ],
)
def test_what_is_missing_names_its_extra(missing: str, statement: str, extra: str) -> None:
    result = python(f"import sys; sys.modules[{missing!r}] = None; {statement}")

    assert result.stderr.strip().endswith(f": pip install 'g4fsdk[{extra}]'")


def test_an_instrumentor_without_its_extra_ends_nobody_elses() -> None:
    found = "importlib.metadata.entry_points(group='opentelemetry_instrumentor', name='g4fsdk')"
    result = python(
        "import sys, importlib.metadata; sys.modules['opentelemetry.util.genai'] = None; "
        f"[entry] = {found}; entry.load()().instrument(skip_dep_check=True)"
    )

    assert (result.returncode, result.stderr) == (0, "")
