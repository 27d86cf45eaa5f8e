"""Shapes: what changed between two sessions, in plain words, whatever they say."""

from __future__ import annotations

import json

import pytest

from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse
from g4fsdk.testing._cassette.shape import path_template, shape
from g4fsdk.testing._cassette.values import End
from g4fsdk.testing._checks.drift import Change, diff

CHAT = "https://chat.test/v1/chat/completions"
FILE = "g4fsdk/providers/openai.py"
DELTA = {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}
STOP = {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def sse(*documents: object, done: bool = True) -> bytes:
    events = [b"data: %s\n\n" % json.dumps(document).encode() for document in documents]
    return b"".join(events) + (b"data: [DONE]\n\n" if done else b"")


def lines(*documents: object) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def session(
    body: bytes,
    *,
    url: str = CHAT,
    sent: object = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
    end: End = "complete",
    provider: str = "openai",
) -> Cassette:
    request = RecordedRequest("POST", url, [], json.dumps(sent or {"model": "m"}).encode())
    response = RecordedResponse(
        status, headers=list((headers or {}).items()), chunks=[body], at_ms=[1.0], end=end
    )
    return Cassette([Interaction(request, response)], {"provider": provider} if provider else {})


def words(old: Cassette, new: Cassette) -> list[tuple[str, str]]:
    return [(change.severity, change.text) for change in diff(old, new)]


OLD = session(sse(DELTA, STOP))

CHANGES = [
    pytest.param(OLD, OLD, [], id="nothing"),
    pytest.param(OLD, session(sse(*[DELTA] * 9, STOP)), [], id="more events"),
    pytest.param(
        session(sse(DELTA, {"choices": [{"delta": {"content": "other"}}]}, STOP)), OLD, [], id="other text"
    ),
    pytest.param(
        OLD,
        session(sse({"id": "1", "choices": [{"index": 0, "delta": {"content": "Hi"}}]})),
        [
            ("breaking", "the answer no longer ends with `finish_reason`"),
            ("breaking", "the answer's events no longer have `choices[].finish_reason`"),
        ],
        id="finish reason gone",
    ),
    pytest.param(
        OLD,
        session(sse(DELTA, STOP, done=False)),
        [("breaking", "the answer no longer ends with `[DONE]`")],
        id="end marker gone",
    ),
    pytest.param(
        OLD,
        session(sse({"id": "1", "choices": [{"index": 0, "delta": {"content": [{"text": "Hi"}]}}]}, STOP)),
        [
            ("breaking", "`choices[].delta.content` in the answer's events was `str` and is `list`"),
            ("new", "the answer's events now have `choices[].delta.content[]`"),
        ],
        id="type changed",
    ),
    pytest.param(
        OLD,
        session(sse({**DELTA, "usage": {"total_tokens": 3}, "obfuscation": "x"}, STOP)),
        [
            ("new", "the answer's events now have `obfuscation`"),
            ("new", "the answer's events now have `usage`"),
        ],
        id="new keys, outermost only",
    ),
    pytest.param(
        session(sse({**DELTA, "obfuscation": "x"}, STOP)),
        OLD,
        [("other", "the answer's events no longer have `obfuscation`")],
        id="a key nobody reads is gone",
    ),
    pytest.param(
        OLD,
        session(b"<!DOCTYPE html><html></html>"),
        [
            ("breaking", "the answer no longer ends with `[DONE]`"),
            ("breaking", "the answer no longer ends with `finish_reason`"),
            ("breaking", "the body's format was `SSE` and is `HTML`"),
        ],
        id="a page",
    ),
    pytest.param(
        OLD,
        session(sse(DELTA, STOP), status=201, end="reset"),
        [
            ("breaking", "the end of the body was `complete` and is `reset`"),
            ("breaking", "the status was `200` and is `201`"),
        ],
        id="status and end",
    ),
    pytest.param(OLD, session(sse(DELTA, STOP), end="client_closed"), [], id="the client left"),
    pytest.param(
        session(
            sse(DELTA, STOP), headers={"Content-Type": "text/event-stream", "Set-Cookie": "a=1", "X": "1"}
        ),
        session(
            sse(DELTA, STOP),
            headers={"content-type": "application/json; charset=utf-8", "Y": "1", "Date": "z"},
        ),
        [
            ("breaking", "the header `set-cookie` is gone"),
            ("new", "new header `y`"),
            ("other", "the content type was `text/event-stream` and is `application/json`"),
            ("other", "the header `x` is gone"),
        ],
        id="headers",
    ),
    pytest.param(
        OLD,
        session(sse(DELTA, STOP), sent={"messages": "W3siYSI6IDF9XQ=="}),
        [
            ("new", "the request now has `messages`"),
            ("other", "the request no longer has `model`"),
        ],
        id="request",
    ),
    pytest.param(
        session(
            lines({"type": "status", "status": "started"}, {"type": "stream", "token": "a"}, {"type": "x"}),
            provider="cohere-c4ai",
        ),
        session(
            lines(
                {"type": "status", "status": 1},
                {"type": "tool", "subtype": "call", "uuid": "1"},
                {"type": "x"},
            ),
            provider="cohere-c4ai",
        ),
        [
            ("breaking", "`status` in the answer's `status` events was `str` and is `number`"),
            ("breaking", "event type `stream` is gone"),
            ("new", "new event type `tool/call`"),
        ],
        id="JSON lines",
    ),
    pytest.param(
        session(b'{"data": [{"url": "https://x"}]}'),
        session(b'{"data": [{"b64_json": "eA=="}]}'),
        [
            ("breaking", "the answer no longer has `data[].url`"),
            ("new", "the answer now has `data[].b64_json`"),
        ],
        id="JSON",
    ),
    pytest.param(
        OLD,
        session(sse(DELTA, STOP), url="https://chat.test/v2/chat/completions"),
        [("breaking", "this request is no longer made"), ("new", "this request is new")],
        id="another path",
    ),
]


@pytest.mark.parametrize(("old", "new", "changes"), CHANGES)
def test_changes_are_said_in_plain_words(
    old: Cassette, new: Cassette, changes: list[tuple[str, str]]
) -> None:
    assert words(old, new) == changes


def test_chunks_do_not_matter() -> None:
    body = sse(DELTA, STOP)
    bytewise = session(body)
    bytewise.interactions[0].response.chunks = [bytes([byte]) for byte in body]
    bytewise.interactions[0].response.at_ms = [0.0] * len(body)

    assert shape(bytewise) == shape(OLD)


def test_line_ends_and_events_with_names_are_read() -> None:
    crlf = session(b'event: error\r\ndata: {"error":\r\ndata: 1}\r\n\r\n: ping\r\n\r\ndata: [DONE]\r\n\r\n')

    exchange = shape(crlf).exchanges[0]

    assert exchange.kinds == {"error"}
    assert exchange.answer == {("error: error", "number")}


def test_requests_of_one_kind_are_one_exchange() -> None:
    first = session(
        lines({"type": "a"}, {"type": "b"}), url="https://x/conversation/6b00394db8680ad26abbed90"
    )
    other = session(
        lines({"type": "c"}, {"type": "b"}), url="https://x/conversation/038d4315565e4a7382c458c1"
    )
    both = Cassette(first.interactions + other.interactions, first.metadata)

    exchanges = shape(both).exchanges

    assert [each.where for each in exchanges] == ["POST /conversation/{id}"]
    assert exchanges[0].kinds == {"a", "b", "c"}


def test_an_answer_that_was_cut_off_does_not_hide_the_end_marker() -> None:
    both = Cassette(OLD.interactions + session(sse(DELTA, done=False)).interactions, OLD.metadata)

    assert shape(both).exchanges[0].markers == {"[DONE]", "finish_reason"}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://x/v1/models", "/v1/models"),
        ("https://x", "/"),
        ("https://x/c/038d4315-565e-4a73-82c4-58c1ccaba089/m?b=1&a=", "/c/{id}/m?a&b"),
        ("https://x/c/SCRUBBED-token-1/1763640000000", "/c/{id}/{id}"),
        ("https://x/conversation/stop-generating", "/conversation/stop-generating"),
    ],
)
def test_ids_in_a_path_are_replaced(url: str, path: str) -> None:
    assert path_template(url) == path


