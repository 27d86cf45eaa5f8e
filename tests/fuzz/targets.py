"""The table of targets: each takes any bytes, which may give a value or an error of ours, and nothing else.

Bytes cut anywhere give what they give as a whole, and no input of up to 64 KiB takes a second.
"""

from __future__ import annotations

import gzip
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from g4fsdk import (
    Chat,
    Event,
    G4FError,
    ReasoningDelta,
    Request,
    Response,
    Stream,
    TextDelta,
    advance,
    providers,
)
from g4fsdk._client.inflate import CodingError, Codings
from g4fsdk.testing import Cassette, CassetteError
from g4fsdk.testing._imports.har import import_file
from tests.fuzz.inputs import HEAD, Input, Seeds, bodies, cassette_files, har_files
from tests.support.wire import Seen, run, summary_of

MAX_SIZE = 64 << 10
MAX_SECONDS = 1.0
STATUSES = (400, 401, 402, 403, 404, 407, 410, 429, 500, 503, 529, 302)
DATE = "Thu, 20 Nov 2025 12:00:00 GMT"
#: Beyond what the bytes grow by usually.
ROOM = 1 << 16


@dataclass(frozen=True, slots=True)
class Target:
    """What is tried, and what to begin with."""

    check: Callable[[Input], None]
    seeds: Seeds

    def __call__(self, data: bytes) -> None:
        """Try *data*. Raises AssertionError, or whatever escapes, when it finds a fault."""
        before = time.process_time()
        self.check(Input.read(data))
        took = time.process_time() - before
        assert took < MAX_SECONDS or len(data) > MAX_SIZE, f"{len(data)} bytes took {took:.1f} s"


# --- Streams and refusals: the parser that a provider's flow ends in ---


def check_stream(make: Callable[[], Stream], given: Input) -> None:
    _check_answer(make, Response(200, {"content-type": given.content_type}), given)


