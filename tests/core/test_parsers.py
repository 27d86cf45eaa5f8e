"""The framings: bytes cut anywhere in, the same events or the same G4FError out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from g4fsdk import (
    BlockedError,
    EmptyAnswerError,
    Event,
    FinalText,
    Finish,
    G4FError,
    IncompleteStreamError,
    ProtocolError,
    ProviderError,
    TextDelta,
    Title,
)
from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk._core.decoding.decoder import Decoder, Notice, TextDecoder
from g4fsdk.parsers import (
    DocumentParser,
    JSONLinesParser,
    Parser,
    SSEParser,
    TextParser,
)
from tests.support import strategies
from tests.support.strategies import Framed
from tests.support.wire import Seen, chunk, cut_at, run, sse

BOM = b"\xef\xbb\xbf"
CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
PAGE = b"<!doctype html><html><title>Welcome</title></html>"


class Units(Decoder):
    """Says each unit as text, so that a test sees the framing alone."""

    def decode(self, data: bytes, name: bytes, out: list[Event]) -> None:
        if data == b"[DONE]":
            self.done = True
        elif data == b"bad":
            raise ValueError("it is bad")
        else:
            self.say(TextDelta((name + b"!" if name else b"").decode() + data.decode()), out)

    def document(self, data: bytes, out: list[Event]) -> None:
        self.say(TextDelta("document " + data.decode()), out)

    def is_over(self) -> bool:
        return True


class Streamed(Decoder):
    """Says nothing of documents, as a provider's own decoder need not."""


def units(wire: bytes, kind: type[Parser] = SSEParser, cuts: list[int] | None = None) -> list[str]:
    """Return the units of *wire*, and check that they are the same for every cut in two and bytewise."""
    seen = run(kind(Units()), [wire])
    for at in range(len(wire)):
        assert run(kind(Units()), cut_at(wire, [at])).summary == seen.summary
    assert run(kind(Units()), cut_at(wire, range(len(wire)))).summary == seen.summary
    if seen.error is not None:
        raise seen.error
    return [event.text for event in seen.of(TextDelta)]


# --- Server-sent events ---


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        pytest.param(b"data: hi\n\n", ["hi"], id="one line"),
        pytest.param(b"data:hi\n\n", ["hi"], id="no space after the colon"),
        pytest.param(b"data:  hi\n\n", [" hi"], id="only one space is dropped"),
        pytest.param(b"data: a\ndata: b\n\n", ["a\nb"], id="two data lines join"),
        pytest.param(b"data: a\ndata\ndata: b\n\n", ["a\n\nb"], id="a field without colon is an empty value"),
        pytest.param(b"data: a\n\ndata: b\n\n", ["a", "b"], id="two events"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"], id="CRLF"),
        pytest.param(b"data: a\r\rdata: b\r\r", ["a", "b"], id="bare CR"),
        pytest.param(b"data: a\r\n\ndata: b\n\r\n", ["a", "b"], id="CRLF and LF mixed"),
        pytest.param(b"data: a\r\n\rdata: b\n\n", ["a", "b"], id="CRLF and CR mixed"),
        pytest.param(b": ping\n\ndata: a\n\n", ["a"], id="a comment before an event"),
        pytest.param(b"data: a\n: xYz padding\n\n", ["a"], id="a comment inside an event"),
        pytest.param(b"data: a\n: ping\ndata: b\n\n", ["a\nb"], id="a comment between data lines"),
        pytest.param(b"data: a\n\n: ping - 2026\n\ndata: b\n\n", ["a", "b"], id="a comment between events"),
        pytest.param(b"id: 1\nevent: message\nretry: 5\ndata: a\n\n", ["message!a"], id="other fields"),
        pytest.param(
            b"event: error\ndata: a\n\ndata: b\n\n", ["error!a", "b"], id="the name lasts one event"
        ),
        pytest.param(b"event: error\n\ndata: b\n\n", ["b"], id="a name without data is no event"),
        pytest.param(b"error: {}\n\n", ["error! {}"], id="an error line counts as data"),
        pytest.param(b"error: {}", ["error! {}"], id="an error line ends the body"),
        pytest.param(b"unknown: x\ndata: a\n\n", ["a"], id="an unknown field"),
        pytest.param(b"data: a", ["a"], id="no line end at all"),
        pytest.param(b"data: a\n", ["a"], id="no blank line behind the last event"),
        pytest.param(b"data: a\r", ["a"], id="no blank line behind the last event, CR"),
        pytest.param(BOM + b"data: a\n\n", ["a"], id="a byte order mark"),
        pytest.param(b"\n\n\ndata: a\n\n\n\n", ["a"], id="blank lines around"),
        pytest.param(b"data: a\n\ndata: [DONE]\n\ndata: b\n\n", ["a"], id="nothing counts after the end"),
        pytest.param(b"data: a\n\ndata: [DONE]", ["a"], id="the end without line end"),
        pytest.param(b'data: a\n\ndata: [DONE]\n\n{"error":1}', ["a"], id="rubbish after the end"),
        pytest.param(
            "data: \u2028\u0085\x0b\x1c\n\n".encode(), ["\u2028\u0085\x0b\x1c"], id="text separators"
        ),
        pytest.param("data: a\ufeffb\n\n".encode(), ["a\ufeffb"], id="a mark inside text stays"),
        pytest.param(b"data: \n\ndata: a\n\n", ["", "a"], id="an empty value"),
        pytest.param(b'data: {"a":1}\n\n', ['{"a":1}'], id="json"),
        pytest.param(b"  \n\ndata: a\n\n", ["a"], id="blank space in front"),
    ],
)
def test_events_are_framed_as_the_standard_says(wire: bytes, expected: list[str]) -> None:
    assert units(wire) == expected


