"""The replay server: recorded frames and ends on a real socket, and the same as in process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from urllib3.exceptions import HTTPError

from g4fsdk.testing import (
    Cassette,
    Fault,
    Interaction,
    MismatchError,
    RecordedRequest,
    RecordedResponse,
    Replay,
    ReplayServer,
    UnplayedError,
)
from g4fsdk.testing._cassette.values import End
from g4fsdk.testing._replay import answers as _answers
from g4fsdk.testing._server import server as _server
from g4fsdk.testing._server.server import serve_forever

HOST = "https://chat.test"
CHUNKS = [b"data: \xe4\xbd", b"\xa0\n\n", b"x" * 20_000, b"data: [DONE]\n\n"]
ENDS: list[End] = ["complete", "truncated", "reset", "timeout", "client_closed"]


def interaction(
    chunks: list[bytes] = CHUNKS,
    *,
    end: End = "complete",
    status: int = 200,
    body: bytes = b"{}",
    path: str = "/api?a=1",
    headers: list[tuple[str, str]] | None = None,
) -> Interaction:
    response = RecordedResponse(
        status, "Fine", headers or [("Content-Type", "text/event-stream")], list(chunks), end=end
    )
    response.at_ms = [10.0 * i for i in range(len(chunks))]
    return Interaction(RecordedRequest("POST", HOST + path, body=body), response)


def cassette(*interactions: Interaction, provider: str = "") -> Cassette:
    return Cassette(list(interactions) or [interaction()], {"provider": provider} if provider else {})


def ask(server: ReplayServer, **options: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(server.url + "/api?a=1", data=b"{}", timeout=5, **options)


def play_requests(url: str, adapter: Any = None, read_timeout: float = 5) -> tuple[list[bytes], str]:
    """Return the chunks that came and the names of what was raised, its causes included."""
    chunks: list[bytes] = []
    with requests.Session() as session:
        session.trust_env = False
        if adapter:
            session.mount("https://", adapter)
        try:
            with session.post(url, data=b"{}", stream=True, timeout=(5, read_timeout)) as response:
                chunks.extend(response.raw.stream(65536, decode_content=True))
        except (requests.RequestException, OSError, HTTPError) as error:
            return chunks, _names(error)
    return chunks, ""


def _names(error: BaseException) -> str:
    inner = [argument for argument in error.args if isinstance(argument, BaseException)]
    return " < ".join([type(error).__name__, *(_names(one) for one in inner)])


async def play_httpx(url: str, transport: Any = None, read_timeout: float = 5) -> tuple[list[bytes], str]:
    chunks: list[bytes] = []
    timeout = httpx.Timeout(5, read=read_timeout)
    async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client:
        try:
            async with client.stream("POST", url, content=b"{}") as response:
                async for chunk in response.aiter_raw():
                    chunks.append(chunk)  # noqa: PERF401  # a comprehension would lose what came before a break
        except httpx.HTTPError as error:
            return chunks, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return chunks, ""


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("status", [200, 0])
def test_requests_raises_the_same_in_process_and_on_a_socket(end: End, status: int) -> None:
    one = cassette(interaction(CHUNKS if status else [], end=end, status=status))
    with ReplayServer(one) as server:
        live = play_requests(server.url + "/api?a=1", read_timeout=0.8 if end == "timeout" else 5)

    assert play_requests(HOST + "/api?a=1", Replay(one).requests_adapter()) == live
    assert b"".join(live[0]) == (b"".join(CHUNKS) if status else b"")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("status", [200, 0])
async def test_httpx_raises_the_same_in_process_and_on_a_socket(end: End, status: int) -> None:
    one = cassette(interaction(CHUNKS if status else [], end=end, status=status))
    read_timeout = 0.8 if end == "timeout" else 5
    with ReplayServer(one) as server:
        live = await play_httpx(server.url + "/api?a=1", read_timeout=read_timeout)

    assert await play_httpx(HOST + "/api?a=1", Replay(one).httpx_transport(), read_timeout) == live
    assert b"".join(live[0]) == (b"".join(CHUNKS) if status else b"")


def test_chunks_are_frames_on_the_wire() -> None:
    with ReplayServer(cassette(interaction([b"ab", b"cde"]))) as server, raw_socket(server) as client:
        client.sendall(raw_request())
        received = read_until(client, b"0\r\n\r\n")

    head, _, body = received.partition(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 Fine\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked"
    assert body == b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"


def raw_socket(server: ReplayServer) -> socket.socket:
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def raw_request(
    headers: str = "Content-Length: 2\r\n",
    body: str = "{}",
    *,
    version: str = "1.1",
    target: str = "/api?a=1",
) -> bytes:
    return f"POST {target} HTTP/{version}\r\nHost: x\r\n{headers}\r\n{body}".encode()


def read_until(client: socket.socket, mark: bytes) -> bytes:
    received = b""
    while not received.endswith(mark):
        received += client.recv(65536)
    return received


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        pytest.param(raw_request(version="1.0"), b"\r\n\r\nabc", id="HTTP/1.0 has no chunks"),
        pytest.param(
            raw_request(
                "Transfer-Encoding: chunked\r\nConnection: close\r\n",
                "1\r\n{\r\n1;x\r\n}\r\n0\r\nT: 1\r\n\r\n",
            ),
            b"3\r\nabc\r\n0\r\n\r\n",
            id="chunked request",
        ),
        pytest.param(
            raw_request("Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n"),
            b"3\r\nabc\r\n0\r\n\r\n",
            id="100-continue",
        ),
        pytest.param(
            raw_request("Content-Length: 2\r\nConnection: close\r\n", target="http://proxied.test/api?a=1"),
            b"3\r\nabc\r\n0\r\n\r\n",
            id="absolute target",
        ),
        pytest.param(b"nonsense\r\n\r\n", b"illegal request line: bytearray(b'nonsense')", id="no line"),
        pytest.param(b"GET / HTTP/1.1\r\nodd\r\n\r\n", b"header line: bytearray(b'odd')", id="no header"),
        pytest.param(raw_request("Content-Length: x\r\n"), b"bad Content-Length", id="no length"),
    ],
)  # fmt: skip
def test_requests_of_every_framing_are_read(request_bytes: bytes, answer: bytes) -> None:
    with ReplayServer(cassette(interaction([b"abc"]))) as server, raw_socket(server) as client:
        client.sendall(request_bytes)

        assert read_all(client).endswith(answer)


def test_requests_that_come_in_one_piece_are_answered_in_turn() -> None:
    one, two = interaction([b"1"]), interaction([b"2"], headers=[("Connection", "close")])
    with ReplayServer(cassette(one, two)) as server, raw_socket(server) as client:
        client.sendall(raw_request() * 2)

        received = read_all(client)

    assert received.index(b"1\r\n1\r\n") < received.index(b"1\r\n2\r\n")


def test_a_head_that_never_ends_is_refused() -> None:
    with ReplayServer(cassette()) as server, raw_socket(server) as client:
        client.sendall(b"GET / HT")
        client.shutdown(socket.SHUT_WR)

        assert b"not an HTTP/1.1 request: peer unexpectedly closed" in read_all(client)


def test_a_target_that_is_no_address_is_refused() -> None:
    with ReplayServer(cassette()) as server, raw_socket(server) as client:
        client.sendall(b"GET http://[x/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")

        assert b"not an address" in read_all(client)


def test_a_program_that_takes_it_for_a_proxy_of_https_is_told() -> None:
    with ReplayServer(cassette()) as server, raw_socket(server) as client:
        client.sendall(b"CONNECT chat.test:443 HTTP/1.1\r\nHost: chat.test:443\r\n\r\n")

        assert b"ask this server itself, over http" in read_all(client)


def test_a_connection_is_kept_and_closed_as_recorded() -> None:
    kept, closed = interaction([b"1"]), interaction([b"2"], headers=[("Connection", "close")])
    with ReplayServer(cassette(kept, closed)) as server, raw_socket(server) as client:
        client.sendall(raw_request())
        read_until(client, b"0\r\n\r\n")
        assert server.open_connections == 1

        client.sendall(raw_request())
        assert read_all(client).endswith(b"1\r\n2\r\n0\r\n\r\n")
        assert server.open_connections == 0


def test_a_head_request_and_204_have_no_body() -> None:
    head, nothing = interaction([]), interaction([], status=204)
    head.request.method = "HEAD"
    with ReplayServer(cassette(head, nothing)) as server, requests.Session() as session:
        session.trust_env = False
        assert session.head(server.url + "/api?a=1", data=b"{}", timeout=5).status_code == 200
        assert session.post(server.url + "/api?a=1", data=b"{}", timeout=5).status_code == 204


@pytest.mark.parametrize(
    "framing", [[("Content-Length", "3")], [("content-length", "1"), ("Transfer-Encoding", "gzip, chunked")]]
)
def test_how_a_body_was_framed_says_nothing_of_how_it_is_now(framing: list[tuple[str, str]]) -> None:
    with ReplayServer(cassette(interaction([b"hello"], headers=framing))) as server:
        assert httpx.post(server.url + "/api?a=1", content=b"{}").text == "hello"


def test_open_connections_are_counted() -> None:
    with ReplayServer(cassette()) as server:
        assert server.open_connections == 0
        with requests.Session() as session:
            session.trust_env = False
            session.post(server.url + "/api?a=1", data=b"{}", timeout=5)
            assert server.open_connections == 1
        assert server.open_connections == 0
    assert server.open_connections == 0


async def test_a_client_that_leaves_while_the_server_waits_is_noticed() -> None:
    slow = Fault.stall(at_byte=1, seconds=60)
    with ReplayServer(cassette(), faults=[slow]) as server:
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("POST", server.url + "/api?a=1", content=b"{}") as response,
        ):
            await anext(response.aiter_raw())
            assert server.open_connections == 1
        assert server.open_connections == 0


def test_the_server_stops_while_clients_wait() -> None:
    endless = [
        interaction(end="timeout"),
        interaction([b"x" * 50_000_000], body=b"big"),
    ]
    with ReplayServer(cassette(*endless), faults=[Fault.stall(at_byte=0, seconds=60)]) as server:
        clients = [raw_socket(server) for _ in range(3)]
        clients[0].sendall(raw_request())
        clients[1].sendall(raw_request("Content-Length: 3\r\n", "big"))
        read_until(clients[0], b"[DONE]\n\n\r\n")
    for client in clients:
        client.close()


def test_the_recorded_pace_is_kept() -> None:
    with ReplayServer(cassette(), pace="recorded") as server:
        start = time.perf_counter()
        ask(server)

    assert time.perf_counter() - start >= 0.03


def test_a_mismatch_is_answered_with_501_and_raised_at_the_end() -> None:
    server = ReplayServer(cassette())
    server.__enter__()

    answer = requests.post(server.url + "/api?a=1", data=b'{"q": 1}', timeout=5)

    assert answer.status_code == 501
    assert answer.headers["x-should-retry"] == "false"
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("not_recorded", None)
    assert "what differs" in error["message"]
    with pytest.raises(MismatchError):
        server.assert_all_played()
    with pytest.raises(MismatchError, match=r"body\.json\.q: 1 was sent, and is not recorded\nfrom"):
        server.__exit__(None, None, None)


def test_another_exception_is_not_hidden_by_a_mismatch() -> None:
    def fail_while_serving() -> None:
        with ReplayServer(cassette()) as server:
            requests.post(server.url + "/other", timeout=5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_serving()


def test_requests_are_kept_as_they_came() -> None:
    with ReplayServer(cassette()) as server:
        ask(server, headers={"X-Mine": "yes"})

        (came,) = server.requests
    assert (came.method, came.url, came.body) == ("POST", server.url + "/api?a=1", b"{}")
    assert ("X-Mine", "yes") in came.headers
    assert (server.played, server.unplayed) == (1, 0)
    server.assert_all_played()


def test_unplayed_interactions_are_named() -> None:
    with ReplayServer(cassette()) as server, pytest.raises(UnplayedError, match="1 of 1"):
        server.assert_all_played()


def test_interactions_can_be_used_again() -> None:
    with ReplayServer(cassette(interaction([b"1"]), interaction([b"2"])), reuse=True) as server:
        assert [ask(server).content for _ in range(5)] == [b"1", b"2", b"1", b"2", b"1"]


@pytest.mark.parametrize(("reuse", "count"), [(True, 2), (False, 3)])
def test_a_server_that_runs_for_ever_does_not_grow(
    monkeypatch: pytest.MonkeyPatch, reuse: bool, count: int
) -> None:
    for module in (_answers, _server):
        monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    with suppress(MismatchError), ReplayServer(cassette(), reuse=reuse) as server:
        for number in range(3):
            requests.post(f"{server.url}/unknown/{number}", timeout=5)

    kept = [f"{server.url}/unknown/{number}" for number in range(3)][-count:]
    assert [request.url for request in server.requests] == kept
    assert len(server.mismatches) == count


@pytest.mark.parametrize(
    ("provider", "path", "base"),
    [
        ("openai", "/v1/chat/completions", "/v1"),
        ("openai", "/api/v1/chat/completions", "/api/v1"),
        ("openai", "/chat/completions", ""),
        ("openai", "/openai/chat/completions", "/openai"),
        ("yqcloud", "/v1/api", ""),
        ("", "/v1/api", ""),
        ("", "/v1/chat/completions", "/v1"),
        ("", "/proxy/v1/embeddings", "/proxy/v1"),
        ("", "/v1/responses?a=1", "/v1"),
        ("", "/v1/messages", ""),
    ],
)
def test_the_base_url_is_what_the_provider_takes(provider: str, path: str, base: str) -> None:
    with ReplayServer(cassette(interaction(path=path), provider=provider)) as server:
        assert server.base_url == server.url + base


def test_a_folder_is_served_whole(tmp_path: Path) -> None:
    cassette(interaction([b"1"], path="/one"), provider="yqcloud").save(tmp_path / "y" / "1.yaml")
    cassette(interaction([b"2"], path="/v1/two"), provider="openai").save(tmp_path / "o" / "2.yaml")

    with ReplayServer(tmp_path, faults=[Fault.bom()]) as server:
        texts = [
            requests.post(server.url + path, data=b"{}", timeout=5).content for path in ("/one", "/v1/two")
        ]
        with pytest.raises(ValueError, match=r"several services .*openai, yqcloud"):
            _ = server.base_url

    assert texts == [b"\xef\xbb\xbf1", b"\xef\xbb\xbf2"]


def test_a_port_that_is_taken_is_said() -> None:
    with ReplayServer(cassette()) as server, pytest.raises(OSError, match="in use"):
        ReplayServer(cassette(), port=int(server.url.rpartition(":")[2])).__enter__()


@pytest.mark.parametrize("address", [{"port": 70000}, {"port": -1}, {"host": "a..b"}, {"host": "a\0b"}])
def test_an_address_that_cannot_be_is_said(address: dict[str, Any]) -> None:
    with pytest.raises(OSError, match="no address to listen at"):
        ReplayServer(cassette(), **address).__enter__()


@pytest.mark.parametrize("fail", [RuntimeError("no loop"), AssertionError("sockets are blocked")], ids=repr)
def test_what_fails_in_the_thread_is_raised_where_the_block_begins(
    monkeypatch: pytest.MonkeyPatch, fail: Exception
) -> None:
    def run(main: Any) -> None:
        main.close()
        raise fail

    monkeypatch.setattr(asyncio, "run", run)

    with pytest.raises(type(fail), match=str(fail)):
        ReplayServer(cassette()).__enter__()


def host_answer(name: str, *, target: str = "/api?a=1", **how: Any) -> bytes:
    """Return the status line that a request with that Host gets, and what follows it."""
    with suppress(MismatchError), ReplayServer(cassette(), **how) as server, raw_socket(server) as client:
        head = f"POST {target} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
        client.sendall(head.encode())
        return read_all(client)
    return b""


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:1", "a.localhost", "[::1]:1", "replay", "10.0.0.1:80"]
)
def test_names_that_no_stranger_can_take_are_answered(host: str) -> None:
    assert host_answer(host).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost."])
def test_a_name_that_a_stranger_may_have_pointed_here_is_refused(host: str) -> None:
    answer = host_answer(host)

    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"hosts=[name]" in answer
    assert b"[DONE]" not in answer


@pytest.mark.parametrize(
    ("host", "how"),
    [
        ("my.test", {"hosts": "MY.test"}),
        ("my.test:80", {"hosts": ["other.test", "my.test"]}),
        ("my.test", {"hosts": ["*"]}),
        ("my.test", {"host": "0.0.0.0"}),
        ("my.test", {"target": "http://my.test/api?a=1"}),
    ],
)
def test_other_names_are_answered_when_it_is_told(host: str, how: dict[str, Any]) -> None:
    assert host_answer(host, **how).startswith(b"HTTP/1.1 200 ")


ORIGIN = {"Origin": "https://page.test"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-a, x-b"}


def test_a_page_of_another_origin_may_ask_when_the_server_is_told() -> None:
    recorded = interaction([b"1"], headers=[("access-control-allow-origin", "*"), ("X-Id", "7")])
    with suppress(MismatchError), ReplayServer(cassette(recorded), cors=True) as server:
        yes = requests.options(server.url + "/api?a=1", headers=PREFLIGHT, timeout=5)
        answer = requests.post(server.url + "/api?a=1", data=b"{}", headers=ORIGIN, timeout=5)
        no = requests.post(server.url + "/unknown", headers=ORIGIN, timeout=5)
        assert len(server.requests) == 2

    assert (yes.status_code, yes.headers["Access-Control-Allow-Headers"]) == (200, "x-a, x-b")
    assert yes.headers["Access-Control-Allow-Methods"] == "POST"
    for each in (yes, answer, no):
        assert each.headers["Access-Control-Allow-Origin"] == "https://page.test"
    assert "X-Id" in answer.headers["Access-Control-Expose-Headers"]
    assert (answer.text, no.status_code) == ("1", 501)


def test_no_page_of_another_origin_may_ask_unless_the_server_is_told() -> None:
    with suppress(MismatchError), ReplayServer(cassette()) as server:
        answers = [
            requests.request(method, server.url + "/api?a=1", data=b"{}", headers=PREFLIGHT, timeout=5)
            for method in ("OPTIONS", "POST")
        ]

    assert [answer.status_code for answer in answers] == [501, 200]
    assert not any("Access-Control-Allow-Origin" in answer.headers for answer in answers)


def test_serving_for_ever_ends_with_ctrl_c() -> None:
    seen: list[bytes] = []

    def ready(server: ReplayServer) -> None:
        seen.extend(ask(server).content for _ in range(2))
        requests.post(server.url + "/unknown", timeout=5)
        raise KeyboardInterrupt

    serve_forever(cassette(), ready=ready)

    assert seen == [b"".join(CHUNKS)] * 2


def test_many_clients_at_once() -> None:
    one = cassette(*(interaction([b"%d" % i]) for i in range(40)))
    got: list[bytes] = []
    with ReplayServer(one) as server:
        threads = [threading.Thread(target=lambda: got.append(ask(server).content)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(map(int, got)) == list(range(40))


FAULTS: list[list[Fault]] = [
    [],
    [Fault.drop(at_byte=9)],
    [Fault.drop(at_byte=0)],
    [Fault.reset(at_event=1)],
    [Fault.bom(), Fault.keepalive(every=1)],
    [Fault.garble(at_byte=3), Fault.duplicate(at_chunk=1)],
    [Fault.challenge()],
    [Fault.status(503, times=None, retry_after=2)],
    [Fault.drip(bytes_per_s=4_000_000)],
    [Fault.stall(at_byte=5, seconds=0.01)],
]


@pytest.mark.parametrize("faults", FAULTS, ids=repr)
async def test_faults_are_the_same_in_process_and_on_a_socket(faults: list[Fault]) -> None:
    one = cassette()
    adapter = Replay(one, faults=faults).requests_adapter()
    transport = Replay(one, faults=faults).httpx_transport()

    with ReplayServer(one, faults=faults) as server:
        live = await asyncio.to_thread(play_requests, server.url + "/api?a=1")
    with ReplayServer(one, faults=faults) as server:
        live_httpx = await play_httpx(server.url + "/api?a=1")

    assert await asyncio.to_thread(play_requests, HOST + "/api?a=1", adapter) == live
    assert await play_httpx(HOST + "/api?a=1", transport) == live_httpx
    assert b"".join(live[0]) == b"".join(live_httpx[0])
