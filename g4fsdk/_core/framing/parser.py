"""Bytes to events: the framings, each fed with bytes cut anywhere.

Contract of every parser here:

* ``feed(data)`` takes the next bytes and returns the events they complete. It never raises while it has
  events to hand over: what follows a bad place waits for the next ``feed`` or ``close``.
* ``close()`` says that the body ended well. It returns the last events, or raises when the provider's end
  marker has not come; what the end still completed then stands in ``error.events``.
* ``cut(cause)`` says that the body broke off, and returns the error to raise.
* Bytes in, events or a G4FError out; any other exception is our bug. Time is linear in the bytes, for any
  cut, and memory is bounded by *max_bytes*, the size that a line, a document and the answer may have.
"""

from __future__ import annotations

from typing import ClassVar

from g4fsdk._core.decoding.answer import Answer
from g4fsdk._core.decoding.decoder import Decoder, is_cut
from g4fsdk._core.decoding.refusals import is_challenge, page_error
from g4fsdk._core.model.errors import (
    EmptyAnswerError,
    G4FError,
    IncompleteStreamError,
    ProtocolError,
    clause,
)
from g4fsdk._core.model.events import Event
from g4fsdk._core.model.http import Headers

MAX_BYTES = 16 << 20
_WEIGH_BYTES = 1 << 16
BOM = b"\xef\xbb\xbf"
BLANK = b" \t\r\n"


