"""`g4fsdk capture`: a program runs, and what its clients did is written for a bug report."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from g4fsdk import Client, Ids, Message
from g4fsdk.cli.capture import run_program
from g4fsdk.providers import OpenAI, Yqcloud
from g4fsdk.testing import Cassette, Recorder, ReplayServer
from g4fsdk.testing._record import capture as _capture
from g4fsdk.testing._record.capture import CAPTURE, CaptureRecorder, merged, transport_from_environment
from tests.support.command_line import delta, openai_cassette, run, start
from tests.support.loopback import Server
from tests.support.loopback_clients import unfinished

KEY = "sk-abcdefghijklmnopqrstuvwxyz"
PROGRAM = """
import sys
from g4fsdk import Client

client = Client("openai", base_url=sys.argv[1], api_key=sys.argv[2])
for chunk in client.chat.completions.create([{"role": "user", "content": "Hi"}], model="m", stream=True):
    pass
raise SystemExit("it did not work")
"""

WORKERS = """
import multiprocessing, sys
from g4fsdk import Client

def ask():
    client = Client("openai", base_url=sys.argv[1], api_key=sys.argv[2])
    for chunk in client.chat.completions.create([{"role": "user", "content": "Hi"}], model="m", stream=True):
        pass

if __name__ == "__main__":
    worker = multiprocessing.get_context(sys.argv[3]).Process(target=ask)
    worker.start()
    worker.join()
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The words of a program that asks a server, and fails."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    path = tmp_path / "script.py"
    path.write_text(PROGRAM)
    with ReplayServer(openai_cassette(delta(content="x"))) as server:
        yield [sys.executable, str(path), server.base_url, KEY]


def test_a_failing_program_leaves_a_recording_that_plays_again(program: list[str], tmp_path: Path) -> None:
    output = tmp_path / "bug.yaml"

    result = run("capture", "-o", output, "--", *program)

    assert (result.exit_code, result.stdout) == (1, "")  # the program's
    assert "requests recorded: 1; the program's exit code: 1" in result.stderr
    assert f"attach to a bug report: {output}" in result.stderr
    assert f"g4fsdk chat --replay {output}" in result.stderr
    assert KEY not in output.read_text()
    assert run("chat", "--replay", output).stdout == "x\n"


@pytest.mark.parametrize("how", multiprocessing.get_all_start_methods())
def test_what_workers_ask_is_recorded_however_they_are_started(
    program: list[str], tmp_path: Path, how: str
) -> None:
    Path(program[1]).write_text(WORKERS)

    result = run("capture", "-o", tmp_path / "bug.yaml", "--", *program, how)

    assert "requests recorded: 1; the program's exit code: 0" in result.stderr


@pytest.mark.parametrize(("deltas", "code"), [([delta(content="y")], 0), ([delta(text="x")], 1)])
def test_a_capture_is_compared(
    program: list[str], tmp_path: Path, deltas: list[dict[str, object]], code: int
) -> None:
    openai_cassette(*deltas).save(tmp_path / "old.yaml")

    result = run("capture", "-o", tmp_path / "new.yaml", "--against", tmp_path / "old.yaml", "--", *program)

    assert result.exit_code == code, result.output
    assert (tmp_path / "new.yaml").exists()


def test_a_program_without_clients_records_nothing(tmp_path: Path) -> None:
    result = run("capture", "-o", tmp_path / "bug.yaml", "--", sys.executable, "-c", "raise SystemExit(3)")

    assert result.exit_code == 3
    assert "nothing is written; the program's exit code: 3" in result.stderr
    assert not (tmp_path / "bug.yaml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(
            ["--", "no-such-program-at-all"], "'no-such-program-at-all' cannot be run", id="program"
        ),
        pytest.param([], "COMMAND", id="nothing"),
        pytest.param(["--against", "missing.yaml", "--", "true"], "missing.yaml", id="against"),
        pytest.param(["-o", ".", "--", "false"], "it is a folder: name a file", id="no place"),
    ],
)
def test_what_cannot_be_captured_is_a_usage_error(words: list[str], said: str) -> None:
    result = run("capture", *words)

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert said in result.stderr


