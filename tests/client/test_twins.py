"""The two clients are one: the same calls, the same arguments, the same words."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from g4fsdk import AsyncClient, Client
from g4fsdk._client.asynchronous import client as async_shell
from g4fsdk._client.blocking import client as sync_shell

PAIRS = [
    (Client, AsyncClient),
    (Client.batch, AsyncClient.batch),
    (sync_shell.Completions.create, async_shell.Completions.create),
    (sync_shell.Completions.stream, async_shell.Completions.stream),
    (sync_shell.Images.generate, async_shell.Images.generate),
    (sync_shell.Models.list, async_shell.Models.list),
]
#: What differs on purpose: each brings its own library's client.
RENAMED = {"session": "http_client"}
#: What the async client alone has a choice of.
ALONE = ("http",)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].__qualname__)
def test_both_clients_take_the_same(pair: tuple[Any, Any]) -> None:
    blocking, other = (inspect.signature(one).parameters for one in pair)

    assert [RENAMED.get(name, name) for name in blocking] == [name for name in other if name not in ALONE]
    for name, parameter in blocking.items():
        twin = other[RENAMED.get(name, name)]
        assert (parameter.kind, parameter.default) == (twin.kind, twin.default)
        if name not in ("self", "session", "transport", "rows"):
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

    assert [RENAMED.get(name, name) for name in arguments[0]] + [*ALONE] == arguments[1]
    assert {*arguments[0]} | {"provider"} == {*inspect.signature(Client).parameters}
