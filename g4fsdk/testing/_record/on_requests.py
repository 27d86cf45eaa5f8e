"""Recording for requests: an adapter around the real one, which listens while the caller reads."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ResponseError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from g4fsdk._client.sending import chain_of
from g4fsdk._core.model.errors import DeadlineError
from g4fsdk.testing._cassette.errors import MismatchError
from g4fsdk.testing._record.exchange import UNASKED
from g4fsdk.testing._traffic.sent import sent_by_requests

if TYPE_CHECKING:
    from g4fsdk.testing._cassette.values import End, Headers, RecordedRequest
    from g4fsdk.testing._record.exchange import RecordingExchange

# What the end of a connection is called, by the first class found among an error and its causes.
_ENDS: tuple[tuple[tuple[type[BaseException], ...], End], ...] = (
    (UNASKED, "client_closed"),
    ((NewConnectionError,), "reset"),  # in urllib3 a kind of timeout, whatever happened
    ((http.client.RemoteDisconnected,), "truncated"),  # in http.client a kind of reset, though it is a FIN
    ((TimeoutError, Urllib3TimeoutError, requests.Timeout, DeadlineError), "timeout"),
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError), "reset"),
    ((http.client.HTTPException, ProtocolError), "truncated"),
)
_GAVE_UP = re.compile(ResponseError.SPECIFIC_ERROR.format(status_code=r"(\d{3})"))
_WIRE_BYTES = 65536  # as much as one read of a socket may give
_VERSIONS = {9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}
_ERRORS = (requests.RequestException, HTTPError, http.client.HTTPException, OSError, DeadlineError)


class RecordingAdapter(BaseAdapter):
    """Sends requests through *inner* and keeps what comes; what *player* has an answer for, it answers."""

    def __init__(
        self,
        begin: Callable[[RecordedRequest], RecordingExchange],
        inner: BaseAdapter | None = None,
        player: BaseAdapter | None = None,
    ) -> None:
        super().__init__()
        self._begin = begin
        self._inner = inner or HTTPAdapter()
        self._player = player

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Return the recorded response, or the live one; see `requests.adapters.BaseAdapter.send`."""
        response = self._played_or_sent(request, *args, **options)
        response.connection = self  # type: ignore[assignment]  # by it an auth of requests asks again
        return response

    def _played_or_sent(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        if self._player is not None:
            with suppress(MismatchError):
                return self._player.send(request, *args, **options)
        exchange = self._begin(sent_by_requests(request))
        with _noting_the_end(exchange):
            response = self._inner.send(request, *args, **options)
        raw: Any = response.raw
        version = _VERSIONS.get(getattr(raw, "version", None) or 11, "1.1")
        exchange.answered(response.status_code, response.reason or "", _headers(response), version)
        response.raw = RecordingRaw(raw, exchange)
        return response

    def close(self) -> None:
        self._inner.close()


def _headers(response: requests.Response) -> Headers:
    """Return the headers as they came, repeated ones apart, which requests joins."""
    headers: Any = getattr(response.raw, "headers", None) or response.headers
    return [(str(name), str(value)) for name, value in headers.items()]


@contextmanager
def _noting_the_end(exchange: RecordingExchange) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        if status := _refused_with(error):
            exchange.answered(status, "", [], "1.1")
        exchange.ended("complete" if status else end_of(error))
        raise


def _refused_with(error: BaseException) -> int:
    """Return the status of the answers that an adapter with `max_retries` kept to itself, or 0."""
    said = (_GAVE_UP.search(str(one)) for one in chain_of(error) if isinstance(one, ResponseError))
    return next((int(found[1]) for found in said if found), 0)


def end_of(error: BaseException) -> End:
    """Return how the connection ended that raised *error*; a reset when nothing tells."""
    found = list(chain_of(error))
    for kinds, end in _ENDS:
        if any(isinstance(cause, kinds) for cause in found):
            return end
    return "reset"


class RecordingRaw:
    """A urllib3 response whose bytes are kept while they are read; all else is the response's own."""

    def __init__(self, raw: Any, exchange: RecordingExchange) -> None:
        self._raw = raw
        self._exchange = exchange
        self._ahead = bytearray()  # what came, and was not asked for yet
        self._is_over = False
        self._data: bytes | None = None
        codings = str(getattr(raw, "headers", {}).get("content-encoding", "")).lower().split(",")
        known = getattr(raw, "CONTENT_DECODERS", codings)
        self._can_decode = any(coding.strip() in known for coding in codings)
        self._note_length()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    @property
    def decode_content(self) -> bool:
        return bool(self._raw.decode_content)

    @decode_content.setter
    def decode_content(self, value: bool) -> None:
        self._raw.decode_content = value

    @property
    def data(self) -> bytes:
        if self._data is None:
            self._data = self.read()
        return self._data

    def json(self) -> Any:
        return json.loads(self.data)

    def stream(self, amt: int | None = 65536, decode_content: bool | None = None) -> Iterator[bytes]:
        if not self._is_urllib3s or self._raw.chunked:
            return self._listen(self._raw.stream(amt, decode_content), decode_content)
        return iter(partial(self.read, amt, decode_content), b"")

    def read_chunked(self, amt: int | None = None, decode_content: bool | None = None) -> Iterator[bytes]:
        return self._listen(self._raw.read_chunked(amt, decode_content), decode_content)

    def read(
        self, amt: int | None = None, decode_content: bool | None = None, cache_content: bool = False
    ) -> bytes:
        if not self._is_urllib3s:
            return self._read(self._raw.read, amt, decode_content, cache_content)
        while not self._is_over and (amt is None or amt < 0 or len(self._ahead) < amt):
            self._ahead += self._read(self._raw.read1, _WIRE_BYTES, decode_content)
        data = self._taken(amt)
        if cache_content:
            self._data = data
        return data

    def read1(self, amt: int | None = None, *args: Any, **kwargs: Any) -> bytes:
        if not self._is_urllib3s:
            return self._read(self._raw.read1, amt, *args, **kwargs)
        if not (self._ahead or self._is_over) and amt != 0:
            self._ahead += self._read(self._raw.read1, _WIRE_BYTES, *args, **kwargs)
        return self._taken(amt)

    def drain_conn(self) -> None:
        with suppress(HTTPError, http.client.HTTPException, OSError):
            self.read()

    @property
    def _is_urllib3s(self) -> bool:
        """Whether more can be read than is asked for, so that what is kept is what came."""
        return isinstance(self._raw, urllib3.HTTPResponse)

    def _taken(self, amt: int | None) -> bytes:
        size = len(self._ahead) if amt is None or amt < 0 else amt
        data = bytes(self._ahead[:size])
        del self._ahead[:size]
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, limit: int | None = -1) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n") and len(line) != limit and (byte := self.read(1)):
            line += byte
        return bytes(line)

    def readlines(self) -> list[bytes]:
        return [*self]

    def __iter__(self) -> Iterator[bytes]:
        return urllib3.HTTPResponse.__iter__(self)  # type: ignore[arg-type]  # it uses nothing but stream()

    def _listen(self, pieces: Iterator[bytes], decode_content: bool | None) -> Iterator[bytes]:
        if self._ahead:
            yield self._taken(None)
        with _noting_the_end(self._exchange):
            for piece in pieces:
                self._keep(piece, decode_content)
                yield piece
        self._note_end()

    def _read(self, read: Callable[..., bytes], amt: int | None, *args: Any, **kwargs: Any) -> bytes:
        with _noting_the_end(self._exchange):
            data = read(amt, *args, **kwargs)
        self._keep(data, args[0] if args else kwargs.get("decode_content"))
        if not data and amt != 0:
            self._note_end()
        return data

    def _note_end(self) -> None:
        self._is_over = True
        self._exchange.ended("complete")

    def _keep(self, data: bytes, decode_content: bool | None) -> None:
        is_decoded = self._raw.decode_content if decode_content is None else decode_content
        is_coded = not (is_decoded and self._can_decode)
        self._exchange.heard(data, is_coded=is_coded, goes_on=self._is_inside_a_chunk())
        self._note_length()

    def _is_inside_a_chunk(self) -> bool:
        """Tell whether more of an HTTP chunk is to come; urllib3 or http.client counts, whoever reads it."""
        readers = self._raw, getattr(self._raw, "_fp", None)
        counts = [getattr(reader, "chunk_left", None) for reader in readers]
        return any(isinstance(left, int) and left > 0 for left in counts)

    def _note_length(self) -> None:
        if getattr(self._raw, "length_remaining", None) == 0:
            self._exchange.ended("complete")
