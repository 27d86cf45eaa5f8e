"""A user's project that tests its blocking and its async code with nothing but the plugin."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.plugin_project import Project

SAMPLE = Path(__file__).parents[1] / "sample_project"
TESTS = 8


@pytest.fixture
def sample(project: Project) -> Project:
    shutil.copytree(SAMPLE, project.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return project


def test_its_tests_pass(sample: Project) -> None:
    sample.run_apart().assert_outcomes(passed=TESTS)


def test_its_tests_fail_when_its_code_asks_something_else(sample: Project) -> None:
    code = sample.path / "shop/summaries.py"
    code.write_text(code.read_text().replace("two sentences", "three sentences"))

    result = sample.run()

    result.assert_outcomes(passed=TESTS - 2, failed=2)
    result.stdout.fnmatch_lines(["E   *sent '*in three sentences.', recorded '*in two sentences.'"])


def test_its_recordings_are_ours_to_the_byte() -> None:
    """Their provenance is true because they are copies."""
    ours = {path.read_bytes() for path in SAMPLE.parents[1].joinpath("cassettes").rglob("*.yaml")}

    assert {path.read_bytes() for path in SAMPLE.rglob("*.yaml")} <= ours


def test_its_tests_are_not_taken_for_ours(request: pytest.FixtureRequest) -> None:
    assert not [item for item in request.session.items if SAMPLE in item.path.parents]
