"""What is kept of chats, how it is read, and how one goes on."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from g4fsdk.cli._kept import log
from tests.support.command_line import ENVIRONMENT, delta, openai_cassette, run, start
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import answer, service, unfinished

KEY = "sk-a1b2c3d4e5f6a1b2c3d4e5f6"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this user, which is not there yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("G4FSDK_HOME", str(home))
    monkeypatch.setitem(ENVIRONMENT, "G4FSDK_HOME", str(home))
    monkeypatch.setattr(log, "_PATIENCE_S", 0.2)
    return home


def chat(server: Server, *words: object) -> str:
    """Ask a server, and return what was printed."""
    result = run("chat", "--base-url", f"{server.url}/v1", "-m", "m", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def read(*words: object) -> Any:
    """Return what a command of `logs` prints as JSON."""
    result = run("logs", *words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def sent(server: Server) -> list[list[tuple[str, str]]]:
    """Return the messages of each request of a server, as pairs of role and text."""
    bodies = [json.loads(request.body) for request in server.requests]
    return [[(one["role"], one["content"]) for one in body["messages"]] for body in bodies]


# --- Keeping and reading ---


def test_a_chat_is_kept_and_can_be_read() -> None:
    with Server(lambda _: answer("openai", "It is ", "Wien")) as server:
        chat(server, "Capital of Austria?", "--system", "Be brief.", "--option", "temperature=0.2")
        chat(server, "Größte Stadt?")
        [newest, oldest] = read()
        shown = run("logs", "show", oldest["id"][:6]).stdout

    assert (oldest["prompt"], newest["prompt"], newest["turns"]) == (
        "Capital of Austria?",
        "Größte Stadt?",
        1,
    )
    assert shown.splitlines()[-3:] == [
        "system: Be brief.",
        "user: Capital of Austria?",
        "assistant: It is Wien",
    ]
    [turn] = read("show", oldest["id"])["turns"]
    assert (turn["provider"], turn["model"], turn["base_url"]) == ("openai", "m", f"{server.url}/v1")
    assert (turn["options"], turn["error"], turn["answer"]) == ({"temperature": 0.2}, "", "It is Wien")
    assert turn["completion"]["choices"][0]["message"]["content"] == "It is Wien"
    assert [line.split()[0] for line in run("logs").stdout.splitlines()] == [
        "id",
        newest["id"][:8],
        oldest["id"][:8],
    ]


def test_turns_are_found_by_all_their_words_in_whatever_case() -> None:
    with Server(lambda _: answer("openai", "GRÖSSE ist nicht alles, und ein langer Satz")) as server:
        chat(server, "Frage eins")
        chat(server, "Frage zwei")

    assert [one["prompt"] for one in read("search", "größe", "frage")] == ["Frage zwei", "Frage eins"]
    assert [one["prompt"] for one in read("search", "Satz eins")] == ["Frage eins"]
    assert read("search", "-n", 1, "%") == read("search", "drei") == []
    assert "nicht alles" in run("logs", "search", "alles").stdout
    blank = run("logs", "search", " ")
    assert (blank.exit_code, blank.stderr) == (2, "g4fsdk: there is no word to search for\n")


def test_conversations_are_exported_a_line_each() -> None:
    with Server(lambda _: answer("openai", "Hello")) as server:
        chat(server, "Hi")
        chat(server, "-c", "Again")
        chat(server, "Another")
    first, second = map(json.loads, run("logs", "export").stdout.splitlines())

    assert [(one["role"], one["content"]) for one in first["messages"]] == [
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Again"),
        ("assistant", "Hello"),
    ]
    assert [one["id"] for one in read("export", second["id"][:8])] == [second["id"]]


def test_without_a_log_nothing_is_kept(folder: Path) -> None:
    with Server(lambda _: answer("openai", "Hello")) as server:
        chat(server, "--no-log", "Hi")
        run("config", "set", "defaults.log", "false")
        chat(server, "Hi")

    assert {path.name for path in folder.iterdir()} == {"config.toml"}
    assert "nothing is kept" in run("logs").stderr


def test_no_key_is_kept_and_the_file_is_for_the_user_alone(folder: Path) -> None:
    headers = json.dumps({"X-Api-Key": KEY})
    with Server(lambda request: answer("openai", f"Hello {request.headers['authorization']}")) as server:
        place = server.url.replace("://", "://me:password-of-mine@")
        words = ["--base-url", f"{place}/v1?api_key={KEY}", "--api-key", KEY, "-m", "m"]
        said = run("chat", *words, "--option", f"extra_headers={headers}", "Hi").stdout
        again = run("chat", "-c", "Hi")

    assert [path.name for path in folder.iterdir()] == ["logs.db"]
    assert stat.S_IMODE((folder / "logs.db").stat().st_mode) in (0o600, 0o666)  # the latter on Windows
    data = (folder / "logs.db").read_bytes()
    assert KEY in said
    assert b"Hello" in data
    assert KEY.encode() not in data
    assert b"password-of-mine" not in data
    assert "add --base-url" in again.stderr


def test_a_replay_is_kept_and_not_gone_on_with(saved: Any) -> None:
    path = saved(openai_cassette(delta(content="Hello")))
    run("chat", "--replay", path)

    assert [turn["replay"] for turn in read("show")["turns"]] == [str(path)]
    assert "no conversation to go on with" in run("chat", "-c", "Hi").stderr
    assert "leave out -c" in run("chat", "-c", "--replay", path).stderr


# --- Going on ---


def test_the_last_conversation_goes_on_where_it_was() -> None:
    with Server(lambda _: answer("openai", "Hello")) as server:
        chat(server, "Hi", "--system", "Be brief.")
        run("chat", "-c", "Again")
        run("chat", "--continue", "And again", "-m", "other")

    assert sent(server)[2] == [
        ("system", "Be brief."),
        *[("user", "Hi"), ("assistant", "Hello"), ("user", "Again"), ("assistant", "Hello")],
        ("user", "And again"),
    ]
    assert [json.loads(request.body)["model"] for request in server.requests] == ["m", "m", "other"]
    assert [one["turns"] for one in read()] == [3]


def test_an_earlier_conversation_goes_on_by_the_beginning_of_its_id() -> None:
    with Server(lambda _: answer("openai", "Hello")) as server:
        chat(server, "One")
        [first] = read()
        chat(server, "Two")
        run("chat", "--conversation", first["id"][:6], "Go on")

    assert sent(server)[-1] == [("user", "One"), ("assistant", "Hello"), ("user", "Go on")]
    assert read()[0]["id"] == first["id"]
    assert "there is no conversation 'x'" in run("chat", "--conversation", "x", "Hi").stderr
    assert "there is no conversation ''" in run("logs", "show", "").stderr


def test_the_beginning_of_several_ids_is_not_enough() -> None:
    for name in ("ab1", "ab2"):
        log.Log().add(log.Turn("2026-01-01T00:00:00+00:00", 1, []), "", None, name)

    result = run("logs", "show", "ab")

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "several conversations begin with 'ab'" in result.stderr


def test_an_endpoint_is_asked_again_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "key-of-mine")
    with Server(lambda _: answer("openai", "Hello")) as server:
        run("config", "set", "endpoints.mine.base_url", f"{server.url}/v1")
        run("config", "set", "endpoints.mine.api_key_env", "MINE")
        run("config", "set", "endpoints.other.base_url", f"{server.url}/other")
        run("config", "set", "endpoints.other.model", "n")
        run("chat", "-e", "mine", "-m", "m", "Hi")
        run("chat", "-c", "Again")
        run("chat", "-c", "-e", "other", "And again")

    first, second, third = server.requests
    assert first.headers["authorization"] == second.headers["authorization"] == "Bearer key-of-mine"
    assert (third.target.split("/")[1], json.loads(third.body)["model"]) == ("other", "n")
    assert len(sent(server)[2]) == 5


def test_a_conversation_that_a_server_keeps_is_gone_on_with_there() -> None:
    with Server(service("cohere-c4ai", answer("cohere-c4ai", "One"), answer("cohere-c4ai", "Two"))) as server:
        words = ["-p", "cohere-c4ai", "--base-url", server.url]
        assert run("chat", *words, "Hi").stdout == "One\n"
        assert run("chat", "-c", "Again").stdout == "Two\n"

    assert [request.target for request in server.requests].count("/conversation") == 1
    assert "cookie-of-a-session" in server.requests[-1].headers["cookie"]
    assert "cookie-of-a-session" not in run("logs", "export").stdout + run("logs", "show", "--json").stdout


def test_another_provider_is_told_all_of_it() -> None:
    with (
        Server(lambda _: answer("yqcloud", "One")) as first,
        Server(lambda _: answer("openai", "Two")) as other,
    ):
        run("chat", "-p", "yqcloud", "--base-url", first.url, "Hi")
        result = run("chat", "-c", "--base-url", f"{other.url}/v1", "-m", "m", "Again")

    assert result.stdout == "Two\n", result.stderr
    assert sent(other) == [[("user", "Hi"), ("assistant", "One"), ("user", "Again")]]


# --- What broke off ---


def test_what_came_of_a_broken_answer_is_kept_and_gone_on_with() -> None:
    script = [unfinished("openai", "Hel", end="fin"), answer("openai", "Hello")]
    with Server(script) as server:
        result = run("chat", "--base-url", f"{server.url}/v1", "-m", "m", "--retries", 1, "Hi")
        run("chat", "-c", "Go on")

    [first, second] = read("show")["turns"]
    assert (result.exit_code, result.stdout, first["answer"]) == (1, "Hel\n", "Hel")
    assert "broke in mid-answer" in first["error"]
    assert sent(server)[1] == [("user", "Hi"), ("assistant", "Hel"), ("user", "Go on")]
    assert second["error"] == ""


def test_a_question_that_nobody_answered_is_kept_and_not_told_again() -> None:
    with Server([answer("openai", "Hello"), Reply(status=400), answer("openai", "Hello")]) as server:
        chat(server, "Hi")
        refused = run("chat", "-c", "Again")
        run("chat", "-c", "Once more")

    assert refused.exit_code == 1
    assert sent(server)[2] == [("user", "Hi"), ("assistant", "Hello"), ("user", "Once more")]
    assert [bool(turn["error"]) for turn in read("show")["turns"]] == [False, True, False]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals to send")
@pytest.mark.parametrize(("name", "code", "why"), [
    ("SIGINT", 130, "interrupted"),
    ("SIGTERM", 143, "the command was ended"),
    ("SIGHUP", 129, "the command was ended"),
])  # fmt: skip
def test_a_signal_keeps_what_came(name: str, code: int, why: str) -> None:
    with Server(unfinished("openai", "Hel", Event(), end="hold")) as server:
        process = start("chat", "--base-url", f"{server.url}/v1", "-m", "m", "Hi")
        assert process.stdout is not None
        assert process.stdout.read(3) == "Hel"
        process.send_signal(getattr(signal, name))
        said = process.communicate(timeout=60)

    assert (process.returncode, said) == (code, ("\n", ""))
    [turn] = read("show")["turns"]
    assert (turn["answer"], turn["error"]) == ("Hel", why)


def test_what_was_asked_wrongly_is_not_kept(folder: Path) -> None:
    run("chat", "-p", "yqcloud", "--option", "seed=1", "Hi")

    assert not folder.exists()


# --- A log that can't be written ---


def broken(folder: Path) -> None:
    folder.mkdir()
    (folder / "logs.db").write_bytes(b"no database" * 1000)


def newer(folder: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / "logs.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def no_file(folder: Path) -> None:
    (folder / "logs.db").mkdir(parents=True)


@pytest.mark.parametrize(("spoil", "said"), [
    (broken, "logs.db: file is not a database"),
    (newer, "logs.db was written by a newer g4fsdk"),
    (no_file, "logs.db: Is a directory"),
])  # fmt: skip
def test_a_log_that_cannot_be_written_costs_a_line_and_no_answer(spoil: Any, said: str, folder: Path) -> None:
    spoil(folder)
    with Server(lambda _: answer("openai", "Hello")) as server:
        result = run("chat", "--base-url", f"{server.url}/v1", "-m", "m", "Hi")
    listed = run("logs")

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (0, "Hello\n", 1)
    assert result.stderr.startswith("g4fsdk: this is not kept: ")
    assert said in result.stderr
    assert (listed.exit_code, listed.stderr.count("\n")) == (1, 1)


def test_a_log_that_another_process_holds_costs_a_line_and_no_answer(folder: Path) -> None:
    with Server(lambda _: answer("openai", "Hello")) as server:
        chat(server, "Hi")
        holder = sqlite3.connect(folder / "logs.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        result = run("chat", "--base-url", f"{server.url}/v1", "-m", "m", "Hi")
        holder.close()

    assert (result.exit_code, result.stdout) == (0, "Hello\n")
    assert result.stderr.endswith("logs.db: database is locked\n")


def test_processes_that_write_at_once_lose_nothing() -> None:
    with Server(lambda _: answer("openai", "Hello")) as server:
        words = ["chat", "--base-url", f"{server.url}/v1", "-m", "m", "Hi"]
        processes = [start(*words) for _ in range(4)]
        said = [process.communicate(timeout=60) for process in processes]

    assert said == [("Hello\n", "")] * 4
    assert len(read()) == 4
