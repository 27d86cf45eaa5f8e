"""Cassettes: what is written is read back exactly, and plain vcrpy plays it."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
import requests
import vcr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

from g4fsdk.testing import Cassette, CassetteError, Interaction, RecordedRequest, RecordedResponse

Test = TypeVar("Test", bound=Callable[..., None])
DEEP = 2_000 if sys.version_info >= (3, 13) else 900  # deeper than a body may be, and no deeper than JSON may
URL = "http://chat.test/api"


def cassette_of(*chunks: bytes, end: str = "complete", body: bytes = b"{}") -> Cassette:
    response = RecordedResponse(200, "OK", [("Content-Type", "text/plain")], list(chunks))
    response.at_ms = [float(10 * i) for i in range(len(chunks))]
    response.end = end  # type: ignore[assignment]  # a test says it as plain text
    return Cassette(
        [Interaction(RecordedRequest("POST", URL, [("A", "1")], body), response)], {"provider": "p"}
    )


def saved(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


CORNERS = [
    b"",
    b"two\nlines",
    b"data: a\n\ndata: b\n\n",
    "nel \x85, line \u2028, paragraph \u2029".encode(),
    b"\xef\xbb\xbfmark",
    b"a\rb\r\nc\r",
    b"trailing  \nspaces ",
    b" \n",
    b"\n",
    b" leading\nblank",
    b"\tleading\ntab\t\n",
    b"nul \x00",
    b"\xff\xfe invalid",
    b"yes",
    b"2024-01-01",
    b"null",
    b"# no comment\n--- \n",
    "你好\n🎉\n".encode(),
    "\ufffe\uffff".encode(),
    b"!!binary x",
    b"a" * 3000 + b" " + b"b" * 3000,
]


def with_corners(test: Test) -> Test:
    for corner in CORNERS:
        test = example(chunks=[corner] if corner else [], sent=corner)(test)
    return test


texts = st.text().map(lambda text: text.encode())
line_texts = st.text(alphabet=st.sampled_from(" \t\n\r\x85\u2028\ufeff:-#'\"ab{}你🎉\x00")).map(str.encode)
bodies = st.one_of(st.binary(), texts, line_texts)


@with_corners
@given(chunks=st.lists(bodies.filter(bool), max_size=4), sent=bodies)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_body_comes_back_exactly(tmp_path: Path, chunks: list[bytes], sent: bytes) -> None:
    cassette = cassette_of(*chunks, body=sent)

    for name in ("one.yaml", "one.json"):
        cassette.save(tmp_path / name)
        assert Cassette.load(tmp_path / name) == cassette
    json.loads((tmp_path / "one.json").read_bytes())


@given(
    text=st.one_of(texts, line_texts).map(bytes.decode),
    at_ms=st.floats(0, 1e6),
    end=st.sampled_from(["complete", "reset", "truncated", "timeout", "client_closed"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_headers_metadata_times_and_ends_come_back(tmp_path: Path, text: str, at_ms: float, end: str) -> None:
    cassette = cassette_of(b"x", end=end)
    cassette.metadata["call"] = {"messages": [{"role": "user", "content": text}], "stream": True}
    cassette.interactions[0].response.headers = [("Set-Cookie", text), ("Set-Cookie", "b=2"), ("X", "")]
    cassette.interactions[0].response.at_ms = [at_ms]

    cassette.save(tmp_path / "one.yaml")

    assert Cassette.load(tmp_path / "one.yaml") == cassette


def test_text_of_several_lines_is_written_as_lines(tmp_path: Path) -> None:
    cassette_of(b"data: a\n\n", "data: 你\n\n".encode()).save(tmp_path / "one.yaml")

    written = (tmp_path / "one.yaml").read_text(encoding="utf-8")

    assert "string: |+\n        data: a\n\n        data: 你\n" in written
    assert "wire: {sizes: [9, 11], at_ms: [0.0, 10.0], end: complete, http_version: '1.1'}" in written


def test_plain_vcrpy_plays_it_with_requests(tmp_path: Path) -> None:
    cassette_of(b"one ", b"two").save(tmp_path / "one.yaml")

    with vcr.use_cassette(str(tmp_path / "one.yaml"), record_mode=vcr.mode.NONE) as tape:
        assert requests.post(URL, data=b"{}", timeout=5).content == b"one two"
    assert tape.all_played


def test_plain_vcrpy_plays_it_with_httpx(tmp_path: Path) -> None:
    cassette_of(b"one ", b"two").save(tmp_path / "one.yaml")

    with vcr.use_cassette(str(tmp_path / "one.yaml"), record_mode=vcr.mode.NONE), httpx.Client() as client:
        assert client.post(URL, content=b"{}").content == b"one two"


def test_plain_vcrpy_finds_requests_and_responses_in_it_and_no_metadata_of_its_own(tmp_path: Path) -> None:
    # pytest-recording unpacks two; vcrpy 9.4 gives a third for the key `metadata`.
    cassette_of(b"one ", b"two").save(tmp_path / "one.yaml")

    asked, answers = deserialize((tmp_path / "one.yaml").read_text(), yamlserializer)

    assert [
        (request.uri, answer["body"]["string"]) for request, answer in zip(asked, answers, strict=True)
    ] == [(URL, b"one two")]


def test_what_is_said_of_a_recording_is_read_from_where_older_files_have_it(tmp_path: Path) -> None:
    older = saved(tmp_path / "one.yaml", "metadata: {g4fsdk: {provider: p}, other: 1}\ninteractions: []\n")

    assert Cassette.load(older).metadata == {"provider": "p"}


def test_what_yaml_takes_for_times_and_bytes_is_text(tmp_path: Path) -> None:
    said = "{recorded_at: 2026-01-01T00:00:00Z, day: 2026-01-02, call: {a: [!!binary QQ==], b: !!set {y, x}}}"
    cassette = Cassette.load(saved(tmp_path / "one.yaml", f"g4fsdk: {said}\ninteractions: []\n"))

    cassette.save(tmp_path / "two.json")

    assert Cassette.load(tmp_path / "two.json").metadata == {
        "recorded_at": "2026-01-01T00:00:00+00:00",
        "day": "2026-01-02",
        "call": {"a": ["A"], "b": ["x", "y"]},
    }


PLAIN = {
    "version": 1,
    "interactions": [
        {
            "request": {"method": "GET", "uri": URL, "body": None, "headers": {"Accept": ["*/*"]}},
            "response": {
                "status": {"code": 200, "message": "OK"},
                "headers": {"Content-Length": ["4"], "X-Say": ["\U0001f389"]},
                "body": {"string": "\U0001f389"},
            },
        }
    ],
}


@pytest.mark.parametrize("ensure_ascii", [True, False], ids=["escaped", "plain"])
def test_a_json_cassette_of_plain_vcrpy_is_one_chunk(tmp_path: Path, ensure_ascii: bool) -> None:
    path = saved(tmp_path / "one.json", json.dumps(PLAIN, ensure_ascii=ensure_ascii))

    response = Cassette.load(path).interactions[0].response

    assert (response.chunks, response.at_ms, response.end) == (["\U0001f389".encode()], [0.0], "complete")
    assert response.headers == [("X-Say", "\U0001f389")]


def test_a_compressed_body_of_plain_vcrpy_is_decoded(tmp_path: Path) -> None:
    document = json.loads(json.dumps(PLAIN))
    document["interactions"][0]["response"]["headers"] = {"Content-Encoding": ["gzip"], "X": ["1"]}
    document["interactions"][0]["response"]["body"]["string"] = gzip.compress(b"plain")
    path = saved(tmp_path / "one.yaml", yamlserializer.serialize(document))

    response = Cassette.load(path).interactions[0].response

    assert (response.body, response.headers) == (b"plain", [("X", "1")])


def test_the_tags_that_vcrpy_writes_are_read(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "one.yaml",
        "version: 1\ninteractions:\n- request:\n    method: !!python/str POST\n    uri: !!python/unicode 'http://a/'\n"
        "    body: !!python/object/new:_io.BytesIO\n      state: !!python/tuple [!!binary aGk=, 0, null]\n"
        "    headers: {A: b}\n"
        "  response: {status: {code: 200, message: null}, headers: {}, body: {string: ''}}\n",
    )

    assert Cassette.load(path).interactions[0].request == RecordedRequest(
        "POST", "http://a/", [("A", "b")], b"hi"
    )


@pytest.mark.parametrize(
    ("request_part", "response_part", "sent", "came"),
    [
        pytest.param({"body": ["a", "b"]}, {}, b"ab", b"", id="pieces of a body"),
        pytest.param({"body": {"string": "a"}}, {"body": "b"}, b"a", b"b", id="bodies the other way round"),
        pytest.param(
            {}, {"headers": {"Content-Encoding": "gzip"}, "body": {"string": "cd"}}, b"", b"cd", id="decoded"
        ),
        pytest.param({"headers": None}, {"headers": {"A": "b"}}, b"", b"", id="headers"),
        pytest.param({}, {"status": {"code": 204, "message": None}}, b"", b"", id="no reason"),
    ],
)
def test_what_other_versions_of_vcrpy_wrote_is_read(
    tmp_path: Path,
    request_part: dict[str, object],
    response_part: dict[str, object],
    sent: bytes,
    came: bytes,
) -> None:
    document = json.loads(json.dumps(PLAIN))
    document["interactions"][0]["request"] |= request_part
    document["interactions"][0]["response"] |= {"body": None} | response_part

    one = Cassette.load(saved(tmp_path / "one.json", json.dumps(document))).interactions[0]

    assert (one.request.body, one.response.body) == (sent, came)


MESSAGES = {"messages": [{"content": "Grüß dich", "role": "user"}]}


@pytest.mark.parametrize(
    ("layout", "body"),
    [
        pytest.param(
            {"parsed_body": MESSAGES}, json.dumps(MESSAGES, ensure_ascii=False).encode(), id="parsed"
        ),
        pytest.param({"parsed_body": [], "body": None}, b"[]", id="parsed, and null"),
        pytest.param({"body": {"base64_string": "/wA="}}, b"\xff\0", id="base64"),
        pytest.param(
            {"status_code": 200, "content": "Hi", "http_version": "HTTP/1.1"}, b"Hi", id="old httpx"
        ),
    ],
)
def test_layouts_of_others_are_read(tmp_path: Path, layout: dict[str, object], body: bytes) -> None:
    document = json.loads(json.dumps(PLAIN))
    response = document["interactions"][0]["response"]
    del response["body"]
    if "status_code" in layout:
        del response["status"]
    response |= {**layout, "headers": {"Content-Encoding": ["gzip"]}}

    one = Cassette.load(saved(tmp_path / "one.json", json.dumps(document))).interactions[0].response

    assert (one.status, one.body, one.headers) == (200, body, [])


def test_a_request_whose_body_is_parsed_is_read(tmp_path: Path) -> None:
    document = json.loads(json.dumps(PLAIN))
    del document["interactions"][0]["request"]["body"]
    document["interactions"][0]["request"]["parsed_body"] = MESSAGES

    one = Cassette.load(saved(tmp_path / "one.json", json.dumps(document))).interactions[0].request

    assert json.loads(one.body) == MESSAGES


def test_what_aiohttp_and_tornado_had_vcrpy_write_is_read(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "one.yaml",
        """interactions:
