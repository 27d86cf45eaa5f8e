"""Messages to prompts, and how a conversation goes on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from g4fsdk import Conversation, Message, UsageError
from g4fsdk._core.flow.prompts import (
    build_prompt,
    continued,
    last_user_text,
    plain_text,
    system_text,
    without_system,
)


def said(*pairs: str) -> tuple[Message, ...]:
    """Return messages: "u text" is one of the user, "a text" of the assistant, "s text" of the system."""
    roles = {"u": "user", "a": "assistant", "s": "system", "t": "tool", "d": "developer"}
    return tuple(Message(roles[pair[0]], pair[2:]) for pair in pairs)


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        pytest.param(said("u Hello"), "Hello", id="one alone has no label"),
        pytest.param(said("s Hello"), "Hello", id="one alone, whatever its role"),
        pytest.param(said("u  Hello\n"), " Hello\n", id="one alone keeps its blank space"),
        pytest.param(
            said("u First question", "a First answer", "u Second question"),
            "User: First question\nAssistant: First answer\nUser: Second question\nAssistant:",
            id="several",
        ),
        pytest.param(
            said("s Be brief.", "t 4", "u x"), "System: Be brief.\nTool: 4\nUser: x\nAssistant:", id="roles"
        ),
        pytest.param(
            said("u a", "a   ", "u b"), "User: a\nUser: b\nAssistant:", id="blank ones are left out"
        ),
        pytest.param(
            said("u a\nb", "u  c "), "User: a\nb\nUser:  c \nAssistant:", id="texts stay as they are"
        ),
    ],
)
def test_a_prompt_is_built_of_messages(messages: Sequence[Message], prompt: str) -> None:
    assert build_prompt(messages) == prompt


@pytest.mark.parametrize("messages", [said("u  "), said("u ", "a  "), []], ids=["one", "two", "none"])
def test_there_is_no_prompt_of_nothing(messages: Sequence[Message]) -> None:
    with pytest.raises(UsageError):
        build_prompt(messages)


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        pytest.param(said("u a", "a b", "u c"), "c", id="the last"),
        pytest.param(said("u a", "a b", "u c", "u d"), "c\nd", id="two in a row"),
        pytest.param(said("u  a ", "u  ", "u b"), "a\nb", id="stripped, blank ones left out"),
        pytest.param(said("u a", "a b"), "a", id="later ones of others are skipped"),
        pytest.param(said("u a", "s b"), "a", id="a system message at the end is skipped"),
    ],
)
def test_the_last_user_text_is_the_last_run(messages: Sequence[Message], text: str) -> None:
    assert last_user_text(messages) == text


@pytest.mark.parametrize("messages", [said("a b"), said("u  "), said("u a", "a b", "u  ")])
def test_without_a_user_text_there_is_nothing_to_send(messages: Sequence[Message]) -> None:
    with pytest.raises(UsageError):
        last_user_text(messages)


def test_system_messages_join() -> None:
    messages = said("s a", "u x", "d b")

    assert system_text(messages) == "a\nb"
    assert system_text(said("u x")) == ""
    assert without_system(messages) == said("u x")


def test_parts_of_text_join_and_others_are_refused() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    assert plain_text(Message("user", parts)) == "ab"
    with pytest.raises(UsageError, match="image_url"):
        plain_text(Message("user", [*parts, {"type": "image_url", "image_url": {"url": "u"}}]))


OLD = Conversation("x", "m", said("s Be brief.", "u a", "a b"))


@pytest.mark.parametrize(
    ("conversation", "messages", "expected"),
    [
        pytest.param(None, said("u a"), said("u a"), id="none begun"),
        pytest.param(Conversation("x"), said("u a"), said("u a"), id="an empty one"),
        pytest.param(OLD, said("u c"), said("s Be brief.", "u a", "a b", "u c"), id="the new turn alone"),
        pytest.param(
            OLD,
            said("s Be brief.", "u a", "a b", "u c"),
            said("s Be brief.", "u a", "a b", "u c"),
            id="the whole list again",
        ),
        pytest.param(
            OLD, said("u a", "a b", "u c"), said("s Be brief.", "u a", "a b", "u c"), id="without system"
        ),
        pytest.param(
            OLD,
            said("s Be long.", "u c"),
            said("s Be long.", "u a", "a b", "u c"),
            id="the system message changes",
        ),
        pytest.param(
            OLD,
            said("u other", "a b", "u c"),
            said("s Be brief.", "u a", "a b", "u c"),
            id="another past is ignored",
        ),
        pytest.param(
            OLD, said("u c", "u d"), said("s Be brief.", "u a", "a b", "u c", "u d"), id="two new ones"
        ),
        pytest.param(
            OLD, said("u a"), said("s Be brief.", "u a", "a b", "u a"), id="the same question again"
        ),
    ],
)
def test_a_conversation_goes_on(
    conversation: Conversation | None, messages: Sequence[Message], expected: Sequence[Message]
) -> None:
    assert continued(conversation, messages) == tuple(expected)


@pytest.mark.parametrize("messages", [said("u a", "a b"), said("s Be long.")])
def test_messages_that_add_nothing_are_refused(messages: Sequence[Message]) -> None:
    with pytest.raises(UsageError, match="add nothing"):
        continued(OLD, messages)
