"""Programs written for g4f's classes run after changing the import."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import sys
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest

from g4fsdk import Ids, UsageError, providers
from g4fsdk.g4f import (
    AmigoChat,
    AutonomousAI,
    CohereForAI_C4AI_Command,
    Conversation,
    FinishReason,
    ImageResponse,
    JsonConversation,
    TitleGeneration,
    Yqcloud,
)
from g4fsdk.g4f._base import G4FProvider
from tests.support.g4f_service import CREATED, Answer, Service, sse, turn

QUESTION = [{"role": "user", "content": "Привет, как дела?"}]
CLASSES: list[type[G4FProvider]] = [CohereForAI_C4AI_Command, AutonomousAI, Yqcloud, AmigoChat]


async def printed(items: AsyncIterator[Any]) -> str:
    """Return what `print(item, end="")` of every item shows."""
    return "".join([str(item) async for item in items])


async def test_cohere_on_an_instance_with_a_model() -> None:
    service = Service(*turn("Хорошо", "!", title="👋 Привет"))

    driver = CohereForAI_C4AI_Command(model="command-r")
    answer = await printed(driver.create_async_generator(messages=QUESTION, transport=service))

    assert answer == "Хорошо!"
    assert service.seen[0].json == {"model": "command-r", "preprompt": ""}
    assert service.last.form["inputs"] == "Привет, как дела?"


async def test_cohere_on_the_class_with_everything() -> None:
    service = Service(*turn("Yes", ".", title="A title"))
    items = [
        item
        async for item in CohereForAI_C4AI_Command.create_async_generator(
            model="command-a",
            messages=[{"role": "system", "content": "Be brief"}, *QUESTION],
            api_key="hf_key",
            proxy=None,
            conversation=None,
            return_conversation=True,
            transport=service,
        )
    ]

    assert isinstance(items[0], JsonConversation)
    assert items[0].conversationId == CREATED
    assert items[0].get_dict() == {
        "conversationId": CREATED,
        "model": "command-a-03-2025",
        "preprompt": "Be brief",
        "cookies": {"hf-chat": "visitor-1"},
        "home": "https://coherelabs-c4ai-command.hf.space",  # whose cookies they are
    }
    assert items[1:] == ["Yes", ".", TitleGeneration("A title")]
    assert {request.headers["authorization"] for request in service.seen} == {"Bearer hf_key"}


def test_cohere_get_model() -> None:
    assert CohereForAI_C4AI_Command.get_model(model="command-r") == "command-r"
    assert CohereForAI_C4AI_Command.get_model("command-r7b", ignored=1) == "command-r7b-12-2024"
    assert CohereForAI_C4AI_Command(model="command-r").get_model("") == "command-a-03-2025"


async def test_cohere_instances_keep_their_models_apart() -> None:
    first, second = CohereForAI_C4AI_Command(model="command-r"), CohereForAI_C4AI_Command("command-r7b")
    services = [Service(*turn("1")), Service(*turn("2")), Service(*turn("3"))]

    await printed(first.create_async_generator(messages=QUESTION, transport=services[0]))
    await printed(second.create_async_generator(messages=QUESTION, transport=services[1]))
    await printed(first.create_async_generator("command-a", QUESTION, transport=services[2]))

    models = [service.seen[0].json["model"] for service in services]
    assert models == ["command-r", "command-r7b-12-2024", "command-a-03-2025"]


async def test_autonomous_streams() -> None:
    service = Service(sse("Hel", "lo"))
    items = [
        item
        async for item in AutonomousAI.create_async_generator(
            model="llama", messages=QUESTION, stream=True, transport=service
        )
    ]

    assert items == ["Hel", "lo", FinishReason("stop")]
    assert service.last.json["stream"] is True
    assert service.last.coded_messages == QUESTION


@pytest.mark.parametrize("chosen", [{"stream": False}, {}], ids=["stream=False", "by default"])
async def test_autonomous_answers_without_streaming(chosen: dict[str, Any]) -> None:
    service = Service('{"choices": [{"message": {"content": "def f(): ..."}, "finish_reason": "stop"}]}')
    items = [
        item
        async for item in AutonomousAI.create_async_generator(
            model="qwen_coder", messages=QUESTION, transport=service, **chosen
        )
    ]

    assert items == ["def f(): ...", FinishReason("stop")]
    assert service.last.json["stream"] is False


@pytest.mark.parametrize("name", [*AutonomousAI.models, *AutonomousAI.model_aliases, ""])
async def test_autonomous_takes_every_name(name: str) -> None:
    service = Service(sse("ok"))

    await printed(AutonomousAI.create_async_generator(name, QUESTION, stream=True, transport=service))

    asked = AutonomousAI.get_model(name)
    assert service.last.url == AutonomousAI.api_endpoints[asked]
    assert service.last.json["aiAgent"] == service.last.json["threadId"] == asked


async def test_yqcloud_prints_its_answer() -> None:
    service = Service([" Привет".encode()[:4], " Привет".encode()[4:], b"!\n"])

    answer = await printed(
        Yqcloud.create_async_generator(model="gpt-4", messages=QUESTION, transport=service)
    )

    assert answer == " Привет!\n"
    assert service.last.url == Yqcloud.api_endpoint
    assert service.last.json["prompt"] == "Привет, как дела?"


@pytest.mark.parametrize("stream", [True, False])
async def test_yqcloud_returns_the_conversation_before_its_stop(stream: bool) -> None:
    service = Service("Fine")
    items = [
        item
        async for item in Yqcloud.create_async_generator(
            "gpt-4", QUESTION, stream, return_conversation=True, transport=service, ids=Ids.seeded(1)
        )
    ]

    assert isinstance(items[1], Conversation)
    assert items[1].message_history == [*QUESTION, {"role": "assistant", "content": "Fine"}]
    assert items[1].userId == service.last.json["userId"]
    assert [items[0], *items[2:]] == ["Fine", FinishReason("stop")]
    assert service.last.json["stream"] is stream


async def test_amigo_on_an_instance() -> None:
    service = Service(Answer('{"message": {"choices": [{"message": {"content": "Hello"}}]}}', status=201))

    answer = await printed(
        AmigoChat().create_async_generator(model="gpt-4o-mini", messages=QUESTION, transport=service)
    )

    assert answer == "Hello"
    body = service.last.json
    assert body.pop("chatId")
    assert body == {
        "frequency_penalty": 0,
        "max_tokens": 4000,
        "messages": QUESTION,
        "model": "gpt-4o-mini",
        "personaId": "amigo",
        "presence_penalty": 0,
        "stream": False,
        "temperature": 0.5,
        "top_p": 0.95,
    }


async def test_amigo_streams_with_a_system_message_and_options() -> None:
    service = Service(Answer(sse("Hel", "lo"), status=201))
    messages = [{"role": "system", "content": "Be brief"}, *QUESTION]
    items = [
        item
        async for item in AmigoChat().create_async_generator(
            model="gpt-4o-mini",
            messages=messages,
            stream=True,
            temperature=0.1,
            chat_id="my-chat",
            transport=service,
        )
    ]

    assert items == ["Hel", "lo", FinishReason("stop")]
    body = service.last.json
    assert (body["messages"], body["temperature"], body["chatId"]) == (messages, 0.1, "my-chat")


@pytest.mark.parametrize("stream", [True, False])
async def test_amigo_image_model(stream: bool) -> None:
    url = "https://images.test/a%20b.png?sig=%2Fx%3D&n=1"
    service = Service(Answer(f'{{"data": [{{"url": "{url}"}}]}}', status=201))
    images = [
        item
        async for item in AmigoChat.create_async_generator(
            model="flux-realism", messages=QUESTION, stream=stream, transport=service
        )
        if isinstance(item, ImageResponse)
    ]

    assert [(image.image_urls, image.alt) for image in images] == [([url], "Привет, как дела?")]
    assert service.last.url == AmigoChat.image_api_endpoint
    assert service.last.json["prompt"] == "Привет, как дела?"


def test_amigo_blocking_chats_share_the_chat_id() -> None:
    driver = AmigoChat()
    chat_id = driver.generate_chat_id()
    whole = Service('{"message": {"choices": [{"message": {"content": "Hello"}}]}}')
    streamed = Service(sse("Hel", "lo"))

    text = driver.create_chat(
        model="gpt-4o-mini", chat_id=chat_id, messages=QUESTION, proxy=None, transport=whole
    )
    chunks = driver.stream_chat(
        model="gpt-4o-mini", chat_id=chat_id, messages=QUESTION, stream=True, top_p=1, transport=streamed
    )

    assert text == "Hello"
    assert [*chunks] == ["Hel", "lo"]
    assert whole.last.json["chatId"] == streamed.last.json["chatId"] == chat_id
    assert (whole.last.json["stream"], streamed.last.json["stream"]) == (False, True)
    assert streamed.last.json["top_p"] == 1
    assert not whole.open | streamed.open


def test_amigo_blocking_image() -> None:
    service = Service('{"data": [{"url": "https://images.test/1.png"}, {"b64_json": "iVBORw0KGgo="}]}')

    image = AmigoChat().create_image(model="flux-realism", prompt="a cat", transport=service)

    assert image.get_list() == ["https://images.test/1.png", "data:image/png;base64,iVBORw0KGgo="]
    assert image.alt == "a cat"
    assert not service.open


def test_amigo_blocking_chat_with_an_image_model_gives_markdown() -> None:
    service = Service('{"data": [{"url": "https://images.test/1.png"}]}')

    text = AmigoChat.create_chat("flux-realism", "id", QUESTION, transport=service)

    assert "(https://images.test/1.png)" in text


def test_amigo_personas() -> None:
    assert AmigoChat.get_personaId("gpt-4o-mini") == "amigo"
    assert AmigoChat.get_personaId("dall-e-3") == "dalle-three"
    with pytest.raises(ValueError, match=r"^Unknown model: claude-3\.5-sonnet$") as caught:
        AmigoChat.get_personaId("claude-3.5-sonnet")  # an alias
    assert isinstance(caught.value, UsageError)


def test_amigo_chat_ids_are_random_uuids() -> None:
    ids = {AmigoChat.generate_chat_id() for _ in range(10)}

    assert len(ids) == 10
    assert {tuple(map(len, one.split("-"))) for one in ids} == {(8, 4, 4, 4, 12)}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_listed_name_is_a_model(kind: type[G4FProvider]) -> None:
    assert kind.default_model in kind.models
    assert kind.get_model("") == kind.default_model
    assert {kind.get_model(name) for name in (*kind.models, *kind.model_aliases)} <= {*kind.models}
    assert all(kind.get_model(alias) == target for alias, target in kind.model_aliases.items())
    with pytest.raises(UsageError, match=r"gpt-9.*known"):
        kind.get_model("gpt-9")


def test_class_attributes() -> None:
    table = {
        kind.__name__: (kind.url, kind.working, kind.default_model, len(kind.models), len(kind.model_aliases))
        for kind in CLASSES
    }

    assert table == {
        "CohereForAI_C4AI_Command": (
            "https://coherelabs-c4ai-command.hf.space",
            *(True, "command-a-03-2025", 7, 4),
        ),
        "AutonomousAI": ("https://www.autonomous.ai/anon/", False, "llama", 5, 5),
        "Yqcloud": ("https://chat9.yqcloud.top", True, "gpt-4", 1, 0),
        "AmigoChat": ("https://amigochat.io/chat/", False, "gpt-4o-mini", 37, 21),
    }
    assert all(
        kind.supports_stream and kind.supports_system_message and kind.supports_message_history
        for kind in CLASSES
    )
    assert (len(AmigoChat.chat_models), len(AmigoChat.image_models)) == (29, 8)
    assert CohereForAI_C4AI_Command.label == "CohereForAI C4AI Command"
    assert CohereForAI_C4AI_Command.conversation_url == f"{providers.CohereC4AI.url}/conversation"


def parameters(function: Any) -> str:
    """Return the names and defaults of *function*'s parameters as they stand in the source."""
    found = inspect.signature(function).parameters.values()
    return ", ".join(str(parameter.replace(annotation=parameter.empty)) for parameter in found)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(
            Yqcloud.create_async_generator,
            "model, messages, stream=True, proxy=None, conversation=None, "
            "return_conversation=False, **kwargs",
            id="Yqcloud",
        ),
        pytest.param(
            AutonomousAI.create_async_generator,
            "model, messages, proxy=None, stream=False, **kwargs",
            id="AutonomousAI",
        ),
        pytest.param(
            AmigoChat().create_async_generator,
            "model, messages, proxy=None, stream=False, timeout=300, frequency_penalty=0, max_tokens=4000, "
            "presence_penalty=0, temperature=0.5, top_p=0.95, **kwargs",
            id="AmigoChat",
        ),
        pytest.param(
            CohereForAI_C4AI_Command.create_async_generator,
            "model='', messages=(), api_key=None, proxy=None, conversation=None, "
            "return_conversation=False, **kwargs",
            id="Cohere",
        ),
        pytest.param(
            CohereForAI_C4AI_Command("command-r").create_async_generator,
            "model='', messages=(), api_key=None, proxy=None, conversation=None, "
            "return_conversation=False, **kwargs",
            id="Cohere instance",
        ),
        pytest.param(CohereForAI_C4AI_Command.get_model, "model, **kwargs", id="get_model"),
    ],
)
def test_signatures(function: Any, expected: str) -> None:
    assert parameters(function) == expected


