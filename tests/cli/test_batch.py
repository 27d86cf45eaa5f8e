"""`g4fsdk batch`: rows from a file, answers into another, whatever happens to the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from g4fsdk import Completion
from tests.support.command_line import ENVIRONMENT, run, start
from tests.support.killed_batch import killed_batch
from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import document

Row = dict[str, Any]


def said(request: Received) -> str:
    return str(json.loads(request.body)["messages"][-1]["content"])


def echo(request: Received) -> Reply:
    if said(request).startswith("bad"):
        body = b'{"error":{"message":"no such thing","code":"gone"}}'
        return Reply([body], status=400, framing="length", headers={"x-request-id": "r-1"})
    return document("openai", said(request).upper())


def words(server: Server, given: Path | str, out: Path, *more: object) -> list[object]:
    address = ("--base-url", f"{server.url}/v1", "-m", "m", "--retries", 1)
    return ["batch", given, "-o", out, *address, *more]


def rows_of(out: Path) -> dict[str, Row]:
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len({row["custom_id"] for row in rows}) == len({row["id"] for row in rows}) == len(rows)
    return {row["custom_id"]: row for row in rows}


def text_of(row: Row) -> str:
    return Completion.from_dict(row["response"]["body"]).text


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def test_rows_of_every_form_are_answered_in_the_form_of_openais_batches(tmp_path: Path) -> None:
    body = {"model": "mine", "messages": [{"role": "user", "content": "b"}], "max_tokens": 5}
    given = write(
        tmp_path / "in.jsonl",
        {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": body},
        {"id": 2, "prompt": "zwölf\u2028"},
        "",
        "A plain line",
    )
    with Server(echo) as server:
        result = run(*words(server, given, tmp_path / "out.jsonl", "--option", "temperature=0.5"))
    sent = {said(request): json.loads(request.body) for request in server.requests}

    rows = rows_of(tmp_path / "out.jsonl")
    one, two, plain = rows["one"], rows["2"], next(row for name, row in rows.items() if "line-4" in name)
    assert result.exit_code == 0, result.output
    assert {*one} == {"id", "custom_id", "response", "error"}
    assert (one["response"]["status_code"], one["error"], text_of(one)) == (200, None, "B")
    assert [text_of(two), text_of(plain)] == ["ZWÖLF\u2028", "A PLAIN LINE"]
    assert sent["b"] == {**body, "temperature": 0.5, "stream": False}
    assert sent["A plain line"]["model"] == "m"


def test_failures_are_rows_and_are_asked_again_only_when_that_is_wanted(tmp_path: Path) -> None:
    given, out = (
        write(tmp_path / "in.jsonl", {"id": "a", "prompt": "bad"}, {"id": "b", "prompt": "b"}),
        tmp_path / "out",
    )
    with Server(echo) as server:
        first, second = (run(*words(server, given, out)) for _ in range(2))
        rows, asked = rows_of(out), len(server.requests)
        write(given, {"id": "a", "prompt": "better"}, {"id": "b", "prompt": "b"})
        third = run(*words(server, given, out, "--retry-failed"))

    assert [first.exit_code, second.exit_code, third.exit_code] == [1, 1, 0]
    assert (asked, len(server.requests)) == (2, 3)
    assert rows["a"]["error"] == {"code": "gone", "message": "openai: 400 Bad Request: no such thing"}
    assert (rows["a"]["response"]["status_code"], rows["a"]["response"]["request_id"]) == (400, "r-1")
    assert {name: text_of(row) for name, row in rows_of(out).items()} == {"a": "BETTER", "b": "B"}


@pytest.mark.parametrize(("lines", "said_of_it"), [
    pytest.param(['{"id": "a", "prompt": "x"}', "", '{"id": "a", "prompt": "y"}'],
                 "line 3: the id 'a' is that of line 1, too", id="same id"),
    pytest.param(["fine", '{"id": "a", '], "line 2: it is no JSON", id="no JSON"),
    pytest.param(["fine", "\udcff"], "line 2: it is not UTF-8 text", id="no text"),
    pytest.param(['{"id": "a", "promt": "x"}'], "line 1: a row is a text", id="no row"),
    pytest.param(['{"id": "a", "prompt": [{"role": "nobody"}]}'], "line 1: unknown role", id="no role"),
    pytest.param(['{"id": "a", "prompt": "x", "n": 2}'], "has no 'n'; options go into its body", id="more"),
])  # fmt: skip
def test_what_is_wrong_with_the_rows_is_said_before_anything_is_asked(
    lines: list[str], said_of_it: str, tmp_path: Path
) -> None:
    with Server(echo) as server:
        given = "\n".join(lines).encode(errors="surrogateescape")
        result = run(*words(server, "-", tmp_path / "out"), stdin=given)

    assert result.exit_code == 2
    assert said_of_it in result.output
    assert not server.requests
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [
    pytest.param(["--rate", "fast"], id="rate"),
    pytest.param(["--concurrency", "0"], id="concurrency"),
])  # fmt: skip
def test_what_cannot_be_is_a_usage_error(more: list[str], tmp_path: Path) -> None:
    with Server(echo) as server:
        assert run(*words(server, "-", tmp_path / "out", *more), stdin="a").exit_code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="its shell closes no stream")
def test_without_stdin_there_are_no_rows(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m g4fsdk batch - -o "{tmp_path / "out"}" -p yqcloud <&-'

    result = subprocess.run(command, shell=True, capture_output=True, text=True, env=ENVIRONMENT, check=False)

    assert (result.returncode, result.stderr[:15]) == (0, "g4fsdk: rows: 0")


@pytest.mark.parametrize("foreign", [b"hello", b"hello\n", b'{"a": 1}\n', b'{"a": 1}'])
def test_a_file_of_somebody_elses_is_left_alone(foreign: bytes, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(foreign)
    with Server(echo) as server:
        result = run(*words(server, "-", tmp_path / "out"), stdin="a")

    assert (result.exit_code, (tmp_path / "out").read_bytes()) == (2, foreign)
    assert "line 1: no answer of a batch" in result.output


def test_a_torn_last_line_is_mended_wherever_it_was_cut(tmp_path: Path) -> None:
    given, out = write(tmp_path / "in", *({"id": name, "prompt": name} for name in "ab")), tmp_path / "out"
    with Server(echo) as server:
        run(*words(server, given, out, "--concurrency", 1))
        whole = out.read_bytes()
        first = whole.index(b"\n") + 1
        for size in (*range(first, first + 25), len(whole) - 2, len(whole) - 1):
            out.write_bytes(whole[:size])
            server.forget()
            assert run(*words(server, given, out)).exit_code == 0
            assert out.read_bytes()[:first] == whole[:first]
            assert {name: text_of(row) for name, row in rows_of(out).items()} == {"a": "A", "b": "B"}
            assert [said(request) for request in server.requests] == ["b"] * (size < len(whole) - 1)


def test_killed_at_any_moment_it_goes_on_without_loss_or_repetition(tmp_path: Path) -> None:
    report = killed_batch(tmp_path, rows=60, kills=3, seed=7)

    assert (report.code, report.wrong, report.asked_again) == (0, [], set())
    assert report.requests <= 60 + 3 * 4  # only what was under way


@pytest.mark.skipif(sys.platform == "win32", reason="nothing keeps them apart")
def test_two_batches_do_not_write_to_one_file(tmp_path: Path) -> None:
    given, out, gate = write(tmp_path / "in", "a"), tmp_path / "out", Event()
    with Server(lambda request: Reply([gate, *echo(request).pieces])) as server:
        first = start(*words(server, given, out))
        assert server.wait_until(lambda server: len(server.requests) == 1, 30.0)
        second = run(*words(server, given, out))
        gate.set()
        first.communicate()

    assert (first.returncode, second.exit_code) == (0, 2)
    assert "another batch is writing" in second.output
    assert [text_of(row) for row in rows_of(out).values()] == ["A"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_sees_how_far_it_is_and_nobody_else(tmp_path: Path) -> None:
    given = write(tmp_path / "in", "a", "b")
    with Server(echo) as server:
        quiet = run(*words(server, given, tmp_path / "quiet"))
        ours, theirs = os.openpty()
        command = [sys.executable, "-m", "g4fsdk.cli", *map(str, words(server, given, tmp_path / "out"))]
        assert subprocess.run(command, env=ENVIRONMENT, stdout=theirs, stderr=theirs).returncode == 0
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
        os.close(ours)

    assert quiet.output == f"g4fsdk: rows: 2; asked: 2; failed: 0; {tmp_path / 'quiet'}\n"
    assert "2/2" in shown
    assert "/min" in shown
