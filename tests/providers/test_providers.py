"""The providers: what goes out, byte for byte by the protocol, and what comes back."""

from __future__ import annotations

import json
import uuid
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import pytest

from g4fsdk import (
    AuthError,
    BlockedError,
    Chat,
    Conversation,
    ConversationEvent,
    Finish,
    G4FError,
    Ids,
    ImageEvent,
    IncompleteStreamError,
    Message,
    NotFoundError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    Request,
    Response,
    ServerError,
    Stream,
    TextDelta,
    UsageError,
    __version__,
    advance,
)
from g4fsdk import providers as g4f_providers
from g4fsdk._core.flow.provider import KNOWN_OPTIONS
from g4fsdk.providers import PROVIDERS, Provider
from tests.support.wire import answer_to, chunk, cut_at, request_of, sse, stream_of

get = g4f_providers.get
TEXT = 'Привет 👩‍👩‍👧 \u2028 \\ " \r\n'
every = pytest.mark.parametrize("name", PROVIDERS)
ONE_REQUEST = [name for name in PROVIDERS if name != "cohere-c4ai"]
TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": "First question"},
    {"role": "assistant", "content": "First answer"},
    {"role": "user", "content": "Second question"},
]
PROMPT = "User: First question\nAssistant: First answer\nUser: Second question\nAssistant:"


def model_of(name: str) -> str:
    return "gpt-4o" if name == "openai" else ""


def chat_of(name: str, messages: Any = "Hello", **more: Any) -> Chat:
    return Chat(messages, more.pop("model", model_of(name)), **more)


def stream_for(name: str, messages: Any = "Hello", *, settings: Any = None, **more: Any) -> Stream:
    """Return the stream of a one-request provider's flow."""
    return stream_of(get(name, **(settings or {})).chat(chat_of(name, messages, **more)))


def first_request(name: str, chat: Chat, **settings: Any) -> Request:
    step = advance(get(name, **settings).chat(chat))
    return step if isinstance(step, Request) else step.request


def body_of(request: Request) -> Any:
    return json.loads(request.body)


def headers_of(request: Request) -> dict[str, str]:
    """Return the headers that are a provider's own, names in lower case."""
    common = {"user-agent": f"g4fsdk/{__version__}", "accept-encoding": "gzip, deflate"}
    found = {name.lower(): value for name, value in request.headers.items()}
    assert common.items() <= found.items()
    return {name: value for name, value in found.items() if name not in common}


# --- All of them ---


@every
def test_the_same_chat_gives_the_same_bytes(name: str) -> None:
    provider, chat = get(name), chat_of(name, TURNS, ids=Ids.seeded(7))

    first, again = (advance(provider.chat(chat)) for _ in range(2))

    assert _sent(first) == _sent(again)


def _sent(step: Request | Stream) -> Request:
    return step.request if isinstance(step, Stream) else step


@every
def test_a_callers_messages_are_left_alone(name: str) -> None:
    messages = [dict(turn) for turn in TURNS]

    advance(get(name).chat(chat_of(name, messages)))

    assert messages == TURNS


@every
def test_a_base_url_stands_in_place_of_the_services(name: str) -> None:
    for base in ("http://127.0.0.1:8080/prefix", "http://127.0.0.1:8080/prefix/"):
        request = first_request(name, chat_of(name), base_url=base)

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

    request = first_request(name, chat_of(name), headers=given)

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
    value: Any = {"extra_body": {"x": 1}, "extra_headers": {"X-Y": "z"}, "n": 2}.get(option, ["calculator"])
    chat = chat_of(name, options={option: value})
    if option in provider.options:
        advance(provider.chat(chat))
        return
    with pytest.raises(UsageError, match="ignore_unsupported"):
        advance(provider.chat(chat))

    plain = _sent(advance(provider.chat(chat_of(name, ids=Ids.seeded(7)))))
    ignoring = chat_of(name, options={option: value}, ids=Ids.seeded(7), ignore_unsupported=True)

    assert _sent(advance(provider.chat(ignoring))) == plain


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


