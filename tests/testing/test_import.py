"""Importing: what browsers and vcrpy wrote becomes a cassette that says what it is."""

from __future__ import annotations

import gzip
import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from g4fsdk.testing import Cassette, CassetteError
from g4fsdk.testing._imports.har import from_har, import_file

URL = "https://api.binjie.fun/api/generateStream"


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def har(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"log": {"version": "1.2", "creator": {"name": "Firefox"}, "entries": list(entries)}}


def entry(
    url: str = URL,
    *,
    method: str = "POST",
    status: int = 200,
    content: dict[str, Any] | None = None,
    post: dict[str, Any] | None = None,
    version: str = "HTTP/2",
) -> dict[str, Any]:
    request = {
        "method": method,
        "url": url,
        "headers": [{"name": ":authority", "value": "x"}, {"name": "Accept", "value": "*/*"}],
        **({"postData": post} if post else {}),
    }
    headers = [
        {"name": "content-encoding", "value": "br"},
        {"name": "set-cookie", "value": "a=1; Path=/\nb=2"},
    ]
    response = {
        "status": status,
        "statusText": "OK",
        "httpVersion": version,
        "headers": headers,
        "content": content or {"size": 5, "mimeType": "text/plain", "text": "Hello"},
    }
    return {"startedDateTime": "2026-11-20T12:00:00.000Z", "request": request, "response": response}