@pytest.mark.parametrize(
    ("wire", "offset", "excerpt"),
    [
        pytest.param(b"data: bad\n\n", 0, b"bad", id="first event"),
        pytest.param(b"data: a\n\ndata: bad\n\n", 9, b"bad", id="second event"),
        pytest.param(b"data: a\r\n\r\ndata: bad\r\n\r\n", 9, b"bad", id="CRLF counts as one"),
        pytest.param(b"data: a\n\n: c\n\nevent: x\ndata: bad\n\n", 14, b"bad", id="where the event begins"),
        pytest.param(BOM + b"data: bad\n\n", 3, b"bad", id="a byte order mark counts"),
        pytest.param(b"\n\ndata: bad\n\n", 2, b"bad", id="blank lines count"),
        pytest.param(b"data: a\n\ndata: bad", 9, b"bad", id="unfinished"),
        pytest.param(b"data: a\n\ndata: b\n\ndata: c\ndata: d\n\ndata: bad\n\n", 35, b"bad", id="after many"),
    ],
)
def test_an_unreadable_event_says_where_it_is(wire: bytes, offset: int, excerpt: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        units(wire)

    assert (caught.value.offset, caught.value.excerpt) == (offset, excerpt)
    assert f"at byte {offset}" in caught.value.message


def test_an_excerpt_is_cut_to_200_bytes() -> None:
    seen = run(SSEParser(), [b"data: {" + b"x" * 1000 + b"\n\n"])

    assert isinstance(seen.error, ProtocolError)
    assert seen.error.excerpt == b"{" + b"x" * 199
    assert len(seen.error.message) < 400


def test_text_that_is_no_event_stream_is_not_an_empty_answer() -> None:
    seen = run(SSEParser(), [b"Internal Server Error\n"])

    assert type(seen.error) is ProtocolError
    assert "Internal Server Error" in seen.error.message


# --- JSON lines ---


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        pytest.param(b"a\nb\n", ["a", "b"], id="two lines"),
        pytest.param(b"a\nb", ["a", "b"], id="no line end at the end"),
        pytest.param(b"a\r\nb\r\n", ["a", "b"], id="CRLF"),
        pytest.param(b"a\n\n\nb\n", ["a", "b"], id="blank lines"),
        pytest.param(b"a\n" + b" " * 4096 + b"b\n", ["a", "b"], id="4096 spaces before a line"),
        pytest.param(b"a\n" + b" " * 4096, ["a"], id="4096 spaces at the end"),
        pytest.param(BOM + b"a\n", ["a"], id="a byte order mark"),
        pytest.param("a\u2028b\u0085c\x0b\n".encode(), ["a\u2028b\u0085c\x0b"], id="text separators"),
        pytest.param(b"{\n", ["{"], id="a line is no document"),
        pytest.param(b"a\rb\n", ["a\rb"], id="a bare CR is no line end"),
        pytest.param(b"[DONE]\na", [], id="nothing counts after the end"),
    ],
)
def test_lines_are_split_at_lf_alone(wire: bytes, expected: list[str]) -> None:
    if not expected:
        assert isinstance(run(JSONLinesParser(Units()), [wire]).error, EmptyAnswerError)
        return
    assert units(wire[:40] if len(wire) > 4000 else wire, JSONLinesParser)[:1] == expected[:1]
    assert [event.text for event in run(JSONLinesParser(Units()), [wire]).of(TextDelta)] == expected


