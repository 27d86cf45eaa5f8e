"""`g4fsdk chat`: what goes in, what comes out, and where."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import Result

from g4fsdk import Completion, Image, TextDelta
from g4fsdk._core.model.completions import Choice
from g4fsdk._core.model.messages import AssistantMessage
from g4fsdk.cli import chat as chat_command
from g4fsdk.cli._chat.show import Style, TextPrinter, show_completion
from g4fsdk.cli._terminal import output
from g4fsdk.cli._words import question
from g4fsdk.cli._words.question import read_prompt
from g4fsdk.testing import Cassette, ReplayServer
from tests.support.command_line import ANSWER, NORMAL, delta, openai_cassette, replay, run
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import answer


def ask_server(cassette: Cassette, *words: object, stdin: str | bytes | None = None) -> Result:
    with ReplayServer(cassette) as server:
        return run("chat", "--base-url", server.base_url, "-m", "m", *words, stdin=stdin)


def test_json_is_one_object_an_event() -> None:
    lines = replay("yqcloud/paced", "--json").stdout.splitlines()
    events = [json.loads(line) for line in lines]

    assert events[0] == {"type": "TextDelta", "text": "Hello", "choice": 0}
    assert "".join(event.get("text", "") for event in events) + "\n" == ANSWER
    assert {"type": "Finish", "reason": "stop", "choice": 0} in events
    assert events[-1]["type"] in ("Finish", "ConversationEvent")


def test_json_without_streaming_is_one_document() -> None:
    document = json.loads(replay("openai/aimock-tools", "--json", "--no-stream").stdout)

    call = document["choices"][0]["message"]["tool_calls"][0]
    assert call["function"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    assert document["conversation"]["provider"] == "openai"
    assert document["text"] == ""


def test_an_answer_that_breaks_off_stays_on_stdout() -> None:
    result = replay("yqcloud/truncate")

    assert result.exit_code == 1
    assert ANSWER.startswith(result.stdout.removesuffix("\n"))
    assert result.stdout.endswith("\n")
    assert result.stderr.splitlines()[-1].startswith("g4fsdk: yqcloud: the connection broke in mid-answer")


def test_a_service_that_says_no_is_one_line() -> None:
    result = replay("autonomous/status-404")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[1].startswith("g4fsdk: autonomous: 404")
    assert len(result.stderr.splitlines()) == 2


def test_reasoning_goes_to_stderr_when_asked_for(saved: Any) -> None:
    path = saved(openai_cassette(delta(reasoning_content="Hm."), delta(content="Yes"), delta(content="!")))

    silent, loud = run("chat", "--replay", path), run("chat", "--replay", path, "--show-reasoning")

    assert (silent.stdout, loud.stdout) == ("Yes!\n", "Yes!\n")
    assert "Hm." not in silent.stderr
    assert loud.stderr.endswith("Hm.\n")


def test_tool_calls_are_printed_as_json_lines(saved: Any) -> None:
    call = {"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}
    path = saved(openai_cassette(delta(content="Let me see"), delta(tool_calls=[call])))

    assert run("chat", "--replay", path).stdout == 'Let me see\n{"name":"f","arguments":"{}"}\n'


def test_a_refusal_is_said_on_stderr_and_fails(saved: Any) -> None:
    result = run("chat", "--replay", saved(openai_cassette(delta(refusal="I would rather not"))))

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("g4fsdk: the model refused: I would rather not\n")


@pytest.mark.parametrize("reasoning", [None, "Hm."])
def test_a_whole_answer_is_text_with_a_line_end(
    reasoning: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    message = AssistantMessage(content="Yes", reasoning=reasoning)

    show_completion(Completion(choices=[Choice(message=message)]), Style(show_reasoning=True))

    assert capsys.readouterr() == ("Yes\n", f"{reasoning}\n" if reasoning else "")


@pytest.mark.parametrize(
    ("final", "printed"),
    [("Yes, it is", "Yes, it is\n"), ("No", "Yes,\n")],
    ids=["goes on", "differs"],
)
def test_the_whole_answer_of_the_service_is_printed_where_it_goes_on(
    final: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image = Image(url="http://img.test/1")
    completion = Completion(choices=[Choice(message=AssistantMessage(content=final, images=[image]))])

    with TextPrinter(Style()) as printer:
        printer.show(TextDelta("Yes,"))
        printer.complete(completion)

    assert capsys.readouterr().out == f"{printed}http://img.test/1\n"


def test_only_the_first_of_several_answers_is_printed(saved: Any) -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "two"}}]}
    path = saved(openai_cassette(delta(content="one"), other, n=2))

    assert run("chat", "--replay", path).stdout == "one\n"


@pytest.mark.parametrize(
    ("words", "stdin", "sent"),
    [
        pytest.param(["Hi"], None, "Hi", id="prompt"),
        pytest.param([], "from a file\n", "from a file", id="stdin"),
        pytest.param(["Summarise"], "line 1\nline 2\n", "Summarise\n\nline 1\nline 2", id="both"),
        pytest.param(["Hi"], "\n", "Hi", id="empty stdin"),
        pytest.param([], b"\xef\xbb\xbfbom", "bom", id="byte order mark"),
    ],
)
def test_the_prompt_comes_from_the_line_and_from_stdin(
    words: list[str], stdin: str | bytes | None, sent: str
) -> None:
    result = ask_server(openai_cassette(delta(content="Good"), user=sent), *words, stdin=stdin)

    assert (result.exit_code, result.stdout, result.stderr) == (0, "Good\n", "")


def test_options_are_json_or_text() -> None:
    cassette = openai_cassette(delta(content="x"), stop=["a", "b"], temperature=0.2, user="Hi")
    cassette.interactions[0].request.body = (
        b'{"model":"m","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"}],'
        b'"stream":true,"temperature":0.2,"stop":["a","b"],"reasoning_effort":"low"}'
    )
    options = ["temperature=0.2", 'stop=["a","b"]', "reasoning_effort=low"]

    result = ask_server(
        cassette, "Hi", "--system", "Be kind.", *(word for one in options for word in ("--option", one))
    )

    assert (result.exit_code, result.stdout) == (0, "x\n"), result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param([], "say whom to ask: -p yqcloud", id="nobody"),
        pytest.param(["-p", "yqcloud"], "there is no prompt", id="no prompt"),
        pytest.param(["-p", "nope", "Hi"], "unknown provider 'nope'; known: cohere-c4ai", id="provider"),
        pytest.param(["-m", "nope", "Hi"], "no provider lists the model 'nope'", id="model"),
        pytest.param(["-p", "yqcloud", "-m", "x", "Hi"], "unknown model 'x' of yqcloud", id="its model"),
        pytest.param(
            ["-p", "amigo", "-m", "gpt-4oo", "Hi"], "; known: gpt-4o, ", id="models of a name alike"
        ),
        pytest.param(["-p", "yqcloud", "--option", "seed", "Hi"], "NAME=VALUE", id="option"),
        pytest.param(
            ["--base-url", "http://127.0.0.1:9/v1", "Hi"],
            "add -m NAME; `g4fsdk models --base-url http://127.0.0.1:9/v1` lists them",
            id="a model of its own",
        ),
        pytest.param(["-p", "openai", "Hi"], "add -m NAME; `g4fsdk models -p openai`", id="no model"),
        pytest.param(["-p", "yqcloud", "--option", "model=x", "Hi"], "use --model", id="not an option"),
        pytest.param(
            ["-p", "yqcloud", "--option", "seed=1", "Hi"], "no options); leave it out\n", id="unsupported"
        ),
        pytest.param(
            ["--base-url", "nonsense", "-m", "x", "Hi"],
            "(--base-url, or G4FSDK_BASE_URL) must begin with",
            id="address",
        ),
        pytest.param(["--base-url", "http://x/#a", "-m", "x", "Hi"], "--base-url may hold no", id="fragment"),
        pytest.param(["-e", "new", "Hi"], "`g4fsdk config set endpoints.new.base_url URL`", id="endpoint"),
        pytest.param(["--replay", "demo", "--pace", "slow"], "--pace takes instant", id="pace"),
        pytest.param(["--replay", "demo", "--pace", "nan"], "--pace takes instant", id="pace that is none"),
        pytest.param(["--replay", "missing.yaml"], "missing.yaml: No such file", id="no such recording"),
        pytest.param(["--timeout", "0", "Hi"], "--timeout", id="timeout"),
        pytest.param(["--bogus"], "--bogus", id="unknown"),
    ],
)
def test_a_usage_error_is_one_line(words: list[str], said: str) -> None:
    result = run("chat", *words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.startswith("g4fsdk: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "path", "said"),
    [
        (401, "/v1", "check the key (--api-key, or G4FSDK_API_KEY)"),
        (404, "/v1", "check --base-url and -m\n"),
        (404, "", "check --base-url and -m; most servers want /v1 behind the address"),
        (302, "", "'http://127.0.0.1:9/'; set --base-url to the right address"),
    ],
)
def test_a_refusal_says_what_to_type(status: int, path: str, said: str) -> None:
    with Server(Reply(status=status, headers=[("Location", "http://127.0.0.1:9/")])) as server:
        result = run("chat", "--base-url", f"{server.url}{path}", "-m", "m", "Hi")

    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


def test_an_address_where_nobody_answers_says_what_to_type() -> None:
    with Server(Reply()) as server:
        nobody = server.url

    result = run("chat", "--base-url", f"{nobody}/v1", "-m", "m", "--retries", 1, "Hi")

    assert result.stderr.endswith("check the address (--base-url), the network and any proxy\n")


def test_a_clock_says_what_to_type() -> None:
    with Server(Reply(pause_s=1)) as server:
        result = run(
            "chat", "--base-url", f"{server.url}/v1", "-m", "m", "--timeout", 0.2, "--retries", 1, "Hi"
        )

    assert result.stderr.endswith("raise --timeout\n")


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        pytest.param(["-p", "nope", "Hi"], "UsageError", 2, id="usage"),
        pytest.param(["--bogus"], "NoSuchOption", 2, id="command line"),
        pytest.param(["--replay", "missing.yaml"], "FileNotFoundError", 2, id="file"),
        pytest.param(["--replay", NORMAL, "Other."], "MismatchError", 1, id="several lines"),
    ],
)
def test_a_failure_is_json_where_json_is_wanted(words: list[object], kind: str, code: int) -> None:
    result = run("chat", "--json", *words)
    error = json.loads(result.stderr.splitlines()[-1])["error"]

    assert (result.exit_code, error["type"], bool(error["message"])) == (code, kind, True)


def test_a_terminal_is_not_read_for_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())

    assert read_prompt("Hi") == "Hi"


def test_stdin_that_is_no_text_is_a_usage_error() -> None:
    result = run("chat", "-p", "yqcloud", stdin=b"\xff")

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "stdin is not UTF-8 text" in result.stderr


def test_stdin_that_no_model_takes_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question, "MAX_PIPED", 1 << 20)

    result = run("chat", "-p", "yqcloud", stdin=b"a" * ((1 << 20) + 1))

    assert result.exit_code == 2
    assert result.stderr == "g4fsdk: stdin is too large: a text may have 1 MiB\n"


def test_openai_is_asked_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda _: answer("openai", "Hello")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
        monkeypatch.setenv("G4FSDK_MODEL", "llama3.2")
        results = [run("chat", "Hi"), run("chat", "-p", "openai", "Hi"), run("chat", "-m", "gpt-4", "Hi")]

    assert [result.stdout for result in results] == ["Hello\n"] * 3
    assert {request.headers["authorization"] for request in server.requests} == {
        "Bearer sk-of-the-environment"
    }
    assert [b"llama3.2" in request.body for request in server.requests] == [True, True, False]


def test_a_key_of_the_environment_goes_to_no_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    with Server(lambda _: answer("openai", "Hello")) as server:
        result = run("chat", "--base-url", f"{server.url}/v1", "-m", "m", "Hi")

    assert result.stdout == "Hello\n"
    assert "authorization" not in server.requests[0].headers


def test_ctrl_c_is_130_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(chat_command, "ask", interrupted)

    result = run("chat", "-p", "yqcloud", "Hi")

    assert (result.exit_code, result.output) == (130, "")


def test_a_terminal_gets_control_codes_spelt_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    output.write("a\x1b]52;c;x\x07b\tc\r\n\x9b31m \u202eevil\u2069")

    assert capsys.readouterr().out == r"a\u001b]52;c;x\u0007b" + "\tc\n" + r"\u009b31m \u202eevil\u2069"
