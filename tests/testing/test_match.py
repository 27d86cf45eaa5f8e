"""Matching: requests that mean the same have one key, and a mismatch says what differs."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from g4fsdk import Request, UsageError
from g4fsdk.testing import (
    Cassette,
    Interaction,
    MismatchError,
    Player,
    RecordedRequest,
    RecordedResponse,
)
from g4fsdk.testing._cassette.match import match_key
from g4fsdk.testing._replay.matching import Matching
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


FORM_DATA = "multipart/form-data; boundary=a"


def form_data(content: str, named: str) -> bytes:
    return f"--a\r\nContent-Disposition: form-data; {named}\r\n\r\n{content}\r\n--a--\r\n".encode()


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
    pytest.param(post(b"", url=URL + "?%C3%A9=1"), post(b"", url=URL + "?%c3%a9=1"), id="query coding"),
    pytest.param(post(form_data("a", 'name="n"'), kind=FORM_DATA),
                 post(form_data("a", "name=n"), kind=FORM_DATA), id="name without quotes"),
]  # fmt: skip
DEEP = b"[" * 5000 + b"%d" + b"]" * 5000

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
    pytest.param(post(b"", url=URL + "/%ff"), post(b"", url=URL + "/%fe"), id="path that is no UTF-8"),
    pytest.param(post(b"", url=URL + "?a=%ff"), post(b"", url=URL + "?a=%fe"), id="query that is no UTF-8"),
    pytest.param(post(b"", url=URL + "?a=1&a=2"), post(b"", url=URL + "?a=2&a=1"), id="order of values"),
    pytest.param(post(b"", url=URL + "/a%2Fb"), post(b"", url=URL + "/a/b"), id="a slash in a name"),
    pytest.param(post(DEEP % 1), post(DEEP % 2), id="deep JSON"),
    pytest.param(
        post(b"--a\r\n\r\n1\r\n--a--", kind=FORM_DATA.replace("=a", "=b")),
        post(b"--a\r\n\r\n2\r\n--a--", kind=FORM_DATA.replace("=a", "=b")),
        id="boundary that is none",
    ),
    pytest.param(
        post(form_data("a\r\n--ab", 'name="n"'), kind=FORM_DATA),
        post(form_data("a\r\n--ac", 'name="n"'), kind=FORM_DATA),
        id="boundary that goes on",
    ),
    pytest.param(
        post(form_data("a", "name=n"), kind=FORM_DATA),
        post(form_data("a", "name=o"), kind=FORM_DATA),
        id="another name without quotes",
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_meaning_is_one_key(one: RecordedRequest, other: RecordedRequest) -> None:
    assert match_key(one) == match_key(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_meaning_is_another_key(one: RecordedRequest, other: RecordedRequest) -> None:
    assert match_key(one) != match_key(other)


def test_the_origin_can_be_left_out() -> None:
    elsewhere = Matching.read(with_origin=False)
    here, there = post(b"x", url="http://127.0.0.1:9/api?a=1"), post(b"x", url=URL + "?a=1")

    assert elsewhere.key(here, frozenset()) == elsewhere.key(there, frozenset())
    assert elsewhere.same_bytes(here) == elsewhere.same_bytes(there)
    for other in ("http://chat.test?a=1", "http://chat.test?a=/", "http://chat.test"):
        assert elsewhere.same_bytes(post(b"x", url=other)) is None


def body_of(content: str, **more: object) -> bytes:
    return json.dumps({"messages": [{"content": content}], **more}).encode()


def test_a_mismatch_names_the_request_the_nearest_and_what_differs() -> None:
    far = post(body_of("Hello"), url="https://chat.test/elsewhere")
    near = post(body_of("Hello", model="gpt-4"))

    text = explain_mismatch(post(body_of("Hi", seed=1)), [(0, far), (3, near)], [])

    assert text.splitlines() == [
        "no recorded interaction answers this request:",
        '  POST https://chat.test/api  {"messages": [{"content": "Hi"}], "seed": 1}',
        "what differs:",
        "  body.json.messages[0].content: sent 'Hi', recorded 'Hello'",
        "  body.json.seed: 1 was sent, and is not recorded",
        "  body.json.model: 'gpt-4' is recorded, and was not sent",
        "from the nearest recorded request, interactions[3]:",
        '  POST https://chat.test/api  {"messages": [{"content": "Hello"}], "model": "gpt-4"}',
    ]


@pytest.mark.parametrize(
    ("sent", "recorded", "says"),
    [
        pytest.param(
            post(b""), post(b'{"a": 1}'), "body: none was sent, and one is recorded", id="none sent"
        ),
        pytest.param(post(b"x"), post(b""), "body: one was sent, and none is recorded", id="none recorded"),
        pytest.param(
            post(b'{"a": null}'),
            post(b'{"a": true}'),
            "body.json.a: sent null, recorded true",
            id="JSON's words",
        ),
        pytest.param(
            post(b"x"),
            post(b"x", url=URL + "?a=1"),
            "query.a: '1' is recorded, and was not sent",
            id="query",
        ),
        pytest.param(
            post(b"a=1&a=2", kind="application/x-www-form-urlencoded"),
            post(b"a=1&a=3", kind="application/x-www-form-urlencoded"),
            "body.form.a[1]: sent '2', recorded '3'",
            id="form",
        ),
    ],
)
def test_a_difference_is_a_sentence(sent: RecordedRequest, recorded: RecordedRequest, says: str) -> None:
    lines = explain_mismatch(sent, [(0, recorded)], []).splitlines()

    assert f"  {says}" in lines[lines.index("what differs:") :]


def test_a_mismatch_says_when_the_answer_was_played_already() -> None:
    text = explain_mismatch(post(b"x"), [], [(2, post(b"x"))])

    assert "it was recorded, and played already, as interactions[2]" in text
    assert "no recorded interaction is left" in text


def test_long_values_and_many_differences_are_shortened() -> None:
    sent = post(json.dumps({str(i): "v" * 5000 for i in range(20)}).encode(), url=URL + "?" + "q" * 5000)

    text = explain_mismatch(sent, [(0, post(b"{}"))], [])

    assert "... and" in text
    assert len(text) < 2500


def is_answered(recorded: RecordedRequest, sent: RecordedRequest, *, provider: str = "", **how: Any) -> bool:
    """Tell whether a recording of *recorded* answers *sent*."""
    one = Interaction(recorded, RecordedResponse(200, "OK", chunks=[b"."], at_ms=[0.0]))
    player = Player(Cassette([one], {"provider": provider}), **how)
    try:
        player.answer(Request(sent.method, sent.url, dict(sent.headers), sent.body))
    except MismatchError:
        return False
    return True


def chat(**body: object) -> RecordedRequest:
    said = {"messages": [{"role": "user", "content": "hi"}], "model": "m", **body}
    return post(json.dumps(said).encode(), url="http://localhost:8000/v1/chat/completions")


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"default": None}}}


def called(**message: object) -> RecordedRequest:
    return chat(messages=[{"role": "assistant", "tool_calls": [CALL], **message}])


@pytest.mark.parametrize(("given", "left_out"), [
    pytest.param(chat(stream=False), chat(), id="stream"),
    pytest.param(chat(n=1, logprobs=False), chat(), id="n, logprobs"),
    pytest.param(chat(tools=None, stop=None, seed=None), chat(), id="null"),
    pytest.param(chat(response_format={"type": "text"}), chat(), id="a format that is the default"),
    pytest.param(called(content=None, refusal=None), called(), id="a message's null"),
    pytest.param(chat(tools=[{**TOOL, "function": {**TOOL["function"], "strict": False}}]),  # type: ignore[dict-item]  # a dict
                 chat(tools=[TOOL]), id="a tool's"),
])  # fmt: skip
def test_a_default_left_out_equals_the_default_given(
    given: RecordedRequest, left_out: RecordedRequest
) -> None:
    assert is_answered(given, left_out)
    assert is_answered(left_out, given)


@pytest.mark.parametrize("more", [
    {"stream": True}, {"stream": 0}, {"n": 2}, {"n": True}, {"temperature": 1}, {"top_p": 1},
    {"logprobs": True},
    {"metadata": {"a": None}}, {"messages": [{"role": "user", "content": "ho"}]}, {"response_format": {}},
])  # fmt: skip
def test_what_is_no_certain_default_makes_a_difference(more: dict[str, object]) -> None:
    assert not is_answered(chat(**more), chat())
    assert not is_answered(chat(), chat(**more))


def test_a_schema_keeps_its_nulls() -> None:
    bare = {"type": "function", "function": {"name": "f", "parameters": {}}}

    assert not is_answered(chat(tools=[TOOL]), chat(tools=[bare]))


def test_defaults_are_those_of_the_provider() -> None:
    other = "https://other.test/api"
    left_out, given = post(b"{}", url=other), post(b'{"stream": false}', url=other)

    assert not is_answered(left_out, given)
    assert is_answered(left_out, given, provider="openai")


@pytest.mark.parametrize(("provider", "url", "name"), [
    ("yqcloud", "http://127.0.0.1:9/api/generateStream", "userId"),
    ("amigo", "http://127.0.0.1:9/v1/chat/completions", "chatId"),
])  # fmt: skip
def test_what_ids_make_makes_no_difference(provider: str, url: str, name: str) -> None:
    one, other, another = (
        post(json.dumps({name: own, "prompt": said}).encode(), url=url)
        for own, said in (("1", "hi"), ("2", "hi"), ("1", "ho"))
    )

    assert is_answered(one, other, provider=provider)
    assert not is_answered(one, another, provider=provider)


TIMED = [
    post(json.dumps({"a": [{"id": n, "b": 1}, {"id": n}], "m": {"time": n}, "x y": n}).encode())
    for n in (1, 2)
]
EVERYTHING = ("$.a[*].id", "$.m.time", "$['x y']")


@pytest.mark.parametrize("ignore", [
    EVERYTHING,
    ["$.a[0].id", "$.a[-1]['id']", "$.m.*", '$["x y"]'],
    ("$.a", "$.m[*]", "$['x y']"),
    ("$.a[*]", "$.m", "$['x y']", "$.nothing[7].here", "$.m[0]", "$[0]"),
    "$",
], ids=str)  # fmt: skip
def test_places_in_the_body_can_be_ignored(ignore: Any) -> None:
    assert is_answered(*TIMED, ignore=ignore)
    assert not is_answered(*TIMED)


@pytest.mark.parametrize(
    "ignore", [EVERYTHING[:2], ("$.a[0].id", "$.m", "$['x y']"), ("$.a.id", *EVERYTHING[1:])]
)
def test_what_is_not_ignored_makes_a_difference(ignore: Any) -> None:
    assert not is_answered(*TIMED, ignore=ignore)


def test_an_ignored_place_may_be_missing_and_keeps_the_others_apart() -> None:
    assert is_answered(post(b'{"a": 1}'), post(b"{}"), ignore=["$.a"])
    assert not is_answered(post(b'{"a": [1, 2]}'), post(b'{"a": [2]}'), ignore=["$.a[0]"])


def test_parts_forms_and_base64_have_places_too() -> None:
    form = "application/x-www-form-urlencoded"
    one, other = (post(b"a=%d&b=1" % n, kind=form) for n in (1, 2))
    packed, repacked = (
        post(json.dumps({"messages": base64_of([{"id": n, "content": "hi"}])}).encode()) for n in (1, 2)
    )

    assert is_answered(one, other, ignore="$.a")
    assert not is_answered(one, other, ignore="$.b")
    assert is_answered(multipart("x"), multipart("x", '{"a": 2}'), ignore="$.data.a")
    assert is_answered(multipart("x"), multipart("x", '{"a": 2}'), ignore="$.data")
    assert not is_answered(multipart("x"), multipart("x", '{"a": 2}'), ignore="$.files")
    assert is_answered(packed, repacked, ignore="$.messages[0].id")


@pytest.mark.parametrize(("place", "excerpt"), [
    ("$.a..b", "'$.a..b' is no path into a JSON body at '..b'"), ("$.", "at '.'"), ("$a", "at 'a'"),
    ("$.a[", "at '['"), ("$.a[x]", "at '[x]'"), ("$.a[?(@.b)]", "at '[?"), ("$['a]", "at"),
    ("a.b", "expected a path"), ("", "expected"), ("header:", "header:Name"), ("query: ", "query:name"),
    ("cookie:a", "expected"), (7, "ignore=7"),
])  # fmt: skip
def test_a_place_that_cannot_be_read_is_said(place: Any, excerpt: str) -> None:
    with pytest.raises(UsageError) as caught:
        Matching.read(ignore=[place])

    assert excerpt in str(caught.value)


def with_header(**headers: str) -> RecordedRequest:
    return RecordedRequest("POST", URL, [*headers.items()], b"{}")


def test_headers_and_query_can_be_ignored() -> None:
    said: dict[str, Any] = {"match_on": ("method", "url", "query", "headers", "body")}
    timed = [with_header(A="1", Time=str(n)) for n in (1, 2)]
    asked = [post(b"", url=f"{URL}?q=1&t={n}&t=") for n in (1, 2)]

    assert is_answered(*timed)
    assert not is_answered(*timed, **said)
    assert is_answered(*timed, **said, ignore=["header:TIME"])
    assert not is_answered(*timed, **said, ignore=["header:A"])
    assert is_answered(*asked, ignore=["query:t"])
    assert not is_answered(*asked, ignore=["query:q"])


def test_headers_of_libraries_and_secrets_never_count() -> None:
    one = with_header(Authorization="Bearer sk-aaaaaaaaaaaaaaaaaaaaaaaa", Host="a", **{"User-Agent": "x/1"})
    other = with_header(authorization="Bearer sk-bbbbbbbbbbbbbbbbbbbbbbbb", host="b", Connection="close")

    assert is_answered(one, other, match_on=("method", "url", "headers", "body"))


@pytest.mark.parametrize(("match_on", "sent", "answered"), [
    (("method", "url"), post(b"other", url=URL + "?a=1"), True),
    (("method", "url"), RecordedRequest("PUT", URL, [], b"x"), False),
    (("method", "url", "query"), post(b"x", url=URL + "?a=1"), False),
    (("body",), RecordedRequest("PUT", "http://elsewhere.test/b", [], b"x"), True),
    ("body", post(b"y"), False),
    (["query", "body"], post(b"x", url="https://elsewhere.test"), True),
    (lambda sent, recorded: sent.body[:1] == recorded.body[:1], post(b"xyz", url="http://other.test"), True),
    (lambda sent, recorded: sent.body != recorded.body, post(b"x"), False),
])  # fmt: skip
def test_what_is_compared_can_be_chosen(match_on: Any, sent: RecordedRequest, answered: bool) -> None:
    assert is_answered(post(b"x"), sent, match_on=match_on) == answered


@pytest.mark.parametrize("how", [
    {"match_on": ("uri",)}, {"match_on": ()}, {"match_on": "path"},
    {"match_on": lambda a, b: True, "ignore": "$.a"},
])  # fmt: skip
def test_what_cannot_be_compared_is_said(how: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"match_on="):
        Player(Cassette(), **how)


def test_a_callable_that_fails_is_a_mismatch_with_its_cause() -> None:
    player = Player(Cassette([Interaction(post(b"x"), RecordedResponse(200))]), match_on=lambda a, b: 1 / 0)  # type: ignore[arg-type]  # never returns

    with pytest.raises(MismatchError, match="ZeroDivisionError") as caught:
        player.answer(Request("POST", URL, {}, b"x"))

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_mismatch_shows_only_what_is_compared() -> None:
    one = Interaction(post(body_of("Hello", time=1)), RecordedResponse(200))
    player = Player(Cassette([one]), ignore="$.time")

    with pytest.raises(MismatchError) as caught:
        player.answer(Request("POST", URL, {}, body_of("Hi", time=2)))

    assert "what differs:\n  body.json.messages[0].content: sent 'Hi', recorded 'Hello'\nfrom" in str(
        caught.value
    )
    assert "body.json.time" not in str(caught.value)


def with_key(key: str, place: str, text: str = "Hi") -> RecordedRequest:
    """Return a request whose body, or else address, holds *key*."""
    in_body = {"api_key": key} if place == "body" else {}
    url = f"{URL}?key={key}&key_id=1" if place == "address" else URL
    return post(json.dumps({**in_body, "text": text}).encode(), url=url)


@pytest.mark.parametrize("place", ["body", "address"])
def test_a_key_sent_again_and_again_makes_no_difference(place: str) -> None:
    texts = ["one", "two", "two", "three", "four"]
    recorded = [
        with_key("SCRUBBED-api-key-1" if n % 2 else "SCRUBBED-key-7", place, text)
        for n, text in enumerate(texts)
    ]
    answers = [Interaction(one, RecordedResponse(200, str(n))) for n, one in enumerate(recorded)]
    player = Player(Cassette(answers))
    keys = ["live-key-0123", "live-key-0123", "other-key-456", "live-key-0123", "live-key-0123"]

    def asked(key: str, text: str) -> str:
        sent = with_key(key, place, text)
        return player.answer(Request(sent.method, sent.url, {}, sent.body)).reason

    assert [*map(asked, keys, reversed(texts))] == ["4", "3", "1", "2", "0"]
    with pytest.raises(MismatchError):
        asked("live-key-0123", "five")
