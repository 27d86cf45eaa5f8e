"""Answers by the letter, raw on the wire: what is no framing is no answer, and heads as servers send them."""

from __future__ import annotations

import pytest

from g4fsdk import IncompleteStreamError, TransportError
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import (
    QUICK,
    WIRES,
    Colour,
    answer,
    ask,
    both,
    both_outcomes,
    complete,
    document,
)

TEXT, EVENTS = (next(name for name, wire in WIRES.items() if wire == kind) for kind in ("text", "chunks"))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
WORDS = "Привет"  # twice as many bytes as characters
COUNTED = b"%x\r\n%b\r\n" % (len(WORDS), WORDS.encode())


def raw(data: bytes) -> Reply:
    return Reply(raw=data)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"3\r\nabc\r\n2\r\nde\r\n" + LAST, "abcde", id="two chunks"),
        pytest.param(b"0003\r\nabc\r\n0000\r\n\r\n", "abc", id="zeros in front"),
        pytest.param(b"A\r\nabcdefghij\r\n" + LAST, "abcdefghij", id="a capital digit"),
        pytest.param(b"3;name=value\r\nabc\r\n" + LAST, "abc", id="an extension"),
        pytest.param(b"3\r\nabc\r\n0\r\nX-Trailer: x\r\n\r\n", "abc", id="a trailer"),
        pytest.param(b"3\r\nabc\r\n" + LAST + b"more", "abc", id="bytes behind the end"),
        pytest.param("4\r\né\r\n\r\n0\r\n\r\n".encode(), "é\r\n", id="a line end inside a chunk"),
    ],
)
def test_a_chunked_body_is_read(body: bytes, text: str) -> None:
    outcome = both_outcomes(TEXT, lambda: raw(CHUNKED + body))

    assert (outcome.error, outcome.text) == (None, text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(COUNTED + LAST, WORDS[:3], id="a size in characters, and the end"),
        pytest.param(COUNTED + b"3\r\nabc\r\n" + LAST, WORDS[:3], id="a size in characters, and more"),
        pytest.param(b"2\r\nabc\r\n" + LAST, "ab", id="a size too small"),
        pytest.param(b"3\r\nabc" + LAST, "abc", id="no line end behind a chunk"),
        pytest.param(b"3\r\nabc\r\n0x2\r\nde\r\n" + LAST, "abc", id="a size with 0x"),
        pytest.param(b"3\r\nabc\r\n+2\r\nde\r\n" + LAST, "abc", id="a size with a sign"),
        pytest.param(b"3\r\nabc\r\n-2\r\nde\r\n" + LAST, "abc", id="a size below nothing"),
        pytest.param(b"3\r\nabc\r\n0_2\r\nde\r\n" + LAST, "abc", id="a size with an underscore"),
        pytest.param(b"3\r\nabc\r\nxy\r\nde\r\n" + LAST, "abc", id="a size that is none"),
        pytest.param(b"3\r\nabc\r\n\r\n" + LAST, "abc", id="an empty line for a size"),
        pytest.param(b"3\r\nabc\r\n" + b"f" * 40 + b"\r\nde", "abc", id="a size beyond all"),
        pytest.param(b"3\r\nabc\r\n0", "abc", id="cut in a size"),
        pytest.param(b"3\r\nabc\r\n00000002", "abc", id="cut behind a size"),
        pytest.param(b"3\r\nabc\r\n2\r", "abc", id="cut in the line end of a size"),
        pytest.param(b"3\r\nabc\r\n2\r\nd", "abcd", id="cut in a chunk"),
        pytest.param(b"3\r\nabc\r\n2\r\nde", "abcde", id="cut behind a chunk"),
        pytest.param(b"3\r\nabc\r\n2\r\nde\r", "abcde", id="cut in the line end of a chunk"),
        pytest.param(b"3\r\nabc\r\n", "abc", id="no last chunk"),
        pytest.param(b"3\r\nabc\r\n0\r\n", "abc", id="cut behind the last chunk"),
        pytest.param(b"3\r\nabc\r\n0\r\nX-Trailer: x", "abc", id="cut in a trailer"),
        pytest.param(b"3\r\nabc\r\n0\r\nX-Trailer: x\r\n", "abc", id="cut behind a trailer"),
    ],
)
def test_a_body_that_is_no_chunked_one_is_not_complete(body: bytes, text: str) -> None:
    outcome = both_outcomes(TEXT, lambda: raw(CHUNKED + body), retries=QUICK)

    assert type(outcome.error) is IncompleteStreamError
    assert outcome.text == outcome.error.partial == text


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"HTTP/1.1 102 Processing\r\n\r\n", id="102"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", id="103"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early\r\n\r\n" * 3, id="several"),
    ],
)
def test_what_only_informs_is_no_answer(before: bytes) -> None:
    outcome = both_outcomes(TEXT, lambda: raw(before + CHUNKED + b"3\r\nabc\r\n" + LAST))

    assert (outcome.error, outcome.text) == (None, "abc")


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"X-Line-%d: %d" % (number, number) for number in range(120)], id="120 lines"),
        pytest.param([b"X-Long: " + b"x" * 60_000], id="a long line"),
        pytest.param([b"Set-Cookie: c%d=%b" % (number, b"x" * 500) for number in range(120)], id="cookies"),
    ],
)
def test_a_long_head_is_read(lines: list[bytes]) -> None:
    head = HEAD + b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""])

    outcome = both_outcomes(TEXT, lambda: raw(head + b"3\r\nabc\r\n" + LAST))

    assert (outcome.error, outcome.text) == (None, "abc")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X-Line: x\r\n" * 20_000, id="endless lines"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 300_000, id="an endless line"),
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
        pytest.param(HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", id="two lengths"),
    ],
)
def test_a_head_that_is_none_is_an_error(head: bytes) -> None:
    outcome = both_outcomes(TEXT, lambda: raw(head))

    assert isinstance(outcome.error, TransportError)


@both
@pytest.mark.parametrize(
    "cut",
    [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n", HEAD, HEAD + b"Content-Le", CHUNKED[:-2]],
    ids=[
        "nothing",
        "in the status",
        "behind the status",
        "behind a line",
        "in a line",
        "in front of the end",
    ],
)
def test_a_cut_in_the_head_is_tried_again(colour: Colour, cut: bytes) -> None:
    with Server([raw(cut), answer(EVENTS, "Hello")]) as server:
        outcome = ask(colour, EVENTS, server.url, retries=QUICK)

    assert (outcome.error, outcome.text) == (None, "Hello")
    assert len(server.requests) == 2


@both
@pytest.mark.parametrize("missing", [1, 10, 40])
def test_a_document_shorter_than_its_length_is_not_complete(colour: Colour, missing: int) -> None:
    whole = document(EVENTS, "Hello").body
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole)
    with Server(raw(head + whole[:-missing])) as server:
        error = complete(colour, EVENTS, server.url)

    assert isinstance(error, IncompleteStreamError)
