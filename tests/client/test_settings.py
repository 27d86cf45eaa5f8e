"""What the clients share: whom to ask, in what order, and errors that tell no secret."""

from __future__ import annotations

import json
import pickle
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from g4fsdk import (
    Chat,
    Chunk,
    Client,
    Conversation,
    DeadlineError,
    FinalText,
    G4FError,
    Ids,
    Message,
    ProtocolError,
    ProviderError,
    Request,
    Response,
    Retries,
    Stream,
    TextDelta,
    Timeouts,
    Title,
    TransportError,
    UsageError,
    advance,
    providers,
)
from g4fsdk._client.clocks import read_timeouts
from g4fsdk._client.ids import SYSTEM_IDS, SystemIds
from g4fsdk._client.reading import as_chunks
from g4fsdk._client.settings import Settings
from g4fsdk._client.task import Task, asks_next, failed
from g4fsdk._client.transport import Transport
from g4fsdk._core.decoding.answer import Answer
from g4fsdk._core.model.chunks import ChunkChoice, Delta
from g4fsdk._core.model.redact import (
    redact_headers,
    redact_text,
    redact_url,
    secrets_of,
)
from tests.support.wire import answer_to


def settings(provider: Any = None, **more: Any) -> Settings:
    plain: dict[str, Any] = {"model": None, "api_key": None, "base_url": None, "headers": None}
    plain |= {"timeout": Timeouts(), "retries": 3, "ids": Ids.seeded(7)}
    return Settings.read(provider, **(plain | more))


def asked(found: Settings, model: str | None = None, conversation: Any = None) -> list[str]:
    tasks = found.chat_tasks(
        "Hello", model, stream=True, conversation=conversation, ignore_unsupported=False, options={}
    )
    return [task.provider.name for task in tasks]


# --- Whom to ask ---


@pytest.mark.parametrize(
    ("provider", "model", "names"),
    [
        pytest.param("yqcloud", None, ["yqcloud"], id="a name"),
        pytest.param(providers.get("amigo"), None, ["amigo"], id="an object"),
        pytest.param(["yqcloud", providers.get("amigo")], None, ["yqcloud", "amigo"], id="a list"),
        pytest.param(("amigo", "yqcloud"), None, ["amigo", "yqcloud"], id="in the order given"),
        pytest.param(None, "command-r-plus", providers.listing("command-r-plus"), id="the model chooses"),
        pytest.param("amigo", "command-r-plus", ["amigo"], id="a name and a model"),
    ],
)
def test_who_is_asked(provider: Any, model: str | None, names: list[str]) -> None:
    assert asked(settings(provider), model) == names
    assert asked(settings(provider, model=model)) == names


def test_the_calls_model_wins_over_the_clients() -> None:
    assert asked(settings(model="gpt-4"), "command-r") == providers.listing("command-r")


def test_nobody_to_ask_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"name a provider or a model.*yqcloud"):
        asked(settings())


@pytest.mark.parametrize("more", [{"base_url": "http://x"}, {"api_key": "topsecret"}])
@pytest.mark.parametrize(
    "provider", [["yqcloud", "amigo"], providers.get("yqcloud")], ids=["two", "an object"]
)
def test_an_address_or_key_belongs_to_one_provider(provider: Any, more: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="belongs to one provider") as caught:
        settings(provider, **more)

    assert "topsecret" not in caught.value.message


@pytest.mark.parametrize("more", [{"base_url": "http://x"}, {"api_key": "topsecret"}])
def test_an_address_or_key_alone_means_openai(more: dict[str, Any]) -> None:
    assert asked(settings(**more), "m") == ["openai"]


def test_who_is_not_known_to_work_is_not_asked_unless_named() -> None:
    with pytest.raises(UsageError, match=r"not known to work: amigo; name one.*OPENAI_API_KEY"):
        asked(settings(), "gpt-4o")
    assert asked(settings("amigo"), "gpt-4o") == ["amigo"]


