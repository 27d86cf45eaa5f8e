"""Every capture through the pure core: what it says is what we make of it.

The captures stand beside the project and not in it, so this file is skipped where they are absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import g4fsdk
from g4fsdk import (
    Chat,
    Client,
    Conversation,
    ConversationEvent,
    FinalText,
    Finish,
    G4FError,
    Ids,
    ImageEvent,
    ReasoningDelta,
    RefusalDelta,
    Request,
    Response,
    Stream,
    TextDelta,
    Title,
    Usage,
    advance,
    providers,
)
from g4fsdk.parsers import JSONLinesParser
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.values import Interaction, RecordedRequest
from g4fsdk.testing._imports.files import from_capture
from g4fsdk.testing._replay.replay import Replay
from tests.make_cassettes import CALLS, meaning
from tests.make_cassettes import start as start_call
from tests.support.players import QUICK, Outcome, play_pure
from tests.support.wire import Seen, run, stream_of

CAPTURES = Path(__file__).parents[3] / "shared" / "captures"
pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures are not here")


# --- Stand-ins for the services whose software is not public ---

STAND_INS = sorted(CAPTURES.glob("stand-in/*/*.json"))
#: What the captures call a failure, and what it is here.
CLASSES = {
    "auth": g4fsdk.AuthError,
    "blocked": g4fsdk.BlockedError,
    "cloudflare": g4fsdk.BlockedError,
    "empty": g4fsdk.EmptyAnswerError,
    "forbidden": g4fsdk.AuthError,
    "invalid_request": g4fsdk.StatusError,
    "not_found": g4fsdk.NotFoundError,
    "protocol": g4fsdk.ProtocolError,
    "quota": g4fsdk.RateLimitError,
    "rate_limit": g4fsdk.RateLimitError,
    "server": g4fsdk.ServerError,
    "stream_broken": g4fsdk.IncompleteStreamError,
    "timeout": g4fsdk.DeadlineError,
    "too_long": g4fsdk.RateLimitError,
    "upstream": g4fsdk.ProviderError,
}
#: Where a capture leaves a choice, the class we promise.
CHOSEN = {
    "done-only": "EmptyAnswerError",
    "empty-body": "EmptyAnswerError",
    "html-200": "BlockedError",
    "html-403": "BlockedError",
    "image-empty-data": "ProtocolError",
    "invalid-utf8": None,
    "ip-ban": "BlockedError",
    "last-no-newline": "IncompleteStreamError",  # it has neither [DONE] nor a finish reason
    "no-done-no-finish": "IncompleteStreamError",
    "quota-403": "RateLimitError",
    "quota-text": "RateLimitError",
    "stall": "IncompleteStreamError",  # the pure core has no clock; a client raises DeadlineError
    "status-403": "AuthError",
    "truncate": "IncompleteStreamError",
    "truncate-midutf8": "IncompleteStreamError",
}


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@cache
def stand_in(path: Path) -> tuple[dict[str, Any], Cassette]:
    document = json.loads(path.read_bytes())
    cassette = from_capture(document)
    provider = cassette.metadata["provider"]
    call = CALLS[provider](cassette.interactions)
    return document["expect"], Cassette(
        cassette.interactions, cassette.metadata | {"call": call, "ids_seed": 7}
    )


ANSWERED = [path for path in STAND_INS if path.stem != "reset-before"]


@pytest.mark.parametrize("path", ANSWERED, ids=name_of)
def test_a_stand_in_gives_what_it_expects(path: Path) -> None:
    expect, cassette = stand_in(path)

    outcome = play_pure(cassette)

    kind = outcome.error[0] if outcome.error else None
    allowed = [None if label is None else CLASSES.get(label) for label in _listed(expect.get("error"))]
    is_allowed = [
        cls is not None and issubclass(getattr(g4fsdk, kind), cls) if kind else cls is None for cls in allowed
    ]
    assert any(is_allowed) or path.stem == "stall", outcome.error
    if path.stem in CHOSEN:
        assert kind == CHOSEN[path.stem]
    if "partial" in expect:
        assert outcome.error is not None
        assert outcome.error[2].startswith(expect["partial"])
    if kind is None:
        _check_answer(outcome, expect)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check_answer(outcome: Outcome, expect: dict[str, Any]) -> None:
    text = "".join(event.text for event in outcome.events if isinstance(event, TextDelta))
    text.encode()
    if "text" in expect:
        assert text == expect["text"]
    if "text_any" in expect:
        assert text in expect["text_any"]
    if "finish" in expect:
        assert [event.reason for event in outcome.events if isinstance(event, Finish)] == [expect["finish"]]
    if "images" in expect:
        [event] = [event for event in outcome.events if isinstance(event, ImageEvent)]
        assert event.urls == expect["images"]


@pytest.mark.parametrize("path", [path for path in STAND_INS if path.stem == "reset-before"], ids=name_of)
def test_a_connection_reset_before_the_answer_is_a_transport_error(path: Path) -> None:
    expect, cassette = stand_in(path)
    name, call = cassette.metadata["provider"], dict(cassette.metadata["call"])
    replay = Replay(Cassette([*_as_we_send(name, call, cassette.interactions)], cassette.metadata))

    client = Client(name, transport=replay, ids=Ids.seeded(7), retries=QUICK)
    with client, pytest.raises(g4fsdk.TransportError):
        client.chat.completions.create(call.pop("messages"), **call)

    replay.assert_all_played()
    assert len(cassette.interactions) <= expect["requests"][1]


def _as_we_send(name: str, call: dict[str, Any], recorded: list[Interaction]) -> Iterator[Interaction]:
    for attempt, interaction in enumerate(recorded):
        sent = stream_of(start_call(providers.get(name), call, attempt)).request
        request = RecordedRequest(sent.method, sent.url, [*sent.headers.items()], sent.body)
        yield Interaction(request, interaction.response)


def test_the_second_turn_of_yqcloud_carries_the_history_and_the_same_user() -> None:
    _, cassette = stand_in(CAPTURES / "stand-in" / "yqcloud" / "conv-two-turns.json")
    first, second = (meaning(interaction.request.body) for interaction in cassette.interactions)
    [event] = [event for event in play_pure(cassette).events if isinstance(event, ConversationEvent)]
    asked = second["prompt"].removesuffix("\nAssistant:").rpartition("User: ")[2]

    stream = stream_of(providers.get("yqcloud").chat(Chat(asked, conversation=event.conversation)))

    body = json.loads(stream.request.body)
    assert first["userId"] == second["userId"]
    assert body == second | {"userId": event.conversation.state["userId"]}


# --- OpenAI-compatible servers, real ones ---

OPENAI = CAPTURES / "openai-compatible"
#: Where our result differs on purpose from that of the openai package 3.52.0: our class, and why.
DIFFERENT: dict[str, tuple[str, str]] = {
    "live-aimock-malformed.json#0": ("ProtocolError", "it lets json's own exception through"),
    "live-aimock-malformed.json#1": ("ProtocolError", "it lets json's own exception through"),
    "live-aimock-stream-cut.json#0": ("IncompleteStreamError", "fed with bytes, it does not see the break"),
    "live-aimock-stream-cut.json#1": ("IncompleteStreamError", "fed with bytes, it does not see the break"),
    "live-llama-cpp-python-errors.json#0": ("EmptyAnswerError", "it takes an empty body for an answer"),
}
#: What the openai package raises, and what that is here.
STATUS_CLASSES = {
    "APIError": "ProviderError",
    "AuthenticationError": "AuthError",
    "BadRequestError": "StatusError",
    "InternalServerError": "ServerError",
    "NotFoundError": "NotFoundError",
    "RateLimitError": "RateLimitError",
    "UnprocessableEntityError": "StatusError",
}


def openai_cases() -> Iterator[Any]:
    if not OPENAI.is_dir():
        return
    for name, said in json.loads((OPENAI / "live-expected.json").read_bytes()).items():
        file, at = name.split("#")
        yield pytest.param(OPENAI / file, int(at), said["kind"], said["expected"], id=name)
    for path in sorted((OPENAI / "recorded").glob("*-*-*.json")):
        said = json.loads(path.read_bytes())
        yield pytest.param(path, 0, said["kind"], said["expected"], id=path.name)


def openai_seen(path: Path, at: int, kind: str) -> Seen:
    interaction = captured(path).interactions[at]
    provider = providers.get("openai")
    if kind == "images":
        stream = stream_of(provider.image("a dot", "m"))
    else:
        streams = kind == "stream"
        n = _asked(interaction).get("n", 1)
        stream = stream_of(provider.chat(Chat("Hello", "m", streams, {"n": n})))
    answer = interaction.response
    parser = stream.accept(Response(answer.status, answer.headers))
    return run(parser, answer.chunks, cut="" if answer.end == "complete" else answer.end)


def _asked(interaction: Interaction) -> dict[str, Any]:
    try:
        return meaning(interaction.request.body)
    except ValueError:  # some requests were malformed on purpose
        return {}


@cache
def captured(path: Path) -> Cassette:
    return from_capture(path)


@pytest.mark.parametrize(("path", "at", "kind", "expected"), [*openai_cases()])
def test_a_compatible_server_is_understood(path: Path, at: int, kind: str, expected: dict[str, Any]) -> None:
    if kind == "models":
        _check_models(path, at, expected)
        return
    seen = openai_seen(path, at, kind)

    if kind == "images":
        _check_images(seen, expected)
        return
    if "text" in expected:
        _check_completion(seen, expected)
    _check_error(seen.error, expected.get("raises"), DIFFERENT.get(f"{path.name}#{at}"))


def _check_models(path: Path, at: int, expected: dict[str, Any]) -> None:
    answer = captured(path).interactions[at].response
    found = providers.get("openai").read_models(Response(answer.status, answer.headers, answer.body))
    assert len(found) == expected["n"]
    assert found[: len(expected["ids_first"])] == expected["ids_first"]


def _check_images(seen: Seen, expected: dict[str, Any]) -> None:
    assert seen.error is None
    [event] = seen.of(ImageEvent)
    for image, said in zip(event.images, expected["data"], strict=True):
        assert image.url == said["url"]
        assert image.revised_prompt == said["revised_prompt"]
        assert len(image.b64_json or "") == said.get("b64_json_len", 0)


def _check_completion(seen: Seen, expected: dict[str, Any]) -> None:
    assert seen.text == (expected["text"] or "")
    reasoning = "".join(event.text for event in seen.of(ReasoningDelta))
    assert reasoning == (expected["reasoning"] or "")
    refusal = "".join(event.text for event in seen.of(RefusalDelta))
    assert refusal == (expected["refusal"] or "")
    reasons = [event.reason for event in seen.of(Finish) if not event.choice]
    assert reasons == ([expected["finish_reason"]] if expected["finish_reason"] else [])
    _check_usage(seen.of(Usage), expected["usage"])
    calls = seen.answer.choices[0].message().tool_calls or []
    ours = [(call.id, call.function.name, call.function.arguments) for call in calls]
    assert ours == [(call["id"], call["name"], call["arguments"]) for call in expected["tool_calls"]]
    for index, text in expected.get("text_by_index", {}).items():
        assert seen.answer.choices[int(index)].best_text == text


def _check_usage(found: list[Usage], expected: dict[str, int] | None) -> None:
    keys = ("prompt_tokens", "completion_tokens", "total_tokens")
    ours = [getattr(found[-1], key) for key in keys] if found else None
    assert ours == ([expected[key] for key in keys] if expected else None)


def _check_error(error: G4FError | None, raises: Any, different: tuple[str, str] | None) -> None:
    name = different[0] if different else STATUS_CLASSES[raises["type"]] if raises else None
    assert (type(error).__name__ if error else None) == name, error
    if error is not None and raises and not different:
        code = raises.get("code")
        if code is not None:
            assert str(error.code) == code
        assert _said(raises.get("body"))[:100] in error.message


def _said(body: Any) -> str:
    match body:
        case {"message": str(message)} | {"detail": str(message)} | {"detail": [{"msg": str(message)}, *_]}:
            return message
        case _:
            return ""


# --- chat-ui ---

CHAT_UI = sorted(CAPTURES.glob("chat-ui/*.json"))


def answer_streams() -> Iterator[Any]:
    """Give every answer under 200 to a message."""
    for path in CHAT_UI:
        for at, exchange in enumerate(json.loads(path.read_bytes())["exchanges"]):
            asked, answer = exchange["request"], exchange.get("response") or {}
            is_turn = asked["method"] == "POST" and _last_part(asked["url"]) not in (
                "conversation",
                "settings",
            )
            if is_turn and answer.get("status") == 200 and answer["chunks"]:
                yield pytest.param(path, at, id=f"{path.stem}#{at}")


def _last_part(url: str) -> str:
    return url.split("?")[0].rpartition("/")[2]


@pytest.mark.parametrize(("path", "at"), [*answer_streams()])
def test_an_answer_of_chat_ui_is_its_final_answer_or_an_error(path: Path, at: int) -> None:
    answer = captured(path).interactions[at].response
    updates = read_updates(answer.body)
    cut = "" if answer.end == "complete" else answer.end

    seen = run(JSONLinesParser(), answer.chunks, cut=cut)

    finals = [update["text"] for update in updates if update["type"] == "finalAnswer"]
    errors = [update["message"] for update in updates if update.get("status") == "error"]
    titles = [update["title"] for update in updates if update["type"] == "title"]
    assert [event.text for event in seen.of(FinalText)] == finals
    assert [event.title for event in seen.of(Title)] == titles
    assert seen.text == streamed(updates)
    seen.text.encode()
    if errors:
        assert isinstance(seen.error, g4fsdk.ProviderError)
        assert errors[0][:100] in seen.error.message
        assert seen.error.partial == (finals[0] if finals else seen.text)
    elif cut or not finals:
        assert isinstance(seen.error, g4fsdk.IncompleteStreamError)
        assert seen.error.partial == (finals[0] if finals else seen.text)
    else:
        assert seen.error is None
        assert seen.answer.completion("cohere-c4ai", "m").text == finals[0]


def read_updates(body: bytes) -> list[dict[str, Any]]:
    lines = (line.strip(b" ") for line in body.split(b"\n"))
    return [json.loads(line) for line in lines if line.endswith(b"}")]


def streamed(updates: list[dict[str, Any]]) -> str:
    """Return the tokens joined: NULs at their ends are padding, halves of surrogate pairs are joined."""
    text = "".join(update["token"].rstrip("\0") for update in updates if update["type"] == "stream")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


#: Recordings that sent another id than the last one on purpose, or could not get one.
ODD_PARENTS = {"bad-message-id", "retry-and-continue", "malformed-form", "csrf-origin"}


def turns() -> Iterator[Any]:
    """Give every page of a conversation with the message id of the POST that followed it."""
    for path in CHAT_UI:
        exchanges = captured(path).interactions
        for at, (page, post) in enumerate(pairwise(exchanges)):
            if path.stem in ODD_PARENTS or "__data.json" not in page.request.url:
                continue
            same = page.request.url.split("/__data.json")[0] == post.request.url
            if same and post.request.method == "POST" and post.response.status == 200:
                yield pytest.param(page, post, id=f"{path.stem}#{at}")


@pytest.mark.parametrize(("page", "post"), [*turns()])
def test_the_page_names_the_message_that_the_next_turn_answered(page: Interaction, post: Interaction) -> None:
    stream = cohere_turn(page, post)

    assert meaning(stream.request.body)["id"] == meaning(post.request.body)["id"]


def cohere_turn(page: Interaction, post: Interaction) -> Stream:
    root, _, name = post.request.url.rpartition("/")
    provider = providers.get("cohere-c4ai", base_url=root.removesuffix("/conversation"))
    state = {"conversationId": name, "preprompt": "", "cookies": {}}
    old = Conversation("cohere-c4ai", provider.default_model, (), state)
    flow = provider.chat(Chat("And then?", conversation=old))
    asked = advance(flow)
    assert isinstance(asked, Request)
    assert asked.url == page.request.url
    step = advance(flow, Response(page.response.status, page.response.headers, page.response.body))
    assert isinstance(step, Stream)
    return step
