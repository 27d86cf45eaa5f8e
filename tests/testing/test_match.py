"""Matching: requests that mean the same have one key, and a mismatch says what differs."""

from __future__ import annotations

import base64
import json

import pytest

from g4fsdk.testing import RecordedRequest
from g4fsdk.testing._cassette.match import match_key
from g4fsdk.testing._replay.nearest import explain_mismatch

URL = "https://chat.test/api"
JSON_TYPE = [("Content-Type", "application/json")]


def post(body: bytes, *, url: str = URL, kind: str = "") -> RecordedRequest:
    return RecordedRequest("POST", url, [("Content-Type", kind)] if kind else [], body)


def multipart(boundary: str, content: str = '{"a": 1}', name: str = "data") -> RecordedRequest:
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'
        f"Content-Type: application/json\r\n\r\n{content}\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="base64;a"\r\n\r\nQQ==\r\n'
        f"--{boundary}--\r\n"
    )
    return post(body.encode(), kind=f'multipart/form-data; boundary="{boundary}"')


def base64_of(value: object, **options: object) -> str:
    return base64.b64encode(json.dumps(value, **options).encode()).decode()  # type: ignore[arg-type]  # json's own


SAME = [
    pytest.param(post(b""), RecordedRequest("post", URL), id="method case"),
    pytest.param(post(b'{"a": 1, "b": [2]}'), post(b'{"b":[2],"a":1}', kind="application/json"), id="JSON"),
    pytest.param(post(b'"\\u4f60"'), post('"你"'.encode()), id="JSON escapes"),
    pytest.param(multipart("aaa"), multipart("b-b"), id="multipart boundary"),
    pytest.param(multipart("a", '{"a": 1, "b": 2}'), multipart("c", '{"b":2,"a":1}'), id="JSON in a part"),
    pytest.param(
        post(json.dumps({"messages": base64_of([{"role": "user", "content": "é"}])}).encode()),
        post(
            json.dumps(
                {"messages": base64_of([{"content": "é", "role": "user"}], ensure_ascii=False, indent=1)}
            ).encode()
        ),
        id="base64 of JSON",
    ),
    pytest.param(post(b"a=1&b=%32", kind="application/x-www-form-urlencoded"),
                 post(b"a=1&b=2", kind="application/x-www-form-urlencoded"), id="form"),
    pytest.param(post(b"", url="https://chat.test/a?x=1&y=2"), post(b"", url="HTTPS://Chat.Test:443/a?y=2&x=1#f"),
                 id="URL"),
    pytest.param(post(b"", url="https://chat.test"), post(b"", url="https://chat.test/"), id="no path"),
    pytest.param(post(b"", url="https://a.test/%7Ea%20"), post(b"", url="https://a.test/~a%20"), id="coding"),
    pytest.param(post(b"\xff", kind="a/b"), post(b"\xff"), id="bytes"),
]  # fmt: skip

OTHER = [
    pytest.param(post(b"1"), post(b"1.0"), id="number type"),
    pytest.param(post(b"true"), post(b"1"), id="bool is no number"),
    pytest.param(post(b"{"), post(b"{ "), id="no JSON"),
    pytest.param(post(b'"a"'), post(b"a"), id="text is no JSON string"),
    pytest.param(post(b""), post(b"null"), id="nothing is not null"),
    pytest.param(multipart("a"), multipart("a", '{"a": 2}'), id="part content"),
    pytest.param(multipart("a"), multipart("a", name="other"), id="part name"),
    pytest.param(post(b"", url=URL + "?a=1"), post(b"", url=URL + "?a="), id="query value"),
    pytest.param(post(b"", url=URL + "?a=1&a=2"), post(b"", url=URL + "?a=1"), id="query repeated"),
    pytest.param(
        post(b"", url="https://chat.test/a%2Fb"), post(b"", url="https://chat.test/a%252Fb"), id="coded"
    ),
    pytest.param(post(b"", url="http://chat.test/api"), post(b""), id="scheme"),
    pytest.param(post(b"", url="https://chat.test:8443/api"), post(b""), id="port"),
    pytest.param(post(b'"eyJhIjoxfQ"'), post(b'{"a":1}'), id="base64 is not what it holds"),
    pytest.param(post(b"\xff"), post(b"\xfe"), id="bytes"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_meaning_is_one_key(one: RecordedRequest, other: RecordedRequest) -> None:
    assert match_key(one) == match_key(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_meaning_is_another_key(one: RecordedRequest, other: RecordedRequest) -> None:
    assert match_key(one) != match_key(other)


def test_the_origin_can_be_left_out() -> None:
    here = post(b"x", url="http://127.0.0.1:9/api?a=1")

    assert match_key(here, with_origin=False) == match_key(post(b"x", url=URL + "?a=1"), with_origin=False)


def body_of(content: str, **more: object) -> bytes:
    return json.dumps({"messages": [{"content": content}], **more}).encode()


def test_a_mismatch_names_the_request_the_nearest_and_what_differs() -> None:
    far = post(body_of("Hello"), url="https://chat.test/elsewhere")
    near = post(body_of("Hello", model="gpt-4"))

    text = explain_mismatch(post(body_of("Hi", seed=1)), [(0, far), (3, near)], [])

    assert text.splitlines() == [
        "no recorded interaction answers this request:",
        '  POST https://chat.test/api  {"messages": [{"content": "Hi"}], "seed": 1}',
        "the nearest recorded request, interactions[3]:",
        '  POST https://chat.test/api  {"messages": [{"content": "Hello"}], "model": "gpt-4"}',
        "what differs:",
        "  body.json.messages[0].content: sent 'Hi', recorded 'Hello'",
        "  body.json.seed: sent 1, recorded nothing",
        "  body.json.model: sent nothing, recorded 'gpt-4'",
    ]


def test_a_mismatch_says_when_the_answer_was_played_already() -> None:
    text = explain_mismatch(post(b"x"), [], [(2, post(b"x"))])

    assert "it was recorded, and played already, as interactions[2]" in text
    assert "no recorded interaction is left" in text


def test_long_values_and_many_differences_are_shortened() -> None:
    sent = post(json.dumps({str(i): "v" * 5000 for i in range(20)}).encode(), url=URL + "?" + "q" * 5000)

    text = explain_mismatch(sent, [(0, post(b"{}"))], [])

    assert "... and" in text
    assert len(text) < 2500
