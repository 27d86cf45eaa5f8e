"""Benchmarks measure what they claim to, on right work. How fast it is, no test says."""

from __future__ import annotations

import io
import json

import pytest

from benchmarks import _report, corpora, neighbours
from benchmarks.__main__ import PARTS, run
from benchmarks._bench import Bench, Scale
from g4fsdk import UsageError
from g4fsdk.bench.contenders import (
    Contender,
    WrongTextError,
    check,
    lines_floor,
    lines_parser,
    parsing,
    plain_sse_parser,
    sse_floor,
    sse_parser,
    text_floor,
    text_parser,
)
from g4fsdk.bench.measure import generated, recorded
from g4fsdk.bench.timing import alternate, slope
from g4fsdk.testing import Interaction, RecordedRequest, RecordedResponse
from tests.support.command_line import delta, openai_cassette
from tests.support.command_line import run as command
from tests.support.players import FOLDER

TINY = Scale(
    events=30,
    seconds=0.0,
    min_rounds=1,
    flat_chunks=200,
    text_bytes=2_000,
    hostile_bytes=4_096,
    hostile_lines=64,
    patience=0.0,
    processes=1,
    wave=2,
    crowd=3,
    crowd_tokens=20,
    crowd_rounds=1,
    calls=(3,),
)
SHAPES = pytest.mark.parametrize("shape", [*corpora.SSE])
CUTS = pytest.mark.parametrize("cut", corpora.CUTS)


@SHAPES
def test_events_are_of_the_size_that_services_send(shape: str) -> None:
    corpus = corpora.SSE[shape](500)

    assert len(corpus.documents) == len(corpus.texts) == 500
    assert len(corpus.events) == 502
    assert 250 <= len(corpus.wire) / 502 <= 310
    assert corpus.events[-1].strip() == b"data: [DONE]"


def test_the_same_bytes_come_out_each_time() -> None:
    for make in corpora.SSE.values():
        assert make(50).wire == make(50).wire
    assert corpora.chat_ui(50).wire == corpora.chat_ui(50).wire


def test_shapes_differ_as_they_say() -> None:
    def ends(shape: str) -> set[bytes]:
        corpus = corpora.SSE[shape](40)
        return {document.partition(b'"content"')[0] for document in corpus.documents}

    assert len(ends("constant")) == 1
    assert len(ends("changing shape")) == 40
    assert b"\r\n\r\n" in corpora.SSE["CRLF"](2).wire
    assert b"\n\n: keep-alive\n\n" in corpora.SSE["comments"](8).wire
    assert b'"obfuscation":"' in corpora.SSE["obfuscation"](2).events[0]


def test_chat_ui_pads_tokens_and_keeps_alive() -> None:
    corpus = corpora.chat_ui(40)

    assert all(len(json.loads(document)["token"]) == 16 for document in corpus.documents)
    assert corpus.wire.count(b"keepAlive") == 2


def test_text_has_the_size_and_characters_of_several_bytes() -> None:
    corpus = corpora.text(10_000)

    assert 10_000 <= len(corpus.wire) < 10_020
    assert len(corpus.text) < len(corpus.wire)


@CUTS
def test_cutting_loses_nothing(cut: int | None) -> None:
    corpus = corpora.SSE["constant"](100)

    assert b"".join(corpus.chunks(cut)) == corpus.wire
    assert cut is None or {len(chunk) for chunk in corpus.chunks(cut)[:-1]} == {cut}


@CUTS
@SHAPES
def test_chat_contenders_give_the_text(shape: str, cut: int | None) -> None:
    corpus = corpora.SSE[shape](200)
    chunks = corpus.chunks(cut)

    check(parsing("templates", sse_parser, chunks), corpus.text)
    check(parsing("plain", plain_sse_parser, chunks), corpus.text)
    check(sse_floor(corpus), corpus.text)


@CUTS
def test_contenders_for_lines_and_text_give_the_text(cut: int | None) -> None:
    lines, text = corpora.chat_ui(200), corpora.text(2_000)

    check(parsing("lines", lines_parser, lines.chunks(cut)), lines.text)
    check(lines_floor(lines), lines.text)
    check(parsing("text", text_parser, text.chunks(cut)), text.text)
    check(text_floor(text.chunks(cut)), text.text)


