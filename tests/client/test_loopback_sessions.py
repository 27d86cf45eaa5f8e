"""Many calls at once, cookies that stay with their conversation, and set-up requests that go wrong."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr

from g4fsdk import (
    AsyncClient,
    AuthError,
    BlockedError,
    Client,
    DeadlineError,
    EmptyAnswerError,
    G4FError,
    IncompleteStreamError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    StatusError,
    Timeouts,
    TransportError,
    UsageError,
)
from tests.support.command_line import python
from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import (
    CHALLENGE,
    COLOURS,
    QUICK,
    Colour,
    answer,
    as_json,
    ask,
    base_url,
    both,
    both_outcomes,
    complete,
    document,
    every_service,
    failure,
    media,
    set_up,
    unfinished,
)

# ---- many at once


def parrot(request: Received) -> Reply:
    """Answer with the question, in tokens of three letters."""
    question = json.loads(request.body)["messages"][-1]["content"]
    return answer("openai", *(question[at : at + 3] for at in range(0, len(question), 3)))


def questions(first: int, count: int) -> list[str]:
    return [f"question number {number} " * 3 for number in range(first, first + count)]


def test_sixteen_threads_share_a_client() -> None:
    with Server(parrot) as server, Client("openai", base_url=f"{server.url}/v1", model="m") as client:

        def six(thread: int) -> list[str]:
            texts = []
            for question in questions(thread * 6, 6):
                with client.chat.completions.stream(question) as stream:
                    texts.append("".join(stream.text_stream))
            return texts

        with ThreadPoolExecutor(16) as pool:
            texts = [text for texts in pool.map(six, range(16)) for text in texts]

    assert texts == questions(0, 96)
    assert len(server.requests) == 96
    assert server.connections <= 16


def test_two_hundred_streams_share_an_async_client() -> None:
    async def main(url: str) -> list[str]:
        async with AsyncClient("openai", base_url=f"{url}/v1", model="m") as client:

            async def one(question: str) -> str:
                async with client.chat.completions.stream(question) as stream:
                    return "".join([text async for text in stream.text_stream])

            return await asyncio.gather(*(one(question) for question in questions(0, 200)))

    with Server(parrot) as server:
        assert asyncio.run(main(server.url)) == questions(0, 200)


def test_streams_read_in_turn_do_not_mix() -> None:
    """Two answers open at once on one client, a chunk of each by turns."""
    with (
        Server(parrot) as server,
        Client("openai", base_url=f"{server.url}/v1", model="m") as client,
        client.chat.completions.stream("aaaaaa") as first,
        client.chat.completions.stream("bbbbbb") as second,
    ):
        pairs = list(zip(first.text_stream, second.text_stream, strict=True))

    assert pairs == [("aaa", "bbb")] * 2


# ---- cookies


class ChatUI:
    """Gives every conversation a session of its own, and knows nobody without it."""

    def __init__(self) -> None:
        self.made = 0
        self.cookies: list[tuple[str, str | None]] = []

    def __call__(self, request: Received) -> Reply:
        _, page = set_up("cohere-c4ai")
        cookie = request.headers.get("cookie")
        self.cookies.append((request.target.partition("?")[0], cookie))
        if request.target == "/conversation":
            self.made += 1
            headers = [
                ("Set-Cookie", f"hf-chat=session-{self.made}; Path=/; HttpOnly; Secure; SameSite=None"),
                ("Set-Cookie", "lang=en; Path=/"),
            ]
            return Reply([as_json({"conversationId": f"{self.made:024}"})], headers=headers, framing="length")
        reply = page if "__data" in request.target else answer("cohere-c4ai", "Hello")
        refreshed = ("Set-Cookie", "hf-chat=refreshed-and-not-asked-for; Path=/")
        return Reply(reply.pieces, headers=[*media("cohere-c4ai").items(), refreshed], framing="length")


@both
def test_each_conversation_has_its_own_cookies(colour: Colour) -> None:
    chat_ui = ChatUI()
    with Server(chat_ui) as server:
        if colour == "sync":
            with Client("cohere-c4ai", base_url=server.url) as client:
                for _ in range(2):
                    client.chat.completions.create("Hello")
        else:
            asyncio.run(two_conversations(server.url))

    own = {f"/conversation/{number:024}": f"hf-chat=session-{number}; lang=en" for number in (1, 2)}
    created = [cookie for path, cookie in chat_ui.cookies if path == "/conversation"]
    assert created == [None, None]
    for path, cookie in chat_ui.cookies:
        if path != "/conversation":
            assert cookie == own[path.removesuffix("/__data.json")]


async def two_conversations(url: str) -> None:
    async with AsyncClient("cohere-c4ai", base_url=url) as client:
        for _ in range(2):
            await client.chat.completions.create("Hello")


@both
def test_conversation_goes_on_in_another_client_with_its_cookie(colour: Colour) -> None:
    chat_ui = ChatUI()
    with Server(chat_ui) as server:
        first = complete(colour, "cohere-c4ai", server.url)
        handle = json.loads(json.dumps(first.conversation.to_dict()))
        second = complete(colour, "cohere-c4ai", server.url, call={"conversation": handle})

    assert second.text == "Hello"
    assert chat_ui.made == 1
    assert len(second.conversation.messages) == 4
    assert chat_ui.cookies[-1][1] == "hf-chat=session-1; lang=en"


@every_service
@both
def test_cookies_of_a_service_are_not_sent_back(provider: str, colour: Colour) -> None:
    if provider == "cohere-c4ai":
        return  # its conversations live by them
    reply = answer(provider, "Hello")
    reply.headers = {**media(provider), "Set-Cookie": "track=me; Path=/"}
    with Server(reply) as server:
        if colour == "sync":
            with Client(
                provider, base_url=base_url(provider, server.url), model=model_of(provider)
            ) as client:
                for _ in range(2):
                    client.chat.completions.create("Hello", stream=True).close()
        else:
            asyncio.run(two_calls(provider, server.url))

    assert [request.headers.get("cookie") for request in server.requests] == [None, None]


async def two_calls(provider: str, url: str) -> None:
    async with AsyncClient(provider, base_url=base_url(provider, url), model=model_of(provider)) as client:
        for _ in range(2):
            await (await client.chat.completions.create("Hello", stream=True)).close()


def model_of(provider: str) -> str | None:
    return "gpt-4o" if provider == "openai" else None


# ---- set-up requests that go wrong

CREATED, PAGE = set_up("cohere-c4ai")
NODE = {"type": "error", "error": {"message": "Conversation not found."}, "status": 404}
HTML = Reply([b"<!DOCTYPE html><html><title>chat-ui</title></html>"], framing="length")


def page(value: Any) -> Reply:
    return Reply([value if isinstance(value, bytes) else as_json(value) + b"\n"], framing="length")


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        pytest.param([HTML], ProtocolError, id="an HTML page in place of the new conversation"),
        pytest.param([page(CHALLENGE)], BlockedError, id="a challenge there"),
        pytest.param([Reply([CHALLENGE], 403, framing="length")], BlockedError, id="a challenge under 403"),
        pytest.param([page({"error": "You have to be logged in."})], ProviderError, id="an error under 200"),
        pytest.param([page({})], ProtocolError, id="no id"),
        pytest.param([page({"conversationId": 5})], ProtocolError, id="an id that is no text"),
        pytest.param([page(b"")], ProtocolError, id="nothing"),
        pytest.param([page(b"{")], ProtocolError, id="half a document"),
        pytest.param([CREATED, HTML], ProtocolError, id="an HTML page in place of the page data"),
        pytest.param(
            [CREATED, Reply([CHALLENGE], framing="length")], BlockedError, id="a challenge there too"
        ),
        pytest.param([CREATED, page(b"")], ProtocolError, id="no page data"),
        pytest.param([CREATED, page({"type": "redirect", "location": "/login"})], AuthError, id="a login"),
        pytest.param([CREATED, page({"type": "data", "nodes": [NODE]})], StatusError, id="an error node"),
        pytest.param([CREATED, page({"type": "data", "nodes": []})], ProtocolError, id="no nodes"),
        pytest.param([CREATED, Reply(status=401, framing="length")], AuthError, id="a refusal"),
        pytest.param([CREATED, Reply([b"x" * (17 << 20)], framing="length")], ProtocolError, id="too much"),
        pytest.param([CREATED, Reply([b" " * (17 << 20)], gzip=True)], ProtocolError, id="too much, packed"),
        pytest.param([CREATED, PAGE, page(b"")], EmptyAnswerError, id="an empty answer"),
        pytest.param([CREATED, PAGE, page(failure("cohere-c4ai"))], ProviderError, id="a failed answer"),
    ],
)
def test_set_up_that_goes_wrong(script: list[Reply], kind: type[G4FError]) -> None:
    outcome = both_outcomes("cohere-c4ai", lambda: list(script), retries=QUICK)

    assert type(outcome.error) is kind or (kind is StatusError and isinstance(outcome.error, kind))
    assert outcome.error.provider == "cohere-c4ai"
    assert (outcome.error.conversation is not None) == (len(script) > 1)


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("end", ["fin", "rst"])
def test_set_up_that_breaks_off_is_asked_again(framing: Any, end: Any) -> None:
    broken = Reply(PAGE.pieces, framing=framing, end=end)

    outcome = both_outcomes("cohere-c4ai", lambda: [CREATED, *[broken] * 3], retries=QUICK)

    assert isinstance(outcome.error, IncompleteStreamError)
    assert outcome.error.conversation is not None


# ---- huge answers


@pytest.mark.parametrize("provider", ["openai", "amigo"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_document_over_the_limit_is_an_error(provider: str, packed: bool) -> None:
    body = document(provider, "x" * (17 << 20)).body
    data = gzip.compress(body, 1) if packed else body
    headers = {"Content-Encoding": "gzip"} if packed else {}
    outcomes = []
    for colour in COLOURS:
        with Server(Reply([data], headers=headers, framing="length")) as server:
            outcomes.append(complete(colour, provider, server.url))

    assert [type(error) for error in outcomes] == [ProtocolError] * 2
    assert str(outcomes[0]) == str(outcomes[1])
    assert "16777216" in str(outcomes[0])


@both
def test_large_document_arrives_whole(colour: Colour) -> None:
    text = "Привет, 世界! " * 100_000
    with Server(document("openai", text)) as server:
        completion = complete(colour, "openai", server.url)

    assert completion.text == text


@both
def test_event_over_the_limit_is_an_error(colour: Colour) -> None:
    with Server(answer("openai", "Hel", "x" * (17 << 20))) as server:
        outcome = ask(colour, "openai", server.url)

    assert type(outcome.error) is ProtocolError
    assert outcome.text == outcome.error.partial == "Hel"


class ClientConnectionError(Exception):
    """As aiohttp has it."""


class ClientConnectorError(ClientConnectionError, OSError):
    pass


class ServerTimeoutError(ClientConnectionError, TimeoutError):
    pass


class AsOverAiohttp(httpx.AsyncBaseTransport):
    """Says of every failed connection that it came too late, as httpx-aiohttp 0.2 does."""

    def __init__(self, cause: Exception) -> None:
        self._cause = cause

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("") from self._cause


@pytest.mark.parametrize(
    ("cause", "kind", "sent"),
    [
        pytest.param(ClientConnectorError("refused"), TransportError, False, id="refused"),
        pytest.param(ClientConnectionError("reset"), TransportError, True, id="closed behind the request"),
        pytest.param(ServerTimeoutError("late"), DeadlineError, False, id="late"),
    ],
)
async def test_over_aiohttp_only_what_is_late_is_late(cause: Exception, kind: type, sent: bool) -> None:
    async with (
        httpx.AsyncClient(transport=AsOverAiohttp(cause)) as own,
        AsyncClient("openai", base_url="http://x.test/v1", model="m", retries=1, http_client=own) as client,
    ):
        with pytest.raises(TransportError) as caught:
            await client.chat.completions.create("Hello")

    assert (type(caught.value), caught.value.sent) == (kind, sent)


@both
def test_vcrpy_records_and_plays_what_a_client_asks(colour: Colour, tmp_path: Path) -> None:
    with Server([answer("openai", "Hel", "lo")]) as server:
        outcomes = []
        for _ in range(2):
            with vcr.use_cassette(str(tmp_path / "hello.yaml")):
                outcomes.append(ask(colour, "openai", server.url))

    assert [outcome.text for outcome in outcomes] == ["Hello", "Hello"]
    assert len(server.requests) == 1


INSIDE = """
import sys, vcr
with vcr.use_cassette(sys.argv[2]):
    from g4fsdk import Client
    print(Client("openai", base_url=sys.argv[1], model="m").chat.completions.create("Hello").text)