@pytest.mark.parametrize(
    ("wire", "offset"),
    [
        pytest.param(b"bad\n", 0, id="first"),
        pytest.param(b"a\nbad\n", 2, id="second"),
        pytest.param(b"a\r\n\nbad", 4, id="blank lines count"),
        pytest.param(BOM + b"a\nbad\n", 5, id="a byte order mark counts"),
    ],
)
def test_an_unreadable_line_says_where_it_is(wire: bytes, offset: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        units(wire, JSONLinesParser)

    assert (caught.value.offset, caught.value.excerpt) == (offset, b"bad")


def test_nothing_counts_behind_the_end_in_a_block_of_lines() -> None:
    lines = [
        b'{"choices":[{"delta":{"content":"a"}}]}\n',
        b"[DONE]\n",
        b'{"choices":[{"delta":{"content":"b"}}]}\n',
    ]

    for pieces in (lines, [b"".join(lines)]):
        assert run(JSONLinesParser(ChatChunkDecoder()), pieces).text == "a"


@pytest.mark.parametrize("odd", [b'"\xff"', b"NaN", b'"\\ud800"'])
@pytest.mark.parametrize(("make", "frame"), [(SSEParser, b"data: %s\n\n"), (JSONLinesParser, b"%s\n")])
def test_what_is_nested_too_deeply_is_an_error_of_ours(make: Any, frame: bytes, odd: bytes) -> None:
    deep = b'{"a":' + odd + b',"b":' + b"[" * 200_000 + b"]" * 200_000 + b"}"

    assert type(run(make(), [frame % deep]).error) is ProtocolError


# --- Text ---


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"  lead\n\ntrail \r\n", id="spaces and line ends belong to the answer"),
        pytest.param("世界 👩‍👩‍👧 é".encode(), id="characters of many bytes"),
        pytest.param("a\u2028b\u0085c\ufeffd".encode(), id="separators and a mark inside"),
        pytest.param(b"data: x\n\ndata: [DONE]\n\n", id="what looks like events"),
        pytest.param(b"<b>bold</b>", id="markup"),
        pytest.param(b"<html>is a tag</html>", id="what looks like a page"),
        pytest.param(b"<!doctype html><p>my page</p>", id="a page that was asked for"),
        pytest.param(b'{"error": "is a JSON key"}', id="what looks like an error"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(b"   ", id="blank space only"),
    ],
)
def test_text_is_given_as_it_stands(wire: bytes) -> None:
    for pieces in ([wire], cut_at(wire, range(len(wire)))):
        seen = run(TextParser(), pieces)

        assert seen.error is None
        assert seen.text == wire.decode()
        assert seen.of(Finish) == [Finish("stop")]


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        pytest.param(BOM + b"Hello", "Hello", id="a byte order mark is dropped"),
        pytest.param(b"a\xff\xfeb", "a\ufffd\ufffdb", id="bytes that are no characters are replaced"),
        pytest.param(BOM + BOM + b"a", "\ufeffa", id="a second mark is text"),
    ],
)
def test_text_is_decoded_as_utf_8(wire: bytes, text: str) -> None:
    assert run(TextParser(), [wire]).text == text
    assert run(TextParser(), cut_at(wire, range(len(wire)))).text == text


@pytest.mark.parametrize("wire", [b"Hello \xe4\xb8", b"\xef\xbb", b"\xf0"])
def test_text_that_ends_inside_a_character_is_incomplete(wire: bytes) -> None:
    seen = run(TextParser(), [wire])

    assert isinstance(seen.error, IncompleteStreamError)
    assert seen.error.partial == wire.decode(errors="ignore")


@pytest.mark.parametrize("held", [b"  <htm\xe4", b"sor\xe4"])
def test_text_held_back_is_handed_over_when_it_ends_inside_a_character(held: bytes) -> None:
    notices = (Notice("sorry, no", BlockedError, "ask another"),)

    seen = run(TextParser(TextDecoder(notices=notices)), [held])

    assert isinstance(seen.error, IncompleteStreamError)
    assert seen.text == seen.error.partial == held[:-1].decode()


def test_text_is_handed_over_with_the_bytes_that_complete_it() -> None:
    parser = TextParser()

    given_out = [parser.feed(piece) for piece in (b"Hel", b"lo \xe4\xb8", b"\x96")]

    assert given_out == [[TextDelta("Hel")], [TextDelta("lo ")], [TextDelta("世")]]


