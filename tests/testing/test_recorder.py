"""The recorder: what came is kept as it came, and the program notices nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import os
import socket
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from g4fsdk.testing import (
    Cassette,
    Interaction,
    LeakError,
    MismatchError,
    RecordedRequest,
    RecordedResponse,
    Recorder,
    Replay,
    ReplayServer,
)
from g4fsdk.testing._cassette.codings import CodingError, CutError, decode_pieces
from g4fsdk.testing._cassette.values import End
from g4fsdk.testing._record.exchange import RecordingExchange
from g4fsdk.testing._record.on_requests import RecordingRaw
from g4fsdk.testing._secrets import scrub as _scrub
from g4fsdk.testing._traffic.clock import MonotonicClock
from tests.support.loopback import Framing, Reply, Server

CHUNKS = [b"data: \xe4\xbd", b"\xa0\n\n", b"data: [DONE]\n\n"]
ENDS: list[End] = ["complete", "truncated", "reset", "timeout"]
BREAKS = (requests.RequestException, HTTPError, httpx.HTTPError)


def interaction(chunks: list[bytes] = CHUNKS, *, end: End = "complete", status: int = 200) -> Interaction:
    headers = [("Content-Type", "text/event-stream"), ("X-Two", "a"), ("X-Two", "b")]
    response = RecordedResponse(status, "Fine", headers, list(chunks), [0.0] * len(chunks), end)
    return Interaction(RecordedRequest("POST", "http://chat.test/api", body=b'{"q": 1}'), response)


def cassette(*interactions: Interaction) -> Cassette:
    return Cassette(list(interactions) or [interaction()])


def session_on(recorder: Recorder, inner: BaseAdapter | None = None) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", recorder.requests_adapter(inner))
    return session


def read_requests(recorder: Recorder, url: str, *, timeout: float = 5) -> list[bytes]:
    with session_on(recorder) as session:
        response = session.post(url + "/api", data=b'{"q": 1}', stream=True, timeout=(5, timeout))
        return list(response.raw.stream(65536, decode_content=True))


async def read_async(recorder: Recorder, url: str, *, timeout: float = 5) -> list[bytes]:  # httpx's
    limits = httpx.Timeout(5, read=timeout)
    async with (
        httpx.AsyncClient(transport=recorder.httpx_transport(), timeout=limits) as client,
        client.stream("POST", url + "/api", content=b'{"q": 1}') as response,
    ):
        return [chunk async for chunk in response.aiter_bytes()]


def read_httpx_async(recorder: Recorder, url: str, *, timeout: float = 5) -> list[bytes]:
    return asyncio.run(read_async(recorder, url, timeout=timeout))


def read_httpx(recorder: Recorder, url: str, *, timeout: float = 5) -> list[bytes]:
    limits = httpx.Timeout(5, read=timeout)
    with (
        httpx.Client(transport=recorder.httpx_transport(), timeout=limits) as client,
        client.stream("POST", url + "/api", content=b'{"q": 1}') as response,
    ):
        return list(response.iter_bytes())


Read = Callable[..., list[bytes]]
every_client = pytest.mark.parametrize("read", [read_requests, read_httpx, read_httpx_async])


def record(path: Path, read: Read, source: Cassette, *, timeout: float = 5) -> RecordedResponse:
    """Let *read* read what a server plays from *source*, and return what was recorded of it."""
    with ReplayServer(source) as server, Recorder(path) as recorder, contextlib.suppress(*BREAKS):
        read(recorder, server.url, timeout=timeout)
    return Cassette.load(path).interactions[0].response


@every_client
@pytest.mark.parametrize(("status", "end"), [(200, end) for end in ENDS] + [(0, end) for end in ENDS[1:]])
def test_chunks_bytes_and_end_are_those_of_the_wire(
    tmp_path: Path, read: Read, status: int, end: End
) -> None:
    chunks = CHUNKS if status else []
    timeout = 0.8 if end == "timeout" else 5

    source = cassette(interaction(chunks, end=end, status=status))
    response = record(tmp_path / "one.yaml", read, source, timeout=timeout)

    assert (response.status, response.end, response.chunks) == (status, end, chunks)
    assert response.at_ms == sorted(response.at_ms)


@every_client
def test_a_recording_replays_as_what_was_recorded(tmp_path: Path, read: Read) -> None:
    first = record(tmp_path / "one.yaml", read, cassette())
    again = record(tmp_path / "two.yaml", read, Cassette.load(tmp_path / "one.yaml"))

    assert (again.chunks, again.headers, again.status) == (first.chunks, first.headers, first.status)


@every_client
def test_request_headers_and_metadata_are_kept(tmp_path: Path, read: Read) -> None:
    recorder = Recorder(tmp_path / "one.yaml", provider="openai", ids_seed=0, call={"model": "m"})
    with ReplayServer(cassette()) as server, recorder:
        recorder.metadata["call"]["stream"] = True
        read(recorder, server.url)

    loaded = Cassette.load(tmp_path / "one.yaml")
    sent, came = loaded.interactions[0].request, loaded.interactions[0].response
    assert (sent.method, sent.url, sent.body) == ("POST", server.url + "/api", b'{"q": 1}')
    assert "user-agent" in {name.lower() for name, _ in sent.headers}
    assert (came.status, came.reason, came.http_version) == (200, "Fine", "1.1")
    assert came.headers == [("Content-Type", "text/event-stream"), ("X-Two", "a"), ("X-Two", "b")]
    assert loaded.metadata["provenance"].endswith(f"what answered: {server.url}")
    assert (loaded.metadata["provider"], loaded.metadata["ids_seed"]) == ("openai", 0)
    assert loaded.metadata["call"] == {"model": "m", "stream": True}
    assert loaded.metadata["recorded_at"].endswith("+00:00")
    assert loaded.metadata["sdk_version"]


def test_a_given_provenance_is_kept(tmp_path: Path) -> None:
    with Recorder(tmp_path / "one.yaml", provenance="recorded from the live service"):
        pass

    assert Cassette.load(tmp_path / "one.yaml").metadata["provenance"] == "recorded from the live service"


class StepClock(MonotonicClock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


def test_chunks_are_handed_on_at_once_and_their_times_are_kept(tmp_path: Path) -> None:
    clock = StepClock()
    with Recorder(tmp_path / "one.yaml", clock=clock) as recorder:
        response = session_on(recorder, Replay(cassette()).requests_adapter()).post(
            "http://chat.test/api", json={"q": 1}, stream=True, timeout=5
        )
        for _ in response.raw.stream(65536):
            clock.time += 0.25

    recorded = Cassette.load(tmp_path / "one.yaml").interactions[0].response
    assert (recorded.chunks, recorded.at_ms) == (CHUNKS, [0.0, 250.0, 500.0])


def leave_requests(recorder: Recorder) -> None:
    adapter = Replay(cassette()).requests_adapter()
    with session_on(recorder, adapter).post(
        "http://chat.test/api", json={"q": 1}, stream=True, timeout=5
    ) as response:
        next(response.raw.stream(65536))


def leave_httpx(recorder: Recorder) -> None:
    transport = recorder.httpx_transport(Replay(cassette()).httpx_transport())
    with (
        httpx.Client(transport=transport) as client,
        client.stream("POST", "http://chat.test/api", json={"q": 1}) as response,
    ):
        next(response.iter_raw())


async def _leave_async(recorder: Recorder) -> None:
    transport = recorder.httpx_transport(Replay(cassette()).httpx_transport())
    async with (
        httpx.AsyncClient(transport=transport) as client,
        client.stream("POST", "http://chat.test/api", json={"q": 1}) as response,
    ):
        await anext(response.aiter_raw())


def leave_async(recorder: Recorder) -> None:
    asyncio.run(_leave_async(recorder))


@pytest.mark.parametrize("leave", [leave_requests, leave_httpx, leave_async])
def test_a_caller_who_left_is_recorded_as_such(tmp_path: Path, leave: Callable[[Recorder], None]) -> None:
    with Recorder(tmp_path / "one.yaml") as recorder:
        leave(recorder)

    response = Cassette.load(tmp_path / "one.yaml").interactions[0].response
    assert (response.chunks, response.end) == (CHUNKS[:1], "client_closed")


def read1_all(raw: Any) -> bytes:
    raw.decode_content = True
    return b"".join(iter(lambda: raw.read1(65536), b""))


class Telling(MonotonicClock):
    """Tells when the first piece of a body was kept: the second time that is asked for."""

    def __init__(self, was_heard: threading.Event) -> None:
        self.was_heard = was_heard
        self.asked = 0

    def now(self) -> float:
        self.asked += 1
        if self.asked > 1:
            self.was_heard.set()
        return super().now()


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda answer: b"".join(answer.iter_content(1)), id="by bytes"),
        pytest.param(lambda answer: b"".join(answer.iter_content(None)), id="as it comes"),
        pytest.param(lambda answer: answer.content, id="whole"),
        pytest.param(lambda answer: b"".join(iter(lambda: answer.raw.read(3), b"")), id="read"),
        pytest.param(lambda answer: b"".join(iter(lambda: answer.raw.read1(3), b"")), id="read1"),
    ],
)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_chunks_are_those_of_the_wire_whatever_is_asked_for(
    tmp_path: Path, read: Callable[[requests.Response], bytes], framing: Framing
) -> None:
    was_heard = threading.Event()
    reply = Reply([b"hello", was_heard, b"world"], framing=framing)

    recorder = Recorder(tmp_path / "one.yaml", clock=Telling(was_heard))
    with Server(reply) as server, recorder, session_on(recorder) as session:
        assert read(session.get(server.url, stream=True, timeout=5)) == b"helloworld"

    kept = Cassette.load(tmp_path / "one.yaml").interactions[0].response
    assert (kept.chunks, kept.end) == ([b"hello", b"world"], "complete")


def test_a_body_that_nothing_here_decodes_keeps_its_coding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("brotli", "brotlicffi"):
        monkeypatch.setitem(sys.modules, library, None)
    exchange = exchange_for([("Content-Encoding", "br"), ("Content-Length", "3")])
    raw = raw_response(io.BytesIO(b"\x8b\xff!"), {"content-encoding": "br"})
    raw.CONTENT_DECODERS = ["gzip"]

    assert RecordingRaw(raw, exchange).read(decode_content=True) == b"\x8b\xff!"

    response = exchange.interaction().response
    assert (response.body, response.headers) == (b"\x8b\xff!", [("Content-Encoding", "br")])


def test_a_packed_body_that_is_cut_off_is_no_complete_one() -> None:
    exchange = exchange_for([("Content-Encoding", "gzip")])

    exchange.heard(gzip.compress(b"plain text")[:-8], is_coded=True)
    exchange.ended("complete")

    response = exchange.interaction().response
    assert (response.body, response.end) == (b"plain text", "truncated")


def read_into(raw: Any) -> bytes:
    buffer = bytearray(65536)
    return bytes(buffer[: raw.readinto(buffer)])


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda raw: raw.read(), id="read"),
        pytest.param(lambda raw: raw.read(decode_content=True), id="read decoded"),
        pytest.param(lambda raw: b"".join(iter(lambda: raw.read(5, True), b"")), id="read some"),
        pytest.param(lambda raw: b"".join(raw.read_chunked()), id="read_chunked"),
        pytest.param(lambda raw: raw.data and raw.data, id="data twice"),
        pytest.param(lambda raw: raw.data + raw.read(), id="data and the rest"),
        pytest.param(lambda raw: b"".join(raw.readlines()), id="readlines"),
        pytest.param(lambda raw: raw.read(3) + raw.readline() + raw.readline(4) + raw.data, id="by turns"),
        pytest.param(lambda raw: b"".join(raw), id="iteration"),
        pytest.param(read_into, id="readinto"),
        pytest.param(read1_all, id="read1"),
    ],
)
def test_every_way_to_read_a_raw_response_is_recorded(tmp_path: Path, read: Callable[[Any], bytes]) -> None:
    with Recorder(tmp_path / "one.yaml") as recorder:
        session = session_on(recorder, Replay(cassette()).requests_adapter())
        response = session.post("http://chat.test/api", json={"q": 1}, stream=True, timeout=5)
        assert response.raw.chunked
        assert response.raw.decode_content is False
        assert read(response.raw) == b"".join(CHUNKS)

    recorded = Cassette.load(tmp_path / "one.yaml").interactions[0].response
    assert (recorded.body, recorded.end) == (b"".join(CHUNKS), "complete")


def test_what_a_program_drains_is_recorded(tmp_path: Path) -> None:
    with Recorder(tmp_path / "one.yaml") as recorder:
        session = session_on(recorder, Replay(cassette()).requests_adapter())
        session.post("http://chat.test/api", json={"q": 1}, stream=True, timeout=5).raw.drain_conn()

    assert Cassette.load(tmp_path / "one.yaml").interactions[0].response.body == b"".join(CHUNKS)


class Answering(httpx.BaseTransport):
    """Answers with what it was given."""

    def __init__(self, headers: dict[str, str], pieces: list[bytes], status: int = 200) -> None:
        self.response = httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""))
        self.response.stream = _Pieces(pieces)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.response


class _Pieces(httpx.SyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Any:
        yield from self.pieces


def gzip_pieces(*texts: bytes) -> list[bytes]:
    packer = zlib.compressobj(wbits=31)
    return [packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH) for text in texts] + [packer.flush()]


def test_a_coded_body_is_stored_plain_and_the_program_decodes_it_as_ever(tmp_path: Path) -> None:
    coded = gzip_pieces(*CHUNKS)
    transport = Answering({"Content-Encoding": "gzip", "X": "1"}, coded)
    recorder = Recorder(tmp_path / "one.yaml")
    with recorder, httpx.Client(transport=recorder.httpx_transport(transport)) as client:
        answer = client.get("http://chat.test/")

    recorded = Cassette.load(tmp_path / "one.yaml").interactions[0].response
    assert (answer.content, answer.headers["content-encoding"]) == (b"".join(CHUNKS), "gzip")
    assert (recorded.chunks, recorded.headers, recorded.end) == (CHUNKS, [("X", "1")], "complete")


def raw_response(body: Any, headers: dict[str, str], **options: Any) -> Any:
    return urllib3.HTTPResponse(body, headers, 200, preload_content=False, **options)


def exchange_for(headers: list[tuple[str, str]]) -> RecordingExchange:
    exchange = RecordingExchange(RecordedRequest("GET", "http://chat.test/"), MonotonicClock())
    exchange.answered(200, "OK", headers, "1.1")
    return exchange


@pytest.mark.parametrize("decoded", [True, False])
def test_a_coded_body_of_requests_is_stored_plain(decoded: bool) -> None:
    headers = {"content-encoding": "gzip"}
    exchange = exchange_for(list(headers.items()))
    coded = gzip.compress(b"plain text")

    read = RecordingRaw(raw_response(io.BytesIO(coded), headers), exchange).read(decode_content=decoded)

    assert read == (b"plain text" if decoded else coded)
    assert exchange.interaction().response.body == b"plain text"


def test_a_body_that_is_not_what_its_coding_says_is_stored_as_it_came() -> None:
    exchange = exchange_for([("Content-Encoding", "gzip")])

    exchange.heard(b"no gzip", is_coded=True)

    assert exchange.interaction().response.body == b"no gzip"


def record_one(recorder: Recorder, request: RecordedRequest) -> None:
    """Record that *request* is answered."""
    transport = recorder.httpx_transport(httpx.MockTransport(lambda _: httpx.Response(200, text="Hello")))
    with httpx.Client(transport=transport) as client:
        client.request(request.method, request.url, content=request.body, headers=request.headers)


@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        pytest.param("", b"plain", id="none"),
        pytest.param("identity", b"plain", id="identity"),
        pytest.param("gzip", gzip.compress(b"plain"), id="gzip"),
        pytest.param("gzip", gzip.compress(b"pl") + gzip.compress(b"ain"), id="gzip of two members"),
        pytest.param("x-gzip", gzip.compress(b"plain"), id="x-gzip"),
        pytest.param("deflate", zlib.compress(b"plain"), id="deflate"),
        pytest.param("deflate", zlib.compress(b"plain")[2:-4], id="raw deflate"),
        pytest.param("deflate, gzip", gzip.compress(zlib.compress(b"plain")), id="two"),
    ],
)
def test_codings_are_undone_byte_by_byte(coding: str, coded: bytes) -> None:
    assert b"".join(decode_pieces(coding, [coded[i : i + 1] for i in range(len(coded))])) == b"plain"


class Reversed:
    """A coding that turns pieces round, in the place of a library that may not be installed.

    A body of it ends with a point, and another may begin behind it.
    """

    error = ZstdError = KeyError
    eof = False
    unused_data = b""

    def process(self, data: bytes) -> bytes:
        if data == b"bad" or self.eof:
            raise KeyError(data)
        data, end, self.unused_data = data.partition(b".")
        self.eof = bool(end)
        return data[::-1]

    def begin(self) -> Reversed:
        return Reversed()

    def is_finished(self) -> bool:
        return self.eof

    decompress = process
    Decompressor = ZstdDecompressor = decompressobj = begin


@pytest.mark.parametrize(("coding", "library"), [("br", "brotli"), ("zstd", "zstandard")])
def test_codings_of_other_libraries_are_undone(
    monkeypatch: pytest.MonkeyPatch, coding: str, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, Reversed())

    assert decode_pieces(coding, [b"alp", b"ni."]) == [b"pla", b"in"]
    assert decode_pieces(coding, []) == []
    with pytest.raises(CodingError, match="not in the content coding"):
        decode_pieces(coding, [b"bad"])
    with pytest.raises(CutError, match="cut off") as error:
        decode_pieces(coding, [b"alp", b"n"])
    assert error.value.plain == [b"pla", b"n"]


def test_frames_of_zstd_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", Reversed())

    assert decode_pieces("zstd", [b"alp.n", b"i.", b"!."]) == [b"plan", b"i", b"!"]


def test_a_coding_whose_library_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)

    with pytest.raises(CodingError, match="zstandard"):
        decode_pieces("zstd", [b"x"])


@pytest.mark.parametrize(("coding", "says"), [("lzw", "unknown content coding 'lzw'"), ("gzip", "not in")])
def test_a_coding_that_fits_not_is_said(coding: str, says: str) -> None:
    with pytest.raises(CodingError, match=says):
        decode_pieces(coding, [b"plain"])


@pytest.mark.parametrize(("length", "end"), [("5", "complete"), ("9", "client_closed")])
def test_a_body_of_known_length_that_was_read_is_complete(tmp_path: Path, length: str, end: str) -> None:
    transport = Answering({"Content-Length": length}, [b"12345", b"6789"])
    recorder = Recorder(tmp_path / "one.yaml")
    client = httpx.Client(transport=recorder.httpx_transport(transport))
    with recorder, client, client.stream("GET", "http://chat.test/") as response:
        next(response.iter_raw())

    assert Cassette.load(tmp_path / "one.yaml").interactions[0].response.end == end


def test_a_body_of_known_length_is_complete_for_requests_too() -> None:
    exchange = exchange_for([])

    RecordingRaw(raw_response(io.BytesIO(b"12345"), {"content-length": "5"}), exchange).read(5)

    assert exchange.interaction().response.end == "complete"


class Silent(httpx.AsyncBaseTransport):
    """Never answers."""

    def __init__(self) -> None:
        self.was_asked = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.was_asked.set()
        answer: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
        return await answer


async def test_a_task_that_is_cancelled_while_it_waits_is_recorded_as_silence(tmp_path: Path) -> None:
    silent = Silent()
    with Recorder(tmp_path / "one.yaml") as recorder:
        async with httpx.AsyncClient(transport=recorder.httpx_transport(silent)) as client:
            task = asyncio.create_task(client.get("http://chat.test/"))
            await silent.was_asked.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    response = Cassette.load(tmp_path / "one.yaml").interactions[0].response
    assert (response.status, response.end) == (0, "timeout")


async def test_a_task_that_is_cancelled_within_a_body_is_cancelled_in_the_replay_too(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"

    async def read(transport: httpx.AsyncBaseTransport, url: str) -> list[bytes]:
        chunks: list[bytes] = []
        client = httpx.AsyncClient(transport=transport, trust_env=False)
        try:
            async with asyncio.timeout(0.8), client, client.stream("POST", url, json={"q": 1}) as response:
                async for chunk in response.aiter_raw():
                    chunks.append(chunk)  # noqa: PERF401  # a comprehension would lose what came
        except TimeoutError:
            return chunks
        raise AssertionError("nobody cancelled it")

    with ReplayServer(cassette(interaction(end="timeout"))) as server, Recorder(path) as recorder:
        live = await read(recorder.httpx_transport(), server.url + "/api")

    recorded = Cassette.load(path).interactions[0]
    assert (recorded.response.body, recorded.response.end) == (b"".join(CHUNKS), "timeout")
    assert await read(Replay(path).httpx_transport(), recorded.request.url) == live


@every_client
def test_a_refused_connection_is_recorded(tmp_path: Path, read: Read) -> None:
    with ReplayServer(cassette()) as server:
        pass
    with Recorder(tmp_path / "one.yaml") as recorder, pytest.raises(BREAKS):
        read(recorder, server.url)

    response = Cassette.load(tmp_path / "one.yaml").interactions[0].response
    assert (response.status, response.end) == (0, "reset")


@every_client
def test_a_name_without_an_address_is_no_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Read
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with Recorder(tmp_path / "one.yaml") as recorder, pytest.raises(BREAKS):
        read(recorder, "http://nobody.test")

    response = Cassette.load(tmp_path / "one.yaml").interactions[0].response
    assert (response.status, response.end) == (0, "client_closed")


def test_an_answer_that_an_adapter_kept_to_itself_is_no_reset(tmp_path: Path) -> None:
    busy = [Reply([b"busy"], status=503)] * 3
    inner = HTTPAdapter(max_retries=Retry(2, status_forcelist=[503]))
    with (
        Server(busy) as server,
        Recorder(tmp_path / "one.yaml") as recorder,
        pytest.raises(requests.exceptions.RetryError),
    ):
        session_on(recorder, inner).get(server.url, timeout=5)

    response = Cassette.load(tmp_path / "one.yaml").interactions[0].response
    assert (response.status, response.end) == (503, "complete")


def test_what_an_auth_of_requests_asks_again_is_recorded_too(tmp_path: Path) -> None:
    refused = Reply([], status=401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})

    def ask(adapter: BaseAdapter, url: str) -> bytes:
        session = requests.Session()
        session.mount("http://", adapter)
        return session.get(url, auth=HTTPDigestAuth("me", "a-password"), timeout=5).content

    with Server([refused, Reply([b"welcome"])]) as server:
        with Recorder(tmp_path / "one.yaml") as recorder:
            live = ask(recorder.requests_adapter(), server.url)
        replayed = ask(Replay(tmp_path / "one.yaml").requests_adapter(), server.url)

    assert (live, replayed) == (b"welcome", b"welcome")


def test_an_exception_does_not_stop_the_writing(tmp_path: Path) -> None:
    def fail_while_recording() -> None:
        with Recorder(tmp_path / "one.yaml") as recorder:
            leave_requests(recorder)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_recording()

    assert len(Cassette.load(tmp_path / "one.yaml").interactions) == 1


def test_a_mismatch_of_an_inner_replay_passes_through(tmp_path: Path) -> None:
    with Recorder(tmp_path / "one.yaml") as recorder:
        session = session_on(recorder, Replay(cassette()).requests_adapter())
        with pytest.raises(MismatchError):
            session.get("http://chat.test/other", timeout=5)


SECRET = "canary-3f9a1c77e2"


def test_a_registered_secret_is_nowhere_in_the_file(tmp_path: Path) -> None:
    leaky = cassette(interaction([f"data: {SECRET[:7]}".encode(), f"{SECRET[7:]}\n\n".encode()]))
    with Recorder(tmp_path / "one.yaml", call={"api_key": SECRET}) as recorder:
        recorder.add_secret(SECRET)
        session = session_on(recorder, Replay(leaky).requests_adapter())
        response = session.post(
            "http://chat.test/api", json={"q": 1}, headers={"Authorization": f"Bearer {SECRET}"}, timeout=5
        )

    assert SECRET in response.text
    assert b"canary" not in (tmp_path / "one.yaml").read_bytes()


def packed_now(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    ("pack", "coding"),
    [
        pytest.param(packed_now, "gzip", id="gzip"),
        pytest.param(packed_now, "", id="gzip, unsaid"),
        pytest.param(zlib.compress, "deflate", id="deflate"),
        pytest.param(lambda data: packed_now(zlib.compress(data)), "deflate, gzip", id="two"),
        pytest.param(lambda data: data.decode().encode("utf-16"), "", id="UTF-16"),
        pytest.param(lambda data: data.decode().encode("utf-16-le"), "identity", id="UTF-16 without mark"),
        pytest.param(lambda data: packed_now(data.decode().encode("utf-16")), "gzip", id="both"),
        pytest.param(bytes, "gzip", id="text after all"),
    ],
)
def test_a_secret_in_a_packed_body_is_taken_out(
    tmp_path: Path, pack: Callable[[bytes], bytes], coding: str
) -> None:
    sent = pack(b'{"api_key": "not-to-be-seen", "prompt": "Hi"}')

    with Recorder(tmp_path / "one.yaml") as recorder:
        record_one(recorder, RecordedRequest("POST", "http://a/", [("Content-Encoding", coding)], sent))

    kept = Cassette.load(tmp_path / "one.yaml").interactions[0].request
    assert kept.body == pack(b'{"api_key": "SCRUBBED-api-key-1", "prompt": "Hi"}')


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip", "lzw"])
def test_a_request_that_cannot_be_searched_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    for library in ("brotli", "brotlicffi", "zstandard"):
        monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(LeakError, match=rf"request\.body.*it can't be searched: .*{coding}"):  # noqa: SIM117
        with Recorder(tmp_path / "one.yaml") as recorder:
            record_one(
                recorder, RecordedRequest("POST", "http://a/", [("Content-Encoding", coding)], b"\x8b\xff")
            )

    assert list(tmp_path.iterdir()) == []


def test_what_a_program_sends_from_a_pipe_is_recorded_and_sent(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b'{"q": 1}')
    os.close(writing)

    with (
        ReplayServer(cassette()) as server,
        Recorder(tmp_path / "a.yaml") as recorder,
        session_on(recorder) as session,
        os.fdopen(reading, "rb") as pipe,
    ):
        assert session.post(server.url + "/api", data=pipe, timeout=5).content == b"".join(CHUNKS)

    assert Cassette.load(tmp_path / "a.yaml").interactions[0].request.body == b'{"q": 1}'


def test_an_answer_that_cannot_be_searched_is_recorded_and_told(tmp_path: Path) -> None:
    one = interaction([b"\x8b\xff"])
    one.response.headers.append(("Content-Encoding", "lzw"))

    with (
        pytest.warns(UserWarning, match=r"interactions\[0\]\.response\.body: it can't be searched"),
        Recorder(tmp_path / "a.yaml", before_record=lambda _: one) as recorder,
    ):
        record_one(recorder, RecordedRequest("GET", "http://chat.test/", [], b""))

    assert Cassette.load(tmp_path / "a.yaml").interactions[0].response.body == b"\x8b\xff"


def test_what_is_kept_can_be_changed_or_left_out_before(tmp_path: Path) -> None:
    def without_answers(one: Interaction) -> Interaction | None:
        one.response.chunks, one.response.at_ms = [], []
        one.request.body = b"other"
        return one if one.request.url.endswith("kept") else None

    with Recorder(tmp_path / "one.yaml", before_record=without_answers) as recorder:
        record_one(recorder, RecordedRequest("POST", "http://a/kept", [], b"sent"))
        record_one(recorder, RecordedRequest("POST", "http://a/left", [], b"sent"))

    [one] = Cassette.load(tmp_path / "one.yaml").interactions
    assert (one.request.url, one.request.body, one.response.body) == ("http://a/kept", b"other", b"")


def test_what_before_record_puts_in_is_scrubbed(tmp_path: Path) -> None:
    def telling(one: Interaction) -> Interaction:
        one.request.headers.append(("Authorization", "Bearer not-to-be-seen"))
        return one

    with Recorder(tmp_path / "one.yaml", before_record=telling) as recorder:
        record_one(recorder, RecordedRequest("POST", "http://a/", [], b"sent"))

    assert "not-to-be-seen" not in (tmp_path / "one.yaml").read_text()


def test_before_record_has_to_return_an_interaction(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="expected an Interaction"):  # noqa: SIM117
        with Recorder(tmp_path / "one.yaml", before_record=lambda one: True) as recorder:  # type: ignore[arg-type, return-value]
            record_one(recorder, RecordedRequest("POST", "http://a/", [], b"sent"))


@pytest.mark.parametrize(("name", "says"), [("a/b.yaml", "it is no folder"), (".", "name a file")])
def test_a_place_for_no_file_is_told_before_anything_is_asked(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "a").write_text("")

    with pytest.raises(OSError, match=says), Recorder(tmp_path / name):
        pytest.fail("it began")


@pytest.mark.skipif(sys.platform == "win32", reason="links and named pipes")
def test_a_link_stays_one_and_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    cassette().save(tmp_path / "real.yaml")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "real.yaml")
    read, write = os.pipe()

    Cassette().save(tmp_path / "link.yaml")
    Cassette().save(f"/dev/fd/{write}")

    assert (tmp_path / "link.yaml").is_symlink()
    assert Cassette.load(tmp_path / "real.yaml") == Cassette()
    os.close(write)
    with open(read, "rb") as piped:
        assert b"version: 1" in piped.read()


def test_a_leak_refuses_to_write_and_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_scrub.Scrubber, "scrub_cassette", lambda self, recorded: recorded)
    (tmp_path / "one.yaml").write_text("older")
    leaky = cassette(interaction([SECRET.encode()]))
    recorder = Recorder(tmp_path / "one.yaml")
    recorder.add_secret(SECRET)
    session = session_on(recorder, Replay(leaky).requests_adapter())
    session.post("http://chat.test/api", json={"q": 1}, timeout=5)

    with pytest.raises(LeakError) as caught:
        recorder.__exit__(None, None, None)

    assert "interactions[0].response" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]


def test_threads_share_a_recorder(tmp_path: Path) -> None:
    count = 8 * 12
    source = cassette(*(interaction([b"%d" % i]) for i in range(count)))
    with ReplayServer(source) as server, Recorder(tmp_path / "one.yaml") as recorder:

        def ask() -> None:
            with session_on(recorder) as session:
                for _ in range(12):
                    session.post(server.url + "/api", data=b'{"q": 1}', timeout=5)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    bodies = [one.response.body for one in Cassette.load(tmp_path / "one.yaml").interactions]
    assert sorted(map(int, bodies)) == list(range(count))


async def test_recorders_at_the_same_time_do_not_cross(tmp_path: Path) -> None:
    bodies = [[f'{{"n": {n}, "i": {i}}}'.encode() for i in range(4)] for n in range(16)]
    every = [interaction([body]) for row in bodies for body in row]
    for one in every:
        one.request.body = one.response.body

    async def record_four(n: int, url: str) -> None:
        with Recorder(tmp_path / f"{n}.yaml") as recorder:
            async with httpx.AsyncClient(transport=recorder.httpx_transport()) as client:
                await asyncio.gather(*(client.post(url + "/api", content=body) for body in bodies[n]))

    with ReplayServer(cassette(*every)) as server:
        await asyncio.gather(*(record_four(n, server.url) for n in range(16)))

    for n in range(16):
        interactions = Cassette.load(tmp_path / f"{n}.yaml").interactions
        assert sorted(one.response.body for one in interactions) == bodies[n]
        assert all(one.request.body == one.response.body for one in interactions)