@pytest.mark.parametrize("given", [providers.get("yqcloud"), ["yqcloud", providers.get("amigo")]])
def test_headers_are_never_left_out(given: Any) -> None:
    with pytest.raises(UsageError, match="headers= belongs to one provider"):
        settings(given, headers={"X-Mine": "1"})


def test_each_of_several_may_have_a_model_of_its_own() -> None:
    several = [providers.get("openai", model="llama3.2"), providers.get("yqcloud", model="gpt-4")]
    tasks = settings(several).chat_tasks(
        "x", None, stream=True, conversation=None, ignore_unsupported=False, options={}
    )

    steps = [advance(task.start()) for task in tasks]

    assert [step.model for step in steps if isinstance(step, Stream)] == ["llama3.2", "gpt-4"]


def test_an_unknown_provider_is_refused() -> None:
    for provider in ("nobody", ["yqcloud", "nobody"]):
        with pytest.raises(UsageError, match="'nobody'"):
            settings(provider)


def test_what_is_no_provider_and_no_address_is_refused() -> None:
    for provider in (5, b"yqcloud", providers.Yqcloud, ["yqcloud", None, 5], [["yqcloud"]]):
        with pytest.raises(UsageError, match="a provider is a name"):
            settings(provider)
    with pytest.raises(UsageError, match="base_url must be text, not bytes"):
        settings("openai", base_url=b"http://x")


HANDLE = Conversation("amigo", "gpt-4o-mini")


@pytest.mark.parametrize("conversation", [HANDLE, HANDLE.to_dict()], ids=["object", "dict"])
@pytest.mark.parametrize("provider", [None, "amigo", ["yqcloud", "amigo"]])
def test_a_conversation_goes_on_with_its_provider(provider: Any, conversation: Any) -> None:
    assert asked(settings(provider), None, conversation) == ["amigo"]


def test_a_conversation_with_somebody_else_is_refused() -> None:
    with pytest.raises(UsageError, match="'amigo', not with 'yqcloud' or 'openai'"):
        asked(settings(["yqcloud", "openai"]), None, HANDLE)


def test_a_conversation_is_not_sent_to_a_place_nobody_named() -> None:
    with pytest.raises(UsageError, match=r"say where this conversation lives: Client\('openai', base_url"):
        asked(settings(), None, Conversation("openai", "m"))


@pytest.mark.parametrize("conversation", ["abc", 3])
def test_what_is_no_conversation_is_refused(conversation: Any) -> None:
    with pytest.raises(UsageError, match="conversation must be one"):
        asked(settings("openai"), "m", conversation)


def test_headers_reach_the_providers_that_the_model_chose() -> None:
    found = settings(headers={"X-Mine": "1"})
    tasks = found.chat_tasks(
        "Hello", "gpt-4", stream=True, conversation=None, ignore_unsupported=False, options={}
    )

    for task in tasks:
        step = advance(task.start())
        request = step.request if isinstance(step, Stream) else step
        assert request.headers["X-Mine"] == "1"


def test_models_are_listed_without_a_request_where_they_are_fixed() -> None:
    fixed = settings("amigo").models_task().fixed
    unknown = settings("openai").models_task().fixed

    assert fixed is not None
    assert [model.id for model in fixed] == [*providers.Amigo.models, *providers.Amigo.image_models]
    assert {model.owned_by for model in fixed} == {"amigo"}
    assert unknown is None
    with pytest.raises(UsageError, match="name a provider"):
        settings().models_task()


@pytest.mark.parametrize(
    ("timeout", "clocks"),
    [
        (Timeouts(1, 2, 3, 4), Timeouts(1, 2, 3, 4)),
        (5, Timeouts(5, 5, 5, None, 5)),
        (30.0, Timeouts(10.0, 30.0, 30.0, None, 30.0)),
        (None, Timeouts(None, None, None, None, None)),
    ],
)
def test_a_number_of_seconds_will_do_for_the_clocks(timeout: Any, clocks: Timeouts) -> None:
    assert read_timeouts(timeout) == clocks


def test_a_number_of_attempts_will_do_for_the_retries() -> None:
    assert settings("yqcloud", retries=1).retries == Retries(attempts=1)