def test_a_har_gives_one_chunk_a_response_and_says_so() -> None:
    cassette = from_har(har(entry(post={"mimeType": "application/json", "text": '{"prompt":"привет"}'})))

    request, response = cassette.interactions[0].request, cassette.interactions[0].response
    assert request.headers == [("Accept", "*/*")]
    assert request.body == '{"prompt":"привет"}'.encode()
    assert (response.chunks, response.at_ms, response.http_version) == ([b"Hello"], [0.0], "2")
    assert response.headers == [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")]
    assert cassette.metadata == {
        "provider": "yqcloud",
        "provenance": "captured in a browser (HAR); chunk boundaries and times unknown",
        "recorded_at": "2026-11-20T12:00:00.000Z",
    }


def test_a_har_body_in_base64_is_decoded() -> None:
    content = {
        "size": 3,
        "mimeType": "application/octet-stream",
        "encoding": "base64",
        "text": b64(b"\xff\x00a"),
    }

    assert from_har(har(entry(content=content))).interactions[0].response.body == b"\xff\x00a"


def test_a_body_that_polly_lists_in_pieces_is_whole() -> None:
    pieces = json.dumps([b64(b"\xff\x00"), b64(b"a")])
    content = {"size": 16, "mimeType": "text/plain", "encoding": "base64", "text": pieces}

    assert from_har(har(entry(content=content))).interactions[0].response.body == b"\xff\x00a"


@pytest.mark.parametrize(
    ("began", "order"),
    [
        (["2026-11-20T12:00:02Z", "2026-11-20T13:00:01.5+01:00"], ["b", "a"]),
        (["2026-11-20T12:00:02Z", "2026-11-20T12:00:02Z"], ["a", "b"]),
        (["2026-11-20T12:00:02Z", "yesterday"], ["a", "b"]),
    ],
)
def test_entries_are_taken_in_the_order_in_which_they_began(began: list[str], order: list[str]) -> None:
    entries = [
        entry(content={"size": 1, "text": text}) | {"startedDateTime": at}
        for text, at in zip("ab", began, strict=True)
    ]

    assert [one.response.body.decode() for one in from_har(har(*entries)).interactions] == order


def test_what_a_service_sent_a_request_on_to_is_taken_too() -> None:
    first = entry(status=307, content={"size": 0, "text": ""})
    first["response"]["headers"].append({"name": "Location", "value": "/elsewhere"})

    found = from_har(
        har(first, entry("https://api.binjie.fun/elsewhere"), entry("https://api.binjie.fun/other"))
    )

    assert [one.request.url for one in found.interactions] == [URL, "https://api.binjie.fun/elsewhere"]


@pytest.mark.parametrize(
    ("post", "body"),
    [
        pytest.param(
            {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a b", "value": "1&2"}]},
            b"a+b=1%262",
            id="form",
        ),
        pytest.param(
            {
                "mimeType": "multipart/form-data; boundary=XX",
                "params": [
                    {"name": "data", "value": "{}", "contentType": "application/json"},
                    {"name": "files", "value": "QQ==", "fileName": "base64;a"},
                ],
            },
            b'--XX\r\nContent-Disposition: form-data; name="data"\r\n'
            b"Content-Type: application/json\r\n\r\n{}\r\n"
            b'--XX\r\nContent-Disposition: form-data; name="files"; filename="base64;a"\r\n'
            b"\r\nQQ==\r\n--XX--\r\n",
            id="multipart",
        ),
        pytest.param({"mimeType": "text/plain", "params": []}, b"", id="nothing"),
    ],
)
def test_a_har_body_of_parameters_is_made_again(post: dict[str, Any], body: bytes) -> None:
    assert from_har(har(entry(post=post))).interactions[0].request.body == body


@pytest.mark.parametrize(
    ("said", "version"), [("h2", "2"), ("HTTP/2.0", "2"), ("http/1.1", "1.1"), ("h3", "3"), ("", "1.1")]
)
def test_http_versions_are_read_as_browsers_write_them(said: str, version: str) -> None:
    assert from_har(har(entry(version=said))).interactions[0].response.http_version == version


def test_only_the_entries_of_the_provider_are_taken() -> None:
    document = har(
        entry("https://space.test/_app/start.js", method="GET"),
        entry("https://space.test/conversation", method="OPTIONS"),
        entry("https://space.test/conversation#top"),
        entry("https://space.test/conversation/6b00394db8680ad26abbed90/__data.json?x=11", method="GET"),
        entry("https://other.test/conversation/1"),
        entry("https://chat.test/v1/chat/completions"),
    )

    cassette = from_har(document, "cohere-c4ai", url_contains="space.test")

    assert [each.request.url.removeprefix("https://space.test") for each in cassette.interactions] == [
        "/conversation",
        "/conversation/6b00394db8680ad26abbed90/__data.json?x=11",
    ]


def test_a_request_that_the_browser_lost_has_no_response() -> None:
    response = from_har(har(entry(status=0))).interactions[0].response

    assert (response.status, response.end) == (0, "reset")


@pytest.mark.parametrize(
    ("document", "provider", "message"),
    [
        pytest.param(har(), None, "0 entries and no known request", id="empty"),
        pytest.param(har(entry(), entry("https://x/v1/models")), None, "yqcloud, openai", id="two providers"),
        pytest.param(har(entry()), "amigo", "no entry .* amigo", id="another provider"),
        pytest.param(har(entry()), "amigos", "unknown provider 'amigos'", id="unknown provider"),
        pytest.param(har(entry(content={"size": 7})), None, "did not save the body", id="no content"),
        pytest.param({"log": {"entries": [{}]}}, None, "not a HAR file", id="no request"),
        pytest.param(
            json.loads(json.dumps(har(entry())).replace("://", "://[")),
            None,
            "Expected an address",
            id="address",
        ),
        pytest.param(har(entry(method=7)), None, r"yqcloud: .*request\.method", id="method"),  # type: ignore[arg-type]
        pytest.param(har(entry(status=1000)), None, "a status from 100 to 999", id="no status"),
        pytest.param(
            har(entry() | {"response": {"status": 200, "headers": [{"name": "a b", "value": "x"}]}}),
            None,
            "the name of a header",
            id="name of a header",
        ),
        pytest.param(har(entry(status="200")), None, r"response\.status", id="status"),  # type: ignore[arg-type]
        pytest.param(har(entry(post={"text": 7})), None, r"request\.postData\.text", id="text sent"),
        pytest.param(har(entry(content=[7])), None, r"response\.content", id="content"),  # type: ignore[arg-type]
        pytest.param(har(entry(content={"text": {}})), None, r"content\.text", id="text"),
        pytest.param(
            har(entry() | {"response": {"status": 200, "headers": [{"name": 1, "value": "x"}]}}),
            None,
            r"response\.headers\[0\]\.name",
            id="header",
        ),
    ],
)
def test_an_unusable_har_is_refused(document: dict[str, Any], provider: str | None, message: str) -> None:
    with pytest.raises(CassetteError, match=message):
        from_har(document, provider)


LETTERS = "Grüße 你好".encode()


@pytest.mark.parametrize(
    ("content", "body"),
    [
        pytest.param({"text": "data: {}", "encoding": "base64"}, b"data: {}", id="Firefox: no base64 at all"),
        pytest.param(
            {"text": "abcdefgh", "encoding": "base64", "size": 8}, b"abcdefgh", id="Firefox: by size"
        ),
        pytest.param({"text": "YWJj\nZA", "encoding": "base64", "size": 4}, b"abcd", id="lines, no padding"),
        pytest.param(
            {"text": LETTERS.decode("latin-1"), "size": len(LETTERS)}, LETTERS, id="bytes as letters"
        ),
        pytest.param({"text": LETTERS.decode(), "size": 8}, LETTERS, id="size in letters"),
        pytest.param({"text": "Ã¼", "size": 4}, "Ã¼".encode(), id="letters that are meant"),
        pytest.param({"text": b64(gzip.compress(b"hi")), "encoding": "base64"}, b"hi", id="coded"),
        pytest.param({"text": "", "size": 0}, b"", id="nothing"),
    ],
)
def test_bodies_are_the_bytes_however_they_are_written(content: dict[str, Any], body: bytes) -> None:
    one = entry(content=content)
    one["response"]["headers"] = [{"name": "Content-Encoding", "value": "gzip"}, {"name": "x"}]

    response = from_har(har(one)).interactions[0].response

    assert (response.body, response.headers) == (body, [("x", "")])


def test_a_body_that_is_still_coded_keeps_its_coding(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("brotli", "brotlicffi"):
        monkeypatch.setitem(sys.modules, library, None)
    one = entry(content={"text": b64(b"\x8b\xff"), "encoding": "base64"})
    one["response"]["bodySize"] = 2

    response = from_har(har(one)).interactions[0].response

    assert (response.body, response.headers[0]) == (b"\x8b\xff", ("content-encoding", "br"))


@pytest.mark.parametrize(
    ("response", "words"),
    [
        pytest.param({"content": {"size": -1}}, "did not save the body", id="Safari"),
        pytest.param({"content": None, "bodySize": 3}, "did not save the body", id="none"),
        pytest.param(
            {"content": {"size": 0}, "bodySize": 3}, "did not save the body", id="a size on the wire"
        ),
        pytest.param({"content": {"size": 0, "comment": "too large"}}, "it says: too large", id="a comment"),
        pytest.param({"content": {"_file": "x"}}, "keeps a body in another file, 'x'", id="a file"),
    ],
)
def test_a_body_that_is_not_in_the_file_is_missed(response: dict[str, Any], words: str) -> None:
    one = entry()
    one["response"] |= response

    with pytest.raises(CassetteError, match=words):
        from_har(har(one))


def test_a_redirect_needs_no_body() -> None:
    assert from_har(har(entry(status=307, content={"size": 9}))).interactions[0].response.chunks == []


@pytest.mark.parametrize(
    ("key", "error", "end"),
    [
        ("_error", "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "truncated"),
        ("_error", "net::ERR_CONNECTION_RESET", "reset"),
        ("_failureText", "net::ERR_ABORTED", "client_closed"),
    ],
)
def test_an_answer_that_broke_off_is_told_by_its_error(key: str, error: str, end: str) -> None:
    one = entry()
    one["response"][key] = error

    assert from_har(har(one)).interactions[0].response.end == end


def test_what_no_browser_captured_is_said_to_be_by_whom() -> None:
    document = har(entry())
    document["log"]["creator"] = {"name": "mitmproxy", "version": "12.1"}

    said = from_har(document).metadata["provenance"]

    assert said == "captured with mitmproxy 12.1 (HAR); chunk boundaries and times unknown"


@pytest.mark.parametrize("is_zipped", [True, False], ids=["zip", "folder"])
def test_bodies_that_playwright_keeps_in_files_are_read(tmp_path: Path, is_zipped: bool) -> None:
    document = har(entry(content={"size": -1, "_file": "a.txt"}, post={"mimeType": "x", "_file": "b.json"}))
    files = {"har.har": json.dumps(document), "a.txt": "Hello", "b.json": "{}"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with ZipFile(tmp_path / "trace.zip", "w") as archive:
        for name in files:
            archive.write(tmp_path / name, name)

    cassette = import_file(tmp_path / ("trace.zip" if is_zipped else "har.har"))

    assert (cassette.interactions[0].request.body, cassette.interactions[0].response.body) == (
        b"{}",
        b"Hello",
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param({"a.txt": ""}, "one HAR file, found 0", id="none"),
        pytest.param({"a.har": "{}"}, "one HAR file", id="no HAR"),
        pytest.param(
            {"a.har": json.dumps(har(entry(content={"_file": "b"})))}, "'b' in it|'b'", id="no file"
        ),
    ],
)
def test_an_archive_that_holds_no_har_is_refused(tmp_path: Path, files: dict[str, str], words: str) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)

    with pytest.raises(CassetteError, match=words):
        import_file(tmp_path / "a.zip")


def test_a_file_is_imported_by_what_it_holds(tmp_path: Path) -> None:
    saved = from_har(har(entry()))
    (tmp_path / "a.har").write_text("\ufeff" + json.dumps(har(entry())), encoding="utf-8")
    (tmp_path / "b.har").write_text(json.dumps(har(entry())), encoding="utf-16")  # as PowerShell writes it
    saved.save(tmp_path / "c.yaml")
    (tmp_path / "d.json").write_text(
        '{"version": 1, "interactions": [{"request": {"method": "GET", "uri": "https://x/", "body": null, '
        '"headers": {}}, "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, '
        '"body": {"string": "Hello"}}}]}'
    )

    files = sorted(tmp_path.iterdir())

    assert [import_file(file).interactions[0].response.body for file in files] == [b"Hello"] * 4
    assert import_file(tmp_path / "c.yaml") == saved


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", "just text", '{"log": {}}', '{"interactions": [7]}', "{", '{"log":' + "[" * 30_000],
)
def test_a_file_that_is_nothing_known_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(content)

    with pytest.raises(CassetteError):
        import_file(file)


def test_an_imported_cassette_survives_saving(tmp_path: Path) -> None:
    cassette = from_har(har(entry()))

    cassette.save(tmp_path / "a.yaml")

    assert Cassette.load(tmp_path / "a.yaml") == cassette
