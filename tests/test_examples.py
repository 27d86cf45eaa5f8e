"""The programs under docs/examples, run as a reader would."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from tests.support.loopback import PATIENCE_S, Reply, Script, Server
from tests.support.loopback_clients import answer, unfinished

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def example(name: str) -> Any:
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve *app* from a thread; give its address."""
    started = threading.Event()

    class Announced(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            started.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Announced(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert started.wait(PATIENCE_S)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


@contextmanager
def fastapi_in_front_of(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Server]]:
    """Serve FastAPI's example in front of a provider that does as *script* says."""
    pytest.importorskip("fastapi")
    with Server(script) as server:
        monkeypatch.setenv("G4FSDK_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("G4FSDK_MODEL", "m")
        with serving(example("fastapi_stream").app) as address:
            yield f"{address}/answer", server


def test_fastapi_streams_an_answer_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with fastapi_in_front_of([answer("openai", "Hel", "lo")], monkeypatch) as (address, _):
        said = httpx.post(address, json={"question": "Hi"})

    *events, done, rest = said.text.split("\n\n")
    deltas = [json.loads(one.removeprefix("data: "))["choices"][0]["delta"] for one in events]
    assert said.headers["content-type"].startswith("text/event-stream")
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello"
    assert (done, rest) == ("data: [DONE]", "")


@pytest.mark.parametrize(("status", "shown"), [(429, 429), (500, 502), (401, 502)])
def test_what_fails_before_the_first_event_has_its_status(
    status: int, shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = Reply([b'{"error":"no"}'], status=status, framing="length", headers={"Retry-After": "0"})
    with fastapi_in_front_of(lambda _: refusal, monkeypatch) as (address, _):
        said = httpx.post(address, json={"question": "Hi"}, timeout=PATIENCE_S * 4)

    assert (said.status_code, {*said.json()}) == (shown, {"error"})


def test_what_fails_behind_the_first_event_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    with fastapi_in_front_of([unfinished("openai", "Hel", end="rst")], monkeypatch) as (address, _):
        said = httpx.post(address, json={"question": "Hi"})

    *_, last, rest = said.text.split("\n\n")
    assert last.startswith("event: error\ndata: ")
    assert ("[DONE]" in said.text, rest) == (False, "")


@pytest.mark.parametrize("pieces", [[], ["first"]], ids=["before the first event", "in mid-answer"])
def test_a_reader_who_leaves_stops_the_provider(pieces: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    held = unfinished("openai", *pieces, end="hold")
    with fastapi_in_front_of([held], monkeypatch) as (address, server):
        host, port = address.split("/")[2].split(":")
        with socket.create_connection((host, int(port)), PATIENCE_S) as reader:
            body = b'{"question": "Hi"}'
            head = f"POST /answer HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            reader.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            assert server.wait_until(lambda server: len(server.requests) == 1)
            if pieces:
                assert reader.recv(65536)
            assert server.open_connections == 1

        assert server.all_closed()
