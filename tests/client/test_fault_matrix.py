"""Every fault at every position, every provider, both clients: each ends as a rule says, over sockets."""

from __future__ import annotations

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
    many,
    unfinished,
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

EVENTS, TEXT = (next(name for name, wire in WIRES.items() if wire == kind) for kind in ("chunks", "text"))


@pytest.mark.parametrize(
    ("provider", "framing"),
    [(EVENTS, "chunked"), (TEXT, "chunked"), (TEXT, "length"), (TEXT, "close")],
)
def test_a_connection_may_close_at_any_byte(provider: str, framing: Framing) -> None:
    end = b"data: [DONE]\n\n" if provider == EVENTS else b""
    whole = unfinished(provider, "Hé", "llo", end, framing=framing).wire
    cuts = range(len(whole) + 1)
    rule: list[tuple[str, str]] = [
        _right("events" if provider == EVENTS else "text", whole[:cut]) for cut in cuts
    ]

    said = {}
    for colour in COLOURS:
        with Server(Reply(raw=whole[:cut]) for cut in cuts) as server:
            outcomes = many(colour, provider, server.url, len(cuts))
        said[colour] = [outcome.said(is_text=provider == TEXT) for outcome in outcomes]
        assert [(type(each.error).__name__ if each.error else "", each.text) for each in outcomes] == rule

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
    is_over = came.is_over if wire == "events" else is_whole and came.end == len(body)
    return "" if is_over else "IncompleteStreamError", came.text


def _undone(head: bytes, rest: bytes) -> tuple[bytes, bool]:
    """Return the body in *rest*, as far as it came, and whether that is all of it."""
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