def at_home(home: str) -> Conversation:
    return Conversation(
        "cohere-c4ai", state={"conversationId": "x", "home": home, "cookies": {"a": "topsecret"}}
    )


def test_a_conversation_goes_to_its_own_server_alone() -> None:
    servers = [providers.get("cohere-c4ai", base_url=f"http://{name}.test/root/") for name in "ab"]
    found = settings(servers)

    def places(home: str) -> list[str]:
        tasks = found.chat_tasks(
            "x", None, stream=True, conversation=at_home(home), ignore_unsupported=False, options={}
        )
        steps = [advance(task.start()) for task in tasks]
        return [step.url.partition("/conversation")[0] for step in steps if isinstance(step, Request)]

    assert places("http://b.test/root") == ["http://b.test/root"]
    for home in ("http://c.test/root", "http://b.test", "https://b.test/root"):
        with pytest.raises(UsageError, match=f"this conversation is at '{home}'") as caught:
            places(home)
        assert "topsecret" not in caught.value.message


def test_a_conversation_as_text_is_refused_and_not_shown() -> None:
    handle: Any = json.dumps(at_home("http://b.test").to_dict())

    with pytest.raises(UsageError, match=r"not str; give json.loads\(\) of it") as caught:
        asked(settings(), None, handle)

    assert "topsecret" not in caught.value.message


def test_a_recording_of_a_conversation_may_be_played_by_any_server() -> None:
    recorder = Listener()
    [task] = settings("cohere-c4ai", transport=recorder).chat_tasks(
        "x",
        None,
        stream=True,
        conversation=at_home("https://coherelabs-c4ai-command.hf.space"),
        ignore_unsupported=False,
        options={},
    )
    task.start()

    assert recorder.calls[0]["conversation"].home == ""


# --- Ids ---


def chats_of(found: Settings, calls: int, attempts: int) -> list[str]:
    bodies = []
    for _ in range(calls):
        [task] = found.chat_tasks(
            "Hello", None, stream=True, conversation=None, ignore_unsupported=False, options={}
        )
        for _ in range(attempts):
            step = advance(task.start())
            assert isinstance(step, Stream)
            bodies.append(json.loads(step.request.body)["chatId"])
    return bodies


def test_every_call_has_ids_of_its_own_its_attempts_share_them_and_a_seed_repeats_them() -> None:
    calls, attempts = chats_of(settings("amigo"), 5, 1), chats_of(settings("amigo"), 1, 5)

    assert len({*calls}) == 5
    assert len({*attempts}) == 1
    assert chats_of(settings("amigo"), 5, 1) == calls
    assert chats_of(settings("amigo"), 1, 5) == attempts
    assert calls[0] == attempts[0] == Ids.seeded(7).uuid("chat")


def test_ids_of_the_system_never_repeat() -> None:
    ids = SystemIds()
    stamps = [ids.now_ms() for _ in range(1000)]

    assert len({*stamps}) == 1000
    assert stamps == sorted(stamps)
    assert len({ids.uuid("chat") for _ in range(100)}) == 100
    assert ids.child(3) is ids
    assert SystemIds.seeded(7) == Ids.seeded(7)
    assert settings("yqcloud", ids=None).ids is SYSTEM_IDS


# --- Errors tell no secret ---

KEY, COOKIE, PASSWORD = "sk-topsecret123", "hf-cookie-456", "proxy-pass-789"


def blamed(error: G4FError, **more: Any) -> G4FError:
    found = settings("openai", api_key=KEY, secrets=frozenset({PASSWORD}), **more)
    [task] = found.chat_tasks(
        "Hello", "m", stream=True, conversation=None, ignore_unsupported=False, options={}
    )
    request = Request(
        "POST",
        "http://user:url-pass-000@x.example/v1?api_key=query-secret",
        {"Authorization": f"Bearer {KEY}", "Cookie": f"a={COOKIE}; b=2"},
    )
    task.blame(error, request)
    return error


ECHO = f"bad key {KEY}, cookie {COOKIE}, through {PASSWORD}, url-pass-000"


