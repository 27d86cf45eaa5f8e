"""`g4fsdk cassette`: thin commands around the library of recordings."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from g4fsdk import Client
from g4fsdk.testing import Cassette
from tests.support.command_line import NORMAL, delta, openai_cassette, run, start
from tests.support.players import FOLDER

KEY = "sk-abcdefghijklmnopqrstuvwxyz"


def with_a_key() -> Cassette:
    cassette = openai_cassette(delta(content="x"))
    cassette.interactions[0].request.headers.append(("Authorization", f"Bearer {KEY}"))
    return cassette


def test_show_says_what_a_recording_holds() -> None:
    lines = run("cassette", "show", FOLDER / "openai" / "aimock-cut.yaml").stdout.splitlines()

    assert lines[0].endswith("aimock-cut.yaml")
    assert "provider: openai" in lines
    assert any(line.startswith("provenance: recorded from the real server software") for line in lines)
    assert lines[-2].split() == ["no", "method", "url", "status", "chunks", "bytes", "ms", "end"]
    assert lines[-1].split()[1:4] == ["POST", "https://api.openai.com/v1/chat/completions", "200"]
    assert lines[-1].split()[-1] == "truncated"


def test_show_tells_the_conversation_and_when_it_came(tmp_path: Path) -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    cassette = openai_cassette(
        delta(content="Hel"), delta(content="lo"), delta(tool_calls=[call]), user="Hi there"
    )
    cassette.interactions[0].response.at_ms = [10.0, 20.0, 300.0, 400.0]
    cassette.save(tmp_path / "a.yaml")

    lines = run("cassette", "show", tmp_path / "a.yaml").stdout.splitlines()

    assert [line for line in lines if line.startswith(("user", "assistant", "tool call"))] == [
        "user: Hi there",
        "assistant: Hello",
        'tool call: add({"a": 1})',
    ]
    marks = f" ..{' ' * 27}.{' ' * 8}."
    assert f"0  |{marks}| 4 chunks from 10 to 400 ms, complete" in lines


def test_show_tells_how_a_call_failed(tmp_path: Path) -> None:
    lines = run("cassette", "show", FOLDER / "openai" / "aimock-cut.yaml").stdout.splitlines()

    assert any(line.startswith("failed: IncompleteStreamError: ") for line in lines)


def test_show_as_json() -> None:
    document = json.loads(run("cassette", "show", NORMAL, "--json").stdout)

    assert document["metadata"]["call"]["messages"] == [{"role": "user", "content": "Question."}]
    assert [one["status"] for one in document["interactions"]] == [200]
    assert document["answer"]["choices"][0]["message"]["content"]


def test_show_of_a_recording_that_is_not_scrubbed_shows_no_key(tmp_path: Path) -> None:
    cassette = with_a_key()
    cassette.interactions[0].request.url += f"?api_key={KEY}"
    cassette.interactions.append(openai_cassette(done=False).interactions[0])
    cassette.save(tmp_path / "a.yaml")

    assert KEY not in run("cassette", "show", tmp_path / "a.yaml").stdout


def test_scrub_takes_secrets_out_and_says_where(tmp_path: Path) -> None:
    with_a_key().save(tmp_path / "a.yaml")

    result = run("cassette", "scrub", tmp_path / "a.yaml")

    assert result.exit_code == 0
    assert "interactions[0].request.headers.Authorization" in result.stdout.replace("'", "")
    assert result.stdout.endswith("a.yaml: 1 secrets taken out\n")
    assert KEY not in result.stdout + (tmp_path / "a.yaml").read_text()


def test_scrub_says_what_it_cannot_search_and_leaves(tmp_path: Path) -> None:
    cassette = with_a_key()
    cassette.interactions[0].request.headers.append(("Content-Encoding", "lzw"))
    cassette.interactions[0].request.body = b"\x8b\xff"
    cassette.save(tmp_path / "a.yaml")

    result = run("cassette", "scrub", tmp_path / "a.yaml")

    assert result.exit_code == 1
    assert "a.yaml: 1 secrets taken out\nleft as it is: interactions[0].request.body" in result.stdout
    assert "it can't be searched: unknown content coding 'lzw'" in result.stdout
    assert KEY not in (tmp_path / "a.yaml").read_text()


def test_scrub_can_write_elsewhere(tmp_path: Path) -> None:
    with_a_key().save(tmp_path / "a.yaml")

    result = run("cassette", "scrub", tmp_path / "a.yaml", "-o", tmp_path / "b.yaml", "--json")

    assert json.loads(result.stdout)["path"] == str(tmp_path / "b.yaml")
    assert len(json.loads(result.stdout)["scrubbed"]) == 1
    assert KEY in (tmp_path / "a.yaml").read_text()
    assert KEY not in (tmp_path / "b.yaml").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
@pytest.mark.parametrize("as_json", [False, True])
def test_serve_prints_its_address_and_runs_until_ctrl_c(tmp_path: Path, as_json: bool) -> None:
    openai_cassette(delta(content="x")).save(tmp_path / "a.yaml")
    process = start("cassette", "serve", tmp_path, *(["--json"] if as_json else []))
    assert process.stdout is not None

    line = process.stdout.readline()
    base_url = json.loads(line)["base_url"] if as_json else line.strip()
    with Client("openai", base_url=base_url, model="m") as client:
        texts = [client.chat.completions.stream("Hi").get_final_completion().text for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()

    assert texts == ["x", "x"]
    assert (process.returncode, said) == (0, "")


def test_a_folder_of_several_providers_has_only_a_root() -> None:
    process = start("cassette", "serve", FOLDER, "--json")
    assert process.stdout is not None

    addresses = json.loads(process.stdout.readline())
    os.kill(process.pid, signal.SIGINT)
    process.communicate()

    assert addresses["url"].startswith("http://127.0.0.1:")
    assert addresses["base_url"] is None


@pytest.mark.parametrize(
    "words",
    [
        ["show", "missing.yaml"],
        ["scrub", "missing.yaml"],
        ["serve", "missing"],
        ["serve", ".", "--pace", "x"],
    ],
)
def test_what_is_not_there_is_a_usage_error(words: list[str]) -> None:
    result = run("cassette", *words)

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)


def test_a_host_that_is_no_name_is_one_line() -> None:
    result = run("cassette", "serve", FOLDER / "yqcloud", "--host", "a..b")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "no address to listen at: 'a..b'" in result.stderr


def test_alone_it_prints_help() -> None:
    result = run("cassette")

    assert result.exit_code == 0
    assert all(f" {name} " in result.stdout for name in ("show", "check", "diff", "import", "scrub", "serve"))


def har(url: str = "https://api.binjie.fun/api/generateStream") -> dict[str, object]:
    headers = [{"name": "Authorization", "value": f"Bearer {KEY}"}]
    request = {"method": "POST", "url": url, "headers": headers, "postData": {"text": "{}"}}
    content = {"text": "Hello", "size": 5}
    response = {"status": 200, "statusText": "OK", "headers": [], "content": content}
    return {"log": {"entries": [{"request": request, "response": response}]}}


def test_a_har_file_becomes_a_recording_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "a.har").write_text(json.dumps(har()))

    result = run("cassette", "import", tmp_path / "a.har", "-o", tmp_path / "a.yaml")

    loaded = Cassette.load(tmp_path / "a.yaml")
    assert result.stdout.endswith("a.yaml: 1 interactions, " + loaded.metadata["provenance"] + "\n")
    assert loaded.metadata["provider"] == "yqcloud"
    assert loaded.interactions[0].response.body == b"Hello"
    assert KEY not in (tmp_path / "a.yaml").read_text()


def test_a_plain_cassette_gets_a_provider_and_a_provenance(tmp_path: Path) -> None:
    plain = openai_cassette(delta(content="x"))
    plain.metadata = {}
    plain.save(tmp_path / "a.yaml")

    result = run(
        "cassette", "import", tmp_path / "a.yaml", "-o", tmp_path / "b.yaml", "-p", "openai", "--json"
    )

    assert json.loads(result.stdout)["interactions"] == 1
    assert Cassette.load(tmp_path / "b.yaml").metadata == {
        "provider": "openai",
        "provenance": "recorded with vcrpy; chunk boundaries and times unknown",
    }


def test_a_file_that_cannot_be_imported_fails(tmp_path: Path) -> None:
    (tmp_path / "a.har").write_text(json.dumps(har("https://elsewhere.test/")))

    result = run("cassette", "import", tmp_path / "a.har", "-o", tmp_path / "a.yaml")

    assert result.exit_code == 1
    assert "name the provider" in result.stderr
    assert not (tmp_path / "a.yaml").exists()


def test_diff_of_equal_shapes_is_fine(tmp_path: Path) -> None:
    openai_cassette(delta(content="x")).save(tmp_path / "a.yaml")
    openai_cassette(delta(content="y"), delta(content="z")).save(tmp_path / "b.yaml")

    result = run("cassette", "diff", tmp_path / "a.yaml", tmp_path / "b.yaml")

    assert (result.exit_code, result.stdout) == (0, "no change\n")


def test_diff_says_what_changed_and_fails(tmp_path: Path) -> None:
    openai_cassette(delta(content="x")).save(tmp_path / "a.yaml")
    openai_cassette(delta(text="x")).save(tmp_path / "b.yaml")

    text = run("cassette", "diff", tmp_path / "a.yaml", tmp_path / "b.yaml")
    document = run("cassette", "diff", tmp_path / "a.yaml", tmp_path / "b.yaml", "--json")

    assert (text.exit_code, document.exit_code) == (1, 1)
    assert text.stdout.startswith("breaking: POST /v1/chat/completions: ")
    assert json.loads(document.stdout)[0]["file"] == "g4fsdk/providers/openai.py"


def test_diff_says_how_texts_and_calls_differ(tmp_path: Path) -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    openai_cassette(delta(content="Hello you"), user="Hi").save(paths[0])
    openai_cassette(delta(content="Hello me"), delta(tool_calls=[call]), user="Hi").save(paths[1])

    text = run("cassette", "diff", *paths, "--texts").stdout.splitlines()
    document = json.loads(run("cassette", "diff", *paths, "--texts", "--json").stdout)

    assert (
        text[:2]
        == document["texts"]
        == [
            "assistant: from character 6 on, was 'you' and is 'me'",
            "tool call: 'add({\"a\": 1})' is new",
        ]
    )
    assert document["changes"]


def test_diff_of_what_is_no_cassette_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("[]")

    assert run("cassette", "diff", tmp_path / "a.yaml", NORMAL).exit_code == 2


@pytest.mark.parametrize(
    ("words", "name"), [(["missing.yaml", NORMAL], "OLD"), ([NORMAL, "missing.yaml"], "NEW")]
)
def test_diff_says_which_recording_is_missing(words: list[object], name: str) -> None:
    result = run("cassette", "diff", *words)

    assert result.exit_code == 2
    assert f"'{name}'" in result.stderr
    assert "'missing.yaml'" in result.stderr


def test_check_of_our_recordings_is_fine() -> None:
    result = run("cassette", "check", NORMAL)

    assert (result.exit_code, result.stdout) == (0, "all is fine\n")


def test_check_says_what_is_wrong_and_fails(tmp_path: Path) -> None:
    with_a_key().save(tmp_path / "a.yaml")

    text = run("cassette", "check", tmp_path, "--max-age", 1)
    document = run("cassette", "check", tmp_path, "--max-age", 1, "--json")

    found = [(one["path"], one["kind"]) for one in json.loads(document.stdout)]
    assert (text.exit_code, document.exit_code) == (1, 1)
    assert found == [(str(tmp_path / "a.yaml"), kind) for kind in ("provenance", "age", "leak")]
    assert text.stdout.count("\n") == 3
    assert KEY not in text.stdout
