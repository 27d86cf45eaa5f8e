"""The shape of the package: imports point down, the core is pure, the public names are all there."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import g4fsdk
from g4fsdk import AsyncClient, Client
from g4fsdk import _async as async_shell
from g4fsdk import _sync as sync_shell

ROOT = Path(g4fsdk.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
#: Each module or package with its floor: 0 to 2 are pure, 3 does the I/O, 4 stands on it.
FLOORS = {
    **dict.fromkeys(("_version", "_redact", "_errors", "_types", "_buffers"), 0),
    **dict.fromkeys(
        ("_events", "_surrogates", "_completions", "_status", "_decoder", "_devalue", "_prompts", "_bodies"),
        1,
    ),
    **dict.fromkeys(
        (
            "_chat_chunks",
            "_answers",
            "_plain_chunks",
            "_tool_calls",
            "_images",
            "_chatui",
            "_parsers",
            "_fast",
            "_sse",
            "_json_lines",
            "_text",
        ),
        1,
    ),
    **dict.fromkeys(
        ("_document", "parsers", "_flow", "_retries", "_redirects", "_failures", "_inflate", "_whole"), 1
    ),
    "providers": 2,
    **dict.fromkeys(("_ids", "_clocks", "_task", "_call", "_connections", "_requests", "_httpx"), 3),
    **dict.fromkeys(("_reading", "_sync", "_sync_streams", "_async", "_async_streams"), 3),
    **dict.fromkeys(("g4f", "testing", "cli", "bench"), 4),
}
IMPURE = {
    *(
        "socket",
        "ssl",
        "select",
        "selectors",
        "asyncio",
        "threading",
        "concurrent",
        "multiprocessing",
        "anyio",
    ),
    *("time", "datetime", "random", "secrets", "uuid", "os", "pathlib", "tempfile", "subprocess", "shutil"),
    *(
        "requests",
        "httpx",
        "urllib3",
        "http.client",
        "http.cookiejar",
        "urllib.request",
        "vcr",
        "typer",
        "rich",
    ),
}
#: The only files of the package proper that may import a library. The harness has adapters of its own.
IMPORTERS = {
    "requests": {"_requests.py"},
    "httpx": {"_httpx.py"},
    "urllib3": {"_requests.py", "_connections.py"},
    "tenacity": {"_retries.py"},
    "vcr": set[str](),
}
PROPER = [path for path in FILES if path.relative_to(ROOT).parts[0] not in ("testing", "bench", "cli")]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_file = pytest.mark.parametrize("path", FILES, ids=name_of)


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """Return what *path* imports when it runs, anywhere in it."""
    return tuple(_imports(ast.parse(path.read_text()).body))


def _imports(nodes: list[Any]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=orelse):
                yield from _imports(orelse)
            case ast.AST():
                yield from _imports([*ast.iter_child_nodes(node)])


def module_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


@every_file
def test_imports_point_down(path: Path) -> None:
    if path == ROOT / "__init__.py":
        assert [name for name in imports_of(path) if name.startswith("g4fsdk")] == [
            "g4fsdk._version",
            "g4fsdk._version.__version__",
        ]
        return
    floor = FLOORS[module_of(path)]

    for imported in imports_of(path):
        parts = imported.split(".")
        if parts[0] == "g4fsdk" and len(parts) > 1 and parts[1] in FLOORS:
            assert FLOORS[parts[1]] <= floor, f"{name_of(path)} imports {imported}"


def test_every_module_has_a_floor() -> None:
    assert {module_of(path) for path in FILES} - {"__init__"} <= FLOORS.keys()


@pytest.mark.parametrize("path", [path for path in FILES if FLOORS.get(module_of(path), 9) <= 2], ids=name_of)
def test_the_core_is_pure(path: Path) -> None:
    for imported in imports_of(path):
        names = {imported, imported.split(".")[0]}
        assert not names & IMPURE, f"{name_of(path)} imports {imported}"


@pytest.mark.parametrize("library", IMPORTERS)
def test_a_library_has_one_importer(library: str) -> None:
    found = {name_of(path) for path in PROPER if library in {name.split(".")[0] for name in imports_of(path)}}

    assert found == IMPORTERS[library]


@pytest.mark.parametrize("path", [*(ROOT / "providers").glob("*.py")], ids=name_of)
def test_a_provider_imports_no_other(path: Path) -> None:
    if path.name == "__init__.py":
        return
    allowed = {f"g4fsdk.providers._{path.stem}_models"}

    found = {name for name in imports_of(path) if re.fullmatch(r"g4fsdk\.providers\.\w+", name)}

    assert found <= allowed


@every_file
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@every_file
def test_nothing_is_swallowed_or_ignored_without_a_reason(path: Path) -> None:
    source = path.read_text()

    assert not re.search(
        r"except\s+(Base)?Exception\s*(as \w+)?:\s*(#.*)?\n\s*(pass|\.\.\.|continue)\b", source
    )
    assert not re.search(r"except\s*:", source)
    for line in source.split("\n"):
        if "type: ignore" in line:
            assert re.search(r"# type: ignore\[[\w-]+(, ?[\w-]+)*\]  # \S", line), line


PUBLIC = [
    *("Client", "AsyncClient", "Chat", "Message", "Request", "Response", "Conversation"),
    *("Timeouts", "Retries", "Ids", "advance", "providers", "parsers", "TextDelta"),
    *("ReasoningDelta", "RefusalDelta", "ToolCallDelta", "FinalText", "Title", "ImageEvent"),
    *("ConversationEvent", "Usage", "Finish", "Image", "Event", "Stream", "G4FError", "UsageError"),
    *("TransportError", "DeadlineError", "StatusError", "AuthError", "NotFoundError"),
    *("RateLimitError", "BlockedError", "ServerError", "ProviderError", "ProtocolError"),
    *("IncompleteStreamError", "EmptyAnswerError", "Completion", "Chunk", "ChatStream", "ChunkStream"),
    *("AsyncChatStream", "AsyncChunkStream", "ImagesResponse", "Model", "ToolCall", "RetryEvent"),
]


def test_the_public_names_are_all_there_and_no_others() -> None:
    assert sorted(g4fsdk.__all__) == sorted(PUBLIC)
    assert {*PUBLIC, "__version__"} <= {*dir(g4fsdk)}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert getattr(g4fsdk, name) is not None


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        # The access is the test; that mypy has to be told to ignore it is a test, too.
        g4fsdk.nothing_of_this_name  # type: ignore[attr-defined]  # noqa: B018


def test_the_type_checker_sees_the_same_names() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text())
    block, _ = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}

    assert seen - {None} == {*PUBLIC}


def test_the_parsers_are_public() -> None:
    for name in ("SSEParser", "JSONLinesParser", "TextParser"):
        assert name in g4fsdk.parsers.__all__
        assert callable(getattr(g4fsdk.parsers, name))


HEAVY = ("requests", "httpx", "urllib3", "msgspec", "tenacity", "anyio", "asyncio", "typing", "ssl")


def imported_by(code: str) -> set[str]:
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT.parent,
    )
    return {line.rpartition("|")[2].strip() for line in found.stderr.splitlines()}


def test_importing_the_package_imports_nothing_else() -> None:
    site = imported_by("pass")

    assert not {*HEAVY} & (imported_by("import g4fsdk") - site)


def test_the_pure_core_imports_no_http_library() -> None:
    found = imported_by("from g4fsdk import Chat, advance, providers, parsers; providers.get('yqcloud')")

    assert not {"requests", "httpx", "urllib3", "tenacity", "anyio", "asyncio", "ssl"} & found


# --- The two clients are one ---

PAIRS = [
    (Client, AsyncClient),
    (sync_shell.Completions.create, async_shell.Completions.create),
    (sync_shell.Completions.stream, async_shell.Completions.stream),
    (sync_shell.Images.generate, async_shell.Images.generate),
    (sync_shell.Models.list, async_shell.Models.list),
]
#: What differs on purpose: each brings its own library's client.
RENAMED = {"session": "http_client"}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].__qualname__)
def test_both_clients_take_the_same(pair: tuple[Any, Any]) -> None:
    blocking, other = (inspect.signature(one).parameters for one in pair)

    assert [RENAMED.get(name, name) for name in blocking] == [*other]
    for name, parameter in blocking.items():
        twin = other[RENAMED.get(name, name)]
        assert (parameter.kind, parameter.default) == (twin.kind, twin.default)
        if name not in ("self", "session", "transport"):
            assert parameter.annotation == twin.annotation, name


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_both_clients_can_do_the_same() -> None:
    assert public(Client) == public(AsyncClient)
    for name in ("Chats", "Completions", "Images", "Models"):
        assert public(getattr(sync_shell, name)) == public(getattr(async_shell, name))


def test_the_settings_of_both_clients_read_the_same() -> None:
    docs = [(inspect.getdoc(kind) or "").partition("Raises:")[0] for kind in (Client, AsyncClient)]
    arguments = [re.findall(r"^    (\w+):", doc, re.MULTILINE) for doc in docs]

    assert [RENAMED.get(name, name) for name in arguments[0]] == arguments[1]
    assert {*arguments[0]} | {"provider"} == {*inspect.signature(Client).parameters}