@pytest.mark.parametrize("before", [["--"], []], ids=["marked", "unmarked"])
def test_a_command_of_ours_can_be_captured(before: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def run_program(command: list[str], _: object) -> int:
        seen.append(command)
        return 0

    monkeypatch.setattr("g4fsdk.cli.capture.run_program", run_program)

    run("capture", *before, "chat", "Hi", "-p", "yqcloud")

    assert seen == [[sys.executable, "-m", "g4fsdk", "chat", "Hi", "-p", "yqcloud"]]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_is_for_the_program() -> None:
    code = "import os, signal; os.kill(os.getppid(), signal.SIGINT); raise SystemExit(5)"

    assert run_program([sys.executable, "-c", code], os.environ) == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nobody_captures_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CAPTURE, raising=False)

    assert transport_from_environment() is None


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CaptureRecorder:
    monkeypatch.setenv(CAPTURE, str(tmp_path))
    monkeypatch.setattr(_capture, "_recorders", {})
    monkeypatch.setattr("atexit.register", lambda *_: None)
    found = transport_from_environment()
    assert found is not None
    assert transport_from_environment() is found
    return found


def test_each_call_has_ids_of_its_own_that_its_seed_makes_again(recorder: CaptureRecorder) -> None:
    ids = recorder.new_ids()
    calls = [ids.child(number) for number in range(3)]

    for call in calls:
        recorder.note_call(Yqcloud(), {}, call)
        seed = recorder.metadata["ids_seed"]
        assert Ids.seeded(seed).child(1).uuid("x") == call.child(1).uuid("x")
    assert len({call.uuid("x") for call in [*calls, recorder.new_ids().child(0)]}) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to send")
def test_a_program_that_is_told_to_end_is_recorded(tmp_path: Path) -> None:
    with Server(unfinished("openai", "Hel", Event(), end="hold")) as server:
        asking = ["chat", "--base-url", f"{server.url}/v1", "-m", "m", "Hi"]
        process = start("capture", "-o", tmp_path / "bug.yaml", "--", *asking)
        assert process.stdout is not None
        assert process.stdout.read(3) == "Hel"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert process.returncode == 143
    assert b"Hel" in Cassette.load(tmp_path / "bug.yaml").interactions[0].response.body


def test_the_last_call_is_kept_as_plain_data(recorder: CaptureRecorder) -> None:
    ids = recorder.new_ids()
    messages = (Message("user", "Hi"),)
    last = ids.child(1)

    recorder.note_call(OpenAI(), {}, ids.child(0))
    recorder.note_call(OpenAI(base_url="http://a.test/v1"), {"messages": messages, "model": ""}, last)
    recorder.note_call(Yqcloud(), {"messages": "a retry"}, last.child(1))

    kept = {name: recorder.metadata[name] for name in ("provider", "base_url", "call")}
    assert kept == {
        "provider": "openai",
        "base_url": "http://a.test/v1",
        "call": {"messages": [{"role": "user", "content": "Hi"}]},
    }
    assert json.dumps(kept)


def test_what_the_processes_recorded_is_put_together(tmp_path: Path) -> None:
    for number, call in enumerate([None, {"messages": "last"}, None]):
        cassette = openai_cassette(delta(content=str(number)))
        cassette.metadata = {"call": call} if call else {}
        cassette.save(tmp_path / f"{9 - number}.yaml")
        os.utime(tmp_path / f"{9 - number}.yaml", (number, number))
    Cassette([], {"call": {"messages": "nothing sent"}}).save(tmp_path / "1.yaml")

    found = merged(tmp_path)

    texts = [json.loads(one.response.chunks[0][6:])["choices"][0]["delta"] for one in found.interactions]
    assert texts == [{"content": "0"}, {"content": "1"}, {"content": "2"}]
    assert found.metadata == {"call": {"messages": "last"}}


def test_a_recording_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    _capture._write(os.getpid(), Recorder(tmp_path / "file" / "a.yaml"))
    _capture._write(os.getpid() + 1, Recorder(tmp_path / "a.yaml"))  # a fork ends: not its recorder

    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "a.yaml").exists()


def test_a_client_takes_the_recorder(recorder: CaptureRecorder) -> None:
    with ReplayServer(openai_cassette(delta(content="x"))) as server:
        client = Client("openai", base_url=server.base_url, transport=recorder)
        assert client.chat.completions.stream("Hi", model="m").get_final_completion().text == "x"
        client.close()
