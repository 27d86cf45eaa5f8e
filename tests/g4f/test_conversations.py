"""A conversation goes on with the object of an earlier turn, and a failed turn leaves nothing behind."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from g4fsdk import G4FError, UsageError
from g4fsdk.g4f import (
    CohereForAI_C4AI_Command,
    Conversation,
    JsonConversation,
    Yqcloud,
)
from tests.support.g4f_service import CREATED, PARENT, Answer, Service, created, page, turn, updates

Messages = list[dict[str, Any]]
SYSTEM = {"role": "system", "content": "Be brief"}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


async def yqcloud(service: Service, messages: Messages, **arguments: Any) -> list[Any]:
    items = Yqcloud.create_async_generator("gpt-4", messages, transport=service, retries=1, **arguments)
    return [item async for item in items]


async def cohere(service: Service, messages: Messages, **arguments: Any) -> list[Any]:
    arguments.setdefault("model", "command-a")
    items = CohereForAI_C4AI_Command.create_async_generator(
        messages=messages, transport=service, retries=1, **arguments
    )
    return [item async for item in items]


async def first_turn(question: Messages) -> Conversation:
    items = await yqcloud(Service("A1"), question, return_conversation=True)
    assert isinstance(items[1], Conversation)
    return items[1]


async def test_yqcloud_goes_on_with_the_last_message_given() -> None:
    conversation = await first_turn([user("Q1")])
    service = Service("A2")

    messages = [user("Q1"), assistant("A1"), user("Q2")]
    items = await yqcloud(service, messages, conversation=conversation, return_conversation=True)

    assert service.last.json["prompt"] == "User: Q1\nAssistant: A1\nUser: Q2\nAssistant:"
    assert service.last.json["userId"] == conversation.userId
    assert items[1] is conversation
    assert conversation.message_history == [*messages, assistant("A2")]


async def test_yqcloud_never_changes_a_list_of_the_caller() -> None:
    first, second = [user("Q1")], [user("Q2")]
    conversation = await first_turn(first)
    history = conversation.message_history
    kept = copy.deepcopy((first, second, history))

    await yqcloud(Service("A2"), second, conversation=conversation, return_conversation=True)

    assert (first, second, history) == kept


@pytest.mark.parametrize("return_conversation", [True, False])
async def test_yqcloud_a_silent_turn_is_remembered(return_conversation: bool) -> None:
    conversation = await first_turn([user("Q1")])

    items = await yqcloud(
        Service("A2"), [user("Q2")], conversation=conversation, return_conversation=return_conversation
    )

    assert (conversation in items) is return_conversation
    assert conversation.message_history == [user("Q1"), assistant("A1"), user("Q2"), assistant("A2")]


@pytest.mark.parametrize("failure", [Answer("no", status=400), Answer("Half", breaks=True), Answer("")])
async def test_yqcloud_a_failed_turn_leaves_nothing_behind(failure: Answer) -> None:
    conversation = await first_turn([user("Q1")])
    before = copy.deepcopy(conversation.get_dict())
    messages = [user("Q2")]

    with pytest.raises(G4FError):
        await yqcloud(Service(failure), messages, conversation=conversation)

    assert conversation.get_dict() == before
    assert messages == [user("Q2")]


async def test_yqcloud_a_turn_left_early_leaves_nothing_behind() -> None:
    conversation = await first_turn([user("Q1")])
    before = copy.deepcopy(conversation.get_dict())

    items = Yqcloud.create_async_generator(
        "gpt-4", [user("Q2")], conversation=conversation, transport=Service([b"a", b"b"])
    )
    assert await anext(items) == "a"
    await items.aclose()

    assert conversation.get_dict() == before


async def test_yqcloud_a_new_system_message_replaces_the_old() -> None:
    conversation = await first_turn([SYSTEM, user("Q1")])
    service = Service("A2")

    await yqcloud(service, [{"role": "system", "content": "Be long"}, user("Q2")], conversation=conversation)

    assert service.last.json["system"] == "Be long"
    assert service.last.json["prompt"] == "User: Q1\nAssistant: A1\nUser: Q2\nAssistant:"


async def test_yqcloud_goes_on_from_json() -> None:
    text = json.dumps((await first_turn([SYSTEM, user("Q1")])).get_dict())
    service = Service("A2")

    await yqcloud(service, [user("Q2")], conversation=Conversation(**json.loads(text)))

    assert service.last.json["system"] == "Be brief"
    assert service.last.json["userId"] == json.loads(text)["userId"]
    assert service.last.json["prompt"] == "User: Q1\nAssistant: A1\nUser: Q2\nAssistant:"


async def test_yqcloud_a_conversation_without_history_takes_all_messages() -> None:
    conversation, service = Conversation("gpt-4"), Service("A2")

    await yqcloud(service, [user("Q1"), assistant("A1"), user("Q2")], conversation=conversation)

    assert service.last.json["userId"] == conversation.userId
    assert service.last.json["prompt"] == "User: Q1\nAssistant: A1\nUser: Q2\nAssistant:"


async def test_yqcloud_a_conversation_that_was_reset_begins_anew() -> None:
    conversation, service = await first_turn([user("Q1")]), Service("A2")
    conversation.reset()

    await yqcloud(service, [user("Q2")], conversation=conversation)

    assert conversation.userId == service.last.json["userId"]
    assert conversation.message_history == [user("Q2"), assistant("A2")]


@pytest.mark.parametrize("conversation", [None, Conversation("gpt-4", message_history=[user("Q1")])])
async def test_empty_messages_are_refused_before_any_request(conversation: Conversation | None) -> None:
    service = Service()

    with pytest.raises(UsageError, match="messages are empty"):
        await yqcloud(service, [], conversation=conversation)
    with pytest.raises(UsageError, match="messages are empty"):
        await cohere(service, [])
    assert not service.seen


async def cohere_conversation(*messages: dict[str, str]) -> JsonConversation:
    items = await cohere(Service(*turn("A1")), [*messages], return_conversation=True)
    assert isinstance(items[0], JsonConversation)
    return items[0]


@pytest.mark.parametrize("by", ["object", "json"])
async def test_cohere_goes_on_with_the_last_user_message(by: str) -> None:
    conversation = await cohere_conversation(user("Q1"))
    if by == "json":
        conversation = JsonConversation(**json.loads(json.dumps(conversation.get_dict())))
    service = Service(page("system", "user", "assistant"), updates("A2"))

    items = await cohere(
        service,
        [user("Q1"), assistant("A1"), user("Q2"), user("Q3")],
        conversation=conversation,
        return_conversation=True,
    )

    assert items == ["A2"]  # the conversation is the caller's already
    assert [request.url.rpartition("/conversation/")[2].split("?")[0] for request in service.seen] == [
        f"{CREATED}/__data.json",
        CREATED,
    ]
    assert {request.headers["cookie"] for request in service.seen} == {"hf-chat=visitor-1"}
    assert service.last.form["inputs"] == "Q2\nQ3"
    assert service.last.form["id"] == PARENT


async def test_cohere_conversation_comes_first_and_only_when_asked_for() -> None:
    silent = await cohere(Service(*turn("A1", title="T")), [user("Q1")])
    asked = await cohere(Service(*turn("A1", title="T")), [user("Q1")], return_conversation=True)

    assert not any(isinstance(item, JsonConversation) for item in silent)
    assert [isinstance(item, JsonConversation) for item in asked] == [True, False, False]


async def test_cohere_keeps_what_else_came_with_the_new_conversation() -> None:
    service = Service(created(extra={"a": 1}), page("system"), updates("A1"))

    items = await cohere(service, [user("Q1")], return_conversation=True)

    assert items[0].extra == {"a": 1}


@pytest.mark.parametrize(
    ("change", "preprompt"),
    [
        pytest.param({"model": "command-r"}, "Be brief", id="model"),
        pytest.param({"system": "Be long"}, "Be long", id="system text"),
    ],
)
async def test_cohere_a_change_begins_a_new_conversation_with_the_whole_prompt(
    change: dict[str, str], preprompt: str
) -> None:
    conversation = await cohere_conversation(SYSTEM, user("Q1"))
    before = copy.deepcopy(conversation.get_dict())
    service = Service(created("new", cookie="hf-chat=visitor-2"), page("system"), updates("A2"))

    items = await cohere(
        service,
        [
            {"role": "system", "content": change.get("system", "Be brief")},
            *(user("Q1"), assistant("A1"), user("Q2")),
        ],
        model=change.get("model", "command-a"),
        conversation=conversation,
        return_conversation=True,
    )

    assert service.seen[0].json["preprompt"] == preprompt
    assert service.last.form["inputs"] == "User: Q1\nAssistant: A1\nUser: Q2\nAssistant:"
    assert (items[0].conversationId, items[0].cookies) == ("new", {"hf-chat": "visitor-2"})
    assert conversation.get_dict() == before


async def test_cohere_a_follow_up_without_a_system_message_stays_in_its_conversation() -> None:
    conversation = await cohere_conversation(SYSTEM, user("Q1"))
    service = Service(page("system", "user", "assistant"), updates("A2"))

    await cohere(service, [user("Q2")], conversation=conversation)

    assert service.last.form["inputs"] == "Q2"


async def test_cohere_names_no_model_and_goes_on_with_that_of_the_conversation() -> None:
    items = await cohere(Service(*turn("A1")), [user("Q1")], model="command-r", return_conversation=True)
    service = Service(page("system", "user", "assistant"), updates("A2"))

    await cohere(service, [user("Q2")], model="", conversation=items[0])

    assert len(service.seen) == 2


async def test_cohere_a_conversation_that_was_reset_begins_anew() -> None:
    conversation = await cohere_conversation(user("Q1"))
    conversation.reset()
    service = Service(*turn("A2"))

    items = await cohere(service, [user("Q2")], conversation=conversation, return_conversation=True)

    assert items[0].conversationId == CREATED
    assert service.seen[0].json == {"model": "command-a-03-2025", "preprompt": ""}


async def test_cohere_never_changes_a_list_of_the_caller() -> None:
    messages = [SYSTEM, user("Q1")]
    before = copy.deepcopy(messages)

    await cohere(Service(*turn("A1")), messages, return_conversation=True)

    assert messages == before
