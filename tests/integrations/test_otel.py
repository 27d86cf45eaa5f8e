"""Spans and metrics of OpenTelemetry, over sockets, in both clients alike."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.invocation import InferenceInvocation

from g4fsdk import AsyncClient, Client, G4FError, providers
from g4fsdk.integrations.otel import G4FInstrumentor
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import (
    QUICK,
    Colour,
    answer,
    as_json,
    ask,
    both,
    complete,
    document,
    image,
    media,
    unfinished,
)

BUSY = Reply([b'{"error":"busy"}'], status=503, framing="length")
COUNTED: dict[str, Any] = {
    "id": "answer-1",
    "model": "m-2026",
    "choices": [{"message": {"content": "Well, hello"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 4},
    },
}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


class Seen:
    """What was exported."""

    def __init__(self) -> None:
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meters = MeterProvider([self._reader])

    @property
    def spans(self) -> list[ReadableSpan]:
        return [*self._exporter.get_finished_spans()]

    @property
    def span(self) -> ReadableSpan:
        (only,) = self.spans
        return only

    @property
    def attributes(self) -> dict[str, Any]:
        return dict(self.span.attributes or {})

    @property
    def metrics(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """The attributes and sum of each series, by the name of the metric."""
        data = self._reader.get_metrics_data()
        found = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        points: dict[str, Any] = {one.name: one.data.data_points for one in found}
        return {name: [(dict(one.attributes), one.sum) for one in points[name]] for name in points}


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Iterator[Seen]:
    """What the clients of a test export; its parameter says whether content is wanted."""
    seen, wanted = Seen(), getattr(request, "param", None)
    instrumentor = G4FInstrumentor()
    instrumentor.instrument(tracer_provider=seen.tracers, meter_provider=seen.meters, capture_content=wanted)
    try:
        yield seen
    finally:
        instrumentor.uninstrument()


with_content = pytest.mark.parametrize("seen", [True], indirect=True, ids=["with content"])


@both
def test_a_whole_answer_is_a_span_with_the_names_of_the_conventions(colour: Colour, seen: Seen) -> None:
    call = {"model": "m", "temperature": 0.5, "max_tokens": 9, "stop": "x", "seed": 1, "n": 1}
    with Server(Reply([as_json(COUNTED)], framing="length")) as server:
        complete(colour, "openai", server.url, call=call)

    assert (seen.span.name, seen.span.kind) == ("chat m", SpanKind.CLIENT)
    assert seen.span.status.status_code is not StatusCode.ERROR
    assert seen.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": ("x",),
        "gen_ai.request.seed": 1,
        "gen_ai.response.id": "answer-1",
        "gen_ai.response.model": "m-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 4,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }


@both
def test_durations_and_tokens_are_counted(colour: Colour, seen: Seen) -> None:
    with Server([Reply([as_json(COUNTED)], framing="length"), answer("openai", "Hello")]) as server:
        complete(colour, "openai", server.url)
        ask(colour, "openai", server.url)

    metrics = seen.metrics
    tokens = metrics["gen_ai.client.token.usage"]
    whole, streamed = metrics["gen_ai.client.operation.duration"]
    ((first, seconds),) = metrics["gen_ai.client.operation.time_to_first_chunk"]
    assert {(one["gen_ai.token.type"], total) for one, total in tokens} == {("input", 3), ("output", 5)}
    assert whole[0]["gen_ai.response.model"] == "m-2026"
    assert 0 < seconds <= streamed[1]
    assert (first["gen_ai.provider.name"], first["gen_ai.request.model"]) == ("openai", "gpt-4o")


@both
def test_a_stream_is_a_span_until_its_end(colour: Colour, seen: Seen) -> None:
    open_spans = []
    with Server(answer("yqcloud", "Hel", "lo")) as server:
        ask(colour, "yqcloud", server.url, on_event=lambda _: open_spans.append(len(seen.spans)))

    assert open_spans[:2] == [0, 0]
    assert seen.attributes["gen_ai.request.stream"]
    assert seen.attributes["gen_ai.response.finish_reasons"] == ("stop",)


@both
@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_a_stream_that_is_left_is_no_failure_and_ends_its_span(colour: Colour, how: str, seen: Seen) -> None:
    with Server(unfinished("openai", "Hel", end="hold")) as server:
        _leave(colour, server.url, how)
        assert server.all_closed()

    assert seen.span.status.status_code is not StatusCode.ERROR
    assert "gen_ai.response.finish_reasons" not in seen.attributes


def _leave(colour: Colour, url: str, how: str) -> None:
    """Read the first chunk of a stream, and no more."""
    settings: dict[str, Any] = {"base_url": f"{url}/v1", "model": "m"}
    if colour == "sync":
        with Client("openai", **settings) as client:
            stream = client.chat.completions.create("Hi", stream=True)
            next(stream)
            if how == "closed":
                stream.close()
            del stream
            gc.collect()
        return

    async def main() -> None:
        async with AsyncClient("openai", **settings) as client:
            stream = await client.chat.completions.create("Hi", stream=True)
            await anext(stream)
            if how == "closed":
                await stream.close()
            del stream
            gc.collect()
            await asyncio.sleep(0)

    asyncio.run(main())


@both
@pytest.mark.parametrize(("reply", "kind"), [
    pytest.param(BUSY, "g4fsdk.ServerError", id="refused"),
    pytest.param(unfinished("openai", "Hel", end="rst"), "g4fsdk.IncompleteStreamError", id="broken off"),
    pytest.param(unfinished("openai", "Hel", b"data: {nonsense\n\n"), "g4fsdk.ProtocolError", id="nonsense"),
    pytest.param(Reply(end="fin", has_head=False), "g4fsdk.TransportError", id="no answer"),
])  # fmt: skip
def test_a_failure_says_its_kind_and_nothing_of_the_answer(
    colour: Colour, reply: Reply, kind: str, seen: Seen
) -> None:
    with Server(lambda _: reply) as server:
        ask(colour, "openai", server.url)

    assert seen.attributes["error.type"] == kind
    assert seen.span.status.status_code is StatusCode.ERROR
    assert "nonsense" not in (seen.span.status.description or "")
    assert seen.metrics["gen_ai.client.operation.duration"][0][0]["error.type"] == kind


@both
def test_tries_are_one_span_and_each_provider_of_a_fallback_has_its_own(colour: Colour, seen: Seen) -> None:
    with Server([BUSY, BUSY, BUSY, BUSY, document("openai", "Hello")]) as server:
        asked = [
            providers.get("yqcloud", base_url=server.url),
            providers.get("openai", base_url=f"{server.url}/v1"),
        ]
        outcome = complete(colour, asked, "", retries=QUICK, call={"model": "gpt-4"})

    names = [(span.attributes or {})["gen_ai.provider.name"] for span in seen.spans]
    failed = [span.status.status_code is StatusCode.ERROR for span in seen.spans]
    assert outcome.text == "Hello"
    assert (names, failed) == (["yqcloud", "openai"], [True, False])


@both
@with_content
def test_images_are_generated_content(colour: Colour, seen: Seen) -> None:
    made = Reply([as_json({"data": [{"url": "https://img.test/a"}]})], framing="length")
    with Server(made) as server:
        image(colour, "openai", server.url)

    (asked,), (made_of,) = (
        json.loads(seen.attributes[f"gen_ai.{name}.messages"]) for name in ("input", "output")
    )
    assert seen.span.name == "generate_content dall-e-3"
    assert seen.attributes["gen_ai.output.type"] == "image"
    assert asked["parts"] == [{"type": "text", "content": "a cat"}]
    assert made_of["parts"][0]["uri"] == "https://img.test/a"


@both
def test_what_kind_of_answers_and_how_many_are_wanted_is_told(colour: Colour, seen: Seen) -> None:
    with Server(document("openai", "{}")) as server:
        call = {"n": 2, "stop": ["a", "b"], "response_format": {"type": "json_object"}}
        complete(colour, "openai", server.url, call=call)

    assert seen.attributes["gen_ai.request.choice.count"] == 2
    assert seen.attributes["gen_ai.request.stop_sequences"] == ("a", "b")
    assert seen.attributes["gen_ai.output.type"] == "json"


@both
def test_spans_lie_in_the_callers_and_around_the_request(colour: Colour, seen: Seen) -> None:
    inside: list[Any] = []
    hooks = {"request": [lambda _: inside.append(trace.get_current_span().get_span_context().span_id)]}
    with (
        Server(lambda _: document("openai", "Hello")) as server,
        seen.tracers.get_tracer("test").start_as_current_span("outer") as outer,
    ):
        complete(colour, "openai", server.url, event_hooks=hooks)
        assert trace.get_current_span() is outer

    chat, _ = seen.spans
    assert chat.parent
    assert chat.context
    assert chat.parent.span_id == outer.get_span_context().span_id
    assert inside == [chat.context.span_id]


@both
def test_the_rows_of_a_batch_are_spans_of_the_caller(colour: Colour, seen: Seen) -> None:
    with (
        Server(lambda _: document("openai", "Hello")) as server,
        seen.tracers.get_tracer("test").start_as_current_span("outer") as outer,
    ):
        _batch(colour, server.url)

    *rows, _ = seen.spans
    assert len(rows) == 3
    assert {span.parent and span.parent.span_id for span in rows} == {outer.get_span_context().span_id}


def _batch(colour: Colour, url: str) -> None:
    settings: dict[str, Any] = {"base_url": f"{url}/v1", "model": "m"}
    if colour == "sync":
        with Client("openai", **settings) as client:
            assert len([*client.batch(["a", "b", "c"], concurrency=2)]) == 3
        return

    async def main() -> None:
        async with AsyncClient("openai", **settings) as client:
            assert len([row async for row in client.batch(["a", "b", "c"], concurrency=2)]) == 3

    asyncio.run(main())


@both
def test_no_content_is_kept_unasked(colour: Colour, seen: Seen) -> None:
    with Server(answer("openai", "Well, hello")) as server:
        ask(colour, "openai", server.url, "A secret question")

    shown = f"{seen.attributes} {seen.span.events}"
    assert "secret" not in shown
    assert "hello" not in shown


@both
@with_content
def test_content_is_kept_when_it_is_wanted(colour: Colour, seen: Seen) -> None:
    asked: list[Any] = [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": [
            {"type": "text", "text": "1 and 2?"},
            {"type": "image_url", "image_url": {"url": "https://img.test/a"}},
            {"type": "input_audio", "input_audio": {"data": "YQ==", "format": "wav"}},
        ]},
        {"role": "assistant", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
        ]},
        {"role": "tool", "tool_call_id": "c", "content": "3"},
    ]  # fmt: skip
    said = [
        {"choices": [{"delta": {"reasoning_content": "Hm."}}]},
        {"choices": [{"delta": {"content": "Three."}, "finish_reason": "stop"}]},
    ]
    wire = [*(b"data: " + as_json(one) + b"\n\n" for one in said), b"data: [DONE]\n\n"]
    with Server(Reply(wire, headers=media("openai"))) as server:
        outcome = ask(colour, "openai", server.url, asked, call={"tools": [TOOL]})

    assert outcome.error is None
    kept = {name: json.loads(seen.attributes[f"gen_ai.{name}"]) for name in (
        "input.messages", "output.messages", "tool.definitions"
    )}  # fmt: skip
    system, user, called, result = kept["input.messages"]
    assert system["parts"] == [{"content": "Add.", "type": "text"}]
    assert [part["type"] for part in user["parts"]] == ["text", "uri"]
    assert called["parts"][0] | {"arguments": {"a": 1}, "name": "add", "id": "c"} == called["parts"][0]
    assert (result["parts"][0]["response"], result["parts"][0]["id"]) == ("3", "c")
    (output,) = kept["output.messages"]
    assert [(part["type"], part["content"]) for part in output["parts"]] == [
        ("reasoning", "Hm."),
        ("text", "Three."),
    ]
    assert kept["tool.definitions"][0]["name"] == "add"


def test_content_can_be_wanted_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only")
    seen = Seen()
    G4FInstrumentor().instrument(tracer_provider=seen.tracers, meter_provider=seen.meters)
    try:
        with Server(document("openai", "Well, hello")) as server:
            complete("sync", "openai", server.url)
    finally:
        G4FInstrumentor().uninstrument()

    assert "Well, hello" in seen.attributes["gen_ai.output.messages"]


async def test_a_cancelled_task_ends_its_span_with_that(seen: Seen) -> None:
    with Server(unfinished("openai", "Hel", end="hold")) as server:
        async with AsyncClient("openai", base_url=f"{server.url}/v1", model="m") as client:
            task = asyncio.ensure_future(client.chat.completions.create("Hi"))
            assert await asyncio.to_thread(server.wait_until, lambda server: len(server.requests) == 1)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    assert seen.attributes["error.type"] == "CancelledError"


@both
@pytest.mark.parametrize("part", ["start", "end"])
def test_telemetry_that_fails_is_logged_and_fails_no_call(
    colour: Colour, part: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    where = {"start": (TelemetryHandler, "inference"), "end": (InferenceInvocation, "stop")}
    monkeypatch.setattr(*where[part], fail)
    G4FInstrumentor().instrument()
    try:
        with Server(answer("openai", "Hello")) as server:
            outcome = ask(colour, "openai", server.url)
            assert server.all_closed()
    finally:
        G4FInstrumentor().uninstrument()

    assert (outcome.text, outcome.error) == ("Hello", None)
    assert "the disk is full" in caplog.text


def test_nothing_is_seen_once_it_is_uninstrumented() -> None:
    seen = Seen()
    G4FInstrumentor().instrument(tracer_provider=seen.tracers)
    G4FInstrumentor().uninstrument()
    with Server(document("openai", "Hello")) as server:
        complete("sync", "openai", server.url)

    assert seen.spans == []


def test_what_instruments_without_code_finds_it() -> None:
    (found,) = entry_points(group="opentelemetry_instrumentor", name="g4fsdk")

    assert isinstance(found.load()(), G4FInstrumentor)


def test_a_stream_read_while_a_failure_is_handled_did_not_fail(seen: Seen) -> None:
    with (
        Server([BUSY, answer("openai", "Hello")]) as server,
        Client("openai", base_url=f"{server.url}/v1", model="m", retries=1) as client,
    ):
        try:
            client.chat.completions.create("Hi")
        except G4FError:
            assert [*client.chat.completions.create("Hi", stream=True)]

    assert [span.status.status_code is StatusCode.ERROR for span in seen.spans] == [True, False]
