"""Scrubbing: no secret of any kind is left, in any coding, and what is none keeps its bytes."""

from __future__ import annotations

import base64
import copy
import gzip
import html
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4fsdk.testing import Cassette, Interaction, LeakError, RecordedRequest, RecordedResponse
from g4fsdk.testing._cassette.values import Headers
from g4fsdk.testing._secrets.names import PLACEHOLDER
from g4fsdk.testing._secrets.scrub import Leak, Scrubber, find_leaks

URL = "https://chat.test/api"
CANARY = "canary-9f8e7d/6c+5b"
KEY = "sk-proj-abcdEFGH12345678ijkl"


def session(
    *,
    url: str = URL,
    sent: Headers | None = None,
    body: bytes = b"",
    came: Headers | None = None,
    chunks: list[bytes] | None = None,
    status: int = 200,
) -> Cassette:
    pieces = chunks or []
    response = RecordedResponse(
        status, headers=came or [], chunks=pieces, at_ms=[float(i) for i in range(len(pieces))]
    )
    return Cassette([Interaction(RecordedRequest("POST", url, sent or [], body), response)])


def everything_in(cassette: Cassette) -> str:
    """Return all values of *cassette* as text; its own repr hides them."""
    return repr(asdict(cassette))


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def base64_of(text: bytes) -> str:
    return base64.b64encode(text).decode()


def multipart(name: str, value: str) -> bytes:
    return f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--B--\r\n'.encode()


def deltas(*texts: str) -> list[bytes]:
    return [
        b"data: %s\n\n" % as_json({"choices": [{"index": 0, "delta": {"content": text}}]}) for text in texts
    ]


def updates(*tokens: str) -> list[bytes]:
    return [as_json({"type": "stream", "token": token.ljust(16, "\0")}) + b"\n" for token in tokens]


def joined_text(body: bytes) -> str:
    """Return what a client shows of *body*, made without the code under test."""
    text = ""
    for line in body.decode().splitlines():
        match json.loads(line.removeprefix("data: ") or "null"):
            case {"choices": [{"delta": {"content": str(piece)}}]} | {"token": str(piece)}:
                text += piece.rstrip("\0")
    return text


def codings_of(secret: str) -> list[str]:
    forms = [secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret.replace("/", r"\/")]
    return [*forms, base64_of(secret.encode())]


PLACES: dict[str, Callable[[str], Cassette]] = {
    "header": lambda s: session(sent=[("Authorization", f"Bearer {s}")]),
    "cookie": lambda s: session(sent=[("Cookie", f"hf-chat={s}; theme=dark")]),
    "Set-Cookie": lambda s: session(came=[("Set-Cookie", f"hf-chat={s}; Path=/; HttpOnly")]),
    "header of the caller's own": lambda s: session(sent=[("X-My-Auth", s)]),
    "query": lambda s: session(url=f"{URL}?model=m&api_key={quote(s, safe='')}"),
    "JSON key": lambda s: session(body=as_json({"apiKey": s, "model": "m"})),
    "nested JSON": lambda s: session(body=as_json({"a": [{"b": {"client_secret": s}}]})),
    "JSON in a JSON string": lambda s: session(
        body=as_json({"a": json.dumps({"b": json.dumps({"password": s})})})
    ),
    "SSE data": lambda s: session(chunks=[b"data: " + as_json({"access_token": s}) + b"\n\n"]),
    "JSON line": lambda s: session(chunks=[b'{"type":"x"}\n' + as_json({"refresh_token": s}) + b"\n"]),
    "multipart": lambda s: session(body=multipart("api_key", s)),
    "multipart, spelt loosely": lambda s: session(
        body=multipart("api_key", s).replace(b'"', b"").replace(b"\r\n", b"\n")
    ),
    "query name that is coded": lambda s: session(url=f"{URL}?access%5Ftoken={quote(s, safe='')}"),
    "fragment": lambda s: session(url=f"{URL}#access_token={quote(s, safe='')}&a=1"),
    "dict as Python prints it": lambda s: session(
        chunks=[as_json({"detail": repr({"input": {"api_key": s}})})]
    ),
    "form": lambda s: session(body=f"password={quote(s, safe='')}&a=1".encode()),
    "base64 payload": lambda s: session(body=as_json({"messages": base64_of(as_json([{"token": s}]))})),
    "URL password": lambda s: session(url=f"https://user:{quote(s, safe='')}@chat.test/api"),
    "error body": lambda s: session(status=401, chunks=[as_json({"error": {"message": "no", "api_key": s}})]),
    "cookie jar": lambda s: session(body=as_json({"conversation": {"cookies": {"hf-chat": s}}})),
    "list of pairs": lambda s: session(body=as_json({"headers": [["Accept", "*/*"], ["x-api-key", s]]})),
    "HAR's headers": lambda s: session(
        body=as_json([{"name": "Authorization", "value": f"Bearer {s}"}, {"name": "a", "value": "b"}])
    ),
    "value before its name, in a string": lambda s: session(
        chunks=[as_json({"log": json.dumps([{"value": s, "name": "api_key"}], indent=1)})]
    ),
    "path": lambda s: session(url=f"https://chat.test/v1/api_key/{quote(s, safe='')}/messages?a=1"),
    "list": lambda s: session(body=as_json({"api_keys": ["", s]})),
    "value of an object": lambda s: session(
        chunks=[as_json({"client_secret": {"expires_at": 1, "value": s}})]
    ),
    "printed head": lambda s: session(chunks=[f"Host: a\r\nx-api-key: {s}\r\n".encode()]),
    "cookies of a printed head": lambda s: session(
        chunks=[f"a\nset-cookie: a=1, hf-chat={s}; Path=/".encode()]
    ),
    "header in one string": lambda s: session(body=as_json({"headers": [f"X-Api-Key: {s}"]})),
    "environment": lambda s: session(body=f"A=1\nexport OPENAI_API_KEY='{s}'\n".encode()),
    "YAML": lambda s: session(body=f"a: 1\napi_key: {s}\n".encode()),
    "XML": lambda s: session(body=f"<a><ApiKey>{s}</ApiKey></a>".encode()),
    "hidden field of a page": lambda s: session(
        chunks=[f"<form><input type='hidden' name='authenticity_token' value='{s}' /></form>".encode()]
    ),
    "what a page gives its scripts, in JSON": lambda s: session(
        chunks=[as_json({"page": f'<meta content="{s}" name="csrf-token">'})]
    ),
    "pair with a member between, in capitals": lambda s: session(
        chunks=[as_json({"Tags": [{"Key": "api_key", "Type": "text", "Value": s}]})]
    ),
    "value, a member, its name": lambda s: session(body=as_json([{"value": s, "type": 1, "name": "token"}])),
    "name that begins with a stroke": lambda s: session(body=f"_token={quote(s, safe='')}&a=1".encode()),
    "such a one in JSON": lambda s: session(body=as_json({"_csrf": s})),
    "name behind another": lambda s: session(body=f"//registry.test/:_authToken={s}\n".encode()),
    "parameter of a part of a path": lambda s: session(
        came=[("Location", f"/chat;jsessionid={quote(s, safe='')}?page=2")]
    ),
    "several Set-Cookie in one": lambda s: session(
        came=[("Set-Cookie", f"a=1; Expires=Fri, 04 Dec 2026 12:13:36 GMT, hf-chat={s}; Path=/")]
    ),
    "cookie without a name": lambda s: session(sent=[("Cookie", s)]),
    "multipart, in small letters": lambda s: session(body=multipart("api_key", s).lower()),
    "cut off JSON": lambda s: session(chunks=[as_json({"api_key": s})[:-2]]),
    "user id in an answer": lambda s: session(chunks=[as_json({"user_id": s})]),
    "call": lambda s: Cassette(metadata={"call": {"api_key": s, "headers": {"X-Api-Key": s}}}),
    "header of the call": lambda s: Cassette(metadata={"call": {"extra_headers": {"X-My-Auth": s}}}),
    "proxy of the call": lambda s: Cassette(
        metadata={"call": {"proxy": f"http://me:{quote(s, safe='')}@proxy.test"}}
    ),
}


