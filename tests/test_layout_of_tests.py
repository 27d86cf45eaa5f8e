"""The shape of the tests: they go through public names, and share what lies in `tests.support`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import g4fsdk
from g4fsdk import parsers, providers, testing
from tests.support.imports import Sources, arrows_of

ROOT = Path(__file__).parent
TESTS: Sources = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text()
    for path in sorted(ROOT.rglob("*.py"))
}
#: The private places of what is public elsewhere.
PRIVATE = (
    {f"g4fsdk.{module}.{name}" for name, module in {**g4fsdk._MODULE_OF, "__version__": "_version"}.items()}
    | {f"g4fsdk.testing.{module}.{name}" for name, module in testing._MODULE_OF.items()}
    | {f"{getattr(parsers, name).__module__}.{name}" for name in parsers.__all__}
    | {f"{providers.Provider.__module__}.Provider"}
)


def private_imports(tests: Sources) -> list[str]:
    """Give each public name that a test imports from where it lives."""
    return [
        f"{test} imports {name}"
        for test, source in tests.items()
        for name, _ in arrows_of(source)
        if name in PRIVATE
    ]


def borrowed_tests(tests: Sources) -> list[str]:
    """Give what a test imports from another."""
    return [
        f"{test} imports {name}"
        for test, source in tests.items()
        for name, _ in arrows_of(source)
        if re.match(r"tests\.(\w+\.)*test_", name)
    ]


def test_tests_go_through_public_names() -> None:
    assert private_imports(TESTS) == []


def test_tests_share_what_lies_in_support() -> None:
    assert borrowed_tests(TESTS) == []


@pytest.mark.parametrize(("check", "line"), [
    pytest.param(private_imports, "from g4fsdk._core.model.chat import Chat", id="vocabulary"),
    pytest.param(private_imports, "from g4fsdk.testing._replay.replay import Replay", id="harness"),
    pytest.param(private_imports, "from g4fsdk._core.framing.sse import SSEParser", id="parser"),
    pytest.param(private_imports, "from g4fsdk._core.flow.provider import Provider", id="provider"),
    pytest.param(private_imports, "def f():\n from g4fsdk._version import __version__", id="in a function"),
    pytest.param(borrowed_tests, "from tests.cli.test_chat import run", id="another test"),
    pytest.param(borrowed_tests, "from tests.cli import test_chat", id="another test as a whole"),
])  # fmt: skip
def test_each_check_turns_red(check: Callable[[Sources], list[str]], line: str) -> None:
    assert len(check({"test_new": f"{line}\n"})) == 1