@pytest.mark.parametrize("kind", CLASSES)
def test_g4f_s_own_client_finds_what_it_asks_a_class_for(kind: type[G4FProvider]) -> None:
    assert kind.get_dict() == {"name": kind.__name__, "url": kind.url, "label": kind.label}
    assert (kind.get_parent(), kind.needs_auth, kind.use_stream_timeout) == (kind.__name__, False, False)
    assert (kind.active_by_default, kind.live) == (None, 0)


def test_what_is_no_text_is_false_since_g4f_s_own_client_takes_the_rest_for_text() -> None:
    assert not FinishReason("stop")
    assert not TitleGeneration("A title")


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The types by which g4f's own client tells what it is given, as if it were loaded."""
    response: Any = ModuleType("g4f.providers.response")
    response.MediaResponse = type("MediaResponse", (), {})
    response.ImageResponse = type("ImageResponse", (response.MediaResponse,), {})
    for name in ("FinishReason", "JsonConversation", "TitleGeneration"):
        setattr(response, name, type(name, (), {}))
    monkeypatch.setitem(sys.modules, "g4f.providers.response", response)
    return response


async def told(items: AsyncIterator[Any], theirs: Any) -> dict[str, Any]:
    """Return what g4f's own client makes of *items*: it tells them apart by types of its own."""
    found: dict[str, Any] = {"text": "", "conversation": None, "reason": None, "urls": []}
    async for item in items:
        if isinstance(item, theirs.FinishReason):
            found["reason"] = item.reason
        elif isinstance(item, theirs.JsonConversation):
            found["conversation"] = item.get_dict()
        elif isinstance(item, theirs.MediaResponse):
            found["urls"] += item.get_list()
        elif item:
            found["text"] += item
    return found


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", [AutonomousAI, AmigoChat])
async def test_g4f_s_own_client_is_told_why_an_answer_ended(kind: Any, stream: bool, theirs: Any) -> None:
    whole = '{"choices": [{"message": {"content": "Yes"}, "finish_reason": "length"}]}'
    service = Service(sse("Yes", reason="length") if stream else whole)

    found = await told(
        kind.create_async_generator("", QUESTION, stream=stream, transport=service, provider=kind), theirs
    )

    assert (found["text"], found["reason"]) == ("Yes", "length")