def check_refusal(names: tuple[str, ...], given: Input) -> None:
    name = names[given.choice % len(names)]
    status = STATUSES[given.choice // len(names) % len(STATUSES)]
    seen = _check_answer(
        partial(chat_stream, name), Response(status, {"content-type": given.content_type}), given
    )
    assert seen.error is not None


def _check_answer(make: Callable[[], Stream], head: Response, given: Input) -> Seen:
    """Whole and in pieces, a body gives the same events and the same error."""
    cut = "reset" if given.is_cut else ""
    whole = run(make().accept(head), [given.body], cut=cut)
    pieces = run(make().accept(head), given.pieces, cut=cut)
    assert _outcome(pieces) == _outcome(whole)
    return whole


def _outcome(seen: Seen) -> tuple[Any, ...]:
    """Return all that has to be the same for every cut: where one text ends and the next begins need not."""
    return _joined(seen.events), summary_of(seen.error)


def _joined(events: Iterable[Event]) -> list[Event]:
    found: list[Event] = []
    for event in events:
        match [*found[-1:], event]:
            case [TextDelta() | ReasoningDelta() as last, TextDelta() | ReasoningDelta() as more] if (
                type(last) is type(more) and last.choice == more.choice
            ):
                found[-1] = type(more)(last.text + more.text, more.choice)
            case _:
                found.append(event)
    return found


def chat_stream(name: str, **more: Any) -> Stream:
    """Return the stream of a chat with provider *name*, its set-up answered."""
    step = advance(providers.get(name).chat(_chat(name, **more)))
    return step if isinstance(step, Stream) else cohere_stream(_PAGE)


def _chat(name: str, **more: Any) -> Chat:
    return Chat("Hello", "" if providers.get(name).default_model else "gpt-4o", **more)


def image_stream(name: str, model: str) -> Stream:
    step = advance(providers.get(name).image("A cat", model))
    assert isinstance(step, Stream)
    return step


# --- Set-up answers: read whole ---

_PAGE = (
    b'{"type":"data","nodes":[{"type":"data","data":[{"messages":1},[2],{"from":3,"id":4},"system","m"]}]}'
)


def cohere_stream(page: bytes, created: bytes = b'{"conversationId":"c"}', cookie: str = "a=b") -> Stream:
    """Return the stream of a new conversation, its set-up answered with these bodies."""
    flow = providers.get("cohere-c4ai").chat(_chat("cohere-c4ai"))
    assert isinstance(advance(flow), Request)
    assert isinstance(advance(flow, Response(200, {"set-cookie": cookie}, created)), Request)
    step = advance(flow, Response(200, (), page))
    assert isinstance(step, Stream)
    return step


def check_page(given: Input) -> None:
    _ours(lambda: cohere_stream(given.body))


def check_created(given: Input) -> None:
    cookie = given.body[-200:].decode("latin-1")
    _ours(lambda: cohere_stream(_PAGE, given.body, cookie))


def check_models(given: Input) -> None:
    response = Response(200, {"content-type": given.content_type}, given.body)
    models = _ours(lambda: providers.get("openai").read_models(response))
    assert models is None or all(isinstance(model.id, str) for model in models)


def model_seeds() -> list[bytes]:
    """Return lists as servers write them; no cassette has one."""
    listed = b'[{"id":"gpt-4o","object":"model","created":1763640000,"owned_by":"o"},{"id":"m"}]'
    whole = (listed, b'{"object":"list","data":%s}' % listed, b'{"error":{"message":"no","code":7}}')
    return [b"\0" * HEAD + body for body in whole]


def _ours(read: Callable[[], Any]) -> Any:
    """Return what *read* returns, or None when it raises an error of ours."""
    try:
        return read()
    except G4FError:
        return None


# --- Headers ---


def check_clock_headers(given: Input) -> None:
    """Three lines: Retry-After, Date, retry-after-ms. The wait is None or some seconds."""
    lines = given.body.decode("latin-1").split("\n")
    headers = [*zip(("retry-after", "date", "retry-after-ms"), filter(None, lines), strict=False)]
    wait = providers.get("openai").refused(Response(429, headers, received_at=0.0)).retry_after
    assert wait is None or wait >= 0


def clock_seeds() -> list[bytes]:
    dates = (DATE, "Thursday, 20-Nov-25 12:00:30 GMT", "Thu Nov 20 12:01:00 2025", "20 Nov 2025 12:00 +0100")
    lines = ["7", " 1.5 ", "\n\n1500", *(f"{date}\n{DATE}" for date in dates), *dates]
    return [b"\0" * HEAD + line.encode() for line in lines]


# --- Content codings ---

CODINGS = (["gzip"], ["deflate"], ["gzip, deflate"], ["x-gzip", "gzip"], ["br"])


def check_inflating(given: Input) -> None:
    """Whole and in pieces, a packed body gives the same bytes; and never more than is allowed."""
    names = CODINGS[given.choice % len(CODINGS)]
    whole = _undone(names, [given.body], MAX_SIZE << 10)
    assert _undone(names, given.pieces, MAX_SIZE << 10) == whole
    small = _undone(names, given.pieces, ROOM)
    assert small in (None, whole)


def _undone(names: list[str], pieces: list[bytes], room: int) -> bytes | None:
    """Return the plain bytes, or None when an error of ours says that there are none."""
    codings = Codings.of(names, room)
    assert codings is not None
    out = bytearray()
    try:
        for piece in pieces:
            out += b"".join(codings.feed(piece))
        codings.close()
    except (CodingError, G4FError):
        return None
    assert len(out) <= room + 200 * sum(map(len, pieces))
    return bytes(out)


def packed_bodies() -> list[bytes]:
    packers: tuple[Callable[[bytes], bytes], ...] = (
        _gzip,
        zlib.compress,
        lambda body: zlib.compress(_gzip(body)),
    )
    plain = [seed[HEAD:] for seed in bodies("yqcloud")()]
    return [
        bytes([0, 0, 0, 0, 0, choice, 0, 0]) + pack(body)
        for choice, pack in enumerate(packers)
        for body in plain
    ]


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


# --- Files ---


def check_file(read: Callable[[Path], Cassette], given: Input) -> None:
    """What a file holds is a cassette that can be played, compared and written, or a CassetteError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "some.yaml")
        path.write_bytes(given.body)
        try:
            cassette = read(path)
        except CassetteError:
            return
        cassette.shape()


ALL = tuple(providers.PROVIDERS)
TARGETS = {
    "chat-sse": Target(
        partial(check_stream, partial(chat_stream, "openai")), bodies("openai", path="/chat/completions")
    ),
    "amigo-sse": Target(
        partial(check_stream, partial(chat_stream, "amigo")), bodies("amigo", path="/completions")
    ),
    "plain-sse": Target(partial(check_stream, partial(chat_stream, "autonomous")), bodies("autonomous")),
    "json-lines": Target(
        partial(check_stream, partial(chat_stream, "cohere-c4ai")),
        bodies("cohere-c4ai", path="/conversation/"),
    ),
    "text": Target(partial(check_stream, partial(chat_stream, "yqcloud")), bodies("yqcloud")),
    "document": Target(
        partial(check_stream, partial(chat_stream, "amigo", stream=False)), bodies("amigo", "openai")
    ),
    "images": Target(
        partial(check_stream, partial(image_stream, "openai", "dall-e-3")), bodies("amigo", path="/images/")
    ),
    "refusals": Target(partial(check_refusal, ALL), bodies(*ALL, success=False)),
    "page-data": Target(check_page, bodies("cohere-c4ai", path="__data.json", method="GET")),
    "created": Target(check_created, bodies("cohere-c4ai", path="/conversation")),
    "models": Target(check_models, model_seeds),
    "clock-headers": Target(check_clock_headers, clock_seeds),
    "inflating": Target(check_inflating, packed_bodies),
    "cassette": Target(partial(check_file, Cassette.load), cassette_files),
    "har": Target(partial(check_file, import_file), har_files),
}
