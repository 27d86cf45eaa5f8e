"""What the plugin adds to pytest's command line and ini file.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import pytest

Mode: TypeAlias = Literal["none", "once", "new", "all"]

MARKER = "g4f_cassette"
MODES: tuple[Mode, ...] = ("none", "once", "new", "all")


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
