"""What the pages under docs/ show is tried."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from typer.main import get_command

import g4fsdk
from g4fsdk import AsyncClient, Client, testing
from g4fsdk.cli.app import app
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import answer, document
from tests.support.pages import ROOT, RUN, TRANSPORT, Page, blocks
from tests.support.plugin_project import Project

DOCS = ROOT / "docs"
MOVING = "moving-from-pytest-recording"
COMMANDS: Any = get_command(app)
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}


#: Pages that are tried as they stand; two others have tests of their own below.
PAGES = [page.stem for page in sorted(DOCS.glob("*.md")) if page.stem not in ("adding-a-provider", MOVING)]


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_of_a_page(name: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.copy("yqcloud/normal")
    shutil.copytree(
        Path(__file__).parent / "sample_project" / "cassettes", project.path / "cassettes", dirs_exist_ok=True
    )
    monkeypatch.chdir(project.path)
    monkeypatch.syspath_prepend(project.path)
    with patch.dict(
        os.environ, {TRANSPORT: "tests.support.pages:recorded", "G4FSDK_HOME": str(project.path)}
    ):
        Page(f"{name}.md", project).try_all(page(name))


def examples(name: str) -> list[str]:
    return [block.text for block in blocks(page(name)) if block.language == "python"]


@pytest.mark.parametrize("with_conftest", [True, False])
def test_moving_from_pytest_recording(project: Project, with_conftest: bool) -> None:
    before, after, conftest = examples(MOVING)
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


def test_the_conftest_of_the_example_records_and_plays(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    [example] = [text for text in examples("testing") if "def g4f_settings" in text]
    [own] = [block for block in blocks(page("testing")) if block.file == "test_own.py"]
    project.write(own.file, own.text)
    project.copy("yqcloud/normal")
    project.add_test("""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_another(g4f_client):
            with g4f_client.chat.completions.stream("Question.") as stream:
                assert stream.get_final_completion().text
    """)
    monkeypatch.setenv("API_KEY", "sk-the-key-of-the-shop-0123456789")

    for mode in ("once", "all"):  # each time a server at another port
        with Server(lambda request: document("openai", "Hi")) as server:
            project.write("conftest.py", example.replace("http://localhost:11434", server.url))
            project.run(f"--g4f-record={mode}", own.file).assert_outcomes(passed=1)
            assert len(server.requests) == 1
    assert (project.path / "cassettes/test_own/test_the_sky.yaml").exists()
    monkeypatch.delenv("API_KEY")
    project.write("conftest.py", example)
    project.run().assert_outcomes(passed=2)


#: What the services of the page answer, by the path they are asked at.
OWN_SHAPE = ({"t": "Hel"}, {"t": "lo"}, {"done": True})
ANSWERS = {
    "/api/chat": answer("openai", "Hello"),
    "/api/session": Reply([b'{"session": "s-1"}']),
    "/api/ask": Reply([f"data: {json.dumps(event)}\n\n".encode() for event in OWN_SHAPE]),
}


def test_providers_are_added_as_the_page_says(tmp_path: Path) -> None:
    text = page("adding-a-provider")
    *files, record = sorted((block for block in blocks(text) if block.file), key=lambda one: one.file)
    for name in ("g4fsdk", "tests", "pyproject.toml"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    table = tmp_path / "g4fsdk/providers/__init__.py"
    names = [Path(file.file).stem for file in files]
    for name in names:
        table.write_text(with_line(text, name, table.read_text(encoding="utf-8")), encoding="utf-8")

    with Server(lambda request: ANSWERS[request.target]) as server:
        for file in files:
            source = re.sub(r"https://\w+\.example\.com", server.url, file.text)
            (tmp_path / file.file).write_text(source, encoding="utf-8")
        for name in names:
            assert ran(tmp_path, "-c", record.text.replace("parrot", name)) == "Hello\n"
    for file in files:
        (tmp_path / file.file).write_text(file.text, encoding="utf-8")
    checks = [f"tests/providers/test_{name}.py" for name in ("cassettes", "every_provider")]
    said = ran(tmp_path, "-m", "pytest", "-q", "-k", " or ".join(names), *checks)
    assert re.search(r"\b\d{2,} passed", said), said


def with_line(text: str, name: str, table: str) -> str:
    """Return the *table* of providers with the line that the page, *text*, shows, for *name*."""
    (shown,) = re.findall(r"^ {4}(    \"parrot\".*)$", text, re.M)
    line = shown.replace("parrot", name).replace("Parrot", name.title())
    last = '    "openai": "openai.OpenAI",'
    return table.replace(last, f"{last}\n{line}")


def ran(folder: Path, *words: str) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTEST_ADDOPTS": "-p no:cacheprovider -W default",
    }
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def named(text: str) -> set[str]:
    """Return the names in the first column of the tables in *text*."""
    return {
        name for cell in re.findall(r"^\| (`.*?) \|", text, re.M) for name in re.findall(r"`(\w+)`", cell)
    }


def test_every_variable_is_in_the_table() -> None:
    sources = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "g4fsdk").rglob("*.py"))
    read = {*re.findall(r"\b(?:G4FSDK|OPENAI)_[A-Z_]+\b", sources)}

    assert {name for name in named(page("settings")) if re.match("G4FSDK|OPENAI", name)} == read


def test_every_argument_of_a_client_is_in_the_table() -> None:
    arguments = {*signature(Client).parameters, *signature(AsyncClient).parameters}
    _, after = page("settings").split("## Arguments of a client")

    assert named(after.partition("## ")[0]) == arguments


def test_every_error_is_in_the_table() -> None:
    errors = {name for name in g4fsdk.__all__ if name.endswith("Error")} - {"G4FError"}

    assert {name for name in named(page("errors")) if name.endswith("Error")} == errors


def test_every_public_name_is_in_the_reference() -> None:
    shown = {*re.findall(r"::\s+(\S+)", page("api"))}
    public = {f"g4fsdk.{name}" for name in g4fsdk.__all__} | {
        f"g4fsdk.testing.{name}" for name in testing.__all__
    }

    assert public - shown == set()


#: What no test runs, and why: it never ends, wants a cluster or another machine, or takes very long.
NOT_RUN = {
    "batches": ["g4fsdk batch in.jsonl -o out.jsonl -p yqcloud --dask tcp://scheduler:8786 --concurrency 64"],
    "benchmarks": ["g4fsdk bench", 'pip install -e ".[dev]" -r benchmarks/requirements.txt'],
    "command-line": ["g4fsdk capture -o bug.yaml -- python script.py"],
    "errors": ["G4FError"],  # a picture of the tree of them
    "gateway": ["g4fsdk serve -p yqcloud -p autonomous"],
    "testing": ["pytest --g4f-record=once test_own.py"],  # has a test of its own
    "adding-a-provider": ["python record.py"],  # its commands are run one by one
}


@pytest.mark.parametrize("path", [*sorted(DOCS.glob("*.md")), ROOT / "README.md"], ids=lambda path: path.stem)
def test_a_block_that_is_not_run_is_known(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    fences = re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S)
    run = {block.text for block in blocks(text) if block.file or block.language in RUN}
    left = [first.splitlines()[0] for language, first in fences if first not in run and language[:1] != "{"]

    assert [line.partition("  ")[0] for line in left] == NOT_RUN.get(path.stem, [])


def test_every_option_of_the_plugin_is_on_the_page() -> None:
    pages = page("testing")
    named = re.findall(r'"(--g4f-[\w-]+|g4f_\w+)"', (ROOT / "g4fsdk/testing/_pytest/options.py").read_text())

    assert named
    assert [name for name in named if f"`{name}" not in pages.replace("`pytest --", "`--")] == []


def test_a_command_on_a_page_is_one() -> None:
    lines = [
        (path.name, line)
        for path in [*DOCS.glob("*.md"), ROOT / "README.md"]
        for block in re.findall(r"^```(?:sh)?\n(.*?)^```$", path.read_text(encoding="utf-8"), re.M | re.S)
        for line in re.findall(r"^g4fsdk .*", block, re.M)
    ]

    assert len(lines) > 20
    assert [one for one in lines if not is_command(one[1])] == []


def is_command(line: str) -> bool:
    """Whether the command line knows the command and the options of *line*."""
    words = shlex.split(line.partition("  #")[0].partition(" > ")[0])[1:]
    command = COMMANDS
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return {word for word in words[: [*words, "--"].index("--")] if word.startswith("-")} <= known | {
        "--help"
    }