- request:
    method: POST
    uri: http://a/
    headers: {? !!python/object/new:multidict._multidict.istr [Accept] : [x]}
    body: !!python/object/apply:builtins.iter {args: [[a, b]]}
  response:
    status: {code: 200, message: OK}
    headers: [[X, [a, b]]]
    body: {string: hi}
    url: !!python/object/new:yarl.URL {state: !!python/tuple [!!python/object/new:x.Y [1]]}
""",
    )

    one = Cassette.load(path).interactions[0]

    assert one.request == RecordedRequest("POST", "http://a/", [("Accept", "x")], b"ab")
    assert (one.response.headers, one.response.body) == ([("X", "a"), ("X", "b")], b"hi")


@pytest.mark.parametrize("coding", ["br", "zstd", "lzw"])
def test_a_body_that_nothing_here_decodes_stays_coded_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    for library in ("brotli", "brotlicffi", "zstandard"):
        monkeypatch.setitem(sys.modules, library, None)
    path = saved(tmp_path / "one.yaml", with_bytes(b"\x8b\xff coded", coding))

    cassette = Cassette.load(path)
    cassette.save(tmp_path / "two.yaml")

    response = cassette.interactions[0].response
    assert (response.body, response.headers) == (b"\x8b\xff coded", [("Content-Encoding", coding)])
    assert Cassette.load(tmp_path / "two.yaml") == cassette


def with_bytes(body: bytes, coding: str) -> str:
    document = json.loads(json.dumps(PLAIN))
    document["interactions"][0]["response"]["headers"] = {"Content-Encoding": [coding]}
    document["interactions"][0]["response"]["body"]["string"] = body
    return str(yamlserializer.serialize(document))


BOMB = "".join(f"{x}: &{x} [{','.join([f'*{y}'] * 9)}]\n" for x, y in zip("bcdefgh", "abcdefg", strict=True))


def with_response(**changes: object) -> str:
    document = json.loads(json.dumps(PLAIN))
    document["interactions"][0]["response"] |= changes
    return json.dumps(document)


def broken(**changes: object) -> str:
    wire = {"sizes": [2, 1], "at_ms": [0, 1], "end": "complete", "http_version": "1.1"} | changes
    document = json.loads(json.dumps(PLAIN))
    document["interactions"][0]["response"] |= {"body": {"string": "abc"}, "wire": wire}
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "bad.yaml: expected a mapping, found None", id="empty"),
        pytest.param("[1", "not YAML", id="no YAML"),
        pytest.param("- {request: {}}", "vcr.migration", id="vcrpy before 1.0"),
        pytest.param("http_interactions: []", "betamax", id="betamax"),
        pytest.param("http_interactions: [{a: !binary eA==}]", "Ruby's VCR", id="bytes of Ruby's"),
        pytest.param("responses: [{response: {}}]", "responses; only vcrpy's", id="responses"),
        pytest.param(
            "interactions: [{request: {url: u, method: GET}, response: {code: 200}}]", "go-vcr", id="go-vcr"
        ),
        pytest.param("version https://git-lfs.github.com/spec/v1\noid x\n", "git lfs pull", id="Git LFS"),
        pytest.param('{"log": {"entries": []}}', "`g4fsdk cassette import` makes", id="HAR"),
        pytest.param(f"a: &a [x]\n{BOMB}interactions: []", "far larger than it is", id="anchors of anchors"),
        pytest.param(
            f"a: &a {{x: 1}}\n{BOMB.replace('[', '{<<: [').replace(']', ']}')}", "far larger", id="merged"
        ),
        pytest.param("interactions: &a [*a]", "far larger than it is", id="an anchor in itself"),
        pytest.param("a: " + "[" * 30_000, "nest", id="YAML nested too deeply"),
        pytest.param(
            with_bytes(gzip.compress(b"x" * 99)[:-9], "gzip"), "response.body: .* cut off", id="cut"
        ),
        pytest.param(
            with_bytes(gzip.compress(b"")[:9] + b"\xff" * 9, "gzip"), "not in the content", id="broken"
        ),
        pytest.param(
            with_bytes(gzip.compress(gzip.compress(bytes(1 << 28))), "gzip, gzip"),
            "grows by more",
            id="gzip bomb",
        ),
        pytest.param(
            with_response().replace('"body": {', '"Body": {'), "expected the key `body`", id="no body"
        ),
        pytest.param(with_response(body={"base64_string": "?"}), "base64_string: not base64", id="no base64"),
        pytest.param(broken(at_ms=[0, float("inf")]), "at_ms: expected times", id="endless"),
        pytest.param("a: !!python/object:os.system {}", "not YAML", id="Python object"),
        pytest.param("{", "not JSON", id="no JSON"),
        pytest.param('{"a":' + "[" * 30_000, "nested too deeply", id="JSON nested too deeply"),
        pytest.param("a: !!int ''", "not YAML", id="a tag for a number, and no number"),
        pytest.param("a: !!bool x", "not YAML", id="a tag for a truth value, and none"),
        pytest.param("a: !!timestamp x", "not YAML", id="a tag for a time, and no time"),
        pytest.param("interactions: [3]", "interactions[0]: expected a mapping, found 3", id="number"),
        pytest.param(
            "interactions: [{request: {}, response: {}}]",
            "request: expected the key `method`, found {}",
            id="no method",
        ),
        pytest.param("interactions: []\ng4fsdk: 3", "bad.yaml: g4fsdk: expected a mapping", id="ours"),
        pytest.param(
            "interactions: []\nmetadata: {g4fsdk: 3}", "metadata.g4fsdk: expected a mapping", id="metadata"
        ),
        pytest.param(broken(sizes=[2]), "wire.sizes: they sum to 2, the body has 3 bytes", id="sum"),
        pytest.param(broken(sizes=[3, 0]), "wire.sizes[1]: expected a whole number >= 1, found 0", id="zero"),
        pytest.param(broken(at_ms=[1]), "wire: 2 sizes, but 1 entries in at_ms", id="times"),
        pytest.param(broken(at_ms=["a", 1]), "wire.at_ms[0]: expected a number, found 'a'", id="no number"),
        pytest.param(broken(end="late"), "wire.end: expected one of complete, reset, truncated", id="end"),
        pytest.param(
            with_response(status=200), "response.status: expected a mapping, found 200", id="status"
        ),
        pytest.param(with_response(headers=[1]), "response.headers: expected a mapping", id="headers"),
        pytest.param(
            with_response(body=0).replace('"body": 0', '"body": ' + "[" * DEEP + "]" * DEEP),
            "nested too deeply",
            id="a body nested too deeply",
        ),
        pytest.param(
            with_response(headers={"A": 1}),
            "response.headers: expected text or a list of texts for A",
            id="header",
        ),
        pytest.param(
            with_response(headers={"A b": "1"}),
            "response.headers: expected the name of a header, found 'A b'",
            id="no name of a header",
        ),
        pytest.param(
            with_response(status={"code": 42}),
            "response.status: expected a status from 100 to 999",
            id="code",
        ),
        pytest.param("- 1", "bad.yaml: expected a mapping, found [1]", id="list"),
        pytest.param("version: 1", "bad.yaml: expected the key `interactions`", id="no interactions"),
        pytest.param(with_response(body=1), "response.body: expected text, bytes or null", id="body"),
        pytest.param(
            with_response(wire={"sizes": [4], "at_ms": [True]}), "at_ms[0]: expected a number", id="bool"
        ),
        pytest.param(
            json.dumps(PLAIN).replace("://", "://["),
            "interactions[0].request: expected an address",
            id="no address",
        ),
        pytest.param(
            json.dumps(PLAIN).replace("chat.test/", "chat.test:port/"),
            "interactions[0].request: expected an address",
            id="no port",
        ),
        pytest.param(broken(sizes=None), "wire.sizes: expected a list, found None", id="no list"),
    ],
)
def test_a_malformed_file_is_named_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    path = saved(tmp_path / "bad.yaml", text)

    with pytest.raises(CassetteError) as caught:
        Cassette.load(path)

    assert str(path) in str(caught.value)
    assert re.search(re.escape(says).replace("\\.\\*", ".*"), str(caught.value))


def test_bytes_that_are_no_text_are_no_cassette(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"\xff")

    with pytest.raises(CassetteError, match="not UTF-8"):
        Cassette.load(tmp_path / "bad.yaml")


def test_a_failed_save_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    path = saved(tmp_path / "one.yaml", "older")
    cassette = cassette_of(b"x")
    cassette.metadata["call"] = object()

    with pytest.raises(Exception, match="cannot represent"):
        cassette.save(path)

    assert [p.read_text() for p in tmp_path.iterdir()] == ["older"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such permissions")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_open_gives(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        cassette_of(b"x").save(tmp_path / "one.yaml")
    finally:
        os.umask(before)

    assert (tmp_path / "one.yaml").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such permissions")
@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_a_file_that_is_written_over_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    (tmp_path / "one.yaml").touch()
    (tmp_path / "one.yaml").chmod(mode)

    cassette_of(b"x").save(tmp_path / "one.yaml")

    assert (tmp_path / "one.yaml").stat().st_mode & 0o777 == mode


def test_a_failed_rename_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").mkdir()

    with pytest.raises(OSError, match=r"one\.yaml"):
        cassette_of(b"x").save(tmp_path / "one.yaml")

    assert [p.name for p in tmp_path.iterdir()] == ["one.yaml"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    cassette_of(b"x").save(tmp_path / "a" / "b.yaml")

    assert len(Cassette.load(tmp_path / "a" / "b.yaml").interactions) == 1


@pytest.mark.parametrize("use", ["Cassette.load('a.yaml')", "Recorder", "Replay('a.yaml')"])
def test_what_is_not_installed_is_named(tmp_path: Path, use: str) -> None:
    saved(tmp_path / "a.yaml", "interactions: []\nversion: 1\n")
    program = f"import sys; sys.modules['yaml'] = None; from g4fsdk import testing; testing.{use}"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.stderr.endswith(
        "ModuleNotFoundError: recordings need PyYAML: pip install 'g4fsdk[testing]'\n"
    )
