"""The public names: all there, no others, loaded late, and seen by type checkers."""

from __future__ import annotations

import ast
import difflib
import subprocess
import sys
from pathlib import Path
from typing import assert_never

import pytest

import g4fsdk
from tests.support import public_api

ROOT = Path(g4fsdk.__file__).parent
PUBLIC = [
    *("Client", "AsyncClient", "Chat", "Message", "Request", "Response", "Conversation"),
    *("Timeouts", "Retries", "Ids", "advance", "providers", "parsers", "TextDelta"),
    *("ReasoningDelta", "RefusalDelta", "ToolCallDelta", "FinalText", "Title", "ImageEvent"),
    *("ConversationEvent", "Usage", "Finish", "Image", "Event", "Stream", "G4FError", "UsageError"),
    *("TransportError", "DeadlineError", "StatusError", "AuthError", "NotFoundError"),
    *("RateLimitError", "BlockedError", "ServerError", "ProviderError", "ProtocolError"),
    *("IncompleteStreamError", "EmptyAnswerError", "Completion", "Chunk", "ChatStream", "ChunkStream"),
    *("AsyncChatStream", "AsyncChunkStream", "ImagesResponse", "Model", "ToolCall", "RetryEvent"),
    *("AudioDelta", "Logprobs", "Annotation", "Extra"),
]


def test_the_public_names_are_all_there_and_no_others() -> None:
    assert sorted(g4fsdk.__all__) == sorted(PUBLIC)
    assert {*PUBLIC, "__version__"} <= {*dir(g4fsdk)}


def test_the_public_names_and_signatures_are_those_that_are_written_down() -> None:
    listed = public_api.LIST.read_text(encoding="utf-8").splitlines()
    changed = [
        *difflib.unified_diff(listed, [*public_api.public_api()], "public_api.txt", "the package", n=0)
    ]

    assert changed == [], "\n".join(
        [*changed, "meant? python -m tests.support.public_api writes them down; say it in CHANGELOG.md"]
    )


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


def test_a_client_imports_its_own_library_and_no_event_loop_that_it_does_not_run() -> None:
    blocking, awaited = (
        imported_by("from g4fsdk import Client"),
        imported_by("from g4fsdk import AsyncClient"),
    )

    assert not {"httpx", "anyio", "asyncio", "tenacity"} & blocking
    assert not {"requests", "urllib3", "tenacity"} & awaited


def told(event: g4fsdk.Event) -> str:
    """mypy, with every change, and pyright see that nothing is left for the last line."""
    match event:
        case g4fsdk.TextDelta() | g4fsdk.ReasoningDelta() | g4fsdk.RefusalDelta() | g4fsdk.FinalText():
            return event.text
        case g4fsdk.Title():
            return event.text
        case g4fsdk.ToolCallDelta():
            return event.arguments
        case g4fsdk.AudioDelta():
            return event.transcript
        case g4fsdk.ImageEvent():
            return " ".join(event.urls)
        case g4fsdk.Annotation() | g4fsdk.Extra():
            return str(event.data)
        case g4fsdk.Logprobs():
            return str(event.content)
        case g4fsdk.Usage():
            return str(event.total_tokens)
        case g4fsdk.ConversationEvent():
            return repr(event.conversation)
        case g4fsdk.Finish():
            return event.reason or ""
    assert_never(event)


def test_every_event_can_be_told_from_the_others() -> None:
    assert [told(event) for event in (g4fsdk.Title("a"), g4fsdk.Finish("stop"))] == ["a", "stop"]
