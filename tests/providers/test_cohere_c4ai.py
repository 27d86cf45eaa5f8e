"""CohereForAI C4AI Command: its three requests, its page data, and how a conversation goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from g4fsdk import (
    AuthError,
    BlockedError,
    Chat,
    Conversation,
    ConversationEvent,
    G4FError,
    Ids,
    Message,
    NotFoundError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    Request,
    Response,
    ServerError,
    Stream,
    UsageError,
    advance,
)
from g4fsdk import providers as g4f_providers
from tests.support.asking import (
    LONG,
    PROMPT,
    SYSTEM,
    TEXT,
    TURNS,
    body_of,
    first_request,
)
from tests.support.wire import answer_to

get = g4f_providers.get


SPACE = "https://coherelabs-c4ai-command.hf.space"
ID = "6b003950b8680ad26abbed94"
PARENT = "80a49252-87da-4936-8cdb-effcfeca3022"
CREATED = Response(
    200,
    [
        ("Set-Cookie", "hf-chat=topsecret; Path=/; HttpOnly; Secure; SameSite=None"),
        ("Set-Cookie", "lb = one=two ; Path=/"),
        ("Set-Cookie", "; odd"),
    ],
    json.dumps({"conversationId": ID, "extra": 1}).encode(),
)


def page(*senders: str, parent: str = PARENT) -> Response:
    """Return page data whose messages come from *senders*; the last one's id is *parent*."""
    data: list[Any] = [{"messages": 1, "title": -1}, []]
    for at, sender in enumerate(senders):
        data[1].append(len(data))
        data.append({"id": len(data) + 1, "from": len(data) + 2})
        data += [parent if at == len(senders) - 1 else f"id-{at}", sender]
    nodes = [{"type": "skip"}, {"type": "data", "data": data, "uses": {}}]
    return page_of({"type": "data", "nodes": nodes})


def page_of(value: Any) -> Response:
    return Response(200, (), json.dumps(value).encode() + b'\n{"type":"chunk","id":1,"data":[]}\n')


