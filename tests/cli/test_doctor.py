"""`g4fsdk doctor`: what it finds at services that are well, and at those that are not."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from g4fsdk.cli import examined
from g4fsdk.cli._words.target import Place, Target
from g4fsdk.providers import PROVIDERS
from g4fsdk.testing import Cassette, Fault, Interaction, ReplayServer
from tests.support.command_line import NORMAL, run
from tests.support.loopback import PATIENCE_S, TLS_CERT, Received, Reply, Server
from tests.support.loopback_clients import answer, as_json, media
from tests.support.players import FOLDER

NAMES = ("cohere-c4ai/single-turn-english", "autonomous/normal", "yqcloud/normal", "amigo/normal")
ANY: Any = ("method", "url")
Found = dict[str, Any]


def look(url: str, *words: object, provider: str = "openai", code: int) -> Found:
    """Examine *provider* at *url*; return what was found, whose exit code must be *code*."""
    model = ("-m", "gpt-4o") if provider == "openai" else ()
    result = run("doctor", provider, "--base-url", url, *model, "--json", *words)
    assert result.exit_code == code, result.output
    [found] = json.loads(result.stdout)
    return dict(found)


@pytest.mark.parametrize("name", NAMES)
def test_whoever_answers_as_recorded_is_fine(name: str) -> None:
    provider = name.partition("/")[0]
    with ReplayServer(FOLDER / f"{name}.yaml", match_on=ANY) as server:
        found = look(server.base_url, "--cassettes", FOLDER / provider, provider=provider, code=0)

    token = found.pop("first_token_ms")
    assert found == {
        "provider": provider,
        "url": server.base_url,
        "proxy": None,
        "reachable": True,
        "challenge": False,
        "shape": "as recorded",
        "certificate": None,
        "findings": [],
        "notes": [],
    }
    assert 0 <= token < PATIENCE_S * 1000


@pytest.mark.parametrize(("fault", "words", "expected"), [
    pytest.param(Fault.challenge(), "Just a moment", {"challenge": True, "reachable": True}, id="challenge"),
    pytest.param(Fault.status(503, times=None), "503", {"challenge": False, "reachable": True}, id="down"),
    pytest.param(Fault.reset(at_byte=0), "connection broke", {"reachable": True}, id="reset"),
    pytest.param(Fault.stall(at_byte=0, seconds=60), "raise --timeout", {"first_token_ms": None}, id="stall"),
])  # fmt: skip
def test_what_is_wrong_is_said(fault: Fault, words: str, expected: Found) -> None:
    with ReplayServer(NORMAL, match_on=ANY, faults=[fault]) as server:
        found = look(server.base_url, "--timeout", 1, provider="yqcloud", code=1)

    assert words in found["findings"][0]
    assert {name: found[name] for name in expected} == expected
    assert found["shape"] is None


def test_who_cannot_be_reached_is_said() -> None:
    with Server([]) as server:
        url = server.url
    found = look(url, provider="yqcloud", code=1)

    assert (found["reachable"], len(found["findings"])) == (False, 1)


def recorded(*events: Found) -> Reply:
    pieces = [b"data: " + as_json(event) + b"\n\n" for event in events]
    return Reply([*pieces, b"data: [DONE]\n\n"], headers=media("openai"))


def test_drift_is_found_and_what_is_only_new_is_told(tmp_path: Path) -> None:
    said = {"choices": [{"index": 0, "delta": {"content": "ready"}, "finish_reason": None}]}
    stop = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    base = Cassette.load(FOLDER / "openai" / "llama-server-stream.yaml")
    known = Interaction(base.interactions[0].request, base.interactions[0].response)
    Cassette([known], base.metadata).save(tmp_path / "known.yaml")
    with Server([recorded({**said, "mood": "fine"}, stop)]) as server:
        found = look(f"{server.url}/v1", "--cassettes", tmp_path, code=1)

    assert found["shape"] == "changed"
    assert any("no longer have `model`" in text for text in found["findings"])
    assert [text for text in found["notes"] if "`mood`" in text]


def test_a_provider_without_a_recording_is_read_only() -> None:
    with Server([answer("openai", "ready")]) as server:
        found = look(f"{server.url}/v1", "--cassettes", NORMAL, code=0)

    assert (found["shape"], len(found["notes"])) == ("as read", 1)


def test_the_certificate_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_CERT))
    with Server(lambda _: answer("openai", "ready"), tls=True) as server:
        found = look(f"{server.url}/v1", code=0)
        shown = run("doctor", "openai", "--base-url", f"{server.url}/v1", "-m", "m").stdout
        monkeypatch.setattr(examined, "_ENDS_SOON_DAYS", found["certificate"]["days_left"] + 1)
        late = look(f"{server.url}/v1", code=1)

    assert found["certificate"]["issuer"] == "a server of the tests"
    assert found["certificate"]["days_left"] > 365
    assert f"a server of the tests, {found['certificate']['days_left']} days" in shown
    assert late["findings"] == ["its certificate ends on 2126-11-04"]


def test_a_certificate_that_nobody_trusts_is_found() -> None:
    with Server([], tls=True) as server:
        found = look(f"{server.url}/v1", code=1)

    assert "self-signed certificate" in found["findings"][0]
    assert not found["reachable"]


def test_the_proxy_is_named_without_its_password() -> None:
    with Server(lambda _: answer("openai", "ready")) as proxy:
        address = proxy.url.replace("://", "://me:hunter2@")
        found = look("http://service.test/v1", "--proxy", address, code=0)

    assert found["proxy"].startswith("http://")
    assert found["proxy"].endswith(str(proxy.port))
    assert "hunter2" not in found["proxy"]


async def test_all_are_asked_at_once_and_once() -> None:
    together = threading.Barrier(2)

    def reply(request: Received) -> Reply:
        together.wait(PATIENCE_S)
        return answer("openai", "ready")

    with Server(reply) as one, Server(reply) as other:
        targets = [Target((Place("openai", f"{server.url}/v1"),), "m") for server in (one, other)]
        found = await examined.examine_all(targets, PATIENCE_S, None)

    assert [each.findings for each in found] == [[], []]
    assert [len(server.requests) for server in (one, other)] == [1, 1]


def test_people_get_a_table_and_the_findings_below() -> None:
    with ReplayServer(NORMAL, match_on=ANY, faults=[Fault.challenge()]) as server:
        result = run("doctor", "yqcloud", "--base-url", server.base_url)

    head, row, finding = result.stdout.splitlines()
    assert head.split()[:4] == ["provider", "fine", "reachable", "challenge"]
    assert row.split() == ["yqcloud", "no", "yes", "yes"]
    assert finding.startswith("yqcloud: 403")


@pytest.mark.parametrize(("words", "said"), [
    pytest.param(["nobody"], "unknown provider 'nobody'", id="provider"),
    pytest.param(["yqcloud", "-m", "none"], "unknown model", id="model"),
    pytest.param(["openai"], "say which model", id="no model"),
    pytest.param(["yqcloud", "amigo", "--base-url", "http://x.test"], "one provider", id="base URL of two"),
    pytest.param(["yqcloud", "--cassettes", "."], "no cassette in this folder", id="no recordings"),
])  # fmt: skip
def test_what_cannot_be_asked_is_a_usage_error(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("G4FSDK_MODEL", "OPENAI_API_KEY", "G4FSDK_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    result = run("doctor", *words)

    assert result.exit_code == 2
    assert said in result.stderr


def test_without_names_all_that_work_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Target] = []

    async def note(targets: list[Target], *_: object) -> list[Any]:
        await asyncio.sleep(0)
        asked.extend(targets)
        return []

    monkeypatch.setattr(examined, "examine_all", note)
    monkeypatch.setenv("G4FSDK_BASE_URL", "http://local.test/v1")
    monkeypatch.setenv("G4FSDK_MODEL", "m")

    assert run("doctor").exit_code == 0
    working = [name for name, kind in PROVIDERS.items() if kind.working and kind.has_home]
    assert [each.names[0] for each in asked] == [*working, "openai"]