@pytest.mark.parametrize("name", ["cohere-c4ai", "autonomous", "yqcloud", "amigo"])
def test_an_unknown_model_is_refused_and_the_known_are_listed(name: str) -> None:
    provider = get(name)

    with pytest.raises(UsageError) as caught:
        advance(provider.chat(Chat("Hello", "gpt-17")))

    for known in (*provider.models, *provider.image_models, *provider.aliases):
        assert known in caught.value.message
    assert "gpt-17" in caught.value.message


@pytest.mark.parametrize("name", ["cohere-c4ai", "autonomous", "yqcloud", "amigo"])
def test_no_model_is_the_default_one(name: str) -> None:
    assert get(name).get_model() == get(name).get_model("") == PROVIDERS[name].default_model


def test_the_table_knows_five_and_says_so() -> None:
    assert [*PROVIDERS] == ["cohere-c4ai", "autonomous", "yqcloud", "amigo", "openai"]
    assert all(PROVIDERS[name].name == name for name in PROVIDERS)
    with pytest.raises(UsageError, match=r"'nobody'.*cohere-c4ai, autonomous, yqcloud, amigo, openai"):
        get("nobody")


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("gpt-4", ["yqcloud"]),
        ("command-r", ["cohere-c4ai"]),
        ("command-r-plus", ["cohere-c4ai", "amigo"]),
        ("llama-3.2-90b", ["autonomous", "amigo"]),
        ("flux-realism", ["amigo"]),
    ],
)
def test_a_model_finds_its_providers_working_ones_first(model: str, names: list[str]) -> None:
    assert g4f_providers.listing(model) == names


def test_a_model_that_nobody_lists_is_refused() -> None:
    with pytest.raises(UsageError, match=r"gpt-17.*command-r"):
        g4f_providers.listing("gpt-17")


@pytest.mark.parametrize("name", ["cohere-c4ai", "autonomous", "yqcloud"])
def test_a_provider_without_images_says_so(name: str) -> None:
    with pytest.raises(UsageError, match="makes no images"):
        get(name).image("a cat")


@pytest.mark.parametrize("name", ["cohere-c4ai", "autonomous", "yqcloud", "amigo"])
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


IMAGE_PART = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]


@pytest.mark.parametrize("name", ["cohere-c4ai", "yqcloud"])
def test_what_a_text_service_would_drop_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="image_url"):
        advance(get(name).chat(chat_of(name, IMAGE_PART)))


@every
def test_blank_text_is_refused_before_anything_is_sent_where_it_means_nothing(name: str) -> None:
    if name not in ("cohere-c4ai", "yqcloud"):
        return
    with pytest.raises(UsageError):
        advance(get(name).chat(chat_of(name, "   ")))


# --- Conversations of the stateless ones ---


def ask(name: str, messages: Any, conversation: Conversation | None = None, **more: Any) -> Stream:
    return stream_for(name, messages, conversation=conversation, **more)


def answered(name: str, stream: Stream, text: str = "First answer") -> Conversation:
    """Return the conversation that an answer to *stream* hands over, through JSON and back."""
    wire = text.encode() if name == "yqcloud" else sse(chunk({"content": text}), chunk({}, "stop"))
    found = answer_to(stream, Response(200, (), wire))
    assert found.error is None
    [event] = found.of(ConversationEvent)
    return Conversation.from_dict(json.loads(json.dumps(event.conversation.to_dict())))


def history_of(name: str, stream: Stream) -> Any:
    """Return the history that a request carries: the messages, or Yqcloud's prompt."""
    body = body_of(stream.request)
    if name == "yqcloud":
        return (body["system"], body["prompt"])
    return json.loads(b64decode(body["messages"])) if name == "autonomous" else body["messages"]


SYSTEM = {"role": "system", "content": "Be brief."}
LONG = {"role": "system", "content": "Be long."}


@pytest.mark.parametrize("name", ONE_REQUEST)
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
    handle = answered(name, ask(name, [SYSTEM, TURNS[0]]))

    stream = ask(name, second, handle)

    whole = (system["content"], PROMPT) if name == "yqcloud" else [system, *TURNS]
    assert history_of(name, stream) == whole


@pytest.mark.parametrize(
    ("name", "model"), [("autonomous", "hermes"), ("amigo", "gemini-1.5-pro"), ("openai", "other")]
)
def test_a_conversation_keeps_its_history_when_the_model_changes(name: str, model: str) -> None:
    handle = answered(name, ask(name, [TURNS[0]]))

    stream = ask(name, "Second question", handle, model=model)

    assert stream.model == model
    assert history_of(name, stream) == TURNS