def turn(
    messages: Any = "Hello",
    answers: tuple[Response, ...] = (CREATED, page("system")),
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> tuple[list[Request], Stream]:
    """Play the set-up of a turn; return its requests, and the stream."""
    flow = get("cohere-c4ai", **(settings or {})).chat(Chat(messages, **more))
    sent = []
    step = advance(flow)
    for response in answers:
        assert isinstance(step, Request)
        sent.append(step)
        step = advance(flow, response)
    assert isinstance(step, Stream)
    return [*sent, step.request], step


def form_of(request: Request) -> Any:
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    _, part, end = request.body.split(b"--" + boundary)
    head, _, data = part.partition(b"\r\n\r\n")
    assert head == b'\r\nContent-Disposition: form-data; name="data"\r\nContent-Type: application/json'
    assert end == b"--\r\n"
    return json.loads(data)


def own(headers: Mapping[str, str]) -> dict[str, str]:
    fixed = {
        "accept": "*/*",
        "accept-language": "en-US,en;q=0.5",
        "sec-fetch-dest": "empty",
        "sec-fetch-mode": "cors",
        "sec-fetch-site": "same-origin",
        "priority": "u=4",
        "origin": SPACE,
    }
    found = {name.lower(): value for name, value in headers.items()}
    assert fixed.items() <= found.items()
    return {name: found[name] for name in ("cookie", "authorization") if name in found}


UPDATES = (
    b'{"type":"stream","token":"Hi\\u0000"}\n{"type":"finalAnswer","text":"Hi","interrupted":false}\n'
    + b" " * 4096
)


def test_a_new_turn_of_cohere_is_three_requests() -> None:
    (create, data, send), stream = turn([SYSTEM, LONG, {"role": "user", "content": TEXT}], ids=Ids.seeded(7))

    assert (create.method, create.url) == ("POST", f"{SPACE}/conversation")
    assert body_of(create) == {"model": "command-a-03-2025", "preprompt": "Be brief.\nBe long."}
    assert (data.method, data.body) == ("GET", b"")
    assert data.url == f"{SPACE}/conversation/{ID}/__data.json?x-sveltekit-invalidated=11"
    assert (send.method, send.url) == ("POST", f"{SPACE}/conversation/{ID}")
    assert form_of(send) == {
        "inputs": TEXT,
        "id": PARENT,
        "is_retry": False,
        "is_continue": False,
        "web_search": False,
        "tools": [],
    }
    assert [own(request.headers) for request in (create, data, send)] == [
        {},
        {"cookie": "hf-chat=topsecret; lb=one=two"},
        {"cookie": "hf-chat=topsecret; lb=one=two"},
    ]
    assert not stream.repeatable


def test_a_new_conversation_is_told_the_whole_history() -> None:
    (_, _, send), _ = turn([SYSTEM, *TURNS])

    assert form_of(send)["inputs"] == PROMPT


def test_cohere_takes_a_key_tools_and_web_search() -> None:
    options = {"tools": ["calculator"], "web_search": True}
    sent, _ = turn(settings={"api_key": "topkey123"}, options=options)

    assert [own(request.headers)["authorization"] for request in sent] == ["Bearer topkey123"] * 3
    assert options.items() <= form_of(sent[-1]).items()


def test_the_origin_is_that_of_the_server_asked() -> None:
    sent, _ = turn(settings={"base_url": "http://bob:pw@127.0.0.1:8080/chat"})

    assert {request.headers["Origin"] for request in sent} == {"http://127.0.0.1:8080"}
    assert sent[0].url == "http://bob:pw@127.0.0.1:8080/chat/conversation"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("", "command-a-03-2025"),
        ("command-a", "command-a-03-2025"),
        ("command-r-plus", "command-r-plus-08-2024"),
        ("command-r", "command-r"),
        ("command-r7b", "command-r7b-12-2024"),
        ("command-a-03-2025", "command-a-03-2025"),
        ("command-r-plus-08-2024", "command-r-plus-08-2024"),
        ("command-r-08-2024", "command-r-08-2024"),
        ("command-r7b-12-2024", "command-r7b-12-2024"),
        ("command-r7b-arabic-02-2025", "command-r7b-arabic-02-2025"),
    ],
)
def test_a_model_of_cohere_has_its_id(name: str, model: str) -> None:
    (create, *_), stream = turn(model=name)

    assert body_of(create)["model"] == stream.model == model


def conversation(messages: Any = (SYSTEM, TURNS[0]), **more: Any) -> Conversation:
    """Return the handle after a first turn, through JSON and back."""
    _, stream = turn([*messages], **more)
    found = answer_to(stream, Response(200, (), UPDATES.replace(b"Hi", b"First answer")))
    assert found.error is None
    handle = found.of(ConversationEvent)[-1].conversation
    return Conversation.from_dict(json.loads(json.dumps(handle.to_dict())))


def test_a_conversation_is_announced_with_the_first_event_and_completed_with_the_last() -> None:
    _, stream = turn()

    found = answer_to(stream, Response(200, (), UPDATES))

    first, last = found.of(ConversationEvent)
    assert found.events[0] == ConversationEvent(first.conversation)
    assert first.conversation.state["conversationId"] == ID
    assert first.conversation.state["extra"] == 1
    assert (first.conversation.messages, last.conversation.state) == ((), first.conversation.state)
    assert last.conversation.messages == (Message("user", "Hello"), Message("assistant", "Hi"))


GOING_ON = (page("system", "user", "assistant"),)


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param("Second question", id="the new turn alone"),
        pytest.param([TURNS[2]], id="as a list"),
        pytest.param([SYSTEM, *TURNS], id="the whole list again"),
        pytest.param([*TURNS], id="the whole list without system"),
    ],
)
def test_a_continued_conversation_sends_the_new_text_alone(messages: Any) -> None:
    sent, stream = turn(messages, GOING_ON, conversation=conversation())

    assert [request.method for request in sent] == ["GET", "POST"]
    assert (form_of(sent[-1])["inputs"], form_of(sent[-1])["id"]) == ("Second question", PARENT)
    assert [own(request.headers)["cookie"] for request in sent] == ["hf-chat=topsecret; lb=one=two"] * 2
    found = answer_to(stream, Response(200, (), UPDATES))
    [event] = found.of(ConversationEvent)
    assert [message.text for message in event.conversation.messages] == [
        *("Be brief.", "First question", "First answer", "Second question", "Hi"),
    ]