@pytest.mark.parametrize("place", [pytest.param(place, id=name) for name, place in PLACES.items()])
def test_a_secret_under_its_name_is_found_and_taken_out(place: Callable[[str], Cassette]) -> None:
    cassette = place(CANARY)

    scrubbed = Scrubber().scrub_cassette(cassette)

    assert find_leaks(cassette)
    assert not any(form in everything_in(scrubbed) for form in codings_of(CANARY))
    assert "SCRUBBED" in everything_in(scrubbed) or base64_of(b'[{"token": "SCRUBBED')[:-4] in everything_in(
        scrubbed
    )
    assert find_leaks(scrubbed, [CANARY]) == []


def test_a_secret_is_taken_out_of_a_packed_answer() -> None:
    packed = gzip.compress(as_json({"api_key": CANARY, "n": 1}))

    response = Scrubber().scrub_cassette(session(chunks=[packed[:9], packed[9:]])).interactions[0].response

    assert json.loads(gzip.decompress(response.body)) == {"api_key": "SCRUBBED-api-key-1", "n": 1}


def test_a_secret_is_taken_out_of_gzip_in_base64() -> None:
    logs = base64_of(gzip.compress(as_json({"api_key": CANARY, "n": 1})))

    scrubbed = Scrubber().scrub_cassette(session(chunks=[as_json({"awslogs": {"data": logs}})]))

    data = json.loads(scrubbed.interactions[0].response.body)["awslogs"]["data"]
    assert gzip.decompress(base64.b64decode(data)) == as_json({"api_key": "SCRUBBED-api-key-1", "n": 1})


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_secret_is_taken_out_of_base64_in_lines(line_end: bytes) -> None:
    plain = as_json({"pad": "x" * 80, "api_key": CANARY, "more": "y" * 90})
    body = base64.encodebytes(plain).replace(b"\n", line_end)

    scrubbed = Scrubber().scrub_cassette(session(body=body)).interactions[0].request.body

    assert base64.b64decode(scrubbed) == plain.replace(CANARY.encode(), b"SCRUBBED-api-key-1")
    assert {len(line) for line in scrubbed.splitlines()[:-1]} == {76}


