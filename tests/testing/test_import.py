"""Importing: what browsers, capture scripts and vcrpy wrote becomes a cassette that says what it is."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from g4fsdk.testing import Cassette, CassetteError
from g4fsdk.testing._imports.files import from_capture, from_har, import_file

CAPTURES = Path(__file__).parents[3] / "shared" / "captures"
URL = "https://api.binjie.fun/api/generateStream"


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def capture(*exchanges: dict[str, Any], **provenance: str) -> dict[str, Any]:
    said = provenance or {"kind": "reconstructed", "provider": "yqcloud", "note": "a test"}
    return {"provenance": said, "exchanges": list(exchanges)}


def exchange(
    pieces: list[bytes], *, end: str = "complete", headers: list[list[str]] | None = None
) -> dict[str, Any]:
    return {
        "request": {"method": "POST", "url": URL, "headers": {"Accept": "*/*"}, "body_b64": b64(b"{}")},
        "response": {
            "status": 200,
            "headers": headers or [],
            "http_version": "HTTP/1.1",
            "chunks": [{"t_ms": 10.5 * number, "b64": b64(piece)} for number, piece in enumerate(pieces)],
            "end": end,
        },
    }


def test_a_capture_keeps_chunks_and_times() -> None:
    cassette = from_capture(capture(exchange([b"Hel", b"", b"lo"])))

    request, response = cassette.interactions[0].request, cassette.interactions[0].response
    assert (request.method, request.url, request.headers, request.body) == (
        "POST",
        URL,
        [("Accept", "*/*")],
        b"{}",
    )
    assert (response.chunks, response.at_ms) == ([b"Hel", b"lo"], [0.0, 21.0])
    assert (response.status, response.reason, response.http_version) == (200, "OK", "1.1")


def test_gzip_is_undone_chunk_by_chunk() -> None:
    coded = gzip.compress(b"Hello, " * 40)
    headers = [
        ["Content-Encoding", "gzip"],
        ["Content-Length", "9"],
        ["Transfer-Encoding", "chunked"],
        ["X", "1"],
    ]

    response = from_capture(capture(exchange([coded[:1], coded[1:40], coded[40:]], headers=headers)))
    came = response.interactions[0].response

    assert came.body == b"Hello, " * 40
    assert came.headers == [("X", "1")]
    assert len(came.chunks) == len(came.at_ms)


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("complete", "complete"),
        ("reset", "reset"),
        ("truncated", "truncated"),
        ("timeout", "timeout"),
        ("client closed", "client_closed"),
        ("protocol error: peer closed connection without sending complete message body", "truncated"),
    ],
)
def test_the_end_cause_is_kept(said: str, end: str) -> None:
    assert from_capture(capture(exchange([b"x"], end=said))).interactions[0].response.end == end


def test_a_connection_that_gave_no_response_is_kept_as_such() -> None:
    broken = {"request": exchange([])["request"], "error": "ReadError"}

    response = from_capture(capture(broken)).interactions[0].response

    assert (response.status, response.end, response.chunks) == (0, "reset", [])


@pytest.mark.parametrize(
    ("said", "provider", "text"),
    [
        pytest.param(
            {"kind": "reconstructed", "provider": "amigo", "note": "a quota page"},
            "amigo",
            "reconstructed from the protocol: a quota page",
            id="reconstruction",
        ),
        pytest.param(
            {"server": "huggingface/chat-ui", "commit": "eaba"},
            "cohere-c4ai",
            "recorded from the real server software on loopback: huggingface/chat-ui; eaba",
            id="chat-ui",
        ),
        pytest.param(
            {"kind": "live capture of a real server on loopback", "server": "llama.cpp", "version": "b1"},
            "openai",
            "recorded from the real server software on loopback: llama.cpp; b1",
            id="other servers",
        ),
    ],
)
def test_the_provenance_says_what_answered(said: dict[str, str], provider: str, text: str) -> None:
    metadata = from_capture(capture(exchange([b"x"]), **said, recorded="2026-11-20")).metadata

    assert metadata == {"provider": provider, "provenance": text, "recorded_at": "2026-11-20"}


def test_one_exchange_with_a_whole_body_is_a_capture_too() -> None:
    document = {
        "vendor": "groq",
        "source": "a/b:c.yaml#0",
        "request": {"method": "POST", "url": URL, "headers": {}, "json": {"a": 1}},
        "response": {"status": 404, "headers": {"Content-Encoding": "gzip"}, "body_b64": b64(b"plain")},
    }

    cassette = from_capture(document)

    assert cassette.interactions[0].request.body == b'{"a": 1}'
    assert (cassette.interactions[0].response.chunks, cassette.interactions[0].response.reason) == (
        [b"plain"],
        "Not Found",
    )
    assert cassette.metadata["provenance"].startswith(
        "recorded from the live service by others (a/b:c.yaml#0)"
    )


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(capture(exchange([b"x"]), server="who knows"), id="nobody says what answered"),
        pytest.param(capture({"request": {}}), id="no method"),
        pytest.param(capture(exchange([b"x"], end="whatever")), id="unknown end"),
        pytest.param(
            capture(exchange([b"plain text"], headers=[["Content-Encoding", "gzip"]])), id="not gzip"
        ),
        pytest.param({"exchanges": 5}, id="no list"),
    ],
)
def test_what_is_no_capture_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(CassetteError):
        from_capture(document)


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
    ],
)
def test_an_unusable_har_is_refused(document: dict[str, Any], provider: str | None, message: str) -> None:
    with pytest.raises(CassetteError, match=message):
        from_har(document, provider)


def test_a_file_is_imported_by_what_it_holds(tmp_path: Path) -> None:
    saved = from_capture(capture(exchange([b"Hello"])))
    (tmp_path / "a.har").write_text("\ufeff" + json.dumps(har(entry())), encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps(capture(exchange([b"Hello"]))))
    saved.save(tmp_path / "c.yaml")
    (tmp_path / "d.json").write_text(
        '{"version": 1, "interactions": [{"request": {"method": "GET", "uri": "https://x/", "body": null, '
        '"headers": {}}, "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, '
        '"body": {"string": "Hello"}}}]}'
    )

    files = sorted(tmp_path.iterdir())

    assert [import_file(file).interactions[0].response.body for file in files] == [b"Hello"] * 4
    assert import_file(tmp_path / "c.yaml") == saved


@pytest.mark.parametrize("content", ["[]", "{}", "just text", '{"log": {}}', '{"exchanges": [7]}'])
def test_a_file_that_is_nothing_known_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(content)

    with pytest.raises(CassetteError):
        import_file(file)


def test_json_of_another_kind_is_refused_from_a_path(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "text.json").write_text("{")

    for name in ("list.json", "text.json"):
        with pytest.raises(CassetteError, match=name):
            from_capture(tmp_path / name)


def capture_files() -> list[Path]:
    found = sorted(CAPTURES.glob("*/*.json")) + sorted(CAPTURES.glob("stand-in/*/*.json"))
    return [path for path in found if path.name != "live-expected.json"]


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures are not here")
def test_every_capture_becomes_a_cassette_with_the_bytes_it_recorded() -> None:
    for path in capture_files():
        document, cassette = json.loads(path.read_bytes()), from_capture(path)
        assert len(cassette.interactions) == len(document["exchanges"])
        for recorded, interaction in zip(document["exchanges"], cassette.interactions, strict=True):
            response = interaction.response
            assert all(response.chunks)
            assert len(response.chunks) == len(response.at_ms)
            if "response" in recorded and ["Content-Encoding", "gzip"] not in recorded["response"]["headers"]:
                raw = [b64decode(piece["b64"]) for piece in recorded["response"]["chunks"]]
                assert response.chunks == [piece for piece in raw if piece], path.name


def test_an_imported_cassette_survives_saving(tmp_path: Path) -> None:
    cassette = from_har(har(entry()))

    cassette.save(tmp_path / "a.yaml")

    assert Cassette.load(tmp_path / "a.yaml") == cassette
