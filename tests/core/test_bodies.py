"""Requests to send, and whole answers read."""

from __future__ import annotations

import json
from base64 import b64decode
from decimal import Decimal
from email import message_from_bytes
from typing import Any

import pytest

from g4fsdk import (
    BlockedError,
    G4FError,
    Message,
    ProtocolError,
    ProviderError,
    Response,
    UsageError,
    __version__,
)
from g4fsdk._core.flow.bodies import (
    base64_messages,
    get,
    merge_headers,
    post_json,
    post_multipart,
    read_json,
)

NASTY = 'Привет "you" \\ \r\n\u2028\0 世界 👩‍👩‍👧'


def test_headers_of_later_layers_win_whatever_their_case() -> None:
    merged = merge_headers({"Accept": "*/*", "X": "1"}, {"ACCEPT": "text/plain"}, {"accept": "a/b", "y": "2"})

    assert merged == {"Accept": "a/b", "X": "1", "y": "2"}


def test_every_request_says_who_asks() -> None:
    for request in (
        get("http://x", {}),
        post_json("http://x", 1, {}),
        post_multipart("http://x", ("n", 1), "b", {}),
    ):
        assert request.headers["User-Agent"] == f"g4fsdk/{__version__}"
        assert request.headers["Accept-Encoding"] == "gzip, deflate"


def test_a_json_body_is_utf_8() -> None:
    request = post_json("http://x", {"text": NASTY}, {"X": "y"})

    assert (request.method, request.headers["Content-Type"], request.headers["X"]) == (
        "POST",
        "application/json",
        "y",
    )
    assert json.loads(request.body) == {"text": NASTY}
    assert "世界".encode() in request.body


def test_a_form_holds_one_json_field_without_file_name() -> None:
    request = post_multipart("http://x", ("data", {"inputs": NASTY}), "----b", {})

    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    [part] = [found for found in message_from_bytes(head + request.body).walk() if not found.is_multipart()]
    assert part.get_param("name", header="content-disposition") == "data"
    assert part.get_filename() is None
    assert part.get_content_type() == "application/json"
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert json.loads(payload) == {"inputs": NASTY}


def test_line_ends_in_a_form_field_do_not_end_it() -> None:
    body = post_multipart("http://x", ("data", "\r\n------b--\r\n"), "----b", {}).body

    assert body.count(b"\r\n------b") == 1


def test_messages_in_base64_are_ascii_json() -> None:
    encoded = base64_messages([Message("user", NASTY, {"name": "bob"})])

    inner = b64decode(encoded, validate=True)
    assert inner.isascii()
    assert json.loads(inner) == [{"role": "user", "content": NASTY, "name": "bob"}]


@pytest.mark.parametrize(
    "body", [b'{"a":1}', b' \n{"a":1} ', '{"a":1}'.encode("utf-8-sig")], ids=["plain", "blank space", "mark"]
)
def test_a_json_answer_is_read(body: bytes) -> None:
    assert read_json(Response(200, (), body), "something") == {"a": 1}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"<html><title>Just a moment...</title>", BlockedError, id="challenge"),
        pytest.param(b"<html></html>", ProtocolError, id="page"),
        pytest.param(b"", ProtocolError, id="nothing"),
        pytest.param(b"Hello", ProtocolError, id="text"),
        pytest.param(b"{", ProtocolError, id="half"),
        pytest.param(b'{"a":' * 5000, ProtocolError, id="too deep"),
        pytest.param(b'{"error":"no"}', ProviderError, id="failure"),
    ],
)
def test_an_answer_that_is_no_json_is_an_error(body: bytes, kind: type[G4FError]) -> None:
    with pytest.raises(kind) as caught:
        read_json(Response(200, (), body), "a list of models")

    if kind is ProtocolError and not body.startswith(b"<"):
        assert "expected a list of models" in caught.value.message
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "value",
    [object(), {"a": {1, object()}}, "\ud83d", [1j]],
    ids=["object", "set", "half an emoji", "complex"],
)
def test_what_cannot_be_json_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="cannot be sent as JSON"):
        post_json("http://x", value, {})
    with pytest.raises(UsageError, match="cannot be sent as JSON"):
        post_multipart("http://x", ("n", value), "b", {})
    with pytest.raises(UsageError, match="cannot be sent as JSON"):
        base64_messages([Message("user", "Hi", {"name": value})])


def test_a_decimal_goes_out_as_the_number_it_is() -> None:
    assert post_json("http://x", {"temperature": Decimal("0.50"), "stop": "NaN"}, {}).body == (
        b'{"temperature":0.50,"stop":"NaN"}'
    )


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), Decimal("NaN"), Decimal("-Infinity")]
)
def test_a_number_that_json_lacks_cannot_be_sent(value: Any) -> None:
    with pytest.raises(UsageError, match=str(value)):
        post_json("http://x", {"a": None, "messages": [{"x": (1.5, {"y": value})}]}, {})