def test_twelve_secrets_in_one_session_leave_no_trace() -> None:
    secrets = [f"canary-{number:02}-{'x' * number}" for number in range(len(PLACES))]
    parts = [place(secret) for place, secret in zip(PLACES.values(), secrets, strict=True)]
    cassette = Cassette([each for part in parts for each in part.interactions])
    cassette.metadata = {"calls": [part.metadata for part in parts]}

    scrubbed = Scrubber().scrub_cassette(cassette)

    assert not [secret for secret in secrets if secret in everything_in(scrubbed)]
    assert find_leaks(scrubbed, secrets) == []


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        "sk-ant-api03-abcdefghijklmnop",
        "sk-or-v1-0123456789abcdef0123",
        "hf_abcdefghijklmnopQRST",
        "gsk_abcdefghijklmnop1234",
        "AIzaSyA0123456789abcdefghijklmnopqrstu",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJl",
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..c2l4dGVlbmJ5dGVz.aGVsbG8gd29ybGQ.dGhlIHRhZyBvZiBpdA",
        "eyJ1c2VyIjoxN30.Zw3kLQ.dGhlIHNpZ25hdHVyZSBvZiBpdA",
        "org-abcdefghijklmnop1234",
        "sk-abc*****************wxyz",
        "AKIAIOSFODNN7EXAMPLE",
        "glpat-abcdefghij1234567890",
        "tgp_v1_abcdefghij1234567890",
        "dapi0123456789abcdef0123456789abcdef-2",
        "sk_live_" + "abcdEFGH12345678",
        "rk_test_" + "abcdEFGH12345678",
        "whsec_abcdEFGH12345678ijklMNOP",
        "SG.abcdEFGH12345678ijklMN.abcdEFGH12345678ijklMNOP90qrSTUV1234abcd5678",
        "npm_abcdEFGH12345678ijklMNOP90qrSTUV1234",
        "pypi-AgEIcHlwaS5vcmcabcdEFGH12345678ijklMNOP90qrSTUV1234abcd",
        "bot123456789:AAabcdEFGH12345678ijklMNOP90qrSTUV1",
    ],
)
def test_a_key_is_known_by_its_look(key: str) -> None:
    cassette = session(chunks=[f"Incorrect API key provided: {key}.\n".encode()])

    scrubbed = Scrubber().scrub_cassette(cassette)

    assert key not in everything_in(scrubbed)
    assert scrubbed.interactions[0].response.body.startswith(b"Incorrect API key provided: SCRUBBED-")


ECHOES: dict[str, Callable[[str], bytes]] = {
    "plain": lambda s: f"your key {s} is wrong".encode(),
    "JSON": lambda s: as_json({"message": f"key {s}!"}),
    "JSON with slashes escaped": lambda s: as_json({"message": s}).replace(b"/", rb"\/"),
    "all escaped": lambda s: b'{"message":"%s"}' % "".join(f"\\u{ord(c):04X}" for c in s).encode(),
    "JSON in JSON": lambda s: as_json({"a": as_json({"b": f"{s}"}).decode()}),
    "percent-coded": lambda s: f"/login?next=%2Fx%3Fk%3D{quote(s, safe='')}".encode(),
    "XML": lambda s: f"<error>no such key: {html.escape(s)}</error>".encode(),
    "XML, all escaped": lambda s: "".join(f"&#x{ord(c):x};" for c in s).encode(),
    "HTML in JSON, as Go writes it": lambda s: as_json({"page": "".join(f"&#{ord(c)};" for c in s)}).replace(
        b"&", rb"\u0026"
    ),
    "path": lambda s: f"https://chat.test/bot{quote(s, safe='')}/send".encode(),
    "fully percent-coded": lambda s: "".join(f"%{byte:02x}" for byte in s.encode()).encode(),
    "base64 of JSON": lambda s: base64_of(as_json({"a": s})).encode(),
    "base64url of text": lambda s: base64.urlsafe_b64encode(f"abc?~{s}".encode()).rstrip(b"="),
    "base64, aligned at 1": lambda s: base64_of(b"\xff" + s.encode() + b"\xfe\xff").encode(),
    "base64, aligned at 2": lambda s: base64_of(b"\xff\xff" + s.encode() + b"\xfe").encode(),
    "base64 in a path": lambda s: b"/files/" + base64_of(b"\xff" * 9 + s.encode()).encode(),
}


@pytest.mark.parametrize("echo", [pytest.param(echo, id=name) for name, echo in ECHOES.items()])
@pytest.mark.parametrize("secret", [CANARY, KEY, 'quote"and\\back', "ключ-от-всех-дверей"])
def test_a_value_seen_once_is_taken_out_in_any_coding(secret: str, echo: Callable[[str], bytes]) -> None:
    cassette = session(chunks=[echo(secret)])
    scrubber = Scrubber()
    scrubber.add_secret(secret)

    scrubbed = scrubber.scrub_cassette(cassette)

    assert find_leaks(cassette, [secret])
    assert echo(secret) not in scrubbed.interactions[0].response.body
    assert find_leaks(scrubbed, [secret]) == []
    assert Scrubber().scrub_cassette(scrubbed) == scrubbed


def test_the_password_in_basic_credentials_is_taken_out_wherever_it_is_echoed() -> None:
    cassette = session(
        sent=[("Authorization", f"Basic {base64_of(b'me:open-sesame-17')}")],
        chunks=[b"me:open-sesame-17 is wrong: no open-sesame-17 here"],
        status=401,
    )

    body = Scrubber().scrub_cassette(cassette).interactions[0].response.body

    assert PLACEHOLDER.sub("*", body.decode()) == "* is wrong: no * here"


def test_the_same_secret_has_the_same_placeholder_everywhere() -> None:
    cassette = session(
        chunks=[f"no such key: {CANARY}".encode()],
        sent=[("Authorization", f"Bearer {CANARY}")],
        body=as_json({"api_key": CANARY, "password": "another-secret-1"}),
    )

    scrubbed = Scrubber().scrub_cassette(cassette)

    assert set(PLACEHOLDER.findall(everything_in(scrubbed))) == {
        "SCRUBBED-authorization-1",
        "SCRUBBED-password-1",
    }
    assert scrubbed.interactions[0].request.headers == [("Authorization", "Bearer SCRUBBED-authorization-1")]