@pytest.mark.parametrize(
    ("name", "model"), [("autonomous", "hermes"), ("amigo", "gemini-1.5-pro"), ("openai", "other")]
)
def test_a_conversation_keeps_its_model(name: str, model: str) -> None:
    handle = answered(name, ask(name, [TURNS[0]], model=model))

    assert ask(name, "Second question", handle, model="").model == model


@pytest.mark.parametrize("name", ONE_REQUEST)
def test_a_failed_turn_leaves_the_conversation_as_it_was(name: str) -> None:
    handle = answered(name, ask(name, [TURNS[0]]))

    found = answer_to(ask(name, "Second question", handle), Response(500, (), b"down"))

    assert isinstance(found.error, ServerError)
    assert found.error.conversation == handle


# --- Yqcloud ---

YQCLOUD_HEADERS = {
    "accept": "application/json, text/plain, */*",
    "accept-language": "en-US,en;q=0.9",
    "content-type": "application/json",
    "origin": "https://chat9.yqcloud.top",
    "referer": "https://chat9.yqcloud.top/",
}


@pytest.mark.parametrize(
    ("messages", "prompt", "system"),
    [
        pytest.param("Hello", "Hello", "", id="one"),
        pytest.param(TURNS, PROMPT, "", id="several"),
        pytest.param([SYSTEM, {"role": "user", "content": TEXT}], TEXT, "Be brief.", id="system first"),
        pytest.param(
            [TURNS[0], SYSTEM, TURNS[2]],
            "User: First question\nSystem: Be brief.\nUser: Second question\nAssistant:",
            "",
            id="system later",
        ),
        pytest.param(
            [SYSTEM, LONG, TURNS[0]],
            "System: Be long.\nUser: First question\nAssistant:",
            "Be brief.",
            id="two systems",
        ),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_yqcloud_is_asked_as_its_page_asks(messages: Any, prompt: str, system: str, stream: bool) -> None:
    ids = Ids.seeded(7)

    request = stream_for("yqcloud", messages, stream=stream, ids=ids).request

    assert (request.method, request.url) == ("POST", "https://api.binjie.fun/api/generateStream")
    assert headers_of(request) == YQCLOUD_HEADERS
    assert body_of(request) == {
        "prompt": prompt,
        "userId": f"#/chat/{ids.now_ms()}",
        "network": True,
        "system": system,
        "withoutContext": False,
        "stream": stream,
    }


def test_yqcloud_keeps_one_user_a_conversation() -> None:
    first = ask("yqcloud", [TURNS[0]], ids=Ids.seeded(1))
    second = ask("yqcloud", "Second question", answered("yqcloud", first), ids=Ids.seeded(2))

    assert body_of(first.request)["userId"] == body_of(second.request)["userId"]


BAN = "sorry, 您的ip已由于触发防滥用检测而被封禁,本服务网址是"


def test_yqcloud_says_when_the_address_is_banned_however_it_comes() -> None:
    wire = BAN.encode()
    for pieces in ([wire], cut_at(wire, [3, 20]), cut_at(wire, range(len(wire)))):
        found = answer_to(stream_for("yqcloud"), Response(200, {"Content-Type": "text/plain"}, wire), pieces)

        assert isinstance(found.error, BlockedError)
        assert (found.events, found.error.partial) == ([], "")


@pytest.mark.parametrize("text", [f"It said: {BAN}", "sorry, I can't", "sorry", "sorry, 您的ip", "s"])
def test_yqcloud_may_quote_the_ban(text: str) -> None:
    wire = text.encode()
    for pieces in ([wire], cut_at(wire, range(len(wire)))):
        found = answer_to(stream_for("yqcloud"), Response(200, (), wire), pieces)

        assert found.error is None
        assert found.text == text


def test_yqcloud_ends_with_its_body() -> None:
    found = answer_to(stream_for("yqcloud"), Response(200, {"Content-Type": "text/plain"}, b"  Hi\r\n"))

    assert found.events[0] == TextDelta("  Hi\r\n")
    assert isinstance(found.events[1], ConversationEvent)
    assert found.events[2] == Finish("stop")


def test_yqcloud_says_what_a_text_that_is_too_long_means() -> None:
    found = answer_to(stream_for("yqcloud"), Response(429, (), "文字过长，请删减后重试。".encode()))

    assert isinstance(found.error, RateLimitError)
    assert "too long" in found.error.message
    assert not found.error.retryable


# --- Autonomous AI ---

AUTONOMOUS_HEADERS = {
    "accept": "*/*",
    "accept-language": "en-US,en;q=0.9",
    "content-type": "application/json",
    "country-code": "US",
    "origin": "https://www.autonomous.ai",
    "referer": "https://www.autonomous.ai/",
    "time-zone": "America/New_York",
}


@pytest.mark.parametrize(
    ("model", "agent", "path"),
    [
        ("", "llama", "chat"),
        ("llama", "llama", "chat"),
        ("qwen_coder", "qwen_coder", "chat"),
        ("hermes", "hermes", "chat-hermes"),
        ("vision", "vision", "chat-vision"),
        ("summary", "summary", "summary"),
        ("llama-3.3-70b", "llama", "chat"),
        ("qwen-2.5-coder-32b", "qwen_coder", "chat"),
        ("hermes-3", "hermes", "chat-hermes"),
        ("llama-3.2-90b", "vision", "chat-vision"),
        ("llama-3.2-70b", "summary", "summary"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_autonomous_is_asked_as_its_page_asks(model: str, agent: str, path: str, stream: bool) -> None:
    messages = [SYSTEM, {"role": "user", "content": TEXT, "name": "bob"}]

    request = stream_for("autonomous", messages, model=model, stream=stream).request

    body = body_of(request)
    inner = b64decode(body.pop("messages"), validate=True)
    assert (request.method, request.url) == ("POST", f"https://chatgpt.autonomous.ai/api/v1/ai/{path}")
    assert headers_of(request) == AUTONOMOUS_HEADERS
    assert body == {"threadId": agent, "stream": stream, "aiAgent": agent}
    assert inner.isascii()
    assert json.loads(inner) == messages


@pytest.mark.parametrize("name", ["autonomous", "amigo", "openai"])
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_comes_streamed_or_whole_whatever_was_asked(name: str, stream: bool) -> None:
    whole = json.dumps({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}).encode()
    for wire in (whole, sse(chunk({"content": "Hi"}), chunk({}, "stop"))):
        found = answer_to(stream_for(name, stream=stream), Response(200, (), wire))

        assert found.error is None
        assert (found.text, found.of(Finish)) == ("Hi", [Finish("stop")])


# --- AmigoChat ---

AMIGO_HEADERS = {
    "accept": "*/*",
    "accept-language": "en-US,en;q=0.9",
    "authorization": "Bearer",
    "cache-control": "no-cache",
    "content-type": "application/json",
    "origin": "https://amigochat.io/chat/",
    "pragma": "no-cache",
    "priority": "u=1, i",
    "referer": "https://amigochat.io/chat//",
    "sec-ch-ua": '"Chromium";v="129", "Not=A?Brand";v="8"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "x-device-language": "en-US",
    "x-device-platform": "web",
    "x-device-version": "1.0.45",
}
#: Copied from the protocol reference, not from the code.
AMIGO_CHAT = """
gpt-4o-2024-11-20 gpt
gpt-4o summarizer
gpt-4o-mini amigo
o1-preview- openai-o-one
o1-preview-2024-09-12- orion
o1-mini- openai-o-one-mini
meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo llama-three-point-one
meta-llama/Llama-3.2-90B-Vision-Instruct-Turbo llama-3-2
codellama/CodeLlama-34b-Instruct-hf codellama-CodeLlama-34b-Instruct-hf
gemini-1.5-pro gemini-1-5-pro
gemini-1.5-flash gemini-1.5-flash
claude-3-5-sonnet-20240620 claude
claude-3-5-sonnet-20241022 clude-claude-3-5-sonnet-20241022
claude-3-5-haiku-latest 3-5-haiku
Qwen/Qwen2.5-72B-Instruct-Turbo qwen-2-5
google/gemma-2b-it google-gemma-2b-it
google/gemma-7b google-gemma-7b
Gryphe/MythoMax-L2-13b Gryphe-MythoMax-L2-13b
mistralai/Mistral-7B-Instruct-v0.3 mistralai-Mistral-7B-Instruct-v0.1
mistralai/mistral-tiny mistralai-mistral-tiny
mistralai/mistral-nemo mistralai-mistral-nemo
deepseek-ai/deepseek-llm-67b-chat deepseek-ai-deepseek-llm-67b-chat
databricks/dbrx-instruct databricks-dbrx-instruct
NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO NousResearch-Nous-Hermes-2-Mixtral-8x7B-DPO
x-ai/grok-beta x-ai-grok-beta
anthracite-org/magnum-v4-72b anthracite-org-magnum-v4-72b
cohere/command-r-plus cohere-command-r-plus
ai21/jamba-1-5-mini ai21-jamba-1-5-mini
zero-one-ai/Yi-34B zero-one-ai-Yi-34B
"""
AMIGO_IMAGE = """
flux-pro/v1.1 flux-1-1-pro
flux-realism flux-realism
flux-pro flux-pro
flux-pro/v1.1-ultra flux-pro-v1.1-ultra
flux-pro/v1.1-ultra-raw flux-pro-v1.1-ultra-raw
flux/dev flux-dev
dall-e-3 dalle-three
recraft-v3 recraft
"""
AMIGO_ALIASES = """
gpt-4o gpt-4o-2024-11-20
gpt-4o-mini gpt-4o-mini
llama-3.1-405b meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo
llama-3.2-90b meta-llama/Llama-3.2-90B-Vision-Instruct-Turbo
codellama-34b codellama/CodeLlama-34b-Instruct-hf
gemini-flash gemini-1.5-flash
claude-3.5-sonnet claude-3-5-sonnet-20241022
claude-3.5-haiku claude-3-5-haiku-latest
qwen-2.5-72b Qwen/Qwen2.5-72B-Instruct-Turbo
gemma-2b google/gemma-2b-it
mythomax-13b Gryphe/MythoMax-L2-13b
mixtral-7b mistralai/Mistral-7B-Instruct-v0.3
mistral-nemo mistralai/mistral-nemo
deepseek-chat deepseek-ai/deepseek-llm-67b-chat
dbrx-instruct databricks/dbrx-instruct
mixtral-8x7b-dpo NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO
grok-beta x-ai/grok-beta
magnum-72b anthracite-org/magnum-v4-72b
command-r-plus cohere/command-r-plus
jamba-mini ai21/jamba-1-5-mini
flux-dev flux/dev
"""


def table(text: str) -> dict[str, str]:
    return dict(line.split() for line in text.split("\n") if line)


@pytest.mark.parametrize(("model", "persona"), table(AMIGO_CHAT).items())
def test_each_chat_model_of_amigo_has_its_persona(model: str, persona: str) -> None:
    target = table(AMIGO_ALIASES).get(model, model)  # an alias wins over the id of the same name

    body = body_of(stream_for("amigo", model=model).request)

    assert (body["model"], body["personaId"]) == (target, table(AMIGO_CHAT)[target])
    assert g4f_providers.Amigo().get_persona_id(model) == persona


@pytest.mark.parametrize(("model", "persona"), table(AMIGO_IMAGE).items())
def test_each_image_model_of_amigo_has_its_persona(model: str, persona: str) -> None:
    for stream in (stream_of(get("amigo").image("a cat", model)), stream_for("amigo", "a cat", model=model)):
        request = stream.request

        assert (request.method, request.url) == ("POST", "https://api.amigochat.io/v1/images/generations")
        assert body_of(request) == {"prompt": "a cat", "model": model, "personaId": persona}


@pytest.mark.parametrize(("alias", "model"), table(AMIGO_ALIASES).items())
def test_each_alias_of_amigo_has_its_model(alias: str, model: str) -> None:
    assert get("amigo").get_model(alias) == model


def test_amigo_lists_what_the_protocol_lists() -> None:
    assert (len(table(AMIGO_CHAT)), len(table(AMIGO_IMAGE)), len(table(AMIGO_ALIASES))) == (29, 8, 21)
    assert [*get("amigo").models] == [*table(AMIGO_CHAT)]
    assert [*get("amigo").image_models] == [*table(AMIGO_IMAGE)]
    assert {**get("amigo").aliases} == table(AMIGO_ALIASES)


def test_amigo_is_asked_as_its_page_asks() -> None:
    ids = Ids.seeded(7)

    request = stream_for("amigo", [SYSTEM, {"role": "user", "content": TEXT}], ids=ids).request

    headers, body = headers_of(request), body_of(request)
    assert (request.method, request.url) == ("POST", "https://api.amigochat.io/v1/chat/completions")
    assert uuid.UUID(headers.pop("x-device-uuid")) != uuid.UUID(body.pop("chatId"))
    assert headers == AMIGO_HEADERS
    assert body == {
        "frequency_penalty": 0,
        "max_tokens": 4000,
        "messages": [SYSTEM, {"role": "user", "content": TEXT}],
        "model": "gpt-4o-mini",
        "personaId": "amigo",
        "presence_penalty": 0,
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.95,
    }


@pytest.mark.parametrize("url", ["https://host.test/v1?key=x", "https://host.test/v1#part"])
def test_an_address_to_which_no_path_can_be_added_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no query or fragment"):
        get("openai", base_url=url)


def test_tools_of_cohere_are_a_list() -> None:
    with pytest.raises(UsageError, match="tools must be a list"):
        advance(get("cohere-c4ai").chat(Chat("Hi", options={"tools": "calculator"})))


def test_amigo_has_a_new_device_each_attempt_and_a_new_chat_each_call() -> None:
    tries = [stream_for("amigo", ids=Ids.seeded(7), attempt=attempt).request for attempt in (0, 1)]
    calls = [stream_for("amigo", ids=Ids.seeded(7).child(call)).request for call in (0, 1)]

    assert len({headers_of(request)["x-device-uuid"] for request in tries}) == 2
    assert len({body_of(request)["chatId"] for request in tries}) == 1
    assert len({body_of(request)["chatId"] for request in calls}) == 2


def test_amigo_takes_sampling_options_and_a_chat_id() -> None:
    options = {"temperature": 1, "top_p": 0.1, "max_tokens": 5, "frequency_penalty": 1, "presence_penalty": 2}

    body = body_of(stream_for("amigo", options={**options, "chat_id": "my-chat"}, stream=False).request)

    assert options.items() <= body.items()
    assert (body["chatId"], body["stream"], "chat_id" in body) == ("my-chat", False, False)


def test_amigo_sends_a_key_where_one_is_given() -> None:
    request = stream_for("amigo", settings={"api_key": "topsecret"}).request

    assert headers_of(request)["authorization"] == "Bearer topsecret"


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(
            {"message": {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}},
            "Hi",
            id="wrapped",
        ),
        pytest.param({"choices": [{"message": {"content": "Hi"}}]}, "Hi", id="unwrapped"),
        pytest.param({"message": "Hi"}, "Hi", id="text"),
    ],
)
def test_a_whole_answer_of_amigo_may_be_wrapped(value: Any, text: str, status: int) -> None:
    found = answer_to(stream_for("amigo", stream=False), Response(status, (), json.dumps(value).encode()))

    assert found.error is None
    assert found.text == text


QUOTA = "Amigo, your balance is not enough to make the request, wait until 12 UTC or upgrade your plan"
RELAY = "Error handling AIML chat completion stream"


@pytest.mark.parametrize(
    ("status", "wire", "kind"),
    [
        pytest.param(
            201,
            sse(chunk({"content": QUOTA[:9]}), chunk({"content": QUOTA[9:]}), chunk({}, "stop")),
            RateLimitError,
            id="quota as the answer",
        ),
        pytest.param(
            201, sse(chunk({"content": RELAY}), chunk({}, "stop")), ProviderError, id="relay as the answer"
        ),
        pytest.param(201, sse({"error": {"message": RELAY}}), ProviderError, id="relay as an event"),
        pytest.param(201, json.dumps({"message": QUOTA}).encode(), RateLimitError, id="quota as a document"),
        pytest.param(
            200,
            json.dumps({"error": QUOTA}).encode(),
            (RateLimitError, ProviderError),
            id="quota as an error document",
        ),
        pytest.param(
            403, json.dumps({"message": QUOTA, "statusCode": 403}).encode(), RateLimitError, id="quota 403"
        ),
        pytest.param(403, b'{"message":"Forbidden","statusCode":403}', AuthError, id="forbidden"),
        pytest.param(
            406,
            b'{"message":"not implemented","error":"Not Acceptable","statusCode":406}',
            G4FError,
            id="406",
        ),
        pytest.param(
            200,
            b'{"message":"not implemented","error":"Not Acceptable","statusCode":406}',
            ProviderError,
            id="406 under 200",
        ),
        pytest.param(
            403, b"<html><title>Attention Required! | Cloudflare</title>", BlockedError, id="blocked"
        ),
    ],
)
def test_amigo_says_no_in_many_ways(status: int, wire: bytes, kind: Any) -> None:
    found = answer_to(stream_for("amigo"), Response(status, (), wire))

    assert isinstance(found.error, kind)
    assert not found.error.retryable
    assert found.of(TextDelta) == []


def test_amigo_may_talk_about_its_quota() -> None:
    wire = sse(chunk({"content": f"It said: {QUOTA}"}), chunk({}, "stop"))

    assert answer_to(stream_for("amigo"), Response(201, (), wire)).text == f"It said: {QUOTA}"


def test_amigo_takes_the_last_message_for_a_picture() -> None:
    stream = stream_for("amigo", TURNS, model="flux-realism")

    assert body_of(stream.request)["prompt"] == "Second question"


def test_an_image_of_amigo_is_given_as_sent() -> None:
    stream = stream_of(get("amigo").image("a cat"))
    found = answer_to(stream, Response(201, (), b'{"data":[{"url":"https://x/a%20b?s=%2F"}]}'))

    assert stream.model == "flux-realism"
    assert not stream.repeatable
    [event] = found.of(ImageEvent)
    assert (event.urls, event.prompt) == (["https://x/a%20b?s=%2F"], "a cat")


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        pytest.param("gpt-4o", {}, "makes no images; known: flux-pro/v1.1", id="a chat model"),
        pytest.param("nothing", {}, "unknown model", id="no model"),
        pytest.param("flux-realism", {"size": "1x1"}, "'size'", id="an option"),
    ],
)
def test_an_image_that_amigo_cannot_make_is_refused(model: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        get("amigo").image("a cat", model, options)


def test_a_persona_of_no_model_is_refused() -> None:
    with pytest.raises(UsageError, match="gpt-17"):
        g4f_providers.Amigo().get_persona_id("gpt-17")


# --- Any OpenAI-compatible endpoint ---


def test_openai_is_asked_as_its_reference_says() -> None:
    request = stream_for("openai", [SYSTEM, TURNS[0]], settings={"api_key": "topsecret"}).request

    assert (request.method, request.url) == ("POST", "https://api.openai.com/v1/chat/completions")
    assert headers_of(request) == {
        "accept": "*/*",
        "content-type": "application/json",
        "authorization": "Bearer topsecret",
    }
    assert body_of(request) == {"model": "gpt-4o", "messages": [SYSTEM, TURNS[0]], "stream": True}


def test_openai_sends_no_key_that_there_is_not() -> None:
    assert "authorization" not in headers_of(stream_for("openai").request)


def test_openai_sends_everything_as_it_is() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}],
        },
        {
            "role": "assistant",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "4"},
    ]
    options = {
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_object"},
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "stop": ["\n"],
        "n": 2,
        "extra_body": {"top_k": 3, "model": "override"},
        "extra_headers": {"X-Title": "t", "accept": "text/event-stream"},
    }

    request = stream_for("openai", messages, options=options).request

    body = body_of(request)
    assert body.pop("messages") == messages
    assert body == {
        **{key: value for key, value in options.items() if not key.startswith("extra")},
        "model": "override",
        "top_k": 3,
        "stream": True,
    }
    assert headers_of(request)["x-title"] == "t"
    assert headers_of(request)["accept"] == "text/event-stream"