@pytest.mark.parametrize(
    ("wire", "content_type", "error"),
    [
        pytest.param(CHALLENGE, "text/html", BlockedError, id="challenge"),
        pytest.param(b"\n " + CHALLENGE, "text/plain", BlockedError, id="challenge declared as text"),
        pytest.param(PAGE, "text/html; charset=utf-8", ProtocolError, id="page"),
        pytest.param(b'{"error":"no"}', "application/json", ProviderError, id="error document"),
        pytest.param(b'{"message":["a"],"statusCode":400}', "application/json", ProviderError, id="NestJS"),
    ],
)
def test_what_is_no_text_is_no_answer(wire: bytes, content_type: str, error: type[G4FError]) -> None:
    for pieces in ([wire], cut_at(wire, range(len(wire)))):
        parser = TextParser()
        parser.content_type = content_type

        seen = run(parser, pieces)

        assert type(seen.error) is error
        assert seen.events == []


def test_a_page_asked_for_that_breaks_off_is_handed_over() -> None:
    parser = TextParser()
    parser.feed(b"<html><body>")

    error = parser.cut("reset")

    assert error.events == (TextDelta("<html><body>"),)


def test_a_very_long_page_asked_for_is_handed_over_before_its_end() -> None:
    parser = TextParser()

    events = parser.feed(b"<html>" + b"x" * (65 << 10))

    assert sum(len(event.text) for event in events if isinstance(event, TextDelta)) == 6 + (65 << 10)


# --- Documents, pages and empty bodies in place of a stream ---

PARSERS: list[Any] = [
    pytest.param(SSEParser, id="SSE"),
    pytest.param(JSONLinesParser, id="JSON lines"),
    pytest.param(TextParser, id="text"),
    pytest.param(lambda: DocumentParser(ChatChunkDecoder()), id="document"),
]
every_parser = pytest.mark.parametrize("make", PARSERS)
Make = Callable[[], Parser]


@every_parser
@pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]], ids=["nothing", "an empty piece", "two of them"])
def test_an_empty_body_is_an_empty_answer(make: Make, pieces: list[bytes]) -> None:
    seen = run(make(), pieces)

    assert isinstance(seen.error, EmptyAnswerError)
    assert seen.events == []


@pytest.mark.parametrize("make", [PARSERS[0], PARSERS[1], PARSERS[3]])
@pytest.mark.parametrize("body", [b"\n", b"  \r\n ", BOM, BOM + b" "])
def test_a_blank_body_is_no_answer(make: Make, body: bytes) -> None:
    for pieces in ([body], cut_at(body, range(len(body)))):
        assert isinstance(run(make(), pieces).error, ProtocolError)


@pytest.mark.parametrize("make", [PARSERS[0], PARSERS[1], PARSERS[3]])
@pytest.mark.parametrize(
    ("page", "error"), [(CHALLENGE, BlockedError), (PAGE, ProtocolError)], ids=["challenge", "page"]
)
@pytest.mark.parametrize("front", [b"", BOM, b"\r\n\t "], ids=["plain", "mark", "blank"])
def test_a_page_is_no_answer(make: Make, page: bytes, error: type[G4FError], front: bytes) -> None:
    body = front + page
    for pieces in ([body], cut_at(body, range(len(body)))):
        seen = run(make(), pieces)

        assert type(seen.error) is error
        assert seen.events == []


@pytest.mark.parametrize("make", [PARSERS[0], PARSERS[3]])
@pytest.mark.parametrize("front", [b"", BOM, b"\n" * 300 + b" "], ids=["plain", "mark", "blank lines"])
def test_a_whole_completion_is_an_answer_too(make: Make, front: bytes) -> None:
    body = front + json.dumps({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}).encode()

    for pieces in ([body], cut_at(body, range(len(body)))):
        assert run(make(), pieces).events == [TextDelta("Hi"), Finish("stop")]


