"""Playing a long cassette: what a request costs at its two ends, beside vcrpy on the same file."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import requests

from benchmarks._bench import Bench
from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse, Replay

_URL = "https://service.test/v1/chat/completions"
_JSON = [("Content-Type", "application/json")]
_EDGE = 0.1  # of the cassette, at either end


def run(bench: Bench) -> None:
    """Time each request of a cassette of as many interactions as the crowd has streams."""
    bodies = [json.dumps({"model": "m", "messages": [str(number)]}) for number in range(bench.scale.crowd)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.yaml")
        _cassette(bodies).save(path)
        ours = _play_ours(path, bodies)
        _judge(bench, "g4fsdk Replay", ours, 1.5)
        if bench.missing("vcr"):
            return
        theirs = _play_vcr(path, bodies)
        _judge(bench, "vcrpy", theirs, None)
    ratio = statistics.median(theirs) / statistics.median(ours)
    bench.judge(_row(bodies), "vcrpy / g4fsdk Replay, median request", ratio, None, at_least=True)


def _row(bodies: list[str]) -> str:
    return f"replay of a cassette of {len(bodies):,} interactions"


def _judge(bench: Bench, name: str, seconds: list[float], goal: float | None) -> None:
    edge = max(1, int(len(seconds) * _EDGE))
    first, last = statistics.median(seconds[:edge]), statistics.median(seconds[-edge:])
    row = f"replay of a cassette of {len(seconds):,} interactions"
    bench.judge(row, f"{name}: last {edge} / first {edge} requests", last / first, goal)
    bench.judge(row, f"{name}: a request", statistics.median(seconds) * 1e3, None, unit="ms")


def _cassette(bodies: list[str]) -> Cassette:
    """Return a session in which every request differs from every other in its body alone."""
    return Cassette(
        [_interaction(body) for body in bodies], {"provenance": "reconstructed from the protocol"}
    )


def _interaction(body: str) -> Interaction:
    answer = json.dumps({"choices": [{"message": {"content": body}, "finish_reason": "stop"}]}).encode()
    response = RecordedResponse(200, "OK", [*_JSON], [answer], [0.0])
    return Interaction(RecordedRequest("POST", _URL, [*_JSON], body.encode()), response)


def _play_ours(path: Path, bodies: list[str]) -> list[float]:
    with requests.Session() as session:
        session.mount("https://", Replay(path).requests_adapter())
        return _timed(session, bodies)


def _play_vcr(path: Path, bodies: list[str]) -> list[float]:
    import vcr

    player = vcr.VCR(record_mode="none", match_on=["method", "uri", "body"])
    with ExitStack() as stack:
        stack.enter_context(player.use_cassette(str(path)))
        return _timed(stack.enter_context(requests.Session()), bodies)


def _timed(session: requests.Session, bodies: list[str]) -> list[float]:
    return [_seconds(_post(session, body)) for body in bodies]


def _post(session: requests.Session, body: str) -> Callable[[], None]:
    def post() -> None:
        answer = session.post(_URL, data=body, headers=dict(_JSON))
        if answer.json()["choices"][0]["message"]["content"] != body:
            raise AssertionError("another request's answer was played")

    return post


def _seconds(post: Callable[[], None]) -> float:
    begun = time.process_time()
    post()
    return time.process_time() - begun
