"""`g4fsdk cassette update`: recordings brought up to date from themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from vcr.serializers import yamlserializer

from g4fsdk import TextDelta
from g4fsdk.testing import Cassette, Player
from tests.support.command_line import NORMAL, delta, openai_cassette, run
from tests.support.players import FOLDER

OLD = b'{"prompt":"Asked otherwise."}'


@pytest.fixture
def outdated(tmp_path: Path) -> Path:
    cassette, path = Cassette.load(NORMAL), tmp_path / "old.yaml"
    cassette.interactions[0].request.body = OLD
    cassette.save(path)
    return path


def test_what_ships_is_up_to_date() -> None:
    result = run("cassette", "update", "--check", *sorted(FOLDER.rglob("*.yaml")))

    assert (result.exit_code, "would change" in result.stdout) == (0, False)


def test_the_requests_sent_now_are_kept_and_the_rest_stays(outdated: Path) -> None:
    result = run("cassette", "update", outdated)

    assert result.stdout == f"{outdated}: updated\n"
    assert outdated.read_bytes() == NORMAL.read_bytes()


def test_check_writes_nothing_and_fails(outdated: Path) -> None:
    before = outdated.read_bytes()

    result = run("cassette", "update", "--check", "--json", outdated)

    assert result.exit_code == 1
    assert json.loads(result.stdout) == [{"path": str(outdated), "changed": True}]
    assert outdated.read_bytes() == before


@pytest.fixture
def of_vcrpy(tmp_path: Path) -> Path:
    """A recording that vcrpy made of an answer of ours."""
    cassette = openai_cassette(delta(content="Hello"))
    cassette.interactions[0].response.headers.append(("Date", "Fri, 20 Nov 2026 12:00:00 GMT"))
    cassette.interactions[0].request.headers.append(("Authorization", "Bearer sk-abcdefghijklmnopqrstuvwxyz"))
    path = tmp_path / "vcr.yaml"
    Cassette(cassette.interactions).save(path)
    document = yamlserializer.deserialize(path.read_text())
    del document["interactions"][0]["response"]["wire"]
    path.write_text(yamlserializer.serialize(document))
    return path


def test_a_recording_of_vcrpy_gets_what_can_be_known_of_it(of_vcrpy: Path) -> None:
    result = run("cassette", "update", of_vcrpy)

    now = Cassette.load(of_vcrpy)
    assert result.stdout == f"{of_vcrpy}: updated\n"
    assert now.metadata["provider"] == "openai"
    assert now.metadata["provenance"] == "recorded with vcrpy; chunk boundaries and times unknown"
    assert now.metadata["recorded_at"] == "2026-11-20T12:00:00+00:00"
    assert now.metadata["call"] == json.loads(now.interactions[0].request.body)
    assert "sk-abc" not in of_vcrpy.read_text()
    assert run("cassette", "update", "--check", of_vcrpy).exit_code == 0
    assert run("cassette", "check", of_vcrpy).exit_code == 0
    assert TextDelta("Hello") in list(Player(now).play())


def test_what_answered_vcrpy_can_be_said(of_vcrpy: Path) -> None:
    run("cassette", "update", of_vcrpy, "--provenance", "recorded from the live service, with vcrpy")

    assert Cassette.load(of_vcrpy).metadata["provenance"] == "recorded from the live service, with vcrpy"


def test_a_file_of_the_older_layout_is_written_in_todays(tmp_path: Path) -> None:
    older = tmp_path / "older.yaml"
    head, _, rest = NORMAL.read_text(encoding="utf-8").partition("interactions:")
    said = (
        head.replace("g4fsdk:", "metadata:\n  g4fsdk:", 1)
        .replace("\n  ", "\n    ")
        .replace("    g4f", "  g4f")
    )
    older.write_text(f"{said.rstrip()}\ninteractions:{rest}", encoding="utf-8")

    assert run("cassette", "update", "--check", older).exit_code == 1
    run("cassette", "update", older)

    assert older.read_bytes() == NORMAL.read_bytes()


def without_call(cassette: Cassette) -> None:
    del cassette.metadata["call"]


def with_one_more(cassette: Cassette) -> None:
    cassette.interactions.append(cassette.interactions[0])


def with_none(cassette: Cassette) -> None:
    cassette.interactions.clear()


@pytest.mark.parametrize(("damage", "said"), [
    pytest.param(without_call, "has no call", id="no call"),
    pytest.param(with_one_more, "2 requests were recorded, and the call sends 1 now", id="too many"),
    pytest.param(with_none, "0 requests were recorded, and the call sends more now", id="too few"),
])  # fmt: skip
def test_what_cannot_be_updated_is_said_and_nothing_is_written(
    outdated: Path, tmp_path: Path, damage: Callable[[Cassette], None], said: str
) -> None:
    cassette, wrong = Cassette.load(NORMAL), tmp_path / "wrong.yaml"
    damage(cassette)
    cassette.save(wrong)
    before = outdated.read_bytes()

    result = run("cassette", "update", outdated, wrong)

    assert result.exit_code == 1
    assert said in result.stderr
    assert str(wrong) in result.stderr
    assert outdated.read_bytes() == before