@pytest.mark.parametrize("make", [PARSERS[0], PARSERS[3], lambda: SSEParser(Streamed())])
@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b'{"error":{"message":"too long","code":7}}', ProviderError, id="error"),
        pytest.param(b'{"choices":[],"error":{"message":"too long"}}', ProviderError, id="error and choices"),
        pytest.param(b'{"detail":"no"}', ProviderError, id="detail"),
        pytest.param(b'{"message":"not implemented","statusCode":406}', ProviderError, id="status code"),
        pytest.param(b'{"choices":[]}', ProtocolError, id="no choices"),
        pytest.param(b"[]", ProtocolError, id="list"),
        pytest.param(b"[1]", ProtocolError, id="list of a number"),
        pytest.param(b"{", IncompleteStreamError, id="half a document"),
        pytest.param(b'{"choices":[{"message":{"content":"Hi"}}', IncompleteStreamError, id="cut"),
        pytest.param(b"{}", ProtocolError, id="empty document"),
        pytest.param(b'{"a":' * 200_000, ProtocolError, id="too deep"),
    ],
)
def test_a_document_without_an_answer_is_an_error(make: Make, body: bytes, error: type[G4FError]) -> None:
    seen = run(make(), [body])

    assert type(seen.error) is error
    assert seen.events == []
    assert run(make(), cut_at(body, range(0, len(body), 7))).summary == seen.summary


@pytest.mark.parametrize("body", [b"null", b"1", b'"text"', b"true", b"Hello", b"\xff\xfe", b"\xef\xbb"])
def test_a_document_parser_takes_documents_only(body: bytes) -> None:
    seen = run(DocumentParser(ChatChunkDecoder()), [body])

    assert isinstance(seen.error, ProtocolError)
    assert seen.error.excerpt == body


@pytest.mark.parametrize(
    ("last", "kind"),
    [(b"", IncompleteStreamError), (b'data: {"error": "no"}\n\n', ProviderError)],
    ids=["cut", "failed"],
)
def test_a_stream_in_place_of_a_document_is_read_up_to_where_it_broke_off(
    last: bytes, kind: type[G4FError]
) -> None:
    wire = sse(chunk({"content": "a"}), done=False) + (last or b"data: {")

    seen = run(DocumentParser(ChatChunkDecoder()), [wire], cut="reset")

    assert type(seen.error) is kind
    assert seen.text == seen.error.partial == "a"


def test_a_stream_in_place_of_a_document_is_complete_where_it_says_so() -> None:
    parser = DocumentParser(ChatChunkDecoder())

    events = [
        *parser.feed(b"dat"),
        *parser.feed(sse(chunk({"content": "a"}), chunk({}, "stop"), done=False)[3:]),
    ]

    assert parser.is_complete
    assert [*events, *parser.close()] == [TextDelta("a"), Finish("stop")]


# --- When errors come ---

TWO_AND_BAD = sse(chunk({"content": "a"}), chunk({"content": "b"}), "{bad", chunk({"content": "c"}))


def test_feed_hands_events_over_before_it_raises() -> None:
    parser = SSEParser()

    first = parser.feed(TWO_AND_BAD)

    assert first == [TextDelta("a"), TextDelta("b")]
    with pytest.raises(ProtocolError) as caught:
        parser.feed(b"")
    assert caught.value.partial == "ab"


def test_feed_raises_again_and_again() -> None:
    parser = SSEParser()
    parser.feed(TWO_AND_BAD)

    with pytest.raises(ProtocolError) as first:
        parser.feed(sse(chunk({"content": "d"})))
    with pytest.raises(ProtocolError) as second:
        parser.feed(b"data: x")
    with pytest.raises(ProtocolError) as third:
        parser.close()

    assert first.value is second.value is third.value


def test_feed_raises_at_once_when_it_has_nothing_to_hand_over() -> None:
    parser = SSEParser()

    with pytest.raises(ProtocolError):
        parser.feed(b"data: {bad\n\n")


def test_close_raises_what_feed_had_still_to_raise() -> None:
    parser = SSEParser()
    parser.feed(TWO_AND_BAD)

    with pytest.raises(ProtocolError) as caught:
        parser.close()

    assert caught.value.events == ()


def test_what_the_end_completes_stands_on_the_error() -> None:
    parser = SSEParser()
    parser.feed(b"data: " + json.dumps(chunk({"content": "last"})).encode())

    with pytest.raises(IncompleteStreamError) as caught:
        parser.close()

    assert caught.value.events == (TextDelta("last"),)
    assert caught.value.partial == "last"


def test_a_failure_reported_in_mid_stream_carries_the_text_before_it() -> None:
    seen = run(SSEParser(), [sse(chunk({"content": "so far"}), {"error": {"message": "boom", "code": "c"}})])

    assert isinstance(seen.error, ProviderError)
    assert (seen.text, seen.error.partial, seen.error.code) == ("so far", "so far", "c")
    assert "boom" in seen.error.message


