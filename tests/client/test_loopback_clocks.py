"""The four clocks mean the same in both clients."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import anyio
import httpcore
import httpx
import pytest
import requests
import urllib3.connection
from httpcore._backends.auto import AutoBackend
from requests.adapters import HTTPAdapter

from g4fsdk import (
    AsyncClient,
    AuthError,
    Client,
    DeadlineError,
    RateLimitError,
    TextDelta,
    Timeouts,
    UsageError,
)
from g4fsdk._client.blocking import connections
from g4fsdk.testing import Cassette, Recorder, Replay
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import (
    COLOURS,
    QUICK,
    Colour,
    Outcome,
    answer,
    ask,
    both,
    both_outcomes,
    complete,
    document,
    ending,
    media,
    service,
    set_up,
    tokens,
    unfinished,
)

TICK = 0.15
STEP = 0.05
PATIENT = 0.5  # a clock that must not run out on a busy machine while something comes every step
LONG = 20.0


def clocks(**limits: float | None) -> Timeouts:
    """Return clocks that never run out, but for those given."""
    return Timeouts(**{"connect": LONG, "first_event": LONG, "idle": LONG, "total": LONG, **limits})


class DeafServer:
    """Takes connections and never says a word, so that TLS never comes about."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> DeafServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


@both
@pytest.mark.parametrize(
    ("limits", "clock"),
    [
        ({"connect": TICK}, "connect"),
        ({"first_event": TICK}, "first_event"),
        ({"total": TICK}, "total"),
        ({"first_event": TICK, "idle": STEP}, "first_event"),
    ],
    ids=["connect", "first_event", "total", "first_event, not idle"],
)
def test_connecting_is_under_the_clocks(colour: Colour, limits: dict[str, float], clock: str) -> None:
    with DeafServer() as server:
        started = time.monotonic()
        outcome = ask(colour, "openai", server.url, timeout=clocks(**limits))
        took = time.monotonic() - started

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == clock
    assert f"the {clock} clock of {TICK} s" in outcome.error.message
    assert outcome.error.sent == (clock != "connect")
    assert took < 1.5


@both
def test_recorder_keeps_the_clocks_of_its_client(colour: Colour, tmp_path: Path) -> None:
    with DeafServer() as server, Recorder(tmp_path / "one.yaml") as recorder:
        outcome = ask(
            colour, "openai", server.url, timeout=clocks(connect=TICK, idle=PATIENT), transport=recorder
        )

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "connect"


@both
@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["no tunnel", "no TLS"])
def test_a_proxy_and_tls_are_under_one_connect_clock(colour: Colour, says: bytes) -> None:
    with Server(Reply(raw=says, pause_s=0.9 * PATIENT, end="hold")) as proxy:
        started = time.monotonic()
        limits = clocks(connect=PATIENT, idle=TICK)
        outcome = ask(colour, "openai", "https://service.example", timeout=limits, proxy=proxy.url)
        took = time.monotonic() - started

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "connect"
    assert took < 1.8 * PATIENT  # what the proxy took is not given to TLS again


@both
@pytest.mark.parametrize("clock", ["first_event", "idle", "total"])
def test_silence_is_recorded_as_silence(colour: Colour, clock: str, tmp_path: Path) -> None:
    limits = clocks(**{clock: PATIENT})
    with Server(Reply(has_head=False, end="hold")) as server, Recorder(tmp_path / "one.yaml") as recorder:
        live = ask(colour, "openai", server.url, timeout=limits, transport=recorder)

    [recorded] = Cassette.load(tmp_path / "one.yaml").interactions
    again = ask(colour, "openai", server.url, timeout=limits, transport=Replay(tmp_path / "one.yaml"))
    assert (recorded.response.status, recorded.response.end) == (0, "timeout")
    assert live.said() == again.said()
    assert isinstance(live.error, DeadlineError)
    assert live.error.clock == clock


@both
def test_idle_clock_does_not_run_while_connecting(colour: Colour) -> None:
    with DeafServer() as server:
        outcome = ask(colour, "openai", server.url, timeout=clocks(connect=2 * TICK, idle=0.01))

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "connect"


@both
def test_connecting_is_tried_again_once_its_clock_ran_out(colour: Colour) -> None:
    with DeafServer() as server:
        started = time.monotonic()
        ask(colour, "openai", server.url, timeout=clocks(connect=STEP), retries=QUICK)

    assert 3 * STEP < time.monotonic() - started < 2.0


def stalled(provider: str, where: str) -> Any:
    ready = set_up(provider)
    if where == "no head":
        return service(provider, Reply(has_head=False, end="hold"))
    if where == "no body":
        return service(provider, unfinished(provider, end="hold"))
    if where == "set-up":
        return [ready[0], Reply(has_head=False, end="hold")]
    return [ready[0], Reply(ready[1].pieces, framing="length", end="hold")]