class Parser:
    """What the framings share: failing at the right time, and bodies that are no stream at all."""

    # Slots, here and below: reading attributes is most of what the fast path does beside decoding.
    __slots__ = (
        *("_ends_inside", "_error", "_fast_until", "_head", "_is_empty", "_line"),
        *("_seen", "_weigh_at", "_whole"),
        *("content_type", "decoder", "headers", "max_bytes", "status"),
    )

    #: What may open a body that is one JSON document instead of a stream.
    document_marks: ClassVar[bytes] = b"{["

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        self.decoder = decoder
        self.limit(max_bytes)
        self.status = 200  # of the response, where a transport told; `Stream.accept` does
        self.headers: Headers = ()
        self.content_type = ""
        self._error: G4FError | None = None
        self._head: bytes | None = b""  # None once it is known what the body is
        self._whole: bytearray | None = None  # a body that is read as one: a document or a page
        self._seen = 0  # bytes before the unfinished line, each line end counted as one
        self._line = bytearray()  # the unfinished line
        self._is_empty = True
        self._ends_inside = False  # the body is over, and what is read now lacks its end
        # The fast paths may take what ends before this byte: nothing but between two units of plain text.
        self._fast_until = -1

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {self._seen + len(self._line)} bytes read>"

    def limit(self, max_bytes: int) -> None:
        """Let no line, no document and no answer be longer than *max_bytes*; before the first `feed`.

        The answer is looked at now and then, so it may be longer by what came meanwhile.
        """
        self.max_bytes = max_bytes
        self._weigh_at = max(max_bytes, _WEIGH_BYTES)

    @property
    def answer(self) -> Answer:
        """What the events add up to so far."""
        return self.decoder.answer

    @property
    def done(self) -> bool:
        """Whether the end marker has come and nothing after it counts."""
        return self.decoder.done

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing: what follows may add to the answer, and takes nothing away.

        So it is once every answer asked for has its finish reason; what breaks, is cut or hangs behind it is
        no failure. Where the body goes on, wait a little for the usage or the title; where it broke, close.
        """
        return self.decoder.is_complete

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes off the wire; return the events they complete.

        *data* may begin and end anywhere, even inside a character.

        Raises:
            ProviderError: The service reported a failure.
            ProtocolError: What came is not what the provider sends.
        """
        if self._error is not None:
            raise self._error
        out: list[Event] = []
        try:
            self._take(data, out)
            if self._seen > self._weigh_at:
                self._weigh()
        except G4FError as error:
            if self._takes_nothing_away(error):
                self.decoder.done = True
            else:
                self._fail(error)
                if not out:
                    raise
        return out

    def close(self) -> list[Event]:
        """Say that the body ended well; return the last events.

        Raises:
            IncompleteStreamError: The end marker has not come.
            EmptyAnswerError: The answer held nothing.
            G4FError: What `feed` had still to raise.
        """
        if self._error is not None:
            raise self._error
        out: list[Event] = []
        try:
            self._end(out)
        except G4FError as error:
            error.keep(out)
            self._fail(error)
            raise
        return out

    def cut(self, cause: str) -> G4FError:
        """Return the error for a body that broke off; *cause* says how, in words.

        Text that was held back, and nobody has been handed, stands in `error.events`.
        """
        if self._error is None:
            out: list[Event] = []
            error = self._broken(cause, out)
            error.keep(out)
            self._fail(error)
        assert self._error is not None
        return self._error

    def mark(self, error: G4FError) -> None:
        """Put on *error* the answer so far and the handle to go on with."""
        answer = None if self._is_empty else self.answer.completion("", "")
        error.of_stream(self.answer.partial, self.decoder.conversation, answer)

    def _takes_nothing_away(self, error: G4FError) -> bool:
        """Whether *error* is nonsense behind a complete answer."""
        return self.decoder.is_complete and isinstance(error, ProtocolError)

    def _fail(self, error: G4FError) -> None:
        self.mark(error)
        self._error = error
        self._fast_until = -1
        self._line.clear()

    def _take(self, data: bytes, out: list[Event]) -> None:
        if data:
            self._is_empty = False
        if self._head is not None:
            data = self._open(data)
        if self._whole is not None:
            self._whole += data
            self._check_size(len(self._whole), self._seen, self._whole)
        elif data and not self.decoder.done:
            self._stream(data, out)

    def _open(self, data: bytes) -> bytes:
        """Drop a byte order mark and blank space in front, then look what the body is."""
        head = (self._head or b"") + data
        is_start = not self._seen
        if is_start and len(head) < len(BOM) and BOM.startswith(head):
            self._head = head
            return b""
        body = (head.removeprefix(BOM) if is_start else head).lstrip(BLANK)
        self._seen += len(head) - len(body)
        self._head = None if body else b""
        if body[:1] and body[:1] in self.document_marks + b"<":
            self._whole = bytearray()
        return body

    def _stream(self, data: bytes, out: list[Event]) -> None:
        raise NotImplementedError

    def _with_line(self, data: bytes) -> bytes:
        """Return *data* with the unfinished line before it, which it goes on with."""
        if not self._line:
            return data
        self._line += data
        line = bytes(self._line)
        self._line.clear()
        return line

    def _hold(self, data: bytes) -> None:
        """Keep *data*, which has no line end."""
        self._line += data
        self._check_size(len(self._line), self._seen, self._line)

    def _end_stream(self, out: list[Event]) -> None:
        """Take what is left without its line end."""

    def _end(self, out: list[Event]) -> None:
        if self._is_empty:
            raise EmptyAnswerError("an empty body came in place of an answer; ask again")
        if self._head:  # the beginning of a byte order mark, and nothing else
            head, self._head = self._head, None
            self._stream(head, out)
        if self._whole is not None:
            self._end_whole(bytes(self._whole), out)
        elif not self.done:
            try:
                self._end_stream(out)
            except ProtocolError as error:
                if not self._takes_nothing_away(error):
                    raise
        self.decoder.end(out)

    def _end_whole(self, body: bytes, out: list[Event]) -> None:
        if body.startswith(b"<"):
            raise page_error(self.status, body, self.headers)
        try:
            self.decoder.document(body, out)
        except ValueError as error:
            self._ends_inside = is_cut(body)
            raise self._unreadable("a JSON document", error, self._seen, body) from error

    def _decode(self, unit: bytes, name: bytes, what: str, at: int, out: list[Event]) -> None:
        """Read *unit* in full; *what* it should be, and that it begins *at* that byte, is for the error."""
        try:
            self.decoder.decode(unit, name, out)
        except ValueError as error:
            raise self._unreadable(what, error, at, unit) from error

    def _broken(self, cause: str, out: list[Event]) -> G4FError:
        page = bytes(self._whole or b"")
        if page.startswith(b"<") and is_challenge(page):
            return page_error(self.status, page, self.headers)
        self.decoder.flush(out)
        return IncompleteStreamError(f"the connection broke in mid-answer ({clause(cause)}); ask again")

    def _check_size(self, size: int, offset: int, data: bytes | bytearray) -> None:
        if size > self.max_bytes:
            raise self._too_long(offset, bytes(data[: self.max_bytes]))

    def _weigh(self) -> None:
        """Look how long the answer is. It cannot grow faster than what is read, so this comes seldom."""
        left = self.max_bytes - self.answer.size
        if left < 0:
            raise self._too_long(self._seen, b"", "the answer")
        self._weigh_at = self._seen + max(left, _WEIGH_BYTES)

    def _too_long(self, offset: int, excerpt: bytes, what: str = "a line or event") -> ProtocolError:
        return ProtocolError(
            f"{what} is longer than {self.max_bytes} bytes; allow more with max_bytes=...",
            offset=offset,
            excerpt=excerpt,
        )

    def _unreadable(self, what: str, cause: Exception, offset: int, data: bytes) -> ProtocolError:
        words = f"expected {what}, got {data[:200]!r} at byte {offset}"
        if self._ends_inside:
            return IncompleteStreamError(
                f"{words}, where the answer ended; ask again", offset=offset, excerpt=data
            )
        return ProtocolError(f"{words} ({cause})", offset=offset, excerpt=data)
