"""What the README says is so: its commands, its examples, its tables."""

from __future__ import annotations

import html
import os
import re
import runpy
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
import requests

from g4fsdk.providers import PROVIDERS
from g4fsdk.testing import Cassette
from tests.support import peers
from tests.support.loopback import Reply, Server
from tests.support.pages import TRANSPORT, Page
from tests.support.players import FOLDER
from tests.support.plugin_project import Project

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def test_the_first_two_blocks_are_one_command_each() -> None:
    (first, show), (second, check) = BLOCKS[:2]

    assert (first, second) == ("sh", "sh")
    assert show.count("\n") == check.count("\n") == 1
    assert "chat --replay demo" in show


def test_the_gate_runs_the_tests_as_the_readme_does() -> None:
    command = BLOCKS[1][1].strip().rpartition("&& .venv/bin/")[2]

    assert command.startswith("python -m pytest")
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith(command) for line in gate)


def test_the_demo_is_one_of_the_cassettes() -> None:
    demo = (ROOT / "g4fsdk" / "demo.yaml").read_bytes()

    assert demo in [path.read_bytes() for path in (ROOT / "cassettes").glob("*/*.yaml")]
    assert (
        Cassette.load(ROOT / "g4fsdk" / "demo.yaml")
        .metadata["provenance"]
        .startswith("recorded from the real server software on loopback")
    )


def test_the_examples_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)
    with patch.dict(os.environ, {TRANSPORT: "tests.support.pages:recorded"}):
        tried = Page("README.md", project).try_all(README)

    assert tried >= 5


def test_the_table_names_providers_that_there_are() -> None:
    named = set(re.findall(r"^\| `([a-z0-9-]+)` \|", README, re.MULTILINE))

    assert named
    assert named <= set(PROVIDERS)


def rows(about: str) -> dict[str, list[str]]:
    """Return the cells of the table whose first column is headed *about*, by their first."""
    [table] = re.findall(rf"^\| {about} .*\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    lines = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines())
    return {first.strip("| "): [cell.strip("| ") for cell in rest] for first, *rest in lines}


@pytest.mark.parametrize("broken", peers.BROKEN)
@pytest.mark.parametrize(("column", "client"), [*enumerate(peers.CLIENTS)])
def test_what_comes_of_a_broken_answer(broken: str, column: int, client: str) -> None:
    pytest.importorskip(client)

    assert peers.outcome(client, broken) == rows("an answer that")[broken][column]


def test_the_table_of_answers_has_no_other_rows() -> None:
    assert [*rows("an answer that")] == [*peers.BROKEN]


@pytest.mark.parametrize(("column", "record"), [(0, peers.record_with_g4fsdk), (1, peers.record_with_vcrpy)])
def test_what_a_recorder_keeps(column: int, record: Callable[[str, Path], None], tmp_path: Path) -> None:
    said = {row: cells[column] == "yes" for row, cells in rows("a recorder that").items()}
    whole, broken = tmp_path / "whole.yaml", tmp_path / "broken.yaml"

    with Server([Reply(peers.FIVE)]) as server:
        record(server.url, whole)
    with Server([Reply(peers.FIVE[:2], end="rst")]) as server, pytest.raises(requests.RequestException):
        record(server.url, broken)

    chunks = Cassette.load(whole).interactions[0].response.chunks
    assert (chunks == peers.FIVE) is said["keeps where the answer was cut"]
    assert broken.exists() is said["keeps an answer that broke off"]
    assert (peers.KEY not in whole.read_text(encoding="utf-8")) is said["takes keys out without being told"]


@pytest.mark.parametrize(("column", "marker"), [(0, "g4f_cassette"), (1, "vcr")])
def test_what_is_left_unplayed(column: int, marker: str, project: Project) -> None:
    folder = project.path / "cassettes" / "test_it"
    folder.mkdir(parents=True)
    shutil.copy(FOLDER / "yqcloud" / "normal.yaml", folder / "test_it.yaml")
    project.add_test(f"""
        @pytest.mark.{marker}
        def test_it():
            pass
    """)

    fails = rows("a recorder that")["fails the test that leaves something unplayed"][column] == "yes"
    project.run().assert_outcomes(**{"failed" if fails else "passed": 1})


def test_every_extra_is_named() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    _, said = README.split("\nExtras: ")

    named = {*re.findall(r"`(\w+)`", said.partition("Without any")[0])}
    assert named == {*extras} - {"dev", "docs", "fuzz", "instruments", "types"}


def test_what_an_installation_brings_is_named() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    _, said = README.split("Without any, `pip install g4fsdk` brings")

    names = {re.split("[<>=]", one)[0] for one in needed}
    assert {
        name for name in re.findall(r"[a-z0-9]+", said.partition(" on which ")[0]) if name in names
    } == names


def test_the_picture_shows_what_the_command_says_and_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    svg = (ROOT / "docs" / "_static" / "terminal.svg").read_text(encoding="utf-8")
    shown = html.unescape(svg).replace("\xa0", " ")
    said = runpy.run_path(str(ROOT / "docs" / "terminal.py"))["session"]()

    text = (ROOT / "docs" / "_static" / "terminal.txt").read_text(encoding="utf-8")
    assert [line for line in said.splitlines() if line not in shown and "connection" not in line] == []
    assert [line for line in said.splitlines() if line not in text and "connection" not in line] == []
    assert re.findall(r"(?:url|href)\W+http", svg) == []


def test_a_package_index_gets_no_address_that_only_a_checkout_has() -> None:
    hooks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]["hooks"]
    hook = hooks["fancy-pypi-readme"]
    shown = "".join(fragment(**one) for one in hook["fragments"])
    for one in hook["substitutions"]:
        shown = re.sub(one["pattern"], one["replacement"], shown)

    assert re.findall(r"\]\((?!https:)", README)
    assert "```console\n$ g4fsdk chat" in shown
    assert re.findall(r"\]\((?!https:)", shown) == []
    assert "The command line, and the gateway" in shown
    assert '-q "g4fsdk[cli]" && .venv/bin/g4fsdk chat --replay demo' in shown


def fragment(path: str, **ends: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    start = text.index(ends["start-at"]) if "start-at" in ends else 0
    return text[start : text.index(ends["end-before"]) if "end-before" in ends else None]