@pytest.mark.parametrize(
    ("provider", "url", "file"),
    [
        ("cohere-c4ai", CHAT, "g4fsdk/providers/cohere_c4ai.py"),
        ("yqcloud", CHAT, "g4fsdk/providers/yqcloud.py"),
        ("", CHAT, FILE),
        ("", "https://x/api/v1/ai/chat-hermes", "g4fsdk/providers/autonomous.py"),
        ("", "https://api.amigochat.io/v1/chat/completions", "g4fsdk/providers/amigo.py"),
        ("", "https://x/other", "g4fsdk/providers/"),
    ],
)
def test_a_change_names_the_file_that_reads_the_answer(provider: str, url: str, file: str) -> None:
    old = session(sse(DELTA, STOP), url=url, provider=provider)
    new = session(sse(DELTA, STOP, done=False), url=url, provider=provider)

    assert [change.file for change in diff(old, new)] == [file]


def test_a_change_and_a_shape_are_readable() -> None:
    change = diff(OLD, session(sse(DELTA, STOP, done=False)))[0]

    assert change == Change(
        "POST /v1/chat/completions", "the answer no longer ends with `[DONE]`", FILE, "breaking"
    )
    assert str(change) == f"breaking: {change.where}: {change.text} ({FILE})"
    text = str(shape(OLD))
    assert text.startswith("POST /v1/chat/completions\n  sends: \n    model: str\n  status: 200\n")
    assert "    choices[].delta.content: str\n" in text


