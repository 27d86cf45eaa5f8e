"""The vocabulary: what a caller says is checked, copied and safe to print."""

from __future__ import annotations

import copy
import json
import pickle
import uuid
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from g4fsdk import (
    Chat,
    Conversation,
    Ids,
    Message,
    Request,
    Response,
    ToolCall,
    UsageError,
)
from g4fsdk._core.model.chat import SeededIds
from g4fsdk._core.model.messages import AssistantMessage, Function

# --- Messages ---


def test_text_is_one_user_message() -> None:
    assert Chat("Hello").messages == (Message("user", "Hello"),)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"role": "user", "content": "Hi"}, id="text"),
        pytest.param({"role": "user", "content": "Hi", "name": "bob"}, id="further keys"),
        pytest.param({"role": "user", "content": [{"type": "text", "text": "Hi"}]}, id="parts"),
        pytest.param({"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}, id="tool calls"),
        pytest.param({"role": "assistant", "tool_calls": [{"id": "a"}], "x": None}, id="no content, a null"),
        pytest.param({"role": "tool", "content": "4", "tool_call_id": "a"}, id="tool result"),
        pytest.param({"role": "developer", "content": "Be brief."}, id="developer"),
    ],
)
def test_a_message_goes_out_as_it_came_in(message: dict[str, Any]) -> None:
    [read] = Chat([message]).messages

    assert read.to_dict() == message


def test_an_assistant_without_text_and_calls_goes_out_with_null() -> None:
    assert Message("assistant").to_dict() == {"role": "assistant", "content": None}