print(Client("openai", base_url=sys.argv[1], model="m").chat.completions.create("Hello").text)
"""


def test_a_client_that_is_imported_while_vcrpy_plays_works_there_and_behind_it(tmp_path: Path) -> None:
    with Server(document("openai", "Hello")) as server:
        result = python(INSIDE, f"{server.url}/v1", tmp_path / "hello.yaml")

    assert (result.stderr, result.stdout) == ("", "Hello\nHello\n")
    assert len(server.requests) == 2


def over_aiohttp(url: str, **settings: Any) -> Any:
    pytest.importorskip("httpx_aiohttp")
    return ask("async", "openai", url, http="aiohttp", **settings)


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # httpx-aiohttp 0.2, of aiohttp
def test_an_answer_over_aiohttp_is_the_answer() -> None:
    with Server(answer("openai", "Hel", "lo")) as server:
        plain, proxied = (
            over_aiohttp(server.url),
            over_aiohttp("http://nowhere.test", proxy=server.url.replace("://", "://me:pw@")),
        )

    assert (plain.text, proxied.text) == ("Hello", "Hello")
    assert server.requests[1].target == "http://nowhere.test/v1/chat/completions"
    assert server.requests[1].headers["proxy-authorization"] == "Basic bWU6cHc="
    assert not [request for request in server.requests if "cookie" in request.headers]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        pytest.param(unfinished("openai", "Hel", end="fin"), IncompleteStreamError, id="broken off"),
        pytest.param(Reply([b"no HTTP at all"], raw=b"", end="fin"), TransportError, id="nonsense"),
        pytest.param(Reply(status=429, framing="length"), RateLimitError, id="refused"),
    ],
)
def test_over_aiohttp_errors_are_ours(script: Reply, kind: type) -> None:
    with Server(script) as server:
        assert type(over_aiohttp(server.url).error) is kind


def test_over_aiohttp_what_it_cannot_do_is_said() -> None:
    outcome = over_aiohttp("http://nowhere.test", proxy="socks5://127.0.0.1:1")

    assert isinstance(outcome.error, UsageError)
    assert "SOCKS" in outcome.error.message


def test_aiohttp_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)

    with pytest.raises(UsageError, match=r"pip install 'g4fsdk\[aiohttp\]'"):
        AsyncClient("openai", http="aiohttp")
    with pytest.raises(UsageError, match="http= takes 'httpx' or 'aiohttp'"):
        AsyncClient("openai", http="curl")  # type: ignore[arg-type]  # what a mistake looks like


def test_a_session_of_another_library_is_refused_by_its_name() -> None:
    class Session:
        """Has what requests' sessions have, as that of niquests has."""

        merge_environment_settings = prepare_request = send = None

    with pytest.raises(UsageError, match=rf"session= takes a requests.Session, not {__name__}.Session"):
        Client("openai", session=Session())  # type: ignore[arg-type]  # what a mistake looks like


@pytest.mark.parametrize("name", ["trio", "uvloop"])
def test_the_async_client_runs_on_other_event_loops(name: str) -> None:
    other = pytest.importorskip(name)

    async def main() -> None:
        async with AsyncClient("openai", base_url=f"{server.url}/v1", model="m", retries=1) as client:
            async with client.chat.completions.stream("Hello") as stream:
                said = [text async for text in stream.text_stream]
            with pytest.raises(DeadlineError):
                await client.chat.completions.create("Hello", timeout=Timeouts(total=0.05))
            async with client.chat.completions.stream("Hello") as stream:
                async for _ in stream.text_stream:
                    break  # trio warns of generators that nobody closed
            gc.collect()
        assert said == ["Hel", "lo"]

    script = [
        answer("openai", "Hel", "lo"),
        Reply(has_head=False, end="hold"),
        unfinished("openai", "Hel", end="hold"),
    ]
    with Server(script) as server, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        other.run(main if name == "trio" else main())
    assert [str(each.message) for each in warned if each.category is ResourceWarning] == []