def test_wrong_work_gets_no_figure() -> None:
    bench = Bench(TINY, out=io.StringIO())
    wrong = Contender("wrong", lambda: None, lambda: "Helo")

    with pytest.raises(WrongTextError, match="wrong gives 'o' where the stream says 'lo'"):
        check(wrong, "Hello")
    table = bench.table("t", 1, [wrong], "Hello")
    bench.ratio("row", table, "wrong", "wrong", 1.0)

    assert not table.samples
    assert "wrong text" in bench.findings[0].note
    assert bench.findings[0].measured is None


def test_contenders_take_turns() -> None:
    seen: list[str] = []

    samples = alternate(
        {"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, seconds=0, min_rounds=3
    )

    assert seen == ["a", "b"] * 4  # one round to warm up
    assert {name: len(each) for name, each in samples.items()} == {"a": 3, "b": 3}


def test_slope_is_the_exponent() -> None:
    assert slope([1, 2, 4], [3, 6, 12]) == pytest.approx(1)
    assert slope([1, 2, 4], [3, 12, 48]) == pytest.approx(2)


@pytest.mark.parametrize("part", [part for part in PARTS if part not in ("start", "crowd", "suite")])
def test_every_part_runs_without_peers(part: str) -> None:
    bench = run(TINY, [part], peers=False, out=io.StringIO())

    assert bench.findings
    assert not [one for one in bench.findings if "wrong text" in one.note]
    found = _report.document(bench, "2026-01-01", ["--quick"])
    assert json.loads(json.dumps(found))["findings"]
    assert len([*_report.lines(bench.findings)]) > len(bench.findings)


def test_generated_figures_have_a_floor() -> None:
    figures = [*generated(seconds=0.0, events=30)]

    assert len(figures) == len(corpora.CUTS) * (len(corpora.SSE) + 2)
    assert all(figure.floor for figure in figures)


@pytest.mark.parametrize(
    "name", ["openai/aimock-cut", "cohere-c4ai/tools", "yqcloud/normal", "amigo/fail-then-ok"]
)
def test_recorded_answers_are_found_and_played(name: str) -> None:
    (answer, *_) = found = corpora.recorded(name)

    assert answer.play() > 0
    assert b"".join(answer.cut(37)) == answer.body
    assert next(recorded(found, 0.0, 0.0)).stream == "answer 1"


def test_recordings_of_other_tools_are_read_by_their_bytes() -> None:
    from g4fsdk.bench.recorded import answers
    from g4fsdk.testing import Cassette

    cassette = Cassette.load(FOLDER / "autonomous" / "normal.yaml")
    known = answers(cassette)[0].play()
    cassette.metadata = {}

    assert answers(cassette)[0].play() == known - 1  # the handle to go on with is the provider's


@pytest.mark.parametrize("provider", ["openai", ""])
def test_a_list_of_models_is_no_answer(provider: str) -> None:
    from g4fsdk.bench.recorded import answers

    cassette = openai_cassette(delta(content="x"))
    cassette.metadata["provider"] = provider
    request = RecordedRequest("GET", "http://model.test/v1/models")
    models = Interaction(request, RecordedResponse(200, chunks=[b'{"data": []}'], at_ms=[0.0]))
    cassette.interactions = [models, *cassette.interactions, models]

    assert [answer.body[:6] for answer in answers(cassette)] == [b"data: "]


def test_a_cassette_without_an_answer_says_so() -> None:
    with pytest.raises(UsageError, match="no streamed answer"):
        corpora.recorded("openai/aimock-bad-key")


def test_bench_command() -> None:
    result = command("bench", FOLDER / "yqcloud" / "normal.yaml", "--seconds", 0.001)

    assert result.exit_code == 0, result.output
    head, *rows = result.stdout.splitlines()
    assert head.split()[:2] == ["stream", "cut"]
    assert len(rows) == len(corpora.CUTS)


def test_bench_command_as_json() -> None:
    result = command("bench", "--seconds", 0.001, "--json")

    figures = json.loads(result.stdout)["figures"]
    assert {figure["stream"] for figure in figures} >= {"constant", "chat-ui lines", "text"}
    assert all(figure["events_per_s"] > 0 and figure["times_floor"] > 0 for figure in figures)


def test_what_neighbours_get_is_held_against_the_live_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert neighbours.main(["httpx", "httpx2"]) == 0

    said = capsys.readouterr().out
    assert "httpx, stream=True, served: same" in said
