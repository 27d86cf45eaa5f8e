"""What g4f's generators yield: plain values, silent when printed unless they are text or images."""

from __future__ import annotations

import json
import pickle

import pytest

from g4fsdk.g4f import (
    Conversation,
    FinishReason,
    ImageResponse,
    JsonConversation,
    TitleGeneration,
)

SIGNED = "https://images.test/a%20b/c+d.png?sig=%2Fx%3D&text=%C3%A9+é&n=1#part"


@pytest.mark.parametrize(
    "item",
    [FinishReason("stop"), TitleGeneration("A title"), JsonConversation(a=1), Conversation("gpt-4")],
    ids=lambda item: type(item).__name__,
)
def test_silent_items_print_as_nothing(item: object) -> None:
    assert str(item) == f"{item}" == ""


def test_one_image_is_a_linked_image_between_comments() -> None:
    assert str(ImageResponse([SIGNED], "a\ncat")).split("\n") == [
        *("", "<!-- generated images start -->"),
        f"[![a cat]({SIGNED})]({SIGNED})",
        *("<!-- generated images end -->", "", ""),
    ]


def test_several_images_are_numbered_lines() -> None:
    lines = str(ImageResponse(["https://i.test/1", "https://i.test/2"], "a cat")).splitlines()

    assert lines[2:4] == [
        "[![#1 a cat](https://i.test/1)](https://i.test/1)",
        "[![#2 a cat](https://i.test/2)](https://i.test/2)",
    ]


def test_a_url_that_markdown_would_cut_stands_in_angle_brackets() -> None:
    assert "[![x](<https://i.test/a(1).png>)](<https://i.test/a(1).png>)" in str(
        ImageResponse("https://i.test/a(1).png", "x")
    )


def test_image_response_has_every_name_that_g4f_gave_it() -> None:
    image = ImageResponse([SIGNED], alt="a cat", options={"cookies": {"a": "b"}})

    assert image.images == image.urls == image.image_urls == image.get_list() == [SIGNED]
    assert image.alt == "a cat"
    assert image.get("cookies") == {"a": "b"}
    assert image.get("missing") is None
    assert SIGNED in repr(image)


def test_json_conversation_is_a_bag_of_attributes() -> None:
    bag = JsonConversation(conversationId="c", cookies={"hf-chat": "secret"}, self="odd")
    bag.note = "mine"

    assert bag.get_dict() == {
        "conversationId": "c",
        "cookies": {"hf-chat": "secret"},
        "self": "odd",
        "note": "mine",
    }
    assert "secret" not in repr(bag)
    bag.reset()
    assert bag.get_dict() == {}


def test_conversations_share_nothing() -> None:
    first, second = Conversation("gpt-4"), Conversation("gpt-4")
    first.message_history.append({"role": "user", "content": "hi"})

    assert first.model == "gpt-4"
    assert first.userId.startswith("#/chat/")
    assert len(first.userId) == len("#/chat/") + 13
    assert first.userId != second.userId
    assert second.message_history == []


@pytest.mark.parametrize(
    "conversation",
    [JsonConversation(conversationId="c", cookies={"a": "b"}), Conversation("gpt-4")],
    ids=["JsonConversation", "Conversation"],
)
def test_conversations_survive_pickle_and_json(conversation: JsonConversation) -> None:
    pickled = pickle.loads(pickle.dumps(conversation))
    rebuilt = type(conversation)(**json.loads(json.dumps(conversation.get_dict())))

    assert type(pickled) is type(conversation)
    assert pickled.get_dict() == rebuilt.get_dict() == conversation.get_dict()
