"""Replay: recorded chunks at recorded times, recorded ends as each library raises them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import urllib3
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from g4fsdk import (
    AsyncClient,
    Client,
    DeadlineError,
    Timeouts,
)
from g4fsdk.testing import (
    Cassette,
    CassetteError,
    Interaction,
    MismatchError,
    RecordedRequest,
    RecordedResponse,
    Replay,
    UnplayedError,
)
from g4fsdk.testing._cassette.values import End
from tests.support.clock import FakeClock
from tests.support.loopback import Reply, Server

URL = "http://chat.test/api"
CHUNKS = [b"data: \xe4\xbd", b"\xa0\n\n", b"data: [DONE]\n\n"]


def interaction(
    chunks: list[bytes] = CHUNKS,
    *,
    end: End = "complete",
    status: int = 200,
    body: bytes = b"{}",
    url: str = URL,
) -> Interaction:
    headers = [("Content-Type", "text/event-stream"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    at_ms = [100.0 * i for i in range(len(chunks))]
    response = RecordedResponse(status, "Fine", headers, list(chunks), at_ms, end)
    return Interaction(RecordedRequest("POST", url, body=body), response)


def cassette(*interactions: Interaction) -> Cassette:
    return Cassette(list(interactions) or [interaction()])


def session_on(replay: Replay) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", replay.requests_adapter())
    return session


def post_requests(replay: Replay, body: bytes = b"{}", timeout: Any = 5) -> requests.Response:
    return session_on(replay).post(URL, data=body, stream=True, timeout=timeout)


def read_stream(response: requests.Response) -> list[bytes]:
    return list(response.raw.stream(65536, decode_content=True))


def read_read1(response: requests.Response) -> list[bytes]:
    response.raw.decode_content = True
    return list(iter(lambda: response.raw.read1(65536), b""))


def read_iter_content(response: requests.Response) -> list[bytes]:
    return list(response.iter_content(65536))


@pytest.mark.parametrize("read", [read_stream, read_read1, read_iter_content])
def test_requests_gets_each_chunk_by_itself(read: Callable[[requests.Response], list[bytes]]) -> None:
    replay = Replay(cassette())

    response = post_requests(replay)

    assert response.raw.chunked
    assert read(response) == CHUNKS
    replay.assert_all_played()


def test_requests_sees_the_recorded_response() -> None:
    response = post_requests(Replay(cassette()))

    assert (response.status_code, response.reason, response.raw.version) == (200, "Fine", 11)
    assert response.cookies.get_dict() == {"a": "1", "b": "2"}
    assert response.content == b"".join(CHUNKS)
    assert response.text.endswith("[DONE]\n\n")
    assert response.url == URL


async def post_httpx(replay: Replay, timeout_s: float | None = 5) -> list[bytes]:
    async with (
        httpx.AsyncClient(transport=replay.httpx_transport(), timeout=timeout_s) as client,
        client.stream("POST", URL, content=b"{}") as response,
    ):
        return [chunk async for chunk in response.aiter_raw()]


async def test_httpx_gets_each_chunk_by_itself() -> None:
    assert await post_httpx(Replay(cassette())) == CHUNKS


def test_the_blocking_httpx_client_gets_each_chunk_by_itself() -> None:
    client = httpx.Client(transport=Replay(cassette()).httpx_transport())
    with client, client.stream("POST", URL, content=b"{}") as response:
        assert list(response.iter_raw()) == CHUNKS
    assert (response.status_code, response.reason_phrase, response.http_version) == (200, "Fine", "HTTP/1.1")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("recorded", ["é", "你好".encode().decode("latin-1"), "你好", "a\udce9"])
def test_a_header_is_the_same_bytes_over_either_library(recorded: str) -> None:
    one = interaction()
    one.response.headers = [("X-Name", recorded)]
    with httpx.Client(transport=Replay(cassette(one)).httpx_transport()) as client:
        [over_httpx] = [value for _, value in client.post(URL, content=b"{}").headers.raw[:1]]
    with session_on(Replay(cassette(one))) as session:
        over_requests = session.post(URL, data=b"{}", timeout=5).headers["X-Name"]

    assert over_httpx == over_requests.encode("latin-1")


def blocking_httpx(replay: Replay) -> list[bytes]:
    client = httpx.Client(transport=replay.httpx_transport())
    with client, client.stream("POST", URL, content=b"{}") as response:
        return list(response.iter_raw())


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_body_has_none(status: int) -> None:
    replay = Replay(cassette(interaction([], status=status), interaction([], status=status)))

    assert post_requests(replay).content == b""
    assert blocking_httpx(replay) == []


def test_a_head_request_has_no_body() -> None:
    one = interaction([])
    one.request.method = "HEAD"
    replay = Replay(cassette(one))

    assert session_on(replay).head(URL, data=b"{}", timeout=5).content == b""


@pytest.mark.parametrize(
    ("end", "on_requests", "on_httpx"),
    [
        ("truncated", ProtocolError, httpx.RemoteProtocolError),
        ("client_closed", ProtocolError, httpx.RemoteProtocolError),
        ("reset", ProtocolError, httpx.ReadError),
        ("timeout", ReadTimeoutError, httpx.ReadTimeout),
    ],
)
def test_a_broken_end_raises_what_the_library_raises(
    end: End, on_requests: type[Exception], on_httpx: type[Exception]
) -> None:
    broken = interaction(end=end)
    received: list[bytes] = []

    with pytest.raises(on_requests):
        received.extend(post_requests(Replay(cassette(broken))).raw.stream(65536))
    client = httpx.Client(transport=Replay(cassette(broken)).httpx_transport())
    with pytest.raises(on_httpx), client, client.stream("POST", URL, content=b"{}") as response:
        received.extend(response.iter_raw())

    assert received == CHUNKS * 2


def test_a_reset_carries_its_cause() -> None:
    with pytest.raises(ProtocolError) as caught:
        read_stream(post_requests(Replay(cassette(interaction(end="reset")))))

    assert isinstance(caught.value.args[1], ConnectionResetError)


@pytest.mark.parametrize(
    ("end", "on_requests", "on_httpx"),
    [
        ("truncated", requests.ConnectionError, httpx.RemoteProtocolError),
        ("client_closed", requests.ConnectionError, httpx.RemoteProtocolError),
        ("reset", requests.ConnectionError, httpx.ReadError),
        ("timeout", requests.ReadTimeout, httpx.ReadTimeout),
    ],
)
def test_no_response_at_all(end: End, on_requests: type[Exception], on_httpx: type[Exception]) -> None:
    nothing = interaction([], status=0, end=end)

    with pytest.raises(on_requests):
        post_requests(Replay(cassette(nothing)))
    with pytest.raises(on_httpx):
        blocking_httpx(Replay(cassette(nothing)))


@pytest.mark.parametrize("status", [200, 0])
@pytest.mark.parametrize(
    ("pace", "timeout_s", "waits"),
    [("recorded", 7.0, 7.0), (0.5, None, 300.0), ("instant", 3.0, 3.0), ("instant", 60.0, 5.0)],
)
async def test_silence_lasts_until_an_async_client_gives_up(
    status: int, pace: Any, timeout_s: float | None, waits: float
) -> None:
    clock = FakeClock()
    one = interaction(CHUNKS if status else [], status=status, end="timeout")

    with pytest.raises(httpx.ReadTimeout):
        await post_httpx(Replay(cassette(one), pace=pace, clock=clock), timeout_s=timeout_s)

    assert clock.slept[-1] == waits


@pytest.mark.parametrize("status", [200, 0])
@pytest.mark.parametrize("name", ["first_event", "total"])
async def test_the_deadline_of_the_recorded_call_runs_out_in_both_clients(name: str, status: int) -> None:
    asked = b'{"model":"m","messages":[{"role":"user","content":"Hello"}],"stream":true}'
    one = cassette(interaction([], status=status, end="timeout", url=f"{URL}/chat/completions", body=asked))
    settings: Any = {"base_url": URL, "model": "m", "timeout": Timeouts(**{name: 0.05})}

    blocking = Client("openai", transport=Replay(one), **settings).chat.completions
    with pytest.raises(DeadlineError) as caught:
        list(blocking.create("Hello", stream=True))
    other = AsyncClient("openai", transport=Replay(one), **settings).chat.completions
    with pytest.raises(DeadlineError) as caught_too:
        [chunk async for chunk in await other.create("Hello", stream=True)]

    assert caught.value.clock == caught_too.value.clock == name


def test_a_consumer_that_stops_early_never_sees_the_end() -> None:
    chunks = post_requests(Replay(cassette(interaction(end="client_closed")))).raw.stream(65536)

    assert [next(chunks) for _ in CHUNKS] == CHUNKS


@pytest.mark.parametrize(
    ("pace", "slept"),
    [("instant", []), ("recorded", [0.1, 0.1]), (0.5, [0.05, 0.05]), (0, [])],
)
async def test_pace_stretches_the_recorded_times(pace: Any, slept: list[float]) -> None:
    for run in (0, 1):
        clock = FakeClock()
        replay = Replay(cassette(), pace=pace, clock=clock)
        if run:
            read_stream(post_requests(replay))
        else:
            await post_httpx(replay)
        assert clock.slept == pytest.approx(slept)


async def test_a_gap_that_is_longer_than_the_timeout_is_a_timeout() -> None:
    clock = FakeClock()

    with pytest.raises(ReadTimeoutError):
        read_stream(post_requests(Replay(cassette(), pace="recorded", clock=clock), timeout=(1, 0.01)))
    with pytest.raises(httpx.ReadTimeout):
        await post_httpx(Replay(cassette(), pace="recorded", clock=clock), timeout_s=0.01)

    assert clock.slept == [0.01, 0.01]


@pytest.mark.parametrize(
    ("timeout", "expires"),
    [(0.01, True), ((1, 0.01), True), (urllib3.Timeout(read=0.01), True), (None, False), ((1, None), False)],
)
def test_every_form_of_timeout_is_understood(timeout: Any, expires: bool) -> None:
    response = post_requests(Replay(cassette(), pace="recorded", clock=FakeClock()), timeout=timeout)

    if expires:
        with pytest.raises(ReadTimeoutError):
            read_stream(response)
    else:
        assert read_stream(response) == CHUNKS


@pytest.mark.parametrize(
    ("cuts", "sizes"),
    [("recorded", [8, 3, 14]), ("whole", [25]), (10, [10, 10, 5]), (100, [25])],
)
def test_cuts_change_pieces_and_not_bytes(cuts: Any, sizes: list[int]) -> None:
    pieces = read_stream(post_requests(Replay(cassette(), cuts=cuts)))

    assert [len(piece) for piece in pieces] == sizes
    assert b"".join(pieces) == b"".join(CHUNKS)


def test_seeded_cuts_are_the_same_each_time_and_another_for_another_seed() -> None:
    long = cassette(interaction([b"x" * 1000]))

    first, again, other = (blocking_httpx(Replay(long, cuts=("seed", n))) for n in (1, 1, 2))

    assert first == again != other
    assert b"".join(other) == b"x" * 1000


def test_a_piece_that_spans_chunks_comes_when_its_last_byte_came() -> None:
    clock = FakeClock()

    read_stream(post_requests(Replay(cassette(), cuts=10, pace="recorded", clock=clock)))

    assert clock.slept == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    "arguments",
    [
        {"pace": "slow"},
        {"pace": -1},
        {"pace": float("nan")},
        {"pace": float("inf")},
        {"cuts": 0},
        {"cuts": "half"},
        {"cuts": ("seed", "x")},
    ],
    ids=str,
)
def test_an_argument_that_means_nothing_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Replay(cassette(), **arguments)


def test_equal_requests_are_answered_in_recorded_order_and_once_each() -> None:
    replay = Replay(cassette(interaction([b"1"]), interaction([b"2"])))

    assert [post_requests(replay).content for _ in range(2)] == [b"1", b"2"]
    assert (replay.played, replay.unplayed) == (2, 0)
    with pytest.raises(MismatchError, match="played already"):
        post_requests(replay)


async def test_a_mismatch_is_never_wrapped() -> None:
    replay = Replay(cassette(interaction(body=b'{"a": 1}')))

    with pytest.raises(MismatchError, match=r"body\.json\.a: 1 is recorded, and was not sent"):
        post_requests(replay)
    with pytest.raises(MismatchError):
        await post_httpx(replay)


def test_a_mismatch_does_not_show_a_registered_secret() -> None:
    replay = Replay(cassette())
    replay.add_secret("canary-8153")

    with pytest.raises(MismatchError) as caught:
        post_requests(replay, b'{"token": "canary-8153"}')

    assert "canary" not in str(caught.value)


def test_a_head_of_several_lines_is_played_as_one() -> None:
    one = interaction()
    one.response.reason, one.response.headers[:] = "Fine\nX: 1", [("A", "b\r\n c")]
    replay, asked = Replay(cassette(one, one)), one.request

    with session_on(replay) as session, httpx.Client(transport=replay.httpx_transport()) as client:
        heads = [
            [*session.request(asked.method, asked.url, data=asked.body).headers.items()],
            [*client.request(asked.method, asked.url, content=asked.body).headers.items()],
        ]

    assert [{name.lower(): value for name, value in head} for head in heads] == [
        {"a": "b c", "transfer-encoding": "chunked"}
    ] * 2


def test_unplayed_interactions_are_named() -> None:
    replay = Replay(cassette(interaction(), interaction(body=b'{"q": "left"}')))
    post_requests(replay)

    with pytest.raises(UnplayedError) as caught:
        replay.assert_all_played()

    assert "1 of 2" in str(caught.value)
    assert f'interactions[1]: POST {URL}  {{"q": "left"}}' in str(caught.value)
    assert (replay.played, replay.unplayed) == (1, 1)


def test_sources_are_files_folders_cassettes_and_lists(tmp_path: Path) -> None:
    one, two = cassette(interaction([b"1"])), cassette(interaction([b"2"]))
    one.save(tmp_path / "a" / "one.yaml")
    two.save(tmp_path / "b" / "two.yaml")

    sources: list[Any] = [str(tmp_path / "a" / "one.yaml"), tmp_path, one, [one, tmp_path / "b" / "two.yaml"]]
    for source in sources:
        assert post_requests(Replay(source)).content == b"1"


def test_a_folder_without_cassettes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="no cassette in this folder"):
        Replay(tmp_path)


def test_bodies_of_every_kind_are_matched(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"{}")
    replay = Replay(cassette(*[interaction()] * 6))
    session = session_on(replay)

    with (tmp_path / "body").open("rb") as file:
        bodies: list[Any] = [b"{}", "{}", bytearray(b"{}"), file, iter([b"{", b"}"]), iter(["{", "}"])]
        for body in bodies:
            assert session.post(URL, data=body, timeout=5).content == b"".join(CHUNKS)


def test_threads_share_a_replay() -> None:
    replay = Replay(cassette(*(interaction([b"%d" % i], body=b"%d" % (i % 4)) for i in range(80))))
    got: list[bytes] = []

    def ask() -> None:
        with session_on(replay) as session:
            got.extend(session.post(URL, data=b"%d" % (i % 4), timeout=5).content for i in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(int, got)) == list(range(80))


async def test_tasks_share_a_replay() -> None:
    replay = Replay(cassette(*[interaction()] * 20))

    assert await asyncio.gather(*(post_httpx(replay) for _ in range(20))) == [CHUNKS] * 20
    replay.assert_all_played()


def redirected(location: str) -> Cassette:
    """Return a recording of a redirect to *location*, where nothing was recorded."""
    one = interaction(status=307)
    one.response.headers = [("Location", location)]
    return cassette(one)


def follow_requests(replay: Replay) -> object:
    with session_on(replay) as session:
        return session.post(URL, data=b"{}", timeout=5)


def follow_httpx(replay: Replay, library: Any = httpx) -> object:
    with library.Client(transport=replay.httpx_transport(), follow_redirects=True) as client:
        return client.post(URL, content=b"{}")


def follow_httpx_async(replay: Replay, library: Any = httpx) -> object:
    async def ask() -> object:
        transport = replay.httpx_transport()
        async with library.AsyncClient(transport=transport, follow_redirects=True) as client:
            return await client.post(URL, content=b"{}")

    return asyncio.run(ask())


def follow_httpx2(replay: Replay) -> object:
    return follow_httpx(replay, pytest.importorskip("httpx2"))


@pytest.mark.parametrize("follow", [follow_requests, follow_httpx, follow_httpx_async, follow_httpx2])
def test_a_redirect_reaches_nobody_and_is_remembered(follow: Callable[[Replay], object]) -> None:
    with Server(lambda _: Reply([b"live"])) as server:
        replay = Replay(redirected(server.url + "/elsewhere"))

        with pytest.raises(MismatchError, match="/elsewhere"):
            follow(replay)

        assert server.requests == []
    assert len(replay.mismatches) == 1
    with pytest.raises(MismatchError, match="/elsewhere"):
        replay.assert_all_played()


@pytest.mark.parametrize("prefix", ["https://", "http://chat.test/"])
def test_a_redirect_to_another_adapter_of_the_session_is_refused(prefix: str) -> None:
    """The session would send it: it has the replay for one kind of addresses only."""
    with Server(lambda _: Reply([b"live"])) as server, requests.Session() as session:
        replay = Replay(redirected(server.url + "/elsewhere"), match_on=("body",))
        session.mount(prefix, replay.requests_adapter())

        with pytest.raises(MismatchError, match=r"mount this one for http:// and for https://"):
            session.post(prefix.removesuffix("chat.test/") + "chat.test/api", data=b"{}", timeout=5)

        assert server.requests == []
    assert len(replay.mismatches) == 1


def ask_once(client: Any) -> object:
    answer = client.chat.completions.create("Hello")
    return asyncio.run(answer) if isinstance(client, AsyncClient) else answer


@pytest.mark.parametrize("make", [Client, AsyncClient])
def test_a_client_that_is_redirected_reaches_nobody(make: Any) -> None:
    with Server(lambda _: Reply([b"live"])) as server:
        one = interaction(status=307, url=f"{server.url}/v1/chat/completions")
        one.response.headers = [("Location", f"{server.url}/elsewhere")]
        replay = Replay(cassette(one), match_on=("url",))
        client = make("openai", base_url=f"{server.url}/v1", model="m", transport=replay)

        with pytest.raises(MismatchError, match="/elsewhere"):
            ask_once(client)

        assert server.requests == []
    assert len(replay.mismatches) == 1