@pytest.mark.parametrize(
    ("kind", "body", "fields"),
    [
        pytest.param(
            "application/x-www-form-urlencoded", b"b=1&a=2", {("a", "str"), ("b", "str")}, id="form"
        ),
        pytest.param("text/plain", b"hello", {("body", "text")}, id="text"),
        pytest.param("", b"", set(), id="none"),
        pytest.param(
            "multipart/form-data; boundary=B",
            b'--B\r\nContent-Disposition: form-data; name="data"\r\nContent-Type: application/json\r\n\r\n'
            b'{"inputs":"x"}\r\n--B\r\nContent-Disposition: form-data; name="f"\r\n\r\nQQ==\r\n--B--\r\n',
            {("part data", "object"), ("part data.inputs", "str"), ("part f", "text")},
            id="multipart",
        ),
        pytest.param(
            "application/json",
            b'{"messages":"W3siYSI6MX1d"}',
            {
                ("messages", "object"),
                ("messages.(base64)", "list"),
                ("messages.(base64)[]", "object"),
                ("messages.(base64)[].a", "number"),
            },
            id="base64",
        ),
    ],
)
def test_what_a_request_is_built_of(kind: str, body: bytes, fields: set[tuple[str, str]]) -> None:
    request = RecordedRequest("POST", CHAT, [("Content-Type", kind)], body)

    exchange = shape(Cassette([Interaction(request, RecordedResponse(200))])).exchanges[0]

    assert exchange.request == fields
    assert exchange.formats == {"empty"}
    assert exchange.markers == {"end of body"}


def test_what_a_conversation_happens_to_hold_is_not_in_its_page_data() -> None:
    page = '{"type":"data","nodes":[{"type":"data","data":[{"messages":1,"title":2,%s},[3],{"id":4}]}]}'
    old, new = (session((page % extra).encode(), provider="cohere-c4ai") for extra in ('"a":5', '"b":5'))

    assert diff(old, new) == []