@pytest.mark.parametrize(
    ("messages", "more", "preprompt", "model"),
    [
        pytest.param([LONG, TURNS[2]], {}, "Be long.", "command-a-03-2025", id="another system message"),
        pytest.param("Second question", {"model": "command-r"}, "Be brief.", "command-r", id="another model"),
    ],
)
def test_a_change_makes_a_new_conversation_that_knows_the_history(
    messages: Any, more: dict[str, Any], preprompt: str, model: str
) -> None:
    (create, _, send), _ = turn(messages, conversation=conversation(), **more)

    assert body_of(create) == {"model": model, "preprompt": preprompt}
    assert form_of(send)["inputs"] == PROMPT


def test_a_conversation_keeps_its_model_and_an_alias_is_no_change() -> None:
    handle = conversation(model="command-r7b")

    for name in ("", "command-r7b", "command-r7b-12-2024"):
        sent, stream = turn("Second question", GOING_ON, conversation=handle, model=name)

        assert len(sent) == 2
        assert stream.model == "command-r7b-12-2024"


def failure(answers: list[Response], messages: Any = "Hello", **more: Any) -> G4FError:
    """Return the error of a turn whose set-up requests are answered by *answers*."""
    flow = get("cohere-c4ai").chat(Chat(messages, **more))
    step = advance(flow)
    assert isinstance(step, Request)
    for response in answers[:-1]:
        step = advance(flow, response)
    with pytest.raises(G4FError) as caught:
        advance(flow, answers[-1])
    return caught.value


def test_after_a_failure_the_fresh_conversation_is_told_everything() -> None:
    error = failure([CREATED, Response(503, (), b"<html></html>")], [SYSTEM, *TURNS])

    assert isinstance(error, ServerError)
    assert error.conversation is not None
    assert error.conversation.state["conversationId"] == ID
    sent, _ = turn([SYSTEM, *TURNS], (page("system"),), conversation=error.conversation)
    assert [request.method for request in sent] == ["GET", "POST"]
    assert form_of(sent[-1])["inputs"] == PROMPT


def test_a_failed_turn_goes_on_in_the_same_conversation() -> None:
    handle = conversation()
    _, stream = turn("Second question", GOING_ON, conversation=handle)

    found = answer_to(
        stream, Response(200, (), b'{"type":"status","status":"error","message":"terminated"}\n')
    )

    assert isinstance(found.error, ProviderError)
    assert found.error.conversation == handle
    assert ID not in repr(handle) or "topsecret" not in repr(handle)


@pytest.mark.parametrize(
    ("response", "kind", "words"),
    [
        pytest.param(
            Response(400, (), b'{"message":"Invalid request"}'), G4FError, "Invalid request", id="400"
        ),
        pytest.param(
            Response(401, (), b'{"error":"You have to be logged in."}'), AuthError, "logged in", id="401"
        ),
        pytest.param(Response(403, (), b"Invalid referer for POST request"), AuthError, "referer", id="403"),
        pytest.param(Response(429, (), b'{"message":"Too many"}'), RateLimitError, "Too many", id="429"),
        pytest.param(
            Response(500, (), b'{"message":"An error occurred","errorId":"x"}'),
            ServerError,
            "occurred",
            id="500",
        ),
        pytest.param(Response(200, (), b"<html></html>"), ProtocolError, "HTML", id="page"),
        pytest.param(
            Response(200, (), b"<title>Just a moment...</title>"), BlockedError, "challenge", id="challenge"
        ),
        pytest.param(Response(200, (), b""), ProtocolError, "conversation", id="nothing"),
        pytest.param(Response(200, (), b"{}"), ProtocolError, "conversation", id="no id"),
        pytest.param(Response(200, (), b'{"conversationId":7}'), ProtocolError, "conversation", id="odd id"),
        pytest.param(Response(200, (), b'{"error":"no"}'), ProviderError, "no", id="failure under 200"),
    ],
)
def test_a_conversation_that_is_not_made_is_an_error(
    response: Response, kind: type[G4FError], words: str
) -> None:
    error = failure([response])

    assert isinstance(error, kind)
    assert words in error.message


