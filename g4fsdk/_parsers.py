"""Bytes to events: the framings, each fed with bytes cut anywhere.

Contract of every parser here:

* ``feed(data)`` takes the next bytes and returns the events they complete. It never raises while it has
  events to hand over: what follows a bad place waits for the next ``feed`` or ``close``.
* ``close()`` says that the body ended well. It returns the last events, or raises when the provider's end
  marker has not come; what the end still completed then stands in ``error.events``.
* ``cut(cause)`` says that the body broke off, and returns the error to raise.
* Bytes in, events or a G4FError out; any other exception is our bug. Time is linear in the bytes, for any
  cut, and memory is bounded by *max_bytes*, the size a line or an event may have.
"""

from __future__ import annotations

import codecs
from typing import ClassVar

from g4fsdk._chat_chunks import ChatChunkDecoder
from g4fsdk._chatui import UpdateDecoder
from g4fsdk._completions import Answer
from g4fsdk._decoder import Decoder, TextDecoder
from g4fsdk._errors import EmptyAnswerError, G4FError, IncompleteStreamError, ProtocolError
from g4fsdk._events import Event
from g4fsdk._status import document_error, is_challenge, page_error

MAX_BYTES = 16 << 20
BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_HTML_MARKS = ("<!doctype html", "<html")
_MAX_PAGE = 64 << 10  # challenge pages seen were under 20 KB


class Parser:
    """What the framings share: failing at the right time, and bodies that are no stream at all."""

    #: What may open a body that is one JSON document instead of a stream.
    document_marks: ClassVar[bytes] = b"{["

    def __init__(self, decoder: Decoder, *, max_bytes: int = MAX_BYTES) -> None:
        self.decoder = decoder
        self.max_bytes = max_bytes
        self.status = 200  # of the response, where a transport told; `Stream.accept` does
        self.content_type = ""
        self._error: G4FError | None = None
        self._head: bytes | None = b""  # None once it is known what the body is
        self._whole: bytearray | None = None  # a body that is read as one: a document or a page
        self._seen = 0  # bytes before the current chunk, each line end counted as one
        self._is_empty = True

    @property
    def answer(self) -> Answer:
        """What the events add up to so far."""
        return self.decoder.answer

    @property
    def done(self) -> bool:
        """Whether the end marker has come and nothing after it counts."""
        return self.decoder.done

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
        except G4FError as error:
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
            error.events = tuple(out)
            self._fail(error)
            raise
        return out

    def cut(self, cause: str) -> G4FError:
        """Return the error for a body that broke off; *cause* says how, in words."""
        if self._error is None:
            self._fail(IncompleteStreamError(f"the connection broke in mid-answer ({cause}); ask again"))
        assert self._error is not None
        return self._error

    def mark(self, error: G4FError) -> None:
        """Put on *error* the text so far and the handle to go on with."""
        error.partial = self.answer.partial
        error.conversation = error.conversation or self.decoder.conversation

    def _fail(self, error: G4FError) -> None:
        self.mark(error)
        self._error = error

    def _take(self, data: bytes, out: list[Event]) -> None:
        if data:
            self._is_empty = False
        if self._head is not None:
            data = self._open(data)
        if self._whole is not None:
            self._whole += data
            self._check_size(len(self._whole), 0, data)
        elif data and not self.done:
            self._stream(data, out)

    def _open(self, data: bytes) -> bytes:
        """Drop a byte order mark and blank space in front, then look what the body is."""
        head = (self._head or b"") + data
        if len(head) < len(BOM) and BOM.startswith(head):
            self._head = head
            return b""
        body = head.removeprefix(BOM).lstrip(_BLANK)
        self._seen += len(head) - len(body)
        self._head = None if body else b""
        if body[:1] and body[:1] in self.document_marks + b"<":
            self._whole = bytearray()
        return body

    def _stream(self, data: bytes, out: list[Event]) -> None:
        raise NotImplementedError

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
            self._end_stream(out)
        self.decoder.end(out)

    def _end_whole(self, body: bytes, out: list[Event]) -> None:
        if body.startswith(b"<"):
            raise page_error(self.status, body)
        try:
            self.decoder.document(body, out)
        except ValueError as error:
            raise self._unreadable("a JSON document", error, self._seen, body) from error

    def _check_size(self, size: int, offset: int, excerpt: bytes) -> None:
        if size > self.max_bytes:
            raise ProtocolError(
                f"a line or event is longer than {self.max_bytes} bytes", offset=offset, excerpt=excerpt
            )

    def _unreadable(self, what: str, cause: Exception, offset: int, data: bytes) -> ProtocolError:
        return ProtocolError(
            f"expected {what}, got {data[:200]!r} at byte {offset} ({cause})", offset=offset, excerpt=data
        )