def test_a_secret_seen_late_is_taken_out_of_what_came_before() -> None:
    cassette = session(chunks=[f"hello {CANARY}".encode()])
    cassette.interactions += session(sent=[("X-Api-Key", CANARY)]).interactions

    scrubbed = Scrubber().scrub_cassette(cassette)

    assert scrubbed.interactions[0].response.body == b"hello SCRUBBED-x-api-key-1"


TEXT = [
    pytest.param(b'{"type":"stream","token":"sesame-opener\\u0000\\u0000"}\n', id="chat-ui token"),
    pytest.param(
        b'{"token":"sesame-opener","type":"stream"}\n', id="chat-ui token, keys the other way round"
    ),
    pytest.param(b'{"type":"reasoning","subtype":"stream","token":"because"}\n', id="chat-ui reasoning"),
    pytest.param(b'{"content":[{"token":"Hello","logprob":-0.1,"bytes":[72]}]}', id="log probabilities"),
    pytest.param(b'{"token":{"id":5,"text":"Hello","special":false}}', id="old TGI token"),
    pytest.param(b'{"max_tokens":4000,"usage":{"prompt_tokens":7,"total_tokens": 15}}', id="token counts"),
    pytest.param(b'{"tools":[{"password":{"type":"string","description":"a word"}}]}', id="schema of a tool"),
    pytest.param(
        b'{"conversationId":"6b00394db8680ad26abbed90","chatId":"487afaf7-d53a"}', id="conversation ids"
    ),
    pytest.param(b'{"api_key":"","password":null,"token":null}', id="empty values"),
    pytest.param(b"the task-force and risk-assessment-of-everything", id="words with sk- inside"),
    pytest.param(
        '{"text":"\u2028 emoji \U0001f600 caf\u00e9 \\ud83d"}\r\n \t'.encode(), id="odd text and spacing"
    ),
    pytest.param(b'{"a": "\xff\xfe broken', id="broken bytes"),
    pytest.param(
        b'<meta name="viewport" content="width=device-width"><input name="token_count" value="1234567890">'
        b'<input type=password name=password value=""><input name="secret_santa" value="a1B2c3D4e5F6">'
        b'<meta name="csrf-param" content="authenticity_token">',
        id="a page",
    ),
    pytest.param(b"a=1&b=2&token=&key=", id="form without values"),
    pytest.param(
        b'{"required":["api_key","username"],"a":["password","oauth2_client","b"]}', id="lists of names"
    ),
    pytest.param(b'[{"name":"token","value":""},{"name":"n","value":"api_key"},["key","k"]]', id="pairs"),
    pytest.param(
        b"https://chat.test/tokens/0123456789/token/0123456789/keys/key_0123456789", id="ids in a path"
    ),
    pytest.param(
        b"api_key = settings.client2.openai_api_key\npassword: correct-horse-battery-staple\n"
        b"api_key=derive_key_2024_with_sha256(salt)\nsecret: str = config['v1']\ncookie: str = 'a=b'",
        id="programs",
    ),
    pytest.param(b'{"eos_token":"<|endoftext|>","prompt_cache_key":"my-cache-17","a":"Keyboard"}', id="keys"),
]


def test_headers_that_only_look_like_a_secrets_are_kept() -> None:
    sent = [("X-Monkey", "see-monkey-do-1"), ("Idempotency-Key", "retry-0123456789")]
    cassette = session(sent=sent, came=[("Access-Control-Allow-Credentials", "true")])

    assert Scrubber().scrub_cassette(cassette) == cassette


@pytest.mark.parametrize("body", TEXT)
def test_a_body_without_secrets_keeps_its_bytes(body: bytes) -> None:
    cassette = session(body=body, chunks=[body[:7], body[7:]])

    assert Scrubber().scrub_cassette(cassette) == cassette
    assert find_leaks(cassette) == []


@pytest.mark.parametrize(
    "said", [{"set-cookie": "{}"}, ["set-cookie", "{}"], {"name": "Set-Cookie", "value": "{}"}]
)
def test_the_attributes_of_a_cookie_are_kept(said: object) -> None:
    body = as_json({"headers": [said]}).replace(
        b"{}", b"hf-chat=%s; Path=/; Expires=Fri, 04 Dec 2026 12:13:36 GMT"
    )

    scrubbed = Scrubber().scrub_cassette(session(chunks=[body % CANARY.encode()])).interactions[0].response

    assert scrubbed.body == body % b"SCRUBBED-cookie-1"


def test_what_stands_beside_a_secret_keeps_its_bytes() -> None:
    body = b'{ "b" : 1.50,\r\n\t"api_key":"%s" , "\\u0061":"\\u00e9" }' % CANARY.encode()

    scrubbed = Scrubber().scrub_cassette(session(chunks=[body]))

    assert scrubbed.interactions[0].response.body == body.replace(CANARY.encode(), b"SCRUBBED-api-key-1")


def test_the_callers_own_ids_are_kept_but_the_accounts_are_not() -> None:
    cassette = session(
        body=b'{"userId":"#/chat/1763640000000"}',
        chunks=[b'{"userId":"#/chat/1763640000000","user_id":"acct_2g27FbGq","organization":"org_x1y2z3"}'],
    )

    scrubbed = Scrubber().scrub_cassette(cassette).interactions[0]

    assert scrubbed.request.body == b'{"userId":"#/chat/1763640000000"}'
    assert json.loads(scrubbed.response.body) == {
        "userId": "#/chat/1763640000000",
        "user_id": "SCRUBBED-user-id-1",
        "organization": "SCRUBBED-organization-1",
    }


