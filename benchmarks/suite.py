"""A test suite on recordings: what a replayed test costs over an empty one, beside pytest-recording's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._bench import Bench, Table
from benchmarks.start import children_cpu
from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse

_ROOT = Path(__file__).parents[1]
_BASE_URL = "http://service.test/v1"
# Who runs a suite twice has everything compiled; an environment that forbids it says nothing of the plugins.
_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
_JSON = [("Content-Type", "application/json")]
_POST = (
    "{session}.post('http://service.test/v1/chat/completions', json={body!r}).json()"
    "['choices'][0]['message']['content']"
)


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of one contender: *test* is the source of one, *flags* are pytest's."""

    test: str
    flags: tuple[str, ...]
    needs: tuple[str, ...] = ()


_EMPTY, _OURS, _THEIRS = "empty tests", "g4f_cassette, requests", "pytest-recording, requests"
_CLIENT = "g4f_client"
_SUITES = {
    _EMPTY: Suite("def test_{n}():\n    pass\n", ("-p", "no:g4fsdk", "-p", "no:recording")),
    _OURS: Suite(
        "@pytest.mark.g4f_cassette('openai/test_{n}')\n"
        "def test_{n}():\n"
        f"    assert {_POST.replace('{session}', 'requests.Session()')} == '{{n}}'\n",
        ("-p", "no:recording"),
    ),
    _CLIENT: Suite(
        "@pytest.mark.g4f_cassette('client/test_{n}')\n"
        "def test_{n}(g4f_client):\n"
        "    assert g4f_client.chat.completions.create('{n}').text == '{n}'\n",
        ("-p", "no:recording"),
    ),
    _THEIRS: Suite(
        "@pytest.mark.vcr\n"
        "def test_{n}():\n"
        f"    assert {_POST.replace('{session}', 'requests.Session()')} == '{{n}}'\n",
        ("-p", "no:g4fsdk"),
        ("vcr", "pytest_recording"),
    ),
}


def run(bench: Bench) -> None:
    """Run the suites of all contenders in turns, each in processes of its own."""
    tests = bench.scale.suite
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), tests)
        table = Table(f"{tests} tests of one recorded request each", tests, children_cpu.__name__)
        runs: dict[str, Callable[[], object]] = {}
        for i, (name, suite) in enumerate(_SUITES.items()):
            if why := bench.missing(*suite.needs):
                table.missing[name] = why
            else:
                runs[name] = partial(_pytest, Path(folder), f"test_{i}.py", suite.flags)
        bench.timed(table, runs, children_cpu, rounds=bench.scale.processes)
    _judge(bench, table)


def _judge(bench: Bench, table: Table) -> None:
    row = "a replayed test"
    over = {
        name: (each.median - table.samples[_EMPTY].median) / table.units
        for name, each in table.samples.items()
    }
    for name in over.keys() - {_EMPTY}:
        bench.judge(row, f"{name}, over an empty one", over[name] * 1e3, None, unit="ms")
    for name in (_OURS, _CLIENT) if _THEIRS in over else ():
        goal = 1 / 3 if name == _OURS else None
        bench.judge(row, f"{name} / {_THEIRS}, both over an empty one", over[name] / over[_THEIRS], goal)


def _write(folder: Path, tests: int) -> None:
    bodies = [_body(n) for n in range(tests)]
    theirs = f"test_{[*_SUITES].index(_THEIRS)}"
    for n, body in enumerate(bodies):
        sent = json.dumps(body).encode()
        compact = json.dumps(body, separators=(",", ":")).encode()  # as our clients send it
        # pytest-recording names a folder after the module
        for place, as_sent in (("openai", sent), (theirs, sent), ("client", compact)):
            _cassette(n, body, as_sent).save(folder / f"cassettes/{place}/test_{n}.yaml")
    for i, suite in enumerate(_SUITES.values()):
        source = [suite.test.format(n=n, body=body) for n, body in enumerate(bodies)]
        Path(folder, f"test_{i}.py").write_text("\n".join(["import pytest\nimport requests\n", *source]))


def _body(number: int) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": str(number)}], "stream": False}


def _cassette(number: int, body: dict[str, Any], sent: bytes) -> Cassette:
    message = {"role": "assistant", "content": str(number)}
    answer = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
    url = f"{_BASE_URL}/chat/completions"
    request = RecordedRequest("POST", url, [*_JSON], sent)
    response = RecordedResponse(200, "OK", [*_JSON], [answer], [0.0])
    call = {"model": "m", "messages": body["messages"]}
    said = {"provider": "openai", "base_url": _BASE_URL, "call": call}
    return Cassette(
        [Interaction(request, response)], {**said, "provenance": "reconstructed from the protocol"}
    )


def _pytest(folder: Path, file: str, flags: tuple[str, ...]) -> None:
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(folder),
            *flags,
            file,
        ],
        env={**os.environ, "PYTHONPATH": path, **_COMPILED, "PYTHONPYCACHEPREFIX": str(folder / "compiled")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stdout[-2000:])