@pytest.mark.parametrize("clock", ["first_event", "idle", "total"])
@pytest.mark.parametrize(
    ("provider", "where"),
    [
        ("openai", "no head"),
        ("yqcloud", "no body"),
        ("cohere-c4ai", "no head"),
        ("cohere-c4ai", "set-up"),
        ("cohere-c4ai", "set-up body"),
    ],
)
def test_silence_before_the_first_event(provider: str, where: str, clock: str) -> None:
    limits = clocks(**{clock: TICK})

    outcome = both_outcomes(
        provider, lambda: stalled(provider, where), timeout=limits, retries=QUICK, at_once=True
    )

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == clock
    assert outcome.error.partial == ""
    assert not outcome.error.retryable


COMMENTS = {
    "openai": b": keep-alive\n\n",
    "cohere-c4ai": b'{"type":"status","status":"keepAlive"}\n',
}


@pytest.mark.parametrize("provider", COMMENTS)
def test_keep_alives_do_not_reset_first_event(provider: str) -> None:
    outcome = both_outcomes(
        provider,
        lambda: service(provider, unfinished(provider, *[COMMENTS[provider]] * 30, pause_s=STEP)),
        timeout=clocks(first_event=TICK),
        at_once=True,
    )

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "first_event"


def dripping_head(drips: int) -> Reply:
    head = b"HTTP/1.1 200 OK\r\nX-Slow: "
    return Reply([b"x"] * drips, raw=head, framing="close", end="hold", pause_s=STEP)


@both
@pytest.mark.parametrize("clock", ["first_event", "total"])
def test_head_that_drips_is_under_the_clocks(colour: Colour, clock: str) -> None:
    with Server(dripping_head(60)) as server:
        started = time.monotonic()
        outcome = ask(colour, "openai", server.url, timeout=clocks(**{clock: TICK}))
        took = time.monotonic() - started

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == clock
    assert took < 3.0


class _OwnConnection(urllib3.connection.HTTPConnection):
    """As a library has it that stands on urllib3."""


class _OwnAdapter(HTTPAdapter):
    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = _OwnConnection
        return pool


def test_head_that_drips_into_a_connection_of_others_is_under_the_clocks() -> None:
    with Server(dripping_head(60)) as server, requests.Session() as session:
        session.mount("http://", _OwnAdapter())
        started = time.monotonic()
        outcome = ask("sync", "openai", server.url, timeout=clocks(first_event=TICK), session=session)
        took = time.monotonic() - started

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "first_event"
    assert took < 2.5


def test_a_library_that_connects_twice_still_knows_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    reach, failures = AutoBackend.connect_tcp, [httpcore.ConnectError("not yet")]

    async def connect_tcp(*args: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return await reach(*args, **options)

    async def main(base_url: str) -> None:
        own = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=1))
        limits = Timeouts(connect=LONG, first_event=None, idle=PATIENT)
        async with own, AsyncClient("openai", base_url=base_url, timeout=limits, http_client=own) as client:
            with pytest.raises(DeadlineError) as caught:
                await client.chat.completions.create("Hello", model="m", retries=1, stream=True)
        assert caught.value.clock == "idle"

    monkeypatch.setattr(AutoBackend, "connect_tcp", connect_tcp)
    with Server(Reply(has_head=False, end="hold")) as server:
        asyncio.run(asyncio.wait_for(main(f"{server.url}/v1"), LONG))
    assert not failures


