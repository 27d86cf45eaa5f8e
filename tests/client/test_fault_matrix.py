"""Every fault at every position, every provider, both clients: each ends as a rule says, over sockets."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from g4fsdk.providers import PROVIDERS
from tests.support import fault_table
from tests.support.fault_matrix import FAULTS, Service, Wire, place_of, play, read, service_of
from tests.support.loopback import Framing, Reply, Server
from tests.support.loopback_clients import (
    COLOURS,
    WIRES,
    as_json,
    many,
    unfinished,
)
from tests.support.loopback_clients import (
    service as service_sending,
)


@pytest.fixture(scope="module", params=PROVIDERS)
def service(request: pytest.FixtureRequest) -> Service:
    found = service_of(request.param)
    if found is None:
        pytest.skip(f"{request.param} has no recording of a plain streamed answer")
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_ends_as_it_has_to(
    service: Service, fault: str, record_property: Callable[[str, object], None]
) -> None:
    cells = [*FAULTS[fault](service)]
    with ThreadPoolExecutor() as pool:
        plays = [[pool.submit(play, cell, colour) for colour in COLOURS] for cell in cells]
        seen = [[each.result() for each in both] for both in plays]

    said = [
        (
            place_of(fault, cell.at),
            f"{fault}, {cell.at}",
            service.provider,
            str(cell.expected),
            [*map(str, both)],
        )
        for cell, both in zip(cells, seen, strict=True)
    ]
    record_property(fault_table.PROPERTY, said)
    for cell, both in zip(cells, seen, strict=True):
        assert both == [cell.expected] * 2, f"{fault}, {cell.at}"


# --- FIN at every byte ---

EVENTS, TEXT, LINES = (
    next(name for name, wire in WIRES.items() if wire == kind) for kind in ("chunks", "text", "chat-ui")
)
READ_AS: dict[str, Wire] = {EVENTS: "events", TEXT: "text", LINES: "lines"}
FINAL = as_json({"type": "finalAnswer", "text": "Héllo", "interrupted": False}) + b"\n"
ENDS = {EVENTS: b"data: [DONE]\n\n", TEXT: b"", LINES: FINAL}


@pytest.mark.parametrize(
    ("provider", "framing", "gzip"),
    [
        (EVENTS, "chunked", False),
        (EVENTS, "chunked", True),
        (LINES, "chunked", False),
        (LINES, "close", True),
        (TEXT, "chunked", False),
        (TEXT, "length", False),
        (TEXT, "close", False),
        (TEXT, "close", True),
    ],
)
def test_a_connection_may_close_at_any_byte(provider: str, framing: Framing, gzip: bool) -> None:
    whole = unfinished(provider, "Hé", "llo", ENDS[provider], framing=framing, gzip=gzip).wire
    cuts = range(whole.index(b"\r\n\r\n") if gzip else 0, len(whole) + 1)  # heads are cut without it
    rule = [_right(READ_AS[provider], whole[:cut]) for cut in cuts]

    said = {}
    for colour in COLOURS:
        script = service_sending(provider, *(Reply(raw=whole[:cut]) for cut in cuts))
        with Server(script) as server:
            outcomes = many(colour, provider, server.url, len(cuts))
        said[colour] = [outcome.said(is_text=provider == TEXT) for outcome in outcomes]
        assert [(type(each.error).__name__ if each.error else "", each.text) for each in outcomes] == rule
        assert [each.error.partial for each in outcomes if each.error] == [
            text for error, text in rule if error
        ]

    assert said["sync"] == said["async"]


def _right(wire: Wire, sent: bytes) -> tuple[str, str]:
    """Return the error and the text that an answer of *sent*, and nothing more, has to give."""
    head, ends, rest = sent.partition(b"\r\n\r\n")
    if not ends:
        return "TransportError", ""
    body, is_whole = _undone(head, rest)
    came = read(wire, body)
    if is_whole and not body:
        return "EmptyAnswerError", ""
    is_over = is_whole and came.end == len(body) if wire == "text" else came.is_over
    return "" if is_over else "IncompleteStreamError", came.text


def _undone(head: bytes, rest: bytes) -> tuple[bytes, bool]:
    """Return the body in *rest*, as far as it came, and whether that is all of it."""
    body, is_whole = _unframed(head, rest)
    if b"Content-Encoding: gzip" not in head or not body:
        return body, is_whole
    unpacking = zlib.decompressobj(wbits=31)
    return unpacking.decompress(body), is_whole and unpacking.eof


def _unframed(head: bytes, rest: bytes) -> tuple[bytes, bool]:
    """Return the same of a body that may be packed."""
    if b"Content-Length: " in head:
        return rest, len(rest) == int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])
    if b"chunked" not in head:
        return rest, True
    body = b""
    while b"\r\n" in rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        body += rest[:size]
        if not size:
            return body, rest == b"\r\n"
        rest = rest[size:].removeprefix(b"\r\n")
    return body, False