def node(**value: Any) -> Response:
    return page_of({"type": "data", "nodes": [{"type": "skip"}, value]})


def data_node(*data: Any) -> Response:
    return node(type="data", data=[*data])


@pytest.mark.parametrize(
    ("response", "kind", "status"),
    [
        pytest.param(
            node(type="error", error={"message": "Conversation not found."}, status=404),
            NotFoundError,
            404,
            id="404 node",
        ),
        pytest.param(
            node(type="error", error={"message": "No access"}, status=403), AuthError, 403, id="403 node"
        ),
        pytest.param(
            node(type="error", error={"message": "An error", "errorId": "x"}),
            ServerError,
            500,
            id="no status",
        ),
        pytest.param(
            page_of(
                {"type": "data", "nodes": [{"type": "error", "error": {"message": "x"}, "status": 404}, None]}
            ),
            NotFoundError,
            404,
            id="error in the layout",
        ),
        pytest.param(page_of({"type": "redirect", "location": "/login"}), AuthError, 302, id="redirect"),
        pytest.param(Response(404, (), b"<html></html>"), NotFoundError, 404, id="404"),
        pytest.param(Response(503, (), b"<html></html>"), ServerError, 503, id="503"),
        pytest.param(
            Response(200, (), b"<title>Just a moment...</title>"), BlockedError, 200, id="challenge"
        ),
    ],
)
def test_an_error_in_the_page_data_goes_by_its_status(
    response: Response, kind: type[G4FError], status: int
) -> None:
    error = failure([CREATED, response])

    assert type(error) is kind
    assert getattr(error, "status", None) == status
    assert error.conversation is not None


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Response(200, (), b""), id="nothing"),
        pytest.param(Response(200, (), b"<html></html>"), id="page"),
        pytest.param(Response(200, (), b"{"), id="half"),
        pytest.param(page_of([]), id="list"),
        pytest.param(page_of({"type": "data"}), id="no nodes"),
        pytest.param(page_of({"type": "data", "nodes": []}), id="empty nodes"),
        pytest.param(page_of({"type": "data", "nodes": [None, {"type": "skip"}]}), id="nothing in the nodes"),
        pytest.param(data_node({"title": 1}, "New Chat"), id="no messages: newer servers"),
        pytest.param(data_node({"messages": 1}, []), id="no message"),
        pytest.param(data_node({"messages": 9}), id="index outside"),
        pytest.param(data_node({"messages": -1}), id="undefined"),
        pytest.param(data_node({"messages": "x"}), id="index is text"),
        pytest.param(data_node({"messages": 1}, ["Date", "x"]), id="typed value"),
        pytest.param(data_node({"messages": 1}, [2], {"from": 3}, "user"), id="no id"),
        pytest.param(data_node({"messages": 1}, [2], {"id": 3, "from": 4}, 7, "user"), id="id is a number"),
        pytest.param(data_node({"messages": 1}, [2], {"id": True, "from": 3}, "user"), id="index is true"),
        pytest.param(data_node({"messages": 1}, [2], {"id": 3}, PARENT), id="no sender"),
        pytest.param(node(type="data", data={}), id="data is no list"),
    ],
)
def test_page_data_of_another_shape_is_nonsense(response: Response) -> None:
    error = failure([CREATED, response])

    assert type(error) is ProtocolError
    assert error.conversation is not None
    assert len(error.excerpt) <= 200