@pytest.mark.parametrize("header", [{"X": "a\nb"}, {"X": 7}, {"X": "é"}])
def test_extra_headers_that_cannot_be_sent_are_refused(header: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        stream_for("openai", options={"extra_headers": header})


@pytest.mark.parametrize("option", ["extra_body", "extra_headers"])
def test_extras_of_another_type_are_refused(option: str) -> None:
    with pytest.raises(UsageError):
        stream_for("openai", options={option: "text"})


def test_openai_wants_to_know_which_model() -> None:
    with pytest.raises(UsageError, match="which model"):
        advance(get("openai").chat(Chat("Hello")))


def test_openai_takes_any_model() -> None:
    assert stream_for("openai", model="my/own:model").model == "my/own:model"


def test_openai_can_be_told_that_a_server_ends_with_its_body() -> None:
    wire = sse(chunk({"content": "Hi"}), done=False)

    incomplete = answer_to(stream_for("openai"), Response(200, (), wire))
    complete = answer_to(stream_for("openai", settings={"end": "eof"}), Response(200, (), wire))

    assert isinstance(incomplete.error, IncompleteStreamError)
    assert complete.error is None
    assert complete.of(Finish) == [Finish(None)]


@pytest.mark.parametrize("options", [{"n": 2}, {"extra_body": {"n": 2}}, {"n": 1, "extra_body": {"n": 2}}])
def test_openai_tells_several_answers_apart(options: dict[str, Any]) -> None:
    wire = sse(
        *({"choices": [{"index": at, "delta": {"content": "x"}, "finish_reason": "stop"}]} for at in (0, 1))
    )

    found = answer_to(stream_for("openai", options=options), Response(200, (), wire))

    assert found.of(TextDelta) == [TextDelta("x", 0), TextDelta("x", 1)]


def test_openai_makes_images() -> None:
    options = {"size": "1x1", "n": 2, "extra_body": {"x": 1}, "extra_headers": {"X-Title": "t"}}

    stream = stream_of(get("openai").image("a cat", "dall-e-3", options))

    assert stream.request.url == "https://api.openai.com/v1/images/generations"
    assert body_of(stream.request) == {"model": "dall-e-3", "prompt": "a cat", "size": "1x1", "n": 2, "x": 1}
    assert options["extra_headers"] == {"X-Title": "t"}
    with pytest.raises(UsageError, match="'sise'"):
        get("openai").image("a cat", "dall-e-3", {"sise": 1})
    with pytest.raises(UsageError, match="which model"):
        get("openai").image("a cat")


def test_openai_asks_for_the_models() -> None:
    request = get("openai", api_key="topsecret", base_url="http://x/v1").list_models()

    assert request is not None
    assert (request.method, request.url, request.body) == ("GET", "http://x/v1/models", b"")
    assert request.headers["Authorization"] == "Bearer topsecret"


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b'{"object":"list","data":[{"id":"a"},{"id":"b","owned_by":"me"}]}', ["a", "b"]),
        (b'[{"id":"a"}]', ["a"]),
        (b'{"data":[]}', []),
    ],
)
def test_a_list_of_models_is_read(body: bytes, ids: list[str]) -> None:
    assert get("openai").read_models(Response(200, (), body)) == ids


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(Response(200, (), b"{}"), ProtocolError, id="another shape"),
        pytest.param(Response(200, (), b'{"data":[{"name":"a"}]}'), ProtocolError, id="no ids"),
        pytest.param(Response(200, (), b'{"data":["a"]}'), ProtocolError, id="text"),
        pytest.param(Response(200, (), b""), ProtocolError, id="nothing"),
        pytest.param(Response(200, (), b"<html></html>"), ProtocolError, id="page"),
        pytest.param(Response(200, (), b'{"error":"no"}'), ProviderError, id="failure"),
        pytest.param(Response(401, (), b'{"error":"no"}'), AuthError, id="401"),
        pytest.param(Response(404, (), b""), NotFoundError, id="404"),
    ],
)
def test_what_is_no_list_of_models_is_an_error(response: Response, kind: type[G4FError]) -> None:
    with pytest.raises(kind):
        get("openai").read_models(response)


# --- CohereForAI C4AI Command ---

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


def test_the_first_request_of_cohere_is_the_conversation() -> None:
    assert request_of(get("cohere-c4ai").chat(Chat("Hello"))).url.endswith("/conversation")
