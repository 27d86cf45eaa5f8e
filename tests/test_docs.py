"""What the pages under docs/ show is tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.loopback import Server
from tests.support.loopback_clients import document
from tests.support.plugin_project import Project

DOCS = Path(__file__).parents[1] / "docs"
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}


def examples(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("with_conftest", [True, False])
def test_moving_from_pytest_recording(project: Project, with_conftest: bool) -> None:
    before, after, conftest = examples("moving-from-pytest-recording.md")
    assert before.replace("pytest.mark.vcr", "pytest.mark.g4f_cassette") == after
    with Server(lambda _: document("openai", "Hello")) as server:
        url = f"{server.url}/v1/chat/completions"
        project.write("tests/test_shop.py", f"{before}\n\nURL, QUESTION = {url!r}, {QUESTION!r}\n")
        project.run("tests", "--record-mode=once").assert_outcomes(passed=1)
    project.write("tests/test_shop.py", f"{after}\n\nURL, QUESTION = {url!r}, {QUESTION!r}\n")
    theirs = project.path / "tests/cassettes/test_shop/test_greeting.yaml"
    project.run("tests").stdout.fnmatch_lines([f"*pytest-recording's is at {theirs}: move it there"])
    if not with_conftest:
        theirs.parent.parent.rename(project.path / "cassettes")
    if with_conftest:
        project.write("tests/conftest.py", conftest)

    project.run("tests").assert_outcomes(passed=1)

    project.write("tests/test_shop.py", f"{after}\n\nURL, QUESTION = {url!r}, {{}}\n")
    project.run("tests").assert_outcomes(failed=1)
