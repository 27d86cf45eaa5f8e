"""What the plugin adds to pytest as it starts: its command line, its ini file, and how it loads our modules.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, Literal, TypeAlias

import pytest

Mode: TypeAlias = Literal["none", "once", "new", "all"]

MARKER = "g4f_cassette"
MODES: tuple[Mode, ...] = ("none", "once", "new", "all")


class _AsEver(MetaPathFinder):
    """Finds our modules before pytest, which rewrites what comes with a plugin: that takes as long again."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path, target) if name.startswith("g4fsdk.") else None


def load_as_ever(config: pytest.Config) -> None:
    """Let our modules be loaded as they are without pytest, until *config* is done with."""
    finder = _AsEver()
    sys.meta_path.insert(0, finder)

    def remove() -> None:
        with suppress(ValueError):  # somebody put back what was there before
            sys.meta_path.remove(finder)

    config.add_cleanup(remove)


def add_options(parser: pytest.Parser) -> None:
    """Add them to *parser*."""
    group = parser.getgroup("g4fsdk")
    group.addoption(
        "--g4f-record",
        choices=MODES,
        default="none",
        help="whether tests marked g4f_cassette ask the live service: none (default) never, once where the "
        "cassette is missing, new for requests it has no answer to, all for everything, anew",
    )
    group.addoption(
        "--g4f-keep-refusals",
        action="store_true",
        help="record refusals, too (401, 403, 429 and their like), which are otherwise no recording",
    )
    group.addoption(
        "--g4f-unplayed",
        metavar="FILE",
        help="write to FILE what no test played of its cassettes, for g4fsdk cassette prune --unplayed FILE",
    )
    parser.addini("g4f_cassette_dir", "folder of the cassettes, below the root folder", default="cassettes")
    parser.addini("g4f_keep_refusals", "the same as --g4f-keep-refusals", type="bool", default=False)
    parser.addini("g4f_cassette_max_age", "days after which a cassette fails the tests that play it")
    parser.addini(
        "g4f_provenance",
        "how the provenance of a cassette has to begin, one a line, for the tests that play it",
        type="linelist",
    )