@pytest.mark.parametrize(
    ("make", "wire"),
    [
        pytest.param(SSEParser, sse(chunk({"content": "so far"}), done=False), id="SSE"),
        pytest.param(JSONLinesParser, b'{"type":"stream","token":"so far"}\n', id="JSON lines"),
    ],
)
def test_an_answer_without_its_end_is_incomplete(make: Make, wire: bytes) -> None:
    seen = run(make(), [wire])

    assert type(seen.error) is IncompleteStreamError
    assert seen.error.partial == "so far"
    assert seen.of(Finish) == []


@pytest.mark.parametrize("make", [PARSERS[0], PARSERS[3]])
def test_done_alone_is_an_empty_answer(make: Make) -> None:
    body = b"data: [DONE]\n\n" if make is SSEParser else b'{"choices":[{"message":{"content":""}}]}'

    assert type(run(make(), [body]).error) is EmptyAnswerError


# --- When the body breaks off ---


def test_a_break_is_an_incomplete_answer_with_the_text_so_far() -> None:
    parser = SSEParser()
    parser.feed(sse(chunk({"content": "so far"}), done=False))

    error = parser.cut("reset by peer")

    assert type(error) is IncompleteStreamError
    assert error.partial == "so far"
    assert "reset by peer" in error.message
    assert parser.cut("again") is error
    with pytest.raises(IncompleteStreamError):
        parser.feed(b"data: x\n\n")


def test_nothing_is_taken_after_a_break_in_mid_line() -> None:
    parser = SSEParser()
    parser.feed(b"data: half a li")
    parser.cut("reset")

    with pytest.raises(IncompleteStreamError):
        parser.feed(b"ne")


def test_a_break_behind_a_failure_does_not_hide_it() -> None:
    parser = SSEParser()
    parser.feed(TWO_AND_BAD)

    error = parser.cut("reset")

    assert type(error) is ProtocolError


def test_text_held_back_is_handed_over_when_the_body_breaks() -> None:
    seen = run(TextParser(), [b"<html>my pa"], cut="reset")

    assert isinstance(seen.error, IncompleteStreamError)
    assert seen.text == seen.error.partial == "<html>my pa"


def test_the_beginning_of_a_notice_is_handed_over_when_the_body_breaks() -> None:
    notices = (Notice("sorry, you are banned", BlockedError, "try another network"),)

    seen = run(TextParser(TextDecoder(notices=notices)), [b"sorry, "], cut="reset")

    assert seen.text == "sorry, "


@pytest.mark.parametrize("make", [*PARSERS])
def test_a_challenge_is_known_even_when_the_body_breaks(make: Make) -> None:
    seen = run(make(), [CHALLENGE], cut="reset")

    assert type(seen.error) is BlockedError
    assert seen.events == []


# --- Limits ---

LIMIT, MOST = 100, 300_000


@pytest.mark.parametrize(
    ("make", "wire", "offset"),
    [
        pytest.param(SSEParser, b"data: " + b"x" * 101 + b"\n\n", 0, id="SSE line"),
        pytest.param(SSEParser, b": " + b"x" * 101 + b"\n\n", 0, id="SSE comment"),
        pytest.param(SSEParser, b"data: 1\n\n: c\n\ndata: " + b"x" * 101, 14, id="unfinished SSE line"),
        pytest.param(SSEParser, b"data: a\n\n" + b"data:\n" * 120, 9, id="endless empty data lines"),
        pytest.param(SSEParser, b"data: a\n\n" + b"data: 1234567890\n" * 20, 9, id="endless event"),
        pytest.param(JSONLinesParser, b"1\n" + b"x" * 101, 2, id="JSON line"),
        pytest.param(JSONLinesParser, b" " * 50 + b"1\n" + b"x" * 101 + b"\n", 52, id="whole JSON line"),
        pytest.param(DocumentParser, b"{" + b"x" * 101, 0, id="document"),
        pytest.param(SSEParser, b"\n\n{" + b"x" * 101, 2, id="document in place of a stream"),
        pytest.param(SSEParser, b"<html>" + b"x" * 101, 0, id="page"),
    ],
)
def test_nothing_grows_beyond_its_limit(make: Any, wire: bytes, offset: int) -> None:
    seen = run(make(Units(), max_bytes=LIMIT), [wire])

    assert type(seen.error) is ProtocolError
    assert "longer than 100 bytes" in seen.error.message
    assert seen.error.offset == offset
    assert 0 < len(seen.error.excerpt) <= 200
    for cuts in (range(len(wire)), range(0, len(wire), 7), [50]):
        assert run(make(Units(), max_bytes=LIMIT), cut_at(wire, cuts)).summary == seen.summary