def test_a_tuple_of_parts_is_a_list() -> None:
    [message] = Chat([{"role": "user", "content": ({"type": "text", "text": "Hi"},)}]).messages

    assert message.content == [{"type": "text", "text": "Hi"}]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Hi", "Hi"),
        (None, ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": "b"}], "b"),
        ([], ""),
    ],
)
def test_the_text_of_a_message_is_its_text_parts_joined(content: Any, text: str) -> None:
    assert Message("user", content).text == text


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        pytest.param([], "empty", id="no messages"),
        pytest.param("", "empty", id="empty text"),
        pytest.param([{"role": "user", "content": ""}], "empty", id="a message of nothing"),
        pytest.param([{"role": "user", "content": []}], "empty", id="no parts"),
        pytest.param([{"role": "robot", "content": "x"}], "'robot'", id="unknown role"),
        pytest.param([{"content": "x"}], "role", id="no role"),
        pytest.param([{"role": None, "content": "x"}], "role", id="role null"),
        pytest.param([{"role": ["user"], "content": "x"}], "role", id="role of another type"),
        pytest.param([{"role": "user", "content": 7}], "int", id="content is a number"),
        pytest.param([{"role": "user", "content": b"x"}], "bytes", id="content is bytes"),
        pytest.param([{"role": "user", "content": {"text": "x"}}], "dict", id="content is a mapping"),
        pytest.param([{"role": "user", "content": ["x"]}], "list", id="parts are text"),
        pytest.param([{"role": "user", "content": None}], "no content", id="user without content"),
        pytest.param([{"role": "user"}], "no content", id="user with the key missing"),
        pytest.param([{"role": "system", "content": None}], "no content", id="system without content"),
        pytest.param(["Hello"], "mapping", id="a list of text"),
        pytest.param([None], "mapping", id="a list of null"),
        pytest.param(7, "int", id="a number"),
        pytest.param(None, "NoneType", id="null"),
        pytest.param(b"Hello", "bytes", id="bytes"),
        pytest.param({"role": "user", "content": "x"}, "dict", id="one message without a list"),
        pytest.param(iter([]), "list_iterator", id="an iterator"),
    ],
)
def test_messages_that_cannot_be_sent_are_refused(messages: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        Chat(messages)

    assert words in caught.value.message


def test_the_known_roles_are_listed() -> None:
    with pytest.raises(UsageError, match="assistant, developer, function, system, tool, user"):
        Chat([{"role": "robot", "content": "x"}])


def test_a_callers_list_is_copied_and_left_alone() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    before = copy.deepcopy(messages)

    chat = Chat(messages)
    messages.append({"role": "user", "content": "more"})

    assert chat.messages == (Message("user", "Hi"),)
    assert messages[:1] == before


def test_the_message_of_an_answer_can_be_put_back() -> None:
    answer = AssistantMessage(
        content="4",
        reasoning="hm",
        tool_calls=[ToolCall("a", Function("add", "{}"), 0, extra={"extra_content": {"signature": "s"}})],
        refusal="no",
    )

    messages = Chat([{"role": "user", "content": "2+2"}, answer]).messages

    assert messages[1].to_dict() == {
        "role": "assistant",
        "content": "4",
        "refusal": "no",
        "reasoning_content": "hm",
        "tool_calls": [
            {
                "id": "a",
                "type": "function",
                "function": {"name": "add", "arguments": "{}"},
                "extra_content": {"signature": "s"},
            }
        ],
    }


def test_an_answer_that_only_called_a_tool_can_be_put_back() -> None:
    answer = AssistantMessage(content=None, tool_calls=[ToolCall("a", Function("add", "{}"), 0)])

    assert "content" not in Chat([{"role": "user", "content": "x"}, answer]).messages[1].to_dict()


def test_a_chat_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Chat("Hello").model = "other"  # type: ignore[misc]  # on purpose


def test_options_are_copied() -> None:
    options = {"temperature": 1}

    chat = Chat("Hello", options=options)
    options["temperature"] = 2

    assert chat.options == {"temperature": 1}


# --- Requests and responses ---


def test_a_request_shows_no_secret() -> None:
    request = Request(
        "POST",
        "https://bob:hunter22@x.example/v1?api_key=topsecret&page=2&sig=abcdef",
        {
            "Authorization": "Bearer topsecret",
            "Cookie": "s=topsecret",
            "X-Api-Key": "topsecret",
            "Accept": "*/*",
        },
        b"topsecret",
    )

    shown = f"{request!r} {request} {request.redacted().url} {request.redacted().headers}"

    assert "topsecret" not in shown
    assert "hunter22" not in shown
    assert "abcdef" not in shown
    assert "page=2" in shown
    assert request.redacted().headers["Accept"] == "*/*"


def test_a_response_knows_its_headers_by_any_case() -> None:
    response = Response(200, [("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("X", "y")], b"body")

    assert response.header("SET-COOKIE") == "a=1"
    assert response.header_values("Set-Cookie") == ["a=1", "b=2"]
    assert (response.header("none"), response.header_values("none")) == (None, [])
    assert Response(200, {"X": "y"}).header("x") == "y"
    assert repr(response) == "<Response 200, 4 bytes>"


# --- Conversations ---

CONVERSATION = Conversation(
    "cohere-c4ai",
    "command-r",
    (
        Message("system", "Be brief."),
        Message("user", [{"type": "text", "text": "Привет"}], {"name": "bob"}),
        Message("assistant", None, {"tool_calls": [{"id": "a"}]}),
    ),
    {"conversationId": "6b00", "cookies": {"hf-chat": "topsecret"}, "preprompt": "Be brief."},
)


def test_a_conversation_survives_json() -> None:
    assert Conversation.from_dict(json.loads(json.dumps(CONVERSATION.to_dict()))) == CONVERSATION


def test_a_conversation_shows_neither_cookies_nor_messages() -> None:
    shown = f"{CONVERSATION!r} {CONVERSATION}"

    assert "topsecret" not in shown
    assert "Привет" not in shown
    assert "cohere-c4ai" in shown


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"provider": "x"},
        {"provider": 7, "model": "m", "messages": [], "state": {}},
        {"provider": "x", "model": "m", "messages": "no", "state": {}},
        {"provider": "x", "model": "m", "messages": [{"role": "robot", "content": "x"}], "state": {}},
        {"provider": "x", "model": "m", "messages": [7], "state": {}},
        {"provider": "x", "model": "m", "messages": [], "state": None},
        [],
        None,
        "text",
    ],
    ids=repr,
)
def test_something_else_is_no_conversation(value: Any) -> None:
    with pytest.raises(UsageError):
        Conversation.from_dict(value)


# --- Ids ---


def test_seeded_ids_are_always_the_same() -> None:
    first, again, other = Ids.seeded(7), Ids.seeded(7), Ids.seeded(8)

    assert first.uuid("chat") == again.uuid("chat")
    assert first.now_ms() == again.now_ms()
    assert first.uuid("chat") != first.uuid("device")
    assert first.uuid("chat") != other.uuid("chat")
    assert SeededIds.seeded(7) == first


def test_a_seeded_id_looks_random() -> None:
    found = uuid.UUID(Ids.seeded(7).uuid("chat"))

    assert (found.version, found.variant) == (4, uuid.RFC_4122)
    assert len(str(Ids.seeded(7).now_ms())) == 13


def test_each_call_and_attempt_has_ids_of_its_own() -> None:
    ids = Ids.seeded(7)
    found = [ids.child(0), ids.child(1), ids.child(2), ids.child(1).child(1)]

    assert found[0].uuid("chat") == ids.uuid("chat")
    assert len({child.uuid("chat") for child in found}) == 4
    assert len({child.now_ms() for child in found}) == 4


def test_a_chat_is_shown_without_the_values_of_its_options() -> None:
    chat = Chat(
        "Hello", "gpt-4", options={"extra_headers": {"Authorization": "Bearer sk-topsecret"}, "seed": 7}
    )

    assert repr(chat) == "<Chat 'gpt-4', 1 messages, options extra_headers, seed>"


# --- Pickling and copying ---


@pytest.mark.parametrize(
    "value",
    [
        Chat("Hello"),
        CONVERSATION,
        Request("GET", "http://x", {"a": "b"}, b"c"),
        Response(200, {"a": "b"}, b"c"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_can_be_pickled_and_copied(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
