"""Batches on a Dask cluster: processes on loopback, some of which are killed."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import distributed
import pytest
from dask import config

from g4fsdk import Completion, StatusError, TransportError, UsageError
from g4fsdk.integrations import dask
from tests.support.command_line import run, start
from tests.support.killed_dask import batch_on, cluster, worker_ids
from tests.support.loopback import PATIENCE_S, Received, Reply, Server
from tests.support.loopback_clients import document, unfinished


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of two workers in this process: as good as others, but for being killed."""
    with cluster(2, processes=False) as found:
        yield found


def echo(request: Received) -> Reply:
    body = json.loads(request.body)
    text = body["messages"][-1]["content"]
    if text == "bad":
        return Reply([b'{"error":{"message":"no","code":"gone"}}'], status=400, framing="length")
    return document("openai", f"{text.upper()} {body.get('temperature')}")


def asked(server: Server) -> dict[str, Any]:
    return {"settings": {"base_url": f"{server.url}/v1", "model": "m", "retries": 1}}


def test_a_killed_worker_and_a_killed_command_lose_no_answer(tmp_path: Path) -> None:
    with cluster(2) as address:
        report = batch_on(address, tmp_path, rows=60, kills=1, seed=7)

    assert (report.code, report.wrong, report.asked_again) == (0, [], set()), report
    assert report.requests >= 60


def test_each_row_comes_with_its_answer_or_error(address: str) -> None:
    rows: list[Any] = ["a", {"custom_id": "b", "body": {"messages": [{"role": "user", "content": "b"}]}}]
    with Server(echo) as server, dask.connected(address) as workers:
        results = dask.batch(workers, [*rows, "bad", 5], "openai", **asked(server), temperature=0.5)
        found = {str(row): result for row, result in results}

    texts = [found[str(row)].text for row in rows if isinstance(found[str(row)], Completion)]  # type: ignore[union-attr]  # so it is
    bad = found["bad"]
    assert texts == ["A 0.5", "B 0.5"]
    assert isinstance(bad, StatusError)
    assert (bad.status, bad.code, bad.provider) == (400, "gone", "openai")
    assert isinstance(found["5"], UsageError)


def test_rows_are_taken_as_there_is_room_and_no_more_once_it_is_left(address: str) -> None:
    taken = []

    def rows() -> Iterator[str]:
        for number in range(1000):
            taken.append(number)
            yield str(number)

    with Server(echo) as server, dask.connected(address) as workers:
        results = dask.batch(workers, rows(), "openai", **asked(server), concurrency=2)
        first = next(results)
        results.close()
        count = len(taken)

    assert isinstance(first[1], Completion)
    assert count <= 4
    assert len(taken) == count


def test_what_the_environment_says_goes_to_the_workers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(echo) as server, dask.connected(address) as workers:
        monkeypatch.setenv("G4FSDK_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("G4FSDK_API_KEY", "key-of-here-1234")
        monkeypatch.setenv("G4FSDK_MODEL", "mine")
        ((_, result),) = dask.batch(workers, ["a"])

    assert isinstance(result, Completion)
    assert server.requests[0].headers["authorization"] == "Bearer key-of-here-1234"
    assert json.loads(server.requests[0].body)["model"] == "mine"


@pytest.mark.parametrize(("more", "words"), [
    pytest.param({"settings": {"base_url": "nowhere"}}, "base_url", id="settings"),
    pytest.param({"rate": "fast"}, "a rate is", id="rate"),
    pytest.param({"concurrency": 0}, "concurrency", id="concurrency"),
])  # fmt: skip
def test_what_cannot_be_is_said_before_anything_is_asked(
    address: str, more: dict[str, Any], words: str
) -> None:
    with dask.connected(address) as workers, pytest.raises(UsageError, match=words):
        dask.batch(workers, ["a"], "openai", **more)


async def test_an_asynchronous_cluster_cannot_be_waited_for(address: str) -> None:
    made: Any = distributed.Client
    async with made(address, asynchronous=True) as workers:
        with pytest.raises(UsageError, match="asynchronous"):
            dask.batch(workers, ["a"], "yqcloud")


def test_with_nobody_named_the_model_chooses(address: str) -> None:
    with dask.connected(address) as workers:
        rows = dask.batch(workers, ["a"], settings={"model": "no-such-model"})
        ((_, result),) = rows

    assert isinstance(result, UsageError)


def test_a_row_whose_workers_are_all_lost_comes_with_that() -> None:
    held = unfinished("openai", end="hold")
    with (
        config.set({"distributed.scheduler.allowed-failures": 0}),
        cluster(1) as address,
        Server(lambda _: held) as server,
        dask.connected(address) as workers,
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(list, dask.batch(workers, ["a"], "openai", **asked(server)))
        assert server.wait_until(lambda server: len(server.requests) == 1, PATIENCE_S * 4)
        os.kill(worker_ids(address)[0], signal.SIGKILL)
        ((_, result),) = answer.result(PATIENCE_S * 12)

    assert isinstance(result, TransportError)
    assert "its workers were lost" in result.message


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to send")
def test_a_cluster_without_a_worker_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a\n")
    with cluster(0) as address:
        process = start("batch", tmp_path / "in", "-o", tmp_path / "out", "-p", "yqcloud", "--dask", address)
        assert process.stderr is not None
        said = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)

    assert said == f"g4fsdk: there is no worker yet, and the rows wait for one: dask worker {address}\n"
    assert process.returncode == 143


def test_a_cluster_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dask, "_CONNECT_S", 0.2)
    words = ("-o", tmp_path / "out", "-p", "yqcloud", "--dask", "tcp://127.0.0.1:9")
    result = run("batch", "-", *words, stdin="a")

    assert result.exit_code == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in result.stderr


def test_a_cluster_that_goes_is_said_and_what_came_before_is_kept() -> None:
    with Server(echo) as server, ExitStack() as leaving:
        with cluster(1, processes=False) as address:
            workers = leaving.enter_context(dask.connected(address))
            results = dask.batch(workers, map(str, range(1000)), "openai", **asked(server), concurrency=1)
            row, result = next(results)
        with pytest.raises(TransportError, match="the Dask cluster has gone"):
            list(results)

    assert isinstance(result, Completion)
    assert result.text == f"{row} None"