def shown(error: G4FError) -> str:
    parts: list[Any] = [str(error), repr(error), error.message, error.args, vars(error), error.request]
    if error.request is not None:
        parts += [error.request.url, error.request.headers]
    return " ".join(map(str, parts)) + str(pickle.dumps(error))


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(
            Response(401, {"X-Echo": ECHO}, json.dumps({"error": {"message": ECHO}}).encode()), id="JSON"
        ),
        pytest.param(Response(500, (), ECHO.encode()), id="text"),
        pytest.param(Response(403, (), f"<title>Just a moment...</title>{ECHO}".encode()), id="page"),
        pytest.param(Response(302, {"Location": f"http://y/?token={KEY}&x={COOKIE}"}), id="redirect"),
    ],
)
def test_a_server_that_echoes_what_it_was_sent_is_not_quoted(response: Response) -> None:
    error = blamed(providers.get("openai").refused(response))

    assert not any(
        secret in shown(error) for secret in (KEY, COOKIE, PASSWORD, "url-pass-000", "query-secret")
    )
    assert error.provider == "openai"


def test_nonsense_that_echoes_the_key_is_not_quoted() -> None:
    error = blamed(ProtocolError(f"expected events, got {ECHO!r}", excerpt=ECHO.encode()))

    assert not any(secret in shown(error) for secret in (KEY, COOKIE, PASSWORD))


def test_a_code_that_echoes_the_key_is_hidden_and_a_message_is_one_line() -> None:
    error = blamed(
        ProviderError(f"busy\nCRITICAL \x1b[2J {KEY}", code=f"key {KEY}", body=f'{{"k":"{KEY}"}}'.encode())
    )

    assert (error.code, error.message) == ("key ***", "busy CRITICAL  [2J ***")
    assert vars(error)["body"] == b'{"k":"***"}'


def test_a_key_in_a_query_is_hidden_where_it_is_echoed() -> None:
    assert secrets_of({}, "http://x/?a=harmless&api_key=one%2Ftwo") == {"one/two"}


def test_a_failure_before_any_request_names_its_provider() -> None:
    task = Task(providers.get("yqcloud"), frozenset(), HANDLE)
    error = UsageError("no")

    task.blame(error, None)

    assert (error.provider, error.request, error.conversation) == ("yqcloud", None, HANDLE)


def test_the_next_attempt_goes_on_with_the_conversation_a_failed_one_made() -> None:
    [task] = settings("cohere-c4ai").chat_tasks(
        "Hello", None, stream=True, conversation=None, ignore_unsupported=False, options={}
    )
    error = TransportError("reset")
    error.conversation = Conversation(
        "cohere-c4ai", "command-a-03-2025", (), {"conversationId": "6b00", "preprompt": ""}
    )
    task.blame(error, None)

    step = advance(task.start())

    assert isinstance(step, Request)
    assert step.method == "GET"


