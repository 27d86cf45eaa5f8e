"""A user's project, made by a test, in which pytest runs with the plugin."""

from __future__ import annotations

import importlib.util
import pkgutil
import shutil
import textwrap
from pathlib import Path

import pytest

from g4fsdk import testing
from g4fsdk.testing import Cassette
from tests.support.players import FOLDER

INI = """
[pytest]
addopts = --strict-markers --strict-config -p no:cacheprovider
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""
PLUGIN = "g4fsdk.testing.plugin"

# pytester forgets the modules that a run has loaded, and some can't be loaded a second time: yaml's, in C,
# and httpcore, which httpx loads late, and whose first exceptions alone it knows; so with their forks.
for _module in (
    "httpcore",
    *filter(importlib.util.find_spec, ("httpcore2", "httpx2")),
    "g4fsdk._client.blocking.client",
    "g4fsdk._client.asynchronous.client",
    *(one.name for one in pkgutil.walk_packages(testing.__path__, "g4fsdk.testing.")),
):
    importlib.import_module(_module)


class Project:
    """A folder with tests and recordings. *is_installed* says that pytest finds the plugin by itself."""

    def __init__(self, pytester: pytest.Pytester, *, is_installed: bool) -> None:
        self._pytester = pytester
        self._options = [] if is_installed else ["-p", PLUGIN]
        self.path = pytester.path
        self.write("pytest.ini", INI)

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        # Of the text before it, which Python takes for this one's if both are of one second and one size.
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
        return path

    def add_test(self, text: str) -> None:
        """Write the functions in *text* to `test_it.py`, below the imports they need."""
        self.write("test_it.py", "import pytest\n" + textwrap.dedent(text))

    def copy(self, *names: str, to: str = "cassettes") -> None:
        """Copy recordings of ours, such as "yqcloud/normal", to the same place here."""
        for name in names:
            path = self.path / to / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(FOLDER / f"{name}.yaml", path)

    def cassette(self, name: str) -> Cassette:
        return Cassette.load(self.path / "cassettes" / f"{name}.yaml")

    def run(self, *options: str) -> pytest.RunResult:
        """Run the project's tests in this process."""
        return self._pytester.runpytest_inprocess(*self._options, *options)

    def run_apart(self, *options: str) -> pytest.RunResult:
        """Run the project's tests in a process of their own."""
        return self._pytester.runpytest_subprocess(*self._options, *options)
