"""`g4fsdk cassette update`: recordings brought up to date from themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from g4fsdk.testing import Cassette
from tests.support.command_line import NORMAL, run
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
