"""The exception tree: what is raised says what was asked of whom, and survives being sent elsewhere."""

from __future__ import annotations

import copy
import pickle

import pytest

import g4fsdk
from g4fsdk import (
    BlockedError,
    Conversation,
    DeadlineError,
    G4FError,
    IncompleteStreamError,
    ProtocolError,
    Request,
    StatusError,
    TransportError,
)
from g4fsdk._core.model import errors

#: The tree as it is documented: every class and its parent.
TREE = {
    "UsageError": "G4FError",
    "TransportError": "G4FError",
    "DeadlineError": "TransportError",
    "StatusError": "G4FError",
    "AuthError": "StatusError",
    "NotFoundError": "StatusError",
    "RateLimitError": "StatusError",
    "BlockedError": "StatusError",
    "ServerError": "StatusError",
    "ProviderError": "G4FError",
    "ProtocolError": "G4FError",
    "IncompleteStreamError": "ProtocolError",
    "EmptyAnswerError": "ProtocolError",
}
CLASSES: list[type[G4FError]] = [getattr(g4fsdk, name) for name in [*TREE, "G4FError"]]


@pytest.mark.parametrize("name", TREE)
def test_the_tree_is_as_documented(name: str) -> None:
    assert getattr(g4fsdk, name).__base__ is getattr(g4fsdk, TREE[name])
    assert name in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_all_the_common_attributes(kind: type[G4FError]) -> None:
    error = kind("it went wrong")

    assert (error.message, str(error)) == ("it went wrong", "it went wrong")
    assert (error.provider, error.request, error.conversation, error.code) == (None, None, None, None)
    assert (error.partial, error.errors, error.events, error.retryable) == ("", (), (), False)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_can_be_pickled_and_copied(kind: type[G4FError]) -> None:
    error = kind("it went wrong")
    error.provider = "yqcloud"
    error.partial = "so far"
    error.code = 7
    error.request = Request("GET", "http://x")
    error.conversation = Conversation("yqcloud")
    error.errors = (TransportError("before", sent=True),)
    error.__cause__ = ValueError("why")

    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind
        assert str(twin) == "yqcloud: it went wrong"
        state = {key: value for key, value in vars(twin).items() if key != "errors"}
        assert state == {key: value for key, value in vars(error).items() if key != "errors"}
        assert [vars(inner) for inner in twin.errors] == [vars(inner) for inner in error.errors]


def test_the_details_of_each_kind_survive_pickling() -> None:
    status = BlockedError(
        "no", status=403, headers={"x-request-id": "r"}, body=b"x", code="c", retry_after=1.5
    )
    deadline = DeadlineError("late", clock="idle", sent=False)
    protocol = IncompleteStreamError("cut", offset=7, excerpt=b"x")

    for error in (status, deadline, protocol):
        assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_an_error_names_its_provider() -> None:
    assert str(G4FError("busy", provider="amigo")) == "amigo: busy"


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"x-request-id": "a"}, "a"),
        ({"request-id": "b"}, "b"),
        ({"x-request-id": "a", "request-id": "b"}, "a"),
        ({}, None),
    ],
)
def test_the_services_name_for_the_request_is_found(headers: dict[str, str], request_id: str | None) -> None:
    assert StatusError("no", headers=headers).request_id == request_id


def test_an_excerpt_is_at_most_200_bytes() -> None:
    assert len(ProtocolError("nonsense", excerpt=b"x" * 1000).excerpt) == 200