@pytest.fixture
def read_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections read past our clocks, as those of urllib3-future do."""
    monkeypatch.setattr(connections, "_ASKS", False)
    monkeypatch.setattr(connections._Timed, "response_class", HTTPResponse)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.usefixtures("read_otherwise")
@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\nX-Slow: ", CHUNKED + b"1;"], ids=["head", "chunk size"])
@pytest.mark.parametrize("clock", ["first_event", "total"])
def test_reads_that_ask_no_clock_are_ended_by_it(clock: str, raw: bytes) -> None:
    dripping = Reply([b"x"] * 60, raw=raw, framing="close", end="hold", pause_s=STEP)
    with Server(dripping) as server:
        started = time.monotonic()
        outcome = ask("sync", "openai", server.url, timeout=clocks(**{clock: TICK}))
        took = time.monotonic() - started

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == clock
    assert took < 2.5


@pytest.mark.usefixtures("read_otherwise")
@pytest.mark.parametrize("end", ["hold", "fin"])
def test_reads_that_ask_no_clock_lose_nothing(end: Any) -> None:
    whole = answer("openai", "Hel", "lo")
    whole.end = end
    with Server(whole) as server:
        started = time.monotonic()
        outcome = ask("sync", "openai", server.url, timeout=clocks())

    assert outcome.text == "Hello"
    assert outcome.error is None
    assert time.monotonic() - started < 0.5 * LONG  # what never follows is not waited for


def test_head_that_falls_silent_is_under_the_clock_that_is_next() -> None:
    with Server(dripping_head(3)) as server:
        outcome = ask("sync", "openai", server.url, timeout=clocks(idle=0.9 * PATIENT, total=PATIENT))

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "total"


@pytest.mark.parametrize("provider", COMMENTS)
def test_any_byte_resets_idle(provider: str) -> None:
    pieces = [*tokens(provider, "Hel"), *[COMMENTS[provider]] * 12, *ending(provider, "Hel")]
    outcome = both_outcomes(
        provider,
        lambda: service(provider, Reply(pieces, headers=media(provider), pause_s=STEP)),
        timeout=clocks(idle=PATIENT),
        at_once=True,
    )

    assert outcome.error is None
    assert outcome.text == "Hel"


def test_any_byte_of_an_unfinished_event_resets_idle() -> None:
    token, *rest = tokens("openai", "Hel")
    pieces = [token[at : at + 1] for at in range(12)]
    outcome = both_outcomes(
        "openai",
        lambda: Reply([*pieces, token[12:], *rest, *ending("openai")], headers=media("openai"), pause_s=STEP),
        timeout=clocks(idle=PATIENT),
        at_once=True,
    )

    assert outcome.error is None
    assert outcome.text == "Hel"


@pytest.mark.parametrize("provider", ["yqcloud", "openai"])
def test_total_ends_a_stream_that_goes_on_and_on(provider: str) -> None:
    outcome = both_outcomes_but_for_text(
        provider,
        lambda: service(provider, unfinished(provider, *["x"] * 40, pause_s=STEP)),
        timeout=clocks(total=PATIENT),
    )

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "total"
    assert 1 <= len(outcome.error.partial) <= 10
    assert outcome.text == outcome.error.partial


def both_outcomes_but_for_text(provider: str, script: Any, **settings: Any) -> Outcome:
    """How far a stream got in a given time is not for the clients to agree on."""

    def outcome(colour: Colour) -> Outcome:
        with Server(script()) as server:
            return ask(colour, provider, server.url, **settings)

    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(outcome, COLOURS))
    assert str(outcomes[0].error) == str(outcomes[1].error)
    return outcomes[1]


@both
def test_total_runs_over_all_attempts(colour: Colour) -> None:
    replies = [Reply(status=503, framing="length"), Reply(has_head=False, end="hold")]
    with Server(replies) as server:
        outcome = ask(colour, "openai", server.url, timeout=clocks(total=PATIENT), retries=QUICK)

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock == "total"
    assert len(server.requests) == 2


@both
def test_wait_that_would_outlast_total_is_not_begun(colour: Colour) -> None:
    refusal = Reply(status=429, headers={"Retry-After": "30"}, framing="length")
    with Server([refusal]) as server:
        outcome = ask(colour, "openai", server.url, timeout=clocks(total=5.0), retries=QUICK)

    assert isinstance(outcome.error, RateLimitError)
    assert outcome.error.retry_after == 30.0


@pytest.mark.parametrize("provider", ["openai", "autonomous", "amigo"])
@both
def test_first_event_covers_a_whole_document(provider: str, colour: Colour) -> None:
    whole = document(provider, "Hello").body
    dripping = Reply([whole[at : at + 2] for at in range(0, 60, 2)], framing="length", pause_s=STEP)
    with Server(dripping) as server:
        error = complete(colour, provider, server.url, timeout=clocks(first_event=TICK))

    assert isinstance(error, DeadlineError)
    assert error.clock == "first_event"


@both
def test_clocks_do_not_run_while_the_caller_thinks(colour: Colour) -> None:
    """What has come already is not late because it was not fetched at once."""
    with Server(answer("openai", "Hello")) as server:
        outcome = ask(
            colour,
            "openai",
            server.url,
            timeout=clocks(idle=PATIENT, first_event=PATIENT),
            on_event=lambda event: time.sleep(1.2 * PATIENT) if isinstance(event, TextDelta) else None,
        )

    assert outcome.error is None
    assert outcome.text == "Hello"


@both
@pytest.mark.parametrize("timeout", [None, 5, Timeouts(None, None, None, None)], ids=["None", "5", "all off"])
def test_clocks_can_be_switched_off(colour: Colour, timeout: Any) -> None:
    with Server(answer("openai", "Hello", pause_s=0.01)) as server:
        outcome = ask(colour, "openai", server.url, timeout=timeout)

    assert outcome.text == "Hello"


OVER_AIOHTTP = pytest.param(
    "aiohttp",
    marks=[
        pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning"),  # httpx-aiohttp 0.2, of aiohttp
        # aiohttp leaves a connection open that has not taken all, until the other side ends it.
        pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    ],
)


@pytest.mark.parametrize("way", ["sync", "async", OVER_AIOHTTP])
@pytest.mark.parametrize("timeout", [TICK, Timeouts(connect=LONG, first_event=LONG, idle=TICK)])
def test_server_that_does_not_take_the_request_is_silence(way: str, timeout: Any) -> None:
    if way == "aiohttp":
        pytest.importorskip("httpx_aiohttp")
    said: dict[str, Any] = {"http": "aiohttp"} if way == "aiohttp" else {}
    with Server(Reply(has_head=False, end="hold"), reads_body=False) as server:
        started = time.monotonic()
        colour: Colour = "sync" if way == "sync" else "async"
        outcome = ask(colour, "openai", server.url, "x" * (20 << 20), timeout=timeout, **said)
    gc.collect()

    assert isinstance(outcome.error, DeadlineError)
    assert outcome.error.clock in ("idle", "first_event" if timeout == TICK else "idle")
    assert outcome.error.sent
    assert time.monotonic() - started < LONG / 2


@both
@pytest.mark.parametrize(
    "timeout", [0, -1, float("nan"), float("inf"), 1e12, "5", Timeouts(idle=0), Timeouts(total=-1.0)]
)
def test_timeout_that_is_no_time_is_refused(colour: Colour, timeout: Any) -> None:
    with pytest.raises(UsageError, match="positive number of seconds"):
        (Client if colour == "sync" else AsyncClient)("yqcloud", timeout=timeout)


async def in_time(client: AsyncClient) -> None:
    async with asyncio.timeout(TICK), client.chat.completions.stream("Hello", model="m") as stream:
        async for _ in stream:
            pass


def test_a_users_own_timeout_ends_a_stream() -> None:
    async def main(server: Server) -> None:
        async with AsyncClient("openai", base_url=f"{server.url}/v1") as client:
            with pytest.raises(TimeoutError):
                await in_time(client)
            assert await asyncio.to_thread(server.all_closed)

    with Server(unfinished("openai", "Hel", end="hold")) as server:
        asyncio.run(main(server))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "trio"])
def test_a_clock_behind_one_that_is_over_ends_a_wait(loop: str) -> None:
    """The time for the first event is over while the caller thinks; that of the call, while it waits."""
    pytest.importorskip(loop)

    async def main(server: Server) -> None:
        async with (
            AsyncClient("openai", base_url=f"{server.url}/v1", model="m", timeout=limits) as client,
            client.chat.completions.stream("Hello") as stream,
        ):
            await anext(stream)
            await anyio.sleep(1.2 * PATIENT)
            with pytest.raises(DeadlineError) as caught:
                await stream.get_final_completion()
        assert (caught.value.clock, caught.value.partial) == ("total", "Hel")
        if loop != "trio":
            task = asyncio.current_task()
            assert task is not None
            assert not task.cancelling()

    limits = clocks(first_event=PATIENT, total=3 * PATIENT)
    with Server(unfinished("openai", "Hel", end="hold")) as server:
        if loop == "trio":
            anyio.run(main, server, backend=loop)
        else:
            anyio.run(main, server, backend_options={"use_uvloop": loop == "uvloop"})


def test_a_caller_who_is_cancelled_under_a_clock_is_cancelled() -> None:
    async def main(server: Server) -> None:
        async with AsyncClient("openai", base_url=f"{server.url}/v1", model="m", timeout=clocks()) as client:
            begun = asyncio.Event()

            async def read() -> None:
                async with client.chat.completions.stream("Hello") as stream:
                    async for _ in stream:
                        begun.set()

            reader = asyncio.create_task(read())
            await begun.wait()
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            assert await asyncio.to_thread(server.all_closed)

    with Server(unfinished("openai", "Hel", end="hold")) as server:
        asyncio.run(main(server))


@both
@pytest.mark.parametrize("limits", [{"idle": TICK}, {"first_event": 1.0}, {"total": 1.0}], ids=str)
def test_a_refusal_whose_body_stalls_is_the_refusal(colour: Colour, limits: dict[str, float]) -> None:
    reply = Reply([b'{"error": "no'], status=401, end="hold")

    with Server(reply) as server:
        outcome = ask(colour, "openai", server.url, timeout=clocks(**limits))

    assert isinstance(outcome.error, AuthError)
    assert outcome.error.body == b'{"error": "no'
