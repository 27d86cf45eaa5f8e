"""The shape of the package: imports go one way, in no circle; the core is pure; a library has one folder."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import g4fsdk
from tests.support.imports import Arrow, Sources, arrows_of, prefixes

ROOT = Path(g4fsdk.__file__).parent
#: Folders and modules in the order in which they may import: themselves and what stands before them.
ORDER = (
    "_version",
    "_core.model",
    "_core.decoding",
    "_core.framing",
    "_core.flow",
    "parsers",
    "providers",
    "_client",
    "_client.blocking",
    "_client.asynchronous",
    "g4f",
    "testing._cassette",
    "testing._secrets",
    "testing._traffic",
    "testing._replay",
    "testing._server",
    "testing._record",
    "testing._checks",
    "testing._imports",
    "testing._pytest",
    "testing",
    "server",
    "integrations",
    "bench",
    "cli._kept",
    "cli._terminal",
    "cli._words",
    "cli._chat",
    "cli._recordings",
    "cli",
    "__main__",
)
PURE = frozenset("_version _core.model _core.decoding _core.framing _core.flow parsers providers".split())
#: Each is a whole on the order's step, but knows nothing of the other.
STRANGERS = {("_client.asynchronous", "_client.blocking")}
IMPURE = frozenset(
    "socket ssl select selectors asyncio threading concurrent multiprocessing anyio time datetime random "
    "secrets uuid os pathlib tempfile subprocess shutil importlib "
    "requests httpx urllib3 http.client http.cookiejar urllib.request vcr typer rich".split()
)
#: Where a library may be imported: a folder, or one file. The adapters of the harness have their own table.
IMPORTERS = {
    "requests": {"_client.blocking"},
    "urllib3": {"_client.blocking"},
    "httpx": {"_client.asynchronous"},
    "tenacity": {"_client.retries"},
    "pyrate_limiter": {"_client.pace"},
    "starlette": {"server"},
    "uvicorn": {"server.run"},
    "opentelemetry": {"integrations.otel"},
    "distributed": {"integrations.dask"},
    "platformdirs": {"cli._kept"},
    "tomlkit": {"cli._kept"},
    "hypothesis": set[str](),
    "vcr": set[str](),
}
HARNESS_ADAPTERS = {
    "requests": {"testing._replay", "testing._record"},
    "urllib3": {"testing._replay", "testing._record"},
    "httpx": {"testing._replay", "testing._record"},
    "h11": {"testing._server"},
    "yaml": {"testing._cassette"},
    "hypothesis": {"testing.strategies"},
    "vcr": set[str](),
}


# --- The checks: from sources, by module name, to what is wrong with them ---


def own_arrows(module: str, sources: Sources) -> Iterator[Arrow]:
    """Give the modules of *sources* that *module* imports; a public name counts as where it lives."""
    for name, kind in arrows_of(sources[module]):
        inner = name.removeprefix("g4fsdk.")
        if inner == name:
            continue
        found = next((part for part in prefixes(home_of(inner)) if part in sources), module)
        if found != module:
            yield found, kind


@cache
def home_of(name: str) -> str:
    return g4fsdk._MODULE_OF.get(name, name)


def place_of(module: str) -> str:
    """Return the entry of ORDER that *module* belongs to: the longest that begins its name."""
    return next(name for name in prefixes(module) if name in ORDER)


def wrong_arrows(sources: Sources) -> list[str]:
    return [
        f"{module} imports {other}"
        for module in sources
        for other, _ in own_arrows(module, sources)
        if not may_import(place_of(module), place_of(other))
    ]


def may_import(place: str, other: str) -> bool:
    return ORDER.index(other) <= ORDER.index(place) and (place, other) not in STRANGERS


def circle(sources: Sources) -> list[str]:
    """Return the modules of one circle of imports at run time, or none."""
    graph = {name: {to for to, kind in own_arrows(name, sources) if kind == "run"} for name in sources}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [*error.args[1]]
    return []


def impure_imports(sources: Sources) -> list[str]:
    return [
        f"{module} imports {name}"
        for module, source in sources.items()
        if place_of(module) in PURE
        for name, kind in arrows_of(source)
        if kind == "run" and IMPURE.intersection(prefixes(name))
    ]


def wrong_importers(sources: Sources) -> list[str]:
    return [
        f"{module} imports {library}"
        for module, source in sources.items()
        for library, allowed in allowed_importers(module).items()
        if not {module, place_of(module)} & allowed
        and any(kind == "run" and name.partition(".")[0] == library for name, kind in arrows_of(source))
    ]


def allowed_importers(module: str) -> Mapping[str, set[str]]:
    return HARNESS_ADAPTERS if module.partition(".")[0] == "testing" else IMPORTERS


# --- The package ---

SOURCES: Sources = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
    for path in sorted(ROOT.rglob("*.py"))
    if path != ROOT / "__init__.py"
}
every_module = pytest.mark.parametrize("module", SOURCES)


def test_every_module_has_a_place() -> None:
    for module in SOURCES:
        assert module in ("_core", "_client") or place_of(module) in ORDER


def test_imports_go_one_way() -> None:
    assert wrong_arrows(HOUSE) == []


def test_there_is_no_circle() -> None:
    assert circle(HOUSE) == []


def test_the_core_and_the_providers_are_pure() -> None:
    assert impure_imports(HOUSE) == []


def test_a_library_is_imported_in_one_place() -> None:
    assert wrong_importers(HOUSE) == []


#: The package without the folders' own files, which hold a docstring; a test below says so.
HOUSE = {name: source for name, source in SOURCES.items() if name not in ("_core", "_client")}


@pytest.mark.parametrize(("check", "module", "line"), [
    pytest.param(wrong_arrows, "_core.model.http", "import g4fsdk._client.clocks", id="core to client"),
    pytest.param(wrong_arrows, "_core.decoding.answer", "import g4fsdk._core.framing.sse", id="down"),
    pytest.param(wrong_arrows, "_client.task", "from g4fsdk.testing import Replay", id="client to harness"),
    pytest.param(wrong_arrows, "_client.task", "X = 'g4fsdk.testing._record.recorder'", id="by a string"),
    pytest.param(wrong_arrows, "_client.clocks", "def f():\n import g4fsdk.cli.app", id="in a function"),
    pytest.param(wrong_arrows, "_core.flow.provider", "from g4fsdk import Client", id="by a public name"),
    pytest.param(wrong_arrows, "testing._secrets.edits", "import g4fsdk.testing._replay.planned", id="rooms"),
    pytest.param(wrong_arrows, "_client.asynchronous.http", "import g4fsdk._client.blocking.http", id="twin"),
    pytest.param(circle, "_core.model.http", "from g4fsdk._core.model import errors", id="circle"),
    pytest.param(impure_imports, "_core.model.chat", "import time", id="a clock in the core"),
    pytest.param(impure_imports, "providers.yqcloud", "def f():\n from os import environ", id="environment"),
    pytest.param(wrong_importers, "_client.task", "import requests", id="second importer"),
    pytest.param(wrong_importers, "cli.chat", "import httpx", id="a command"),
    pytest.param(wrong_importers, "testing._server.server", "import vcr", id="vcrpy in the harness"),
    pytest.param(wrong_importers, "bench.measure", "import vcr", id="vcrpy elsewhere"),
    pytest.param(wrong_importers, "testing.plugin", "import hypothesis", id="hypothesis in the plugin"),
])  # fmt: skip
def test_each_check_turns_red(check: Any, module: str, line: str) -> None:
    planted = {**HOUSE, module: f"{HOUSE[module]}\n{line}\n"}

    assert check(planted)


# --- Files ---


@pytest.mark.parametrize("path", [*(ROOT / "providers").glob("*.py")], ids=lambda path: path.stem)
def test_a_provider_imports_no_other(path: Path) -> None:
    allowed = {f"g4fsdk.providers._{path.stem}_models"}

    found = {name for name, _ in arrows_of(path.read_text()) if re.fullmatch(r"g4fsdk\.providers\.\w+", name)}

    assert path.stem == "__init__" or found <= allowed


def test_a_private_folder_says_what_lives_there_and_imports_nothing() -> None:
    for path in ROOT.rglob("_*/__init__.py"):
        (only,) = ast.parse(path.read_text()).body

        assert isinstance(only, ast.Expr), path
        assert isinstance(only.value, ast.Constant), path


def test_contributing_says_where_things_are_in_the_order_of_imports() -> None:
    text = (ROOT.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")

    told = re.findall(r"^\| `([\w/]+)` \|", text, re.MULTILINE)

    assert told == [place.replace(".", "/") for place in ORDER if place not in ("_version", "__main__")]


@every_module
def test_no_file_is_long(module: str) -> None:
    assert len(SOURCES[module].splitlines()) <= 400


@every_module
def test_nothing_is_swallowed_or_ignored_without_a_reason(module: str) -> None:
    source = SOURCES[module]

    assert not re.search(
        r"except\s+(Base)?Exception\s*(as \w+)?:\s*(#.*)?\n\s*(pass|\.\.\.|continue)\b", source
    )
    assert not re.search(r"except\s*:", source)
    for line in source.split("\n"):
        if "type: ignore" in line:
            assert re.search(r"# type: ignore\[[\w-]+(, ?[\w-]+)*\]  # \S", line), line