def test_page_data_is_cut_at_the_first_line_feed_alone() -> None:
    value = {
        "type": "data",
        "nodes": [
            {
                "type": "data",
                "data": [
                    {"messages": 1},
                    [2],
                    {"id": 3, "from": 4, "content": 5},
                    PARENT,
                    "system",
                    "a\u0085b\u2028c",
                ],
            }
        ],
    }
    body = json.dumps(value, ensure_ascii=False).encode() + b"\nrubbish\n"

    (_, _, send), _ = turn(answers=(CREATED, Response(200, {"Content-Type": "text/sveltekit-data"}, body)))

    assert form_of(send)["id"] == PARENT


def test_the_last_node_with_messages_counts() -> None:
    other = {"type": "data", "data": [{"user": 1}, "x"]}
    wanted = json.loads(page("system").body.split(b"\n")[0])["nodes"][1]

    for nodes in ([wanted], [wanted, other], [other, wanted, None]):
        (_, _, send), _ = turn(answers=(CREATED, page_of({"type": "data", "nodes": nodes})))
        assert form_of(send)["id"] == PARENT


def test_the_boundary_is_drawn_anew_for_each_call() -> None:
    found = {turn(ids=Ids.seeded(seed))[0][-1].headers["Content-Type"] for seed in (1, 1, 2)}

    assert len(found) == 2
    assert all("----g4fsdk-" in value for value in found)


IMAGE_PART = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]


def test_cohere_is_sent_text_and_nothing_else() -> None:
    with pytest.raises(UsageError, match="image_url"):
        first_request("cohere-c4ai", IMAGE_PART)
    with pytest.raises(UsageError, match="no text"):
        first_request("cohere-c4ai", "   ")


def test_tools_of_cohere_are_a_list() -> None:
    with pytest.raises(UsageError, match="tools must be a list"):
        first_request("cohere-c4ai", options={"tools": "calculator"})


# --- What a server or a handle may say ---


def handle_of(state: dict[str, Any]) -> Conversation:
    return Conversation(
        "cohere-c4ai", "command-a-03-2025", (Message("user", "a"), Message("assistant", "b")), state
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("x?role=admin#", "x%3Frole%3Dadmin%23"),
        ("a\r\nb", "a%0D%0Ab"),
        ("%2e%2e", "%252e%252e"),
        ("ü", "%C3%BC"),
    ],
)
def test_an_id_is_one_part_of_the_path(name: str, path: str) -> None:
    requests, stream = turn("next", (page("user"),), conversation=handle_of({"conversationId": name}))

    assert requests[0].url.startswith(f"{SPACE}/conversation/{path}/__data.json?")
    assert stream.request.url == f"{SPACE}/conversation/{path}"


NO_IDS = ["../../admin", "..", ".", "", "a/b", "a\\b", 5, None]


@pytest.mark.parametrize("name", NO_IDS)
def test_an_id_that_leads_elsewhere_is_refused(name: Any) -> None:
    with pytest.raises(UsageError, match="conversationId"):
        turn("next", (), conversation=handle_of({"conversationId": name}))

    created = Response(200, (), json.dumps({"conversationId": name}).encode())
    with pytest.raises(ProtocolError, match="the id of a new conversation"):
        turn("next", (created,))


@pytest.mark.parametrize(
    "cookies", [["a"], "a=b", {"a": 1}, {1: "a"}, {"a": "b; c=d"}, {"a": "b\r\nX: y"}, {"a": "ü"}]
)
def test_cookies_that_no_server_gave_are_refused(cookies: Any) -> None:
    with pytest.raises(UsageError, match="cookies"):
        turn("next", (), conversation=handle_of({"conversationId": "x", "cookies": cookies}))


def test_a_server_of_one_s_own_has_models_of_its_own() -> None:
    provider = g4f_providers.get("cohere-c4ai", base_url="http://chat.test")

    assert provider.get_model("llama-9") == "llama-9"
    assert provider.get_model("command-r7b") == "command-r7b-12-2024"
    assert provider.get_model() == provider.default_model
    with pytest.raises(UsageError, match="unknown model"):
        g4f_providers.get("cohere-c4ai").get_model("llama-9")