class DocumentParser(Parser):
    """One JSON document, for answers that are not streamed."""

    def _open(self, data: bytes) -> bytes:
        body = super()._open(data)
        if self._whole is None and body:
            self._whole = bytearray()
        return body


class SSEParser(Parser):
    """A server-sent event stream, one JSON document an event.

    Lines end in LF, CR or CRLF; one space after the colon is dropped; comments and unknown fields are
    skipped; an `error:` line counts as an event of that name, as llama.cpp means it; the last event may
    lack its blank line.

    Source: WHATWG HTML, "Interpreting an event stream".
    """

    def __init__(self, decoder: Decoder | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        """*decoder* says what the events mean; without one they are OpenAI chat completion chunks."""
        super().__init__(decoder or ChatChunkDecoder(), max_bytes=max_bytes)
        self._after_cr = False
        self._line: list[bytes] = []  # pieces of the unfinished line
        self._line_size = 0
        self._data: list[bytes] = []  # data lines of the unfinished event
        self._data_size = 0
        self._name = b""
        self._event_at = 0
        self._stray = b""  # the first line that is no field at all
        self._events = 0

    def _stream(self, data: bytes, out: list[Event]) -> None:
        if self._after_cr or 13 in data:
            data = self._with_lf(data)
        if 10 not in data:
            self._hold(data)
            return
        if self._line:
            data = b"".join([*self._line, data])
            self._seen -= self._line_size
            self._line.clear()
            self._line_size = 0
        if self._data or self._name or len(data) > self.max_bytes:
            self._take_lines(data, out)
        else:
            self._take_frames(data, out)

    def _with_lf(self, data: bytes) -> bytes:
        """Make every line end one LF, also a CRLF that is cut in the middle."""
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data[-1] == 13
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _hold(self, data: bytes) -> None:
        self._line.append(data)
        self._line_size += len(data)
        self._seen += len(data)
        self._check_size(self._line_size + self._data_size, self._event_at, self._line[0])

    def _take_frames(self, data: bytes, out: list[Event]) -> None:
        """The usual case: whole events of one data line each, between blank lines."""
        frames = data.split(b"\n\n")
        rest = frames.pop()
        ahead = iter(frames)
        decode = self.decoder.decode
        for frame in ahead:
            payload = frame.removeprefix(b"data: ")
            if payload is frame or 10 in payload:
                at = self._position(frames, ahead)
                self._take_lines_at([*frame.split(b"\n"), b""], at, out)
            else:
                self._events += 1
                try:
                    decode(payload, b"", out)
                except ValueError as error:
                    at = self._position(frames, ahead)
                    raise self._unreadable("a JSON event", error, at, payload) from error
            if self.decoder.done:
                return
        self._seen += len(data) - len(rest)
        if rest:
            self._take_lines(rest, out)

    def _position(self, frames: list[bytes], ahead: object) -> int:
        """Where the frame just taken from *ahead* begins."""
        left = ahead.__length_hint__()  # type: ignore[attr-defined]  # list iterators have it; no protocol says so
        return self._seen + sum(len(frame) + 2 for frame in frames[: len(frames) - left - 1])

    def _take_lines(self, data: bytes, out: list[Event]) -> None:
        lines = data.split(b"\n")
        rest = lines.pop()
        at = self._seen
        self._seen += len(data) - len(rest)
        self._take_lines_at(lines, at, out)
        if rest and not self.done:
            self._hold(rest)

    def _take_lines_at(self, lines: list[bytes], at: int, out: list[Event]) -> None:
        for line in lines:
            if line:
                self._take_line(line, at)
            else:
                self._dispatch(out)
                if self.decoder.done:
                    return
            at += len(line) + 1

    def _take_line(self, line: bytes, at: int) -> None:
        if not self._data and not self._name:
            self._event_at = at
        field, colon, value = line.partition(b":")
        if field == b"data":
            self._add_data(value.removeprefix(b" "), at)
        elif field == b"event":
            self._name = value.removeprefix(b" ")
        elif field == b"error" and colon:
            self._name = b"error"
            self._add_data(value, at)
        elif not colon and not self._stray:
            self._stray = line[:200]
        self._check_size(len(line), at, line)

    def _add_data(self, value: bytes, at: int) -> None:
        self._data.append(value)
        # One for the line end that joins it to the next: endless empty data lines are an endless event.
        self._data_size += len(value) + 1
        self._check_size(self._data_size, self._event_at, self._data[0])

    def _dispatch(self, out: list[Event]) -> None:
        if not self._data:
            self._name = b""
            return
        payload = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        name = self._name
        self._data, self._data_size, self._name = [], 0, b""
        self._events += 1
        try:
            self.decoder.decode(payload, name, out)
        except ValueError as error:
            raise self._unreadable("a JSON event", error, self._event_at, payload) from error

    def _end_stream(self, out: list[Event]) -> None:
        if self._line:
            line = b"".join(self._line)
            self._line.clear()
            self._take_line(line, self._seen - len(line))
        self._dispatch(out)
        if self._stray and not self._events:
            raise self._unreadable("an event stream", ValueError("no event in it"), 0, self._stray)


class JSONLinesParser(Parser):
    """One JSON document a line, as chat-ui streams it: blank space around a line means nothing."""

    document_marks = b""

    def __init__(self, decoder: Decoder | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        """*decoder* says what the lines mean; without one they are chat-ui's updates."""
        super().__init__(decoder or UpdateDecoder(), max_bytes=max_bytes)
        self._line: list[bytes] = []
        self._line_size = 0

    def _stream(self, data: bytes, out: list[Event]) -> None:
        at = self._seen - self._line_size
        self._seen += len(data)
        if 10 not in data:
            self._hold(data, at)
            return
        if self._line:
            data = b"".join([*self._line, data])
            self._line.clear()
            self._line_size = 0
        lines = data.split(b"\n")
        rest = lines.pop()
        for line in lines:
            self._decode(line, at, out)
            at += len(line) + 1
        if rest:
            self._hold(rest, at)

    def _hold(self, data: bytes, at: int) -> None:
        self._line.append(data)
        self._line_size += len(data)
        self._check_size(self._line_size, at, self._line[0])

    def _decode(self, line: bytes, at: int, out: list[Event]) -> None:
        self._check_size(len(line), at, line)
        unit = line.strip(_BLANK)
        if not unit:
            return
        try:
            self.decoder.decode(unit, b"", out)
        except ValueError as error:
            raise self._unreadable("a JSON line", error, at, unit) from error

    def _end_stream(self, out: list[Event]) -> None:
        line = b"".join(self._line)
        self._line.clear()
        self._decode(line, self._seen - len(line), out)


class TextParser(Parser):
    """Plain UTF-8 text: the bytes are the answer, and the end of the body is its end.

    An HTML page or a JSON error in place of text is known by its beginning together with the declared
    type; an answer that only looks like one is given out whole.
    """

    def __init__(self, decoder: Decoder | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder or TextDecoder(), max_bytes=max_bytes)
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._beginning: str | None = ""  # held back while it may be no answer

    def _take(self, data: bytes, out: list[Event]) -> None:
        if data:
            self._is_empty = False
        text = self._utf8.decode(data)
        if self._beginning is not None:
            text = self._past_beginning(text)
        if text:
            self.decoder.say_text(text, out)

    def _past_beginning(self, text: str) -> str:
        held = (self._beginning or "") + text
        if self._may_be_other(held) and len(held) <= _MAX_PAGE:
            self._beginning = held
            return ""
        self._beginning = None
        return held

    def _may_be_other(self, held: str) -> bool:
        begins = held.lstrip()[:20].lower()
        if begins.startswith("{"):
            return "json" in self.content_type
        return any(mark.startswith(begins) or begins.startswith(mark) for mark in _HTML_MARKS)

    def _end(self, out: list[Event]) -> None:
        if self._is_empty:
            raise EmptyAnswerError("an empty body came in place of an answer; ask again")
        if self._utf8.getstate()[0]:
            raise IncompleteStreamError(
                "the answer ended inside a character, so it is not complete; ask again"
            )
        if self._beginning:
            held, self._beginning = self._beginning, None
            self._check_answer(held)
            self.decoder.say_text(held, out)
        self.decoder.end(out)

    def _check_answer(self, held: str) -> None:
        body = held.encode("utf-8")
        if held.lstrip().startswith("{"):
            error = document_error(body)
            if error is not None:
                raise error
        elif held.lstrip().startswith("<") and ("html" in self.content_type or is_challenge(body)):
            raise page_error(self.status, body)