def test_a_client_shows_no_secret() -> None:
    with Client(
        "openai", api_key=KEY, proxy=f"http://bob:{PASSWORD}@p:1", headers={"X-Api-Key": KEY}
    ) as client:
        text = f"{client!r} {client} {client._settings.providers}"

    assert KEY not in text
    assert PASSWORD not in text


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("http://x/?a=1", "http://x/?a=1"),
        ("http://bob:pw@x/", "http://***@x/"),
        ("http://x/?api_key=s3&b=2#f", "http://x/?api_key=***&b=2#f"),
        ("http://x/?a=1&access_token=s3", "http://x/?a=1&access_token=***"),
        ("http://x/?X-Amz-Signature=s3", "http://x/?X-Amz-Signature=***"),
        ("http://x/?sig=s3&auth=s4&code=s5", "http://x/?sig=***&auth=***&code=***"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


def test_secret_headers_are_masked_by_name() -> None:
    headers = {
        "Authorization": "a",
        "X-API-Key": "b",
        "Cookie": "c",
        "X-Auth": "d",
        "Accept": "e",
        "X-Token": "f",
    }

    assert [name for name, value in redact_headers(headers).items() if value != "***"] == ["Accept"]


def test_words_that_are_no_secrets_stay() -> None:
    headers = {"Authorization": "Bearer null", "Accept": "text/html", "Cookie": "session=abcdef; token=x"}

    assert secrets_of(headers) == {"abcdef"}
    text = "Missing Bearer token, no session"
    assert redact_text(text, [*secrets_of(headers), "e"]) == text  # "e": a key that only a local server takes


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("you sent abcd/efghij!", "you sent ***!"),
        ("you sent abcd/efghi", "you sent ***"),
        ("you sent abcd/efg and abcd/efghij", "you sent *** and ***"),
        ("you sent abcd/ef", "you sent abcd/ef"),
        ('{"sent": "abcd\\/efghij"}', '{"sent": "***"}'),
        ("abcd/efgabcd/efghij", "******"),
        ("at abcd%2Fefghij, abcd%2fefghij", "at ***, ***"),
        ('"\\u0061bcd\\u002Fefg%68ij"', '"***"'),
        (r"twice \\u002f, cut abcd\\u002fefgh", r"twice \\u002f, cut ***"),
        (f"basic {b64encode(b'me:abcd/efghij').decode()}", "basic bWU6***o="),
        (f"in {b64encode(b'<<abcd/efghij>>').decode()}.", "in PDx***j4+."),
    ],
)
def test_what_a_cut_left_of_a_secret_is_hidden(text: str, redacted: str) -> None:
    assert redact_text(text, ["abcd/efghij"]) == redacted


