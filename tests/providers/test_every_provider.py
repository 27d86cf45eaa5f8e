"""What is true of every provider, whatever its service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from g4fsdk import (
    Chat,
    Completion,
    Conversation,
    ConversationEvent,
    Finish,
    Ids,
    Message,
    ProtocolError,
    Response,
    ServerError,
    UsageError,
    advance,
)
from g4fsdk import providers as g4f_providers
from g4fsdk._core.flow.provider import KNOWN_OPTIONS
from g4fsdk.providers import PROVIDERS, Provider
from tests.support.asking import (
    CHUNKS,
    LISTED,
    LONG,
    ONE_REQUEST,
    SYSTEM,
    TURNS,
    chat_of,
    conversation_with,
    first_request,
    handed_over,
    stream_for,
)
from tests.support.wire import answer_to, chunk, run, sse

get = g4f_providers.get
every = pytest.mark.parametrize("name", PROVIDERS)
listed = pytest.mark.parametrize("name", LISTED)
one_request = pytest.mark.parametrize("name", ONE_REQUEST)


@every
def test_the_same_chat_gives_the_same_bytes(name: str) -> None:
    first, again = (first_request(name, TURNS, ids=Ids.seeded(7)) for _ in range(2))

    assert first == again


@every
def test_a_callers_messages_are_left_alone(name: str) -> None:
    messages = [dict(turn) for turn in TURNS]

    advance(get(name).chat(chat_of(name, messages)))

    assert messages == TURNS


@every
def test_a_provider_takes_pictures_as_it_says_or_refuses_them(name: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://x.test/cat.png"}}
    text = {"type": "text", "text": "What?"}
    asked = [{"role": "user", "content": [text]}], [{"role": "user", "content": [text, picture]}]

    if PROVIDERS[name].takes_pictures:
        without, with_one = (first_request(name, messages).body or b"" for messages in asked)
        assert len(with_one) >= len(without) + len("https://x.test/cat.png")
    else:
        with pytest.raises(UsageError, match="text only, not a part of type 'image_url'"):
            first_request(name, asked[1])


@every
def test_a_base_url_stands_in_place_of_the_services(name: str) -> None:
    for base in ("http://127.0.0.1:8080/prefix", "http://127.0.0.1:8080/prefix/"):
        request = first_request(name, settings={"base_url": base})

        assert request.url.startswith("http://127.0.0.1:8080/prefix/")
        assert "//" not in request.url.removeprefix("http://")


@every
@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "x.example",
        "http://",
        "https://",
        "http://x:port",
        "http://x:99999",
        "http://[::1",
        "http://a b",
        "http://x\n",
        " http://x",
        "",
        "http:///v1",
    ],
)
def test_an_address_that_is_none_is_refused(name: str, url: str) -> None:
    if not url:
        assert get(name, base_url=url).base_url == PROVIDERS[name].url.rstrip("/")
        return
    with pytest.raises(UsageError, match="base_url"):
        get(name, base_url=url)


@every
def test_given_headers_win_whatever_their_case(name: str) -> None:
    given = {"user-agent": "mine/1", "ACCEPT": "text/mine", "X-New": "new"}

    request = first_request(name, settings={"headers": given})

    found = {key.lower(): value for key, value in request.headers.items()}
    assert (found["user-agent"], found["accept"], found["x-new"]) == ("mine/1", "text/mine", "new")
    assert len(found) == len(request.headers)


@every
@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "a\0", "é", "a\x7f", 7])
def test_a_header_that_cannot_be_sent_is_refused(name: str, value: Any) -> None:
    with pytest.raises(UsageError) as header:
        get(name, headers={"X-Mine": value})
    with pytest.raises(UsageError) as key:
        get(name, api_key=value)

    assert "X-Mine" in header.value.message
    assert "API key" in key.value.message


@every
@pytest.mark.parametrize("header", ["X Mine", "X:Mine", "X\nMine", "", "Х"])
def test_a_header_name_that_cannot_be_sent_is_refused(name: str, header: str) -> None:
    with pytest.raises(UsageError):
        get(name, headers={header: "value"})


def test_a_key_that_cannot_be_sent_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        get("openai", api_key="topsecret\n")

    assert "topsecret" not in caught.value.message


@every
def test_a_provider_shows_no_secret(name: str) -> None:
    provider = get(name, base_url="http://bob:hunter22@x.example/v1", api_key="topsecret")

    assert not {"topsecret", "hunter22", "abcdef"} & set(repr(provider).replace("=", " ").split())
    assert "hunter22" not in repr(provider)
    assert name in repr(provider)


@every
def test_an_unknown_option_is_refused_and_the_known_listed(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        advance(get(name).chat(chat_of(name, options={"temprature": 1})))

    assert "temprature" in caught.value.message
    for option in sorted(get(name).options)[:3]:
        assert option in caught.value.message


@every
@pytest.mark.parametrize("option", sorted(KNOWN_OPTIONS))
def test_an_option_is_sent_or_refused_or_left_out(name: str, option: str) -> None:
    provider = get(name)
    mapping: Any = {"x": "1"}
    value = {"extra_body": mapping, "extra_headers": mapping, "extra_query": mapping, "n": 2}.get(
        option, ["calculator"]
    )
    chat = chat_of(name, options={option: value})
    if option in provider.options:
        advance(provider.chat(chat))
        return
    with pytest.raises(UsageError, match="ignore_unsupported"):
        advance(provider.chat(chat))

    plain = first_request(name, ids=Ids.seeded(7))
    ignoring = first_request(name, options={option: value}, ids=Ids.seeded(7), ignore_unsupported=True)

    assert ignoring == plain


@every
def test_ignoring_what_is_unsupported_ignores_no_misspelling(name: str) -> None:
    chat = chat_of(name, options={"temprature": 1}, ignore_unsupported=True)

    with pytest.raises(UsageError, match="temprature"):
        advance(get(name).chat(chat))


@every
def test_a_conversation_of_another_provider_is_refused(name: str) -> None:
    other = Conversation("someone-else", "m", (Message("user", "Hi"),))

    with pytest.raises(UsageError, match=r"someone-else.*" + name):
        advance(get(name).chat(chat_of(name, conversation=other)))


@listed
def test_an_unknown_model_is_refused_and_those_called_alike_are_listed(name: str) -> None:
    provider = get(name)

    for known in (*provider.models, *provider.image_models, *provider.aliases):
        with pytest.raises(UsageError) as caught:
            advance(provider.chat(Chat("Hello", f"{known}~")))

        _, asked, listed = caught.value.message.partition(f"unknown model '{known}~'")
        assert asked
        assert known in listed
        assert listed.count(",") < 8


@listed
def test_no_model_is_the_default_one(name: str) -> None:
    assert get(name).get_model() == get(name).get_model("") == PROVIDERS[name].default_model


def test_the_table_knows_each_by_its_name_and_says_which_there_are() -> None:
    assert all(kind.name == name for name, kind in PROVIDERS.items())
    with pytest.raises(UsageError, match=f"'nobody'.*{', '.join(PROVIDERS)}"):
        get("nobody")


@listed
def test_a_model_finds_its_providers_if_they_are_known_to_work(name: str) -> None:
    kind = PROVIDERS[name]
    for model in (*kind.models, *kind.image_models, *kind.aliases):
        if not any(PROVIDERS[other].working for other in who_lists(model)):
            with pytest.raises(UsageError, match=rf"not known to work: .*{name}"):
                g4f_providers.listing(model)
            continue
        found = g4f_providers.listing(model)

        assert (name in found) == kind.working
        assert all(PROVIDERS[other].working and get(other).get_model(model) for other in found)


def who_lists(model: str) -> list[str]:
    return [
        name for name, kind in PROVIDERS.items() if model in {*kind.models, *kind.image_models, *kind.aliases}
    ]


def test_a_model_that_nobody_lists_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'gpt-4oo'; .*: gpt-4o, .* and \d+ more$"):
        g4f_providers.listing("gpt-4oo")


@pytest.mark.parametrize("name", [name for name, kind in PROVIDERS.items() if kind.image is Provider.image])
def test_a_provider_without_images_says_so(name: str) -> None:
    with pytest.raises(UsageError, match="makes no images"):
        get(name).image("a cat")


@pytest.mark.parametrize(
    "name", [name for name, kind in PROVIDERS.items() if kind.list_models is Provider.list_models]
)
def test_a_fixed_list_of_models_needs_no_request(name: str) -> None:
    assert get(name).list_models() is None
    with pytest.raises(NotImplementedError):
        get(name).read_models(Response(200))


def test_a_provider_without_a_chat_says_so() -> None:
    class Nobody(Provider):
        name = "nobody"
        url = "http://x.example"

    with pytest.raises(NotImplementedError):
        Nobody().chat(Chat("Hello"))
    assert Nobody().get_model("anything") == "anything"


# --- How a conversation goes on ---


@every
@pytest.mark.parametrize(
    ("second", "system"),
    [
        pytest.param("Second question", SYSTEM, id="the new turn alone"),
        pytest.param([SYSTEM, *TURNS], SYSTEM, id="the whole list again"),
        pytest.param([LONG, *TURNS], LONG, id="another system message"),
        pytest.param([LONG, TURNS[-1]], LONG, id="another system message and the new turn"),
    ],
)
def test_a_conversation_goes_on_with_its_whole_history(
    name: str, second: Any, system: dict[str, str]
) -> None:
    handle = conversation_with(name, SYSTEM, *TURNS[:2])

    request = first_request(name, second, conversation=handle, ids=Ids.seeded(7))

    assert request == first_request(name, [system, *TURNS], ids=Ids.seeded(7))


@listed
def test_a_conversation_keeps_its_history_when_the_model_changes(name: str) -> None:
    handle, other = conversation_with(name, *TURNS[:2]), PROVIDERS[name].models[-1]

    request = first_request(name, "Second question", conversation=handle, model=other, ids=Ids.seeded(7))

    assert request == first_request(name, TURNS, model=other, ids=Ids.seeded(7))


@listed
def test_a_conversation_keeps_its_model(name: str) -> None:
    other = PROVIDERS[name].models[-1]
    handle = conversation_with(name, *TURNS[:2], model=other)

    request = first_request(name, "Second question", conversation=handle, model="", ids=Ids.seeded(7))

    assert request == first_request(name, TURNS, model=other, ids=Ids.seeded(7))


@one_request
def test_a_failed_turn_leaves_the_conversation_as_it_was(name: str) -> None:
    handle = conversation_with(name, *TURNS[:2])

    found = answer_to(stream_for(name, "Second question", conversation=handle), Response(500, (), b"down"))

    assert isinstance(found.error, ServerError)
    assert found.error.conversation == handle


# --- Those that send OpenAI's chunks ---

chunks = pytest.mark.parametrize("name", CHUNKS)


@chunks
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_comes_streamed_or_whole_whatever_was_asked(name: str, stream: bool) -> None:
    whole = json.dumps({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}).encode()
    for wire in (whole, sse(chunk({"content": "Hi"}), chunk({}, "stop"))):
        found = answer_to(stream_for(name, stream=stream), Response(200, (), wire))

        assert found.error is None
        assert (found.text, found.of(Finish)) == ("Hi", [Finish("stop")])


@chunks
def test_an_answer_hands_over_what_was_said(name: str) -> None:
    wire = sse(chunk({"content": "First answer"}), chunk({}, "stop"))

    found = answer_to(stream_for(name, [SYSTEM, TURNS[0]]), Response(200, (), wire))

    [event] = found.of(ConversationEvent)
    said = conversation_with(name, SYSTEM, *TURNS[:2]).messages
    assert handed_over(event.conversation).messages == said


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
GEMINI = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
CUSTOM = {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
ROUTER = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
HIDDEN = {"type": "reasoning.encrypted", "data": "ZGF0YQ==", "index": 1}


THOUGHT = {"type": "thinking", "thinking": "hm"}
SIGNED = THOUGHT | {"signature": "c2ln"}
SIGNATURE = {"type": "thinking", "thinking": "", "signature": "c2ln"}
SEE = {"type": "text", "text": "Let me see."}
MISTRAL = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
COPILOT = {"reasoning": "hm", "reasoning_opaque": "c2ln"}


def summary(**said: str) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [{"type": "summary_text", **said}]}


@chunks
@pytest.mark.parametrize(
    ("deltas", "back"),
    [
        *(
            pytest.param([{key: "h"}, {key: "m"}], {key: "hm"}, id=key)
            for key in ("reasoning_content", "reasoning", "reasoning_text", "thinking")
        ),
        pytest.param([COPILOT], COPILOT, id="Copilot"),
        pytest.param([{"content": [MISTRAL]}], {"content": [MISTRAL]}, id="Mistral"),
        pytest.param([{"thinking_blocks": [THOUGHT]}], {"thinking_blocks": [THOUGHT]}, id="unsigned blocks"),
        pytest.param(
            [
                {"reasoning": "h", "reasoning_details": [ROUTER | {"text": "h"}]},
                {"reasoning": "h", "reasoning_details": [ROUTER | {"text": "h"}]},
                {"reasoning_details": [ROUTER | {"signature": "c2ln"}]},
                {"reasoning_details": [HIDDEN]},
            ],
            {"reasoning": "hh", "reasoning_details": [ROUTER | {"text": "hh", "signature": "c2ln"}, HIDDEN]},
            id="OpenRouter",
        ),
        pytest.param(
            [
                {"reasoning_content": "h", "thinking_blocks": [{"type": "thinking", "thinking": "h"}]},
                {"reasoning_content": "m", "thinking_blocks": [{"type": "thinking", "thinking": "m"}]},
                {"thinking_blocks": [SIGNATURE]},
            ],
            {"reasoning_content": "hm", "thinking_blocks": [SIGNED]},
            id="LiteLLM",
        ),
        pytest.param(
            [{"content": [THOUGHT]}, {"content": [SIGNATURE]}, {"content": [SEE]}],
            {"content": [SIGNED, SEE]},
            id="Anthropic's blocks",
        ),
        pytest.param(
            [{"content": [summary(text="hm")]}, {"content": [summary(text="", signature="c2ln")]}],
            {"content": [summary(text="hm", signature="c2ln")]},
            id="Databricks",
        ),
    ],
)
@pytest.mark.parametrize("call", [CALL, CALL | GEMINI, CUSTOM], ids=["function", "signed", "custom"])
def test_what_was_thought_goes_back_as_the_service_said_it(
    name: str, deltas: list[Any], back: dict[str, Any], call: dict[str, Any]
) -> None:
    wire = sse(*(chunk(delta) for delta in deltas), chunk({"tool_calls": [call]}), chunk({}, "tool_calls"))

    found = answer_to(stream_for(name), Response(200, (), wire))

    [event] = found.of(ConversationEvent)
    said = {"role": "assistant", "tool_calls": [call]} | back
    assert handed_over(event.conversation).messages[-1].to_dict() == said
    completion = found.answer.completion(name, "m")
    assert completion.choices[0].message.to_dict() == said
    if back not in ({"content": [MISTRAL]}, {"thinking_blocks": [THOUGHT]}):  # its JSON says these as text
        read = Completion.from_dict(completion.to_dict())
        assert read.choices[0].message.to_dict() == said


@chunks
@pytest.mark.parametrize("stream", [True, False])
def test_a_call_without_an_id_is_given_one_that_the_ids_of_the_chat_make(name: str, stream: bool) -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    document = {"choices": [{"message": {"tool_calls": [call | {"id": ""}]}, "finish_reason": "stop"}]}
    streamed = sse(chunk({"tool_calls": [call]}), chunk({}, "tool_calls"))
    for wire in (streamed, json.dumps(document).encode()):
        asked = stream_for(name, stream=stream, ids=Ids.seeded(7))

        found = answer_to(asked, Response(200, (), wire)).answer.completion(name, "m")

        [made] = found.choices[0].message.tool_calls or []
        assert made.id == f"call_{Ids.seeded(7).uuid('tool call 0 0').replace('-', '')}"


@chunks
@pytest.mark.parametrize(
    ("delta", "more"),
    [
        pytest.param({"x": "A" * 60}, {}, id="unnamed in the message"),
        pytest.param({"annotations": ["A" * 60]}, {}, id="annotations"),
        pytest.param({"images": [{"url": "A" * 60}]}, {}, id="images"),
        pytest.param({"audio": {"id": "A" * 60}}, {}, id="the id of what is spoken"),
        pytest.param({"tool_calls": [{"index": 0, "x": "A" * 60}]}, {}, id="unnamed in a call"),
        pytest.param({"tool_calls": [{"index": 0, "id": "A" * 60}]}, {}, id="the ids of calls"),
        pytest.param({}, {"logprobs": {"content": [{"token": "A" * 60}]}}, id="logprobs"),
        pytest.param({}, {"x": "A" * 60}, id="unnamed in the choice"),
    ],
)
def test_whatever_is_kept_counts_as_part_of_the_answer(name: str, delta: Any, more: dict[str, Any]) -> None:
    pieces = [sse(_with_number(chunk(delta), more, number), done=False) for number in range(1500)]

    found = run(stream_for(name).accept(Response(200, (), b""), max_bytes=50_000), pieces)

    assert isinstance(found.error, ProtocolError)
    assert "max_bytes" in found.error.message


def _with_number(value: dict[str, Any], more: dict[str, Any], number: int) -> dict[str, Any]:
    """Return *value* with *more* in its choice, and texts that are told apart by *number*."""
    value["choices"][0] |= more
    numbered: dict[str, Any] = json.loads(json.dumps(value).replace("A" * 60, f"{number:060}"))
    for call in (numbered["choices"][0]["delta"] or {}).get("tool_calls") or ():
        call["index"] = number
    return numbered


@chunks
def test_facts_count_once_however_often_they_are_said(name: str) -> None:
    same = [sse(chunk({"refusal": "x"}, provider="P" * 100, seed=n), done=False) for n in range(1500)]
    new = [sse(chunk({"refusal": "x"}, **{f"k{n}": "P" * 100}), done=False) for n in range(1500)]

    for pieces, error in ((same, None), (new, ProtocolError)):
        parser = stream_for(name).accept(Response(200, (), b""), max_bytes=50_000)
        found = run(parser, [*pieces, b"data: [DONE]\n\n"])
        assert type(found.error) is (error or type(None))