@pytest.mark.parametrize(
    ("make", "wire"),
    [
        pytest.param(SSEParser, (b"data: " + b"x" * 94 + b"\n\n") * 3, id="SSE lines"),
        pytest.param(SSEParser, b"data: " + b"x" * 50 + b"\n: " + b"c" * 98 + b"\n\n", id="SSE comment"),
        pytest.param(JSONLinesParser, (b"x" * 100 + b"\n") * 3, id="JSON lines"),
        pytest.param(JSONLinesParser, b"\n" * 300 + b"x\n", id="blank lines"),
        pytest.param(SSEParser, b"\n" * 300 + b"data: x\n\n", id="blank lines before events"),
    ],
)
def test_what_is_just_within_the_limit_is_fine(make: Any, wire: bytes) -> None:
    seen = run(make(Units(), max_bytes=LIMIT), [wire])

    assert seen.error is None
    for cuts in (range(len(wire)), range(0, len(wire), 7)):
        assert run(make(Units(), max_bytes=LIMIT), cut_at(wire, cuts)).summary == seen.summary


def test_the_limit_holds_for_text_events_of_a_known_shape_too() -> None:
    short = sse(chunk({"content": "a"}), done=False)
    long = sse(chunk({"content": "x" * 500}), done=False)

    seen = run(SSEParser(max_bytes=LIMIT), [short, short, long])

    assert type(seen.error) is ProtocolError
    assert seen.text == "aa"