@pytest.mark.parametrize("piece", ["sk-proj-", "\\\\u0041%41", "word "])
def test_a_text_made_to_be_slow_is_searched_at_once(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    began = time.thread_time()

    redact_text(text, ["sk-proj-abcdefghijklmnop", "Bearer sk-proj-abcdefghijklmnop", "cookie-123456"])

    assert time.thread_time() - began < 1.0


def test_secrets_that_begin_alike_are_all_hidden() -> None:
    secrets = ["eyJhbGciOiJ.one", "eyJhbGciOiJ.another/x"]

    text = "key eyJhbGciOiJ.another\\/x, cookie eyJhbGciOiJ.one, cut eyJhbGciOiJ.an"

    assert redact_text(text, secrets) == "key ***, cookie ***, cut ***"


@pytest.mark.parametrize("key", ["ab12;cd34;ef56", "a correct horse"])
def test_a_key_of_short_parts_is_hidden_as_a_whole(key: str) -> None:
    secrets = secrets_of({"X-Api-Key": key, "Authorization": f"bearer {key}"})

    assert redact_text(f"no bearer {key}!", secrets) == "no bearer ***!"


def test_an_at_in_a_password_does_not_show_its_rest() -> None:
    url = "http://bob:p@ssword-x@host/v1"

    assert redact_url(url) == "http://***@host/v1"
    assert redact_text("not p@ssword-x", secrets_of({}, url)) == "not ***"


# --- When all have failed ---


def test_one_failure_is_raised_as_it_is() -> None:
    error = TransportError("reset")

    assert failed([error]) is error
    assert (error.message, error.errors) == ("reset", (error,))


def test_the_last_of_several_failures_tells_of_all() -> None:
    first, last = TransportError("reset"), UsageError("bad")
    first.provider, last.provider = "yqcloud", "amigo"

    error = failed([first, last])

    assert error is last
    assert error.errors == (first, last)
    assert str(error) == "amigo: bad; before that: yqcloud: reset"
    assert pickle.loads(pickle.dumps(error)).message == error.message


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (DeadlineError("late", clock="total"), None),
        (DeadlineError("late", clock="idle"), "INFO"),
        (TransportError("reset"), "INFO"),
        (UsageError("it takes no temperature"), "WARNING"),  # nor will it the next time
    ],
)
def test_all_but_the_end_of_the_whole_time_leads_to_the_next(
    error: G4FError, level: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = [*settings(["yqcloud", providers.get("amigo", model="o1")]).image_tasks("a cat", "", {})]
    errors: list[G4FError] = []

    with caplog.at_level("INFO", "g4fsdk"):
        asks = asks_next(error, errors, tasks)

    assert (asks, errors) == (level is not None, [error])
    said = [(record.levelname, record.message) for record in caplog.records]
    next_one = "<Provider amigo at https://api.amigochat.io with o1>"
    assert said == ([(level, f"{error}; asking {next_one} next")] if level else [])


def test_after_the_last_there_is_no_next() -> None:
    assert not asks_next(TransportError("reset"), [], [*settings("amigo").image_tasks("a cat", "", {})])


# --- Chunks, recorders ---


def test_images_are_asked_of_every_provider_given() -> None:
    tasks = settings(["amigo", providers.get("openai")]).image_tasks("a cat", "dall-e-3", {})

    steps = [advance(task.start()) for task in tasks]

    assert [json.loads(step.request.body)["prompt"] for step in steps if isinstance(step, Stream)] == [
        "a cat"
    ] * 2


def test_events_become_chunks() -> None:
    chunks = [*as_chunks(Answer(), "m")([TextDelta("a"), FinalText("a"), Title("T")])]

    assert chunks == [
        Chunk([ChunkChoice(Delta("a"))], "m"),
        Chunk([ChunkChoice(Delta())], "m", title="T"),
    ]


class Listener(Transport):
    """A transport that keeps what it is told."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.calls: list[dict[str, Any]] = []

    def add_secret(self, value: str) -> None:
        self.secrets.append(value)

    def note_call(self, provider: providers.Provider, call: Mapping[str, Any], ids: Ids) -> None:
        self.calls.append({**call})


def test_a_recorder_is_told_the_keys() -> None:
    recorder = Listener()

    settings(["yqcloud", providers.get("openai", api_key=KEY)], transport=recorder)
    settings("amigo", api_key="other-key", transport=recorder)

    assert recorder.secrets == [KEY, "other-key"]


def test_a_recorder_is_told_all_that_makes_the_call_again() -> None:
    recorder = Listener()
    found = settings(providers.get("yqcloud", model="gpt-4"), transport=recorder)
    [task] = found.chat_tasks(
        "Hi", None, stream=True, conversation=None, ignore_unsupported=True, options={"seed": 1}
    )
    task.start()

    [call] = recorder.calls
    assert call.pop("messages") == (Message("user", "Hi"),)
    assert call.pop("conversation") is None
    assert call == {"model": "gpt-4", "stream": True, "seed": 1, "ignore_unsupported": True}


@pytest.mark.parametrize("messages", [[], "", [{"role": "user", "content": ""}]], ids=["none", "text", "one"])
def test_what_the_caller_did_wrong_is_said_before_anybody_is_asked(messages: Any) -> None:
    with Client(["yqcloud", "autonomous"]) as client, pytest.raises(UsageError) as caught:
        client.chat.completions.create(messages)

    assert (caught.value.provider, caught.value.errors) == (None, ())


@pytest.mark.parametrize("place", ["nothing_here", "no.such.module:make", "g4fsdk:nothing", "json:"])
def test_an_environment_that_names_no_transport_is_refused(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4FSDK_TRANSPORT", place)

    with pytest.raises(UsageError, match=r"G4FSDK_TRANSPORT must be like package\.module:function"):
        Client("yqcloud")


def test_an_object_that_makes_no_adapter_is_no_transport() -> None:
    with pytest.raises(UsageError, match=r"transport= takes a Recorder or Replay.*not object"):
        Client("yqcloud", transport=object())  # type: ignore[arg-type]  # what a mistake looks like


def test_an_echoed_key_is_not_quoted_from_a_stream() -> None:
    stream = advance(providers.get("openai", api_key=KEY).chat(Chat("Hello", "m")))
    assert isinstance(stream, Stream)
    found = answer_to(stream, Response(200, (), json.dumps({"error": {"message": ECHO}}).encode()))
    assert found.error is not None

    assert KEY not in shown(blamed(found.error))