def test_a_number_stays_a_number() -> None:
    scrubbed = Scrubber().scrub_cassette(session(chunks=[b'{"user_id": 123456789, "other": 123456789}']))

    assert scrubbed.interactions[0].response.body == b'{"user_id": 0, "other": 0}'


@pytest.mark.parametrize("common", ["Session", "true", "admin", "12345", "secret", "SCRUBBED-cookie-1"])
def test_a_common_value_is_replaced_only_under_its_name(common: str) -> None:
    cassette = session(body=as_json({"password": common, "text": f"say {common} twice"}))

    scrubbed = Scrubber().scrub_cassette(cassette).interactions[0].request.body

    assert json.loads(scrubbed)["text"] == f"say {common} twice"
    assert PLACEHOLDER.fullmatch(json.loads(scrubbed)["password"])


@pytest.mark.parametrize("value", ["Bearer", "Bearer null", "bearer undefined"])
def test_an_authorization_without_a_key_is_no_leak(value: str) -> None:
    cassette = session(sent=[("authorization", value)])

    assert find_leaks(cassette) == []
    assert Scrubber().scrub_cassette(cassette) == cassette


@given(cuts=st.lists(st.integers(0, 150), max_size=6))
def test_a_secret_cut_over_chunks_anywhere_is_taken_out(cuts: list[int]) -> None:
    body = b"".join(deltas("my key is ")) + f": the key {CANARY}, again {CANARY}\n\n".encode()
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    chunks = [body[start:end] for start, end in pairwise(places)]
    scrubber = Scrubber()
    scrubber.add_secret(CANARY)

    response = scrubber.scrub_cassette(session(chunks=chunks)).interactions[0].response

    assert response.body == body.replace(CANARY.encode(), b"SCRUBBED-secret-1")
    assert len(response.chunks) == len(response.at_ms) <= len(chunks)
    assert all(response.chunks)


def test_the_chunk_where_a_secret_starts_takes_the_placeholder_and_an_empty_one_is_dropped() -> None:
    cassette = session(chunks=[b"key " + KEY[:5].encode(), KEY[5:9].encode(), KEY[9:].encode() + b" end"])

    response = Scrubber().scrub_cassette(cassette).interactions[0].response

    assert response.chunks == [b"key SCRUBBED-openai-key-1", b" end"]
    assert response.at_ms == [0.0, 2.0]


@pytest.mark.parametrize("stream", [deltas, updates])
@pytest.mark.parametrize("size", [1, 3, 11])
@pytest.mark.parametrize("secret", [KEY, CANARY])
def test_a_secret_that_comes_piece_by_piece_is_taken_out(
    stream: Callable[..., list[bytes]], size: int, secret: str
) -> None:
    text = f"Your key is {secret}, keep it."
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    cassette = session(chunks=stream(*pieces))
    scrubber = Scrubber()
    scrubber.add_secret(secret)

    scrubbed = scrubber.scrub_cassette(cassette)

    response = scrubbed.interactions[0].response
    assert re.fullmatch(r"Your key is SCRUBBED-[a-z-]+-1, keep it\.", joined_text(response.body))
    assert len(response.chunks) == len(pieces)
    assert find_leaks(scrubbed, [secret]) == []
    assert Scrubber().scrub_cassette(scrubbed) == scrubbed


@given(data=st.data())
def test_a_secret_of_two_interleaved_choices_is_taken_out_of_each(data: st.DataObject) -> None:
    order = data.draw(st.permutations([0] * len(KEY) + [1] * len(KEY)))
    letters = {0: iter(KEY), 1: iter(KEY)}
    events = [
        b"data: %s\n\n" % as_json({"choices": [{"delta": {"content": next(letters[i])}, "index": i}]})
        for i in order
    ]

    scrubbed = Scrubber().scrub_cassette(session(chunks=events, sent=[("Authorization", f"Bearer {KEY}")]))

    texts = {0: "", 1: ""}
    for line in scrubbed.interactions[0].response.body.split(b"\n\n")[:-1]:
        choice = json.loads(line.removeprefix(b"data: "))["choices"][0]
        texts[choice["index"]] += choice["delta"]["content"]
    assert texts == {0: "SCRUBBED-authorization-1", 1: "SCRUBBED-authorization-1"}


def test_a_secret_that_comes_letter_by_letter_in_plain_events_is_taken_out() -> None:
    events = [b"data: %s\n\n" % letter.encode() for letter in KEY]

    body = Scrubber().scrub_cassette(session(chunks=events)).interactions[0].response.body

    assert body.replace(b"data: ", b"").replace(b"\n\n", b"") == b"SCRUBBED-openai-key-1"


def test_a_secret_in_plain_events_that_begin_with_blanks_is_taken_out() -> None:
    events = [b"data: My\n\n", b"data:  key\n\n", b"data:  can\n\n", b"data: %s\n\n" % CANARY[3:].encode()]
    sent = [("Authorization", f"Bearer {CANARY}")]

    response = Scrubber().scrub_cassette(session(chunks=events, sent=sent)).interactions[0].response

    assert response.body == b"data: My\n\ndata:  key\n\ndata:  SCRUBBED-authorization-1\n\ndata: \n\n"