async def test_g4f_s_own_client_is_given_images(theirs: Any) -> None:
    service = Service('{"data": [{"url": "https://i.test/a%20b.png"}]}')

    found = await told(AmigoChat().create_async_generator("flux-pro", QUESTION, transport=service), theirs)

    assert (found["urls"], found["text"]) == (["https://i.test/a%20b.png"], "")


@pytest.mark.parametrize(
    ("kind", "answers"),
    [(Yqcloud, ["Yes"]), (CohereForAI_C4AI_Command, turn("Yes", title="A title"))],
    ids=["Yqcloud", "Cohere"],
)
async def test_g4f_s_own_client_goes_on_with_a_conversation_it_keeps_as_a_dict(
    kind: Any, answers: list[Any], theirs: Any
) -> None:
    asked = {"model": "", "messages": QUESTION, "return_conversation": True}
    first = await told(kind.create_async_generator(**asked, transport=Service(*answers)), theirs)
    kept = json.loads(json.dumps(first["conversation"]))
    service = Service(*answers[-2:])

    second = await told(kind.create_async_generator(**asked, conversation=kept, transport=service), theirs)

    assert (first["text"], second["text"]) == ("Yes", "Yes")
    for name in ("conversationId", "userId"):
        assert name not in kept or kept[name] in service.last.url + service.last.body.decode()


@pytest.mark.parametrize("item", [FinishReason("stop"), JsonConversation(a=1), Conversation("gpt-4")])
def test_an_item_stays_one_of_ours_beside_g4f(item: Any, theirs: Any) -> None:
    ours = type(item)

    assert isinstance(item, ours)
    for again in (pickle.loads(pickle.dumps(item)), copy.deepcopy(item)):
        assert type(again) is ours
        assert repr(again).split(" at ")[0] == repr(item).split(" at ")[0]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_instance_has_the_name_by_which_g4f_s_own_client_calls_it(kind: Any) -> None:
    assert kind().__name__ == kind.__name__


async def test_who_is_asked_may_be_said_again(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(*turn("Yes"))

    answer = CohereForAI_C4AI_Command().create_async_generator(
        messages=QUESTION, transport=service, provider=CohereForAI_C4AI_Command
    )

    assert await printed(answer) == "Yes"
    assert caplog.messages == []
