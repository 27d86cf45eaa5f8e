"""Checking cassettes: what a CI is told about a folder."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse, Recorder
from g4fsdk.testing._checks.folder import PROVENANCES, Finding, check_folder

NOW = datetime(2026, 11, 30, tzinfo=UTC)
SECRET = "canary-9f8e7d6c"


def cassette(
    *, sent: list[tuple[str, str]] | None = None, at_ms: list[float] | None = None, **said: Any
) -> Cassette:
    response = RecordedResponse(200, chunks=[b"Hel", b"lo"], at_ms=at_ms or [1.0, 2.0])
    metadata = {"provider": "yqcloud", "provenance": "reconstructed from the protocol: a test", **said}
    return Cassette([Interaction(RecordedRequest("POST", "https://x/", sent or []), response)], metadata)


def kinds(folder: Path, **options: Any) -> list[str]:
    return [finding.kind for finding in check_folder(folder, **options)]


@pytest.mark.parametrize(
    "provenance",
    [
        "recorded from the live service",
        "recorded from the real server software on loopback: llama.cpp",
        "reconstructed from the protocol: a note",
        "captured in a browser (HAR); chunk boundaries and times unknown",
        "recorded by g4fsdk capture",
    ],
)
def test_a_good_cassette_has_no_finding(tmp_path: Path, provenance: str) -> None:
    cassette(provenance=provenance).save(tmp_path / "deep" / "a.yaml")

    assert check_folder(tmp_path) == []
    assert check_folder(tmp_path / "deep" / "a.yaml") == []


def test_what_a_recorder_says_to_begin_with_is_what_is_wanted() -> None:
    said = re.findall(r'"(recorded [^"]+)"', Recorder.__doc__ or "")

    assert said
    assert {*said} <= {*PROVENANCES}


def test_a_file_that_is_no_cassette_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("just: text")
    (tmp_path / "notes.txt").write_text("not looked at")

    assert kinds(tmp_path) == ["format"]


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a.json"])
def test_every_file_that_would_be_played_is_looked_at(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")

    assert kinds(tmp_path) == ["format"]


def test_sizes_that_do_not_sum_up_are_found(tmp_path: Path) -> None:
    cassette().save(tmp_path / "a.yaml")
    text = (tmp_path / "a.yaml").read_text()
    (tmp_path / "a.yaml").write_text(text.replace("sizes: [3, 2]", "sizes: [3, 3]"))

    findings = check_folder(tmp_path)

    assert [finding.kind for finding in findings] == ["format"]
    assert str(findings[0]).startswith(f"{tmp_path / 'a.yaml'}: format: interactions[0].response.wire.sizes")


@pytest.mark.parametrize("at_ms", [[2.0, 1.0], [-1.0, 1.0]])
def test_times_that_cannot_be_are_found(tmp_path: Path, at_ms: list[float]) -> None:
    cassette(at_ms=at_ms).save(tmp_path / "a.yaml")

    assert kinds(tmp_path) == ["format"]


def test_a_cassette_without_interactions_and_a_folder_without_cassettes_are_found(tmp_path: Path) -> None:
    assert kinds(tmp_path) == ["format"]

    Cassette([], {"provenance": "recorded from the live service"}).save(tmp_path / "a.yaml")

    assert kinds(tmp_path) == ["format"]


@pytest.mark.parametrize("provenance", [None, "", "recorded, honestly"])
def test_a_provenance_that_does_not_say_what_answered_is_found(
    tmp_path: Path, provenance: str | None
) -> None:
    cassette(provenance=provenance).save(tmp_path / "a.yaml")

    assert kinds(tmp_path) == ["provenance"]


@pytest.mark.parametrize(
    ("recorded_at", "found"),
    [
        ("2026-11-20T12:00:00Z", []),
        ("2026-11-20", []),
        (date(2026, 11, 20), []),
        (datetime(2026, 11, 20, 12, tzinfo=UTC), []),
        ("2026-10-20", ["age"]),
        ("lately", ["age"]),
        (None, ["age"]),
    ],
)
def test_an_old_recording_is_found_when_asked_for(
    tmp_path: Path, recorded_at: object, found: list[str]
) -> None:
    cassette(recorded_at=recorded_at).save(tmp_path / "a.yaml")

    assert kinds(tmp_path, max_age_days=30, now=NOW) == found
    assert kinds(tmp_path) == []


def test_an_age_needs_a_clock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="now"):
        check_folder(tmp_path, max_age_days=30)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_folder(tmp_path / "none")


def test_leaks_are_found_by_place_and_not_told(tmp_path: Path) -> None:
    cassette(sent=[("Authorization", f"Bearer {SECRET}")]).save(tmp_path / "a.yaml")
    cassette(note=f"we used {SECRET}").save(tmp_path / "b.yaml")

    findings = check_folder(tmp_path, secrets=[SECRET])

    assert findings == [
        Finding(tmp_path / "a.yaml", "leak", "interactions[0].request.headers.Authorization: Authorization"),
        Finding(tmp_path / "b.yaml", "leak", "metadata.note: known secret"),
    ]
    assert SECRET not in "".join(map(str, findings))


def test_an_answer_that_cannot_be_searched_is_found(tmp_path: Path) -> None:
    coded = cassette()
    coded.interactions[0].response.headers.append(("Content-Encoding", "lzw"))
    coded.interactions[0].response.chunks[:] = [b"\x8b\xff"]
    coded.interactions[0].response.at_ms[:] = [0.0]
    coded.save(tmp_path / "a.yaml")

    [finding] = check_folder(tmp_path)

    assert finding.kind == "leak"
    assert finding.text.startswith(
        "interactions[0].response.body: it can't be searched: unknown content coding"
    )