def test_a_secret_in_events_of_many_lines_is_taken_out() -> None:
    lines = json.dumps({"choices": [{"delta": {"content": "{}"}}]}, indent=1).splitlines()
    event = "".join(f"data: {line}\n" for line in lines) + "\n"
    events = [event.replace("{}", letter).encode() for letter in KEY]

    body = Scrubber().scrub_cassette(session(chunks=events)).interactions[0].response.body

    assert "".join(re.findall(r'"content": "(.*)"', body.decode())) == "SCRUBBED-openai-key-1"


@pytest.mark.parametrize("is_stream", [True, False])
def test_a_secret_in_log_probabilities_is_taken_out(is_stream: bool) -> None:
    tokens = [{"token": KEY[at : at + 4], "logprob": -0.5} for at in range(0, len(KEY), 4)]
    body = as_json({"choices": [{"logprobs": {"content": tokens}}], "echo": KEY})

    scrubbed = Scrubber().scrub_cassette(session(chunks=[b"data: %s\n\n" % body if is_stream else body]))

    found = json.loads(scrubbed.interactions[0].response.body.removeprefix(b"data: "))
    said = "".join(token["token"] for token in found["choices"][0]["logprobs"]["content"])
    assert said == found["echo"] == "SCRUBBED-openai-key-1"


def test_servers_that_count_the_index_up_send_one_answer() -> None:
    events = [
        b"data: %s\n\n" % as_json({"choices": [{"index": number, "delta": {"content": letter}}]})
        for number, letter in enumerate(KEY)
    ]

    response = Scrubber().scrub_cassette(session(chunks=events)).interactions[0].response

    assert joined_text(response.body) == "SCRUBBED-openai-key-1"