def event_of(**delta: Any) -> bytes:
    return sse(chunk(delta), done=False)


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        pytest.param(SSEParser, event_of(content="x" * 90), id="text"),
        pytest.param(SSEParser, event_of(reasoning_content="x" * 90), id="thoughts"),
        pytest.param(
            SSEParser,
            event_of(tool_calls=[{"index": 0, "function": {"arguments": "x" * 90}}]),
            id="arguments of a call",
        ),
        pytest.param(
            JSONLinesParser,
            json.dumps({"type": "stream", "token": "x" * 90}).encode() + b"\n",
            id="JSON lines",
        ),
        pytest.param(TextParser, b"x" * 90, id="plain text"),
        pytest.param(TextParser, "\u4f60".encode() * 30_000, id="long plain text"),
    ],
)
def test_an_answer_that_never_ends_is_ended_by_its_limit(kind: Any, piece: bytes) -> None:
    parser = kind(max_bytes=MOST)

    seen = run(parser, [piece] * (2 * MOST // 90))

    assert type(seen.error) is ProtocolError
    assert "longer than 300000 bytes; allow more with max_bytes=" in seen.error.message
    assert MOST < parser.answer.size < 2 * MOST


def test_what_frames_an_answer_does_not_count_as_its_length() -> None:
    event = sse(chunk({"content": "x"}) | {"filters": "y" * 900}, done=False)
    wire = event * 2000 + b": keep-alive\n\n" * 40_000 + sse(chunk({}, "stop"))

    seen = run(SSEParser(max_bytes=100_000), [wire[at : at + 5000] for at in range(0, len(wire), 5000)])

    assert seen.error is None
    assert seen.text == "x" * 2000


def test_many_keys_beside_the_choices_are_not_copied_with_each_chunk() -> None:
    parser = SSEParser()

    def say(number: int) -> dict[str, Any]:
        parser.feed(sse(chunk({"content": "x"}) | {f"key {number}": number}, done=False))
        return parser.answer.facts.extra

    few = say(0)
    many = [say(number) for number in range(1, 400)][-1]

    assert say(400) is many
    assert few == {"key 0": 0}  # as a chunk of the first events was given it
    assert many == {f"key {number}": number for number in range(401)}


# --- Any bytes, cut anywhere ---

quick = settings(max_examples=50)


def summary(seen: Seen, *, is_text: bool) -> tuple[Any, ...]:
    if not is_text:
        return seen.summary
    return (seen.text, *seen.summary[1:])


@quick
@given(wire=strategies.rubbish, data=st.data(), make=st.sampled_from([param.values[0] for param in PARSERS]))
def test_any_bytes_give_events_or_an_error_of_ours_however_they_are_cut(
    wire: bytes, data: st.DataObject, make: Any
) -> None:
    is_text = make is TextParser

    whole = run(make(), [wire])
    pieces = run(make(), cut_at(wire, data.draw(strategies.cuts(len(wire)))))

    assert summary(pieces, is_text=is_text) == summary(whole, is_text=is_text)
    whole.text.encode()


@quick
@given(stream=strategies.event_streams(), data=st.data())
@example(stream=Framed(["x"], sse(chunk({"content": "x"}))), data=None)
def test_an_event_stream_says_what_was_put_into_it(stream: Framed, data: st.DataObject | None) -> None:
    cuts = data.draw(strategies.cuts(len(stream.wire))) if data is not None else []

    seen = run(SSEParser(), cut_at(stream.wire, cuts))

    assert seen.error is None
    assert seen.text == stream.text
    assert run(SSEParser(), [stream.wire]).summary == seen.summary


@quick
@given(stream=strategies.line_streams(), data=st.data())
def test_updates_say_what_was_put_into_them(stream: Framed, data: st.DataObject) -> None:
    seen = run(JSONLinesParser(), cut_at(stream.wire, data.draw(strategies.cuts(len(stream.wire)))))

    if not stream.text:
        assert isinstance(seen.error, EmptyAnswerError)
        return
    assert seen.error is None
    assert seen.text == stream.text
    assert seen.of(FinalText) == [FinalText(stream.text)]
    assert len(seen.of(Title)) <= 1
    assert run(JSONLinesParser(), [stream.wire]).summary == seen.summary


@quick
@given(chunks=strategies.alike_chunks, done=st.booleans(), data=st.data())
def test_chunks_that_look_alike_are_each_read_in_full(
    chunks: list[Any], done: bool, data: st.DataObject
) -> None:
    texts = [json.dumps(value, separators=(",", ":")) for value in chunks]
    # A line end after the first brace says the same, and fits no shape that was seen before.
    plain = "".join(f"data: {{\ndata: {text[1:]}\n\n" for text in texts) + "data: [DONE]\n\n" * done
    wire = plain.replace("{\ndata: ", "{").encode()
    expected = run(SSEParser(), [plain.encode()])

    for pieces in ([wire], events_of(wire), cut_at(wire, data.draw(strategies.cuts(len(wire))))):
        seen = run(SSEParser(), pieces)

        assert seen.events == expected.events
        assert (type(seen.error), seen.text) == (type(expected.error), expected.text)


def events_of(wire: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in wire.split(b"\n\n")[:-1]]


@quick
@given(updates=strategies.alike_updates, data=st.data())
def test_updates_that_look_alike_are_each_read_in_full(updates: list[Any], data: st.DataObject) -> None:
    lines = [json.dumps(value).encode() for value in updates]
    wire = b"".join(line + b"\n" for line in lines)
    expected = run(
        JSONLinesParser(), [b"".join(b" {" + b" " * at + line[1:] + b"\n" for at, line in enumerate(lines))]
    )

    for pieces in (
        [wire],
        [line + b"\n" for line in lines],
        cut_at(wire, data.draw(strategies.cuts(len(wire)))),
    ):
        seen = run(JSONLinesParser(), pieces)

        assert seen.events == expected.events
        assert type(seen.error) is type(expected.error)


@quick
@given(said=strategies.texts, data=st.data())
def test_text_says_what_was_put_into_it(said: list[str], data: st.DataObject) -> None:
    text = strategies.whole_text(said)
    wire = text.encode()

    seen = run(TextParser(), cut_at(wire, data.draw(strategies.cuts(len(wire)))))

    assert seen.text == text.removeprefix("\ufeff")
    assert seen.error is None or not seen.text


@quick
@given(
    parts=st.lists(
        st.sampled_from([b"plain ", "世界".encode(), "🙂é".encode(), b"\xff", b"\xe4\xb8"]), min_size=1
    ),
    times=st.sampled_from([1, 40, 900]),
    data=st.data(),
)
def test_text_is_kept_as_it_was_given(parts: list[bytes], times: int, data: st.DataObject) -> None:
    wire = b"so " + b"".join(parts) * times + b" on"
    parser = TextParser()

    seen = run(parser, cut_at(wire, data.draw(strategies.cuts(len(wire)))))

    assert seen.text == parser.answer.partial == wire.decode("utf-8", "replace")


@quick
@given(wire=st.binary(max_size=40) | st.text(max_size=40).map(str.encode), data=st.data())
def test_text_so_far_is_what_was_handed_out(wire: bytes, data: st.DataObject) -> None:
    parser, said = TextParser(), ""

    for piece in cut_at(wire, data.draw(strategies.cuts(len(wire)))):
        said += "".join(event.text for event in parser.feed(piece) if isinstance(event, TextDelta))
        assert parser.answer.partial == said