ODD = [
    pytest.param(b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", b"MIIE", id="PEM"),
    pytest.param(b'{"api_key":"\\q%s"}' % KEY.encode(), KEY.encode(), id="escape that is none"),
    pytest.param(
        b'{"a":"{\\"password\\":\\"%s"' % CANARY.encode(), CANARY.encode(), id="JSON string cut off"
    ),
    pytest.param(b'{"cookies":{"a":["%s"]\n' % CANARY.encode(), CANARY.encode(), id="cookie jar cut off"),
    pytest.param(b'{"cookie":"a=%s; b=1"}' % CANARY.encode(), CANARY.encode(), id="cookie header in JSON"),
    pytest.param(b'{"token":\n"%s"}' % CANARY.encode(), CANARY.encode(), id="line end after a key"),
    pytest.param(b'{"message":"Bearer %s0"}' % CANARY.encode(), CANARY.encode(), id="bearer in a text"),
    pytest.param(b'{"a":"\\uzzzz","b":"\\ud83d\\ude00 %s"}' % KEY.encode(), KEY.encode(), id="escapes"),
]


@pytest.mark.parametrize(("body", "secret"), ODD)
def test_broken_and_odd_bodies_are_scrubbed_too(body: bytes, secret: bytes) -> None:
    scrubbed = Scrubber().scrub_cassette(session(chunks=[body]))

    assert secret not in scrubbed.interactions[0].response.body
    assert find_leaks(scrubbed, [secret.decode()]) == []


def test_secrets_in_the_call_are_taken_out() -> None:
    cassette = Cassette(metadata={"call": {"conversation": {"cookies": {"a": CANARY}}, "stop": (CANARY, 5)}})
    scrubber = Scrubber()

    call = scrubber.scrub_cassette(cassette).metadata["call"]

    assert call == {"conversation": {"cookies": {"a": "SCRUBBED-cookie-1"}}, "stop": ["SCRUBBED-cookie-1", 5]}
    assert scrubber.secrets == {CANARY}


def test_secrets_that_overlap_are_taken_out_together() -> None:
    scrubber = Scrubber()
    for secret in ("abcdef-1234", "1234-ghijkl"):
        scrubber.add_secret(secret)

    scrubbed = scrubber.scrub_cassette(session(chunks=[b"<abcdef-1234-ghijkl>"]))

    assert scrubbed.interactions[0].response.body == b"<SCRUBBED-secret-1>"


def test_ids_and_urls_that_repeat_in_each_event_are_not_joined() -> None:
    url = "https://img.test/a.png?sig=0123456789abcdefghij"
    chunks = [b"data: %s\n\n" % as_json({"url": url.replace("a.png", name)}) for name in ("a.png", "b.png")]

    response = Scrubber().scrub_cassette(session(chunks=chunks)).interactions[0].response

    assert [json.loads(chunk[6:])["url"] for chunk in response.chunks] == [
        "https://img.test/a.png?sig=SCRUBBED-sig-1",
        "https://img.test/b.png?sig=SCRUBBED-sig-1",
    ]


def test_scrubbing_twice_changes_nothing_and_two_scrubbers_agree() -> None:
    cassette = Cassette([each for place in PLACES.values() for each in place(CANARY).interactions])
    before = copy.deepcopy(cassette)

    once = Scrubber().scrub_cassette(cassette)

    assert cassette == before
    assert Scrubber().scrub_cassette(cassette) == once
    assert Scrubber().scrub_cassette(once) == once


def test_a_session_that_grows_gives_no_placeholder_twice() -> None:
    grown = Scrubber().scrub_cassette(session(sent=[("X-Api-Key", "first-key-1")]))
    grown.interactions += session(sent=[("X-Api-Key", "second-key-2")]).interactions

    scrubbed = Scrubber().scrub_cassette(grown)

    values = [interaction.request.headers[0][1] for interaction in scrubbed.interactions]
    assert values == ["SCRUBBED-x-api-key-1", "SCRUBBED-x-api-key-2"]


def test_the_length_that_a_request_tells_follows() -> None:
    body = as_json({"api_key": CANARY})

    request = Scrubber().scrub_request(
        RecordedRequest("POST", URL, [("Content-Length", str(len(body)))], body)
    )

    assert request.headers == [("Content-Length", str(len(request.body)))]


def live(key: str, url: str = URL) -> RecordedRequest:
    return RecordedRequest(
        "POST", f"{url}?api_key={key}", [("X-Api-Key", key)], as_json({"token": key, "q": "?"})
    )


def test_a_request_with_another_key_compares_equal_to_the_recorded_one() -> None:
    cassette = session(came=[("Set-Cookie", f"a={CANARY}")])
    cassette.interactions.append(Interaction(live("recorded-key-1"), RecordedResponse(200)))
    recorded = Scrubber().scrub_cassette(cassette).interactions[1].request

    again = Scrubber().scrub_request(live("quite-another-2"))

    assert (again.url, again.body) == (recorded.url, recorded.body)


def test_requests_compare_equal_whichever_of_several_keys_they_hold() -> None:
    scrubber = Scrubber()

    first, second = scrubber.comparable(live("one-key-1")), scrubber.comparable(live("two-key-2"))

    assert (first.url, first.body) == (second.url, second.body)
    assert scrubber.comparable(live("one-key-1", "https://other.test")).url != first.url


def test_a_token_from_an_answer_compares_equal_when_a_replay_sends_its_placeholder() -> None:
    cassette = session(chunks=[as_json({"access_token": CANARY})])
    cassette.interactions += session(body=as_json({"state": {"t": CANARY}})).interactions
    recorded = Scrubber().scrub_cassette(cassette)
    token = json.loads(recorded.interactions[0].response.body)["access_token"]

    sent = Scrubber().scrub_request(RecordedRequest("POST", URL, [], as_json({"state": {"t": token}})))

    assert sent.body == recorded.interactions[1].request.body


def test_a_key_inside_base64_compares_equal_to_another() -> None:
    scrubber = Scrubber()
    one, other = (
        as_json({"messages": base64_of(as_json([{"api_key": f"{n}-key-{n}"}]))}) for n in ("one", "two")
    )

    bodies = {scrubber.comparable(RecordedRequest("POST", URL, [], body)).body for body in (one, other)}

    assert len(bodies) == 1


def test_what_is_recorded_is_shown_without_keys() -> None:
    one = session(
        url=f"{URL}?api_key={CANARY}",
        sent=[("Authorization", f"Bearer {CANARY}")],
        body=as_json({"token": CANARY}),
        came=[("Set-Cookie", f"a={CANARY}")],
        chunks=[CANARY.encode()],
    ).interactions[0]

    assert CANARY not in repr(one)
    assert "POST https://chat.test/api?api_key=***" in repr(one)
    assert "200, 19 bytes in 1 chunks" in repr(one)


LEAKS = [
    pytest.param(
        session(sent=[("Authorization", f"Bearer {CANARY}")]),
        Leak("interactions[0].request.headers.Authorization", "Authorization"),
        id="header",
    ),
    pytest.param(
        session(url=f"{URL}?key={CANARY}"), Leak("interactions[0].request.url", "query key"), id="query"
    ),
    pytest.param(
        session(chunks=[*deltas("a", "b"), b'data: {"error":{"token":"%s"}}\n\n' % CANARY.encode()]),
        Leak("interactions[0].response.body (SSE event 3, key error.token)", "JSON key token"),
        id="SSE",
    ),
    pytest.param(
        session(chunks=[b'{"a":1}\n{"b":[{"secret":"%s"}]}\n' % CANARY.encode()]),
        Leak("interactions[0].response.body (line 2, key b[0].secret)", "JSON key secret"),
        id="JSON lines",
    ),
    pytest.param(
        session(chunks=[b"key: " + KEY.encode()]),
        Leak("interactions[0].response.body (byte 5)", "openai-key by its look"),
        id="text",
    ),
    pytest.param(
        Cassette(metadata={"call": {"messages": [{"content": f"use {KEY}"}]}}),
        Leak("metadata.call.messages[0].content", "openai-key by its look"),
        id="metadata",
    ),
]


@pytest.mark.parametrize(("cassette", "leak"), LEAKS)
def test_a_leak_names_its_place_and_never_the_secret(cassette: Cassette, leak: Leak) -> None:
    assert find_leaks(cassette) == [leak]
    assert str(leak) == f"{leak.place}: {leak.kind}"


def test_what_cannot_be_scrubbed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4fsdk.testing._secrets.scrub.MOST_PASSES", 1)

    with pytest.raises(LeakError) as caught:
        Scrubber().scrub_cassette(session(sent=[("X-Api-Key", CANARY)]))
    with pytest.raises(LeakError):
        Scrubber().scrub_request(live(CANARY))

    assert CANARY not in str(caught.value)


def plainly(body: bytes) -> RecordedRequest:
    return RecordedRequest("POST", URL, body=body)


def _escaped(letter: str, way: str) -> str:
    return way.format(letter, ord(letter))


def in_any_coding(secret: str) -> st.SearchStrategy[str]:
    """Draw *secret* as it comes, each of its letters escaped in one way or another or not at all."""
    ways = st.sampled_from(["{0}", "{0}", "{0}", "%{1:02x}", "%{1:02X}", "\\\\u{1:04x}", "\\\\\\\\u{1:04X}",
        "&#x{1:x};", "&#{1};", "&amp;#X00{1:X};", "\\\\u0026#{1:03};"])  # fmt: skip
    letters = [ways.map(partial(_escaped, letter)) for letter in secret]
    return st.tuples(*letters).map("".join)


BESIDE = st.sampled_from(["", " ", "%", "%2", "\\\\", "\\\\u00", '\\"', "a", "/", "=", "é"])
OWN = ["abcdef0123456789-own", "u0041-of/the=caller+x", "2f4d5e6f7a8b9c0d", CANARY, "with a blank, too", KEY]


OTHERS = [f"{number:02}-of-the-others" for number in range(50)]


@given(
    st.sampled_from(OWN).flatmap(lambda own: st.tuples(st.just(own), BESIDE, in_any_coding(own), BESIDE)),
    st.sampled_from([[], OTHERS]),
)
def test_a_known_secret_is_found_however_its_letters_are_escaped(
    drawn: tuple[str, str, str, str], others: list[str]
) -> None:
    own, before, coded, after = drawn
    scrubber = Scrubber()
    for secret in (*others, own):
        scrubber.add_secret(secret)

    body = scrubber.scrub_request(plainly(f'{{"q": "{before}{coded}{after}"}}'.encode())).body

    assert b"SCRUBBED" in body


SAID = st.sampled_from(
    ["Hi", KEY, CANARY, f"Bearer {CANARY}", base64_of(KEY.encode()), quote(f"?key={KEY}"), "a=b"]
)
NAMES = st.sampled_from(["q", "api_key", "cookie", "content", "token", "user_id"])
TREES = st.recursive(
    SAID, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


@given(st.dictionaries(NAMES, TREES, max_size=4), st.booleans())
def test_a_short_way_finds_what_the_long_way_finds(said: dict[str, object], is_known: bool) -> None:
    def scrubbed(body: bytes) -> bytes:
        scrubber = Scrubber()
        if is_known:
            scrubber.add_secret(CANARY)
        return scrubber.scrub_request(plainly(body)).body

    # A blank ahead of an object has its strings looked at one by one.
    assert b" " + scrubbed(as_json(said)) == scrubbed(b" " + as_json(said))


PAIRS: list[Callable[[str, str], object]] = [
    lambda name, value: [name, value],
    lambda name, value: {"name": name, "value": value},
    lambda name, value: {"value": value, "name": name, "more": 1},
    lambda name, value: {"key": name, "value": f"Bearer {value}"},
    lambda name, value: [["Accept", "*/*"], [name, f"Token {value}"]],
]


@given(
    st.sampled_from(PAIRS),
    st.sampled_from(["x-api-key", "Authorization", "Cookie", "client_secret", "accessToken"]),
    st.text(alphabet='abcdefghijklmnop0123456789-_/+."\\é', min_size=16, max_size=30).map("1".__add__),
    st.lists(st.sampled_from(["in a list", "in an object", "in a string"]), max_size=3),
    st.sampled_from([None, 1]),
)
def test_the_value_of_a_pair_is_taken_out_at_any_depth(
    pair: Callable[[str, str], object], name: str, secret: str, around: list[str], indent: int | None
) -> None:
    said: object = pair(name, secret)
    for way in around:
        in_string = json.dumps(said, indent=indent)
        said = {"in a list": [1, said], "in an object": {"a": said}, "in a string": {"b": in_string}}[way]

    body = Scrubber().scrub_request(plainly(as_json(said))).body

    assert b"SCRUBBED" in body
    assert not any(form.encode() in body for form in codings_of(secret))
    json.loads(body)


def least_seconds(work: Callable[[], object]) -> float:
    """Return what *work* takes where nothing else is seen to, such as the garbage of all tests."""
    took = []
    for _ in range(3):
        began = time.thread_time()
        work()
        took.append(time.thread_time() - began)
    return min(took)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(b'Content-Disposition: form-data; name="token"\r\n\r\nx\r\n', id="parts of a form"),
        pytest.param(b'[["api_key","', id="lists in lists"),
        pytest.param(b'<input name="csrf_token" ', id="fields of a page"),
        pytest.param(b'{"value":"a","name":', id="values of pairs"),
        pytest.param(b"=a", id="assignments"),
        pytest.param(b'"name":"api_key","value":', id="names of pairs"),
        pytest.param(b"&amp;#", id="entities"),
    ],
)
def test_a_text_of_nothing_but_secrets_takes_no_longer_than_its_length_asks_for(part: bytes) -> None:
    def seconds(times: int) -> float:
        return least_seconds(lambda: Scrubber().scrub_request(plainly(part * times)))

    seconds(1)
    assert seconds(1000) < 100 * max(seconds(100), 0.001)


def test_a_session_with_a_new_key_in_each_request_takes_no_longer_than_its_length_asks_for() -> None:
    def seconds(count: int) -> float:
        keys = [f"{number:04}-of-many-keys" for number in range(count)]
        sent = [
            session(sent=[("Authorization", f"Bearer {key}")], body=b'"\\u00e9"').interactions for key in keys
        ]
        cassette = Cassette([one for each in sent for one in each])
        return least_seconds(lambda: Scrubber().scrub_cassette(cassette))

    seconds(1)
    assert seconds(640) < 30 * max(seconds(64), 0.001)


@given(st.binary(max_size=200) | st.text(alphabet='"\\{}[]:,%&?=skey-01A \n', max_size=200).map(str.encode))
def test_any_body_can_be_scrubbed(body: bytes) -> None:
    scrubbed = Scrubber().scrub_cassette(session(body=body, chunks=[body] if body else []))

    assert Scrubber().scrub_cassette(scrubbed) == scrubbed
    assert find_leaks(scrubbed) == []
