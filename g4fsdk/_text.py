"""Plain text: the bytes are the answer."""

from __future__ import annotations

import codecs

from g4fsdk._decoder import Decoder, TextDecoder
from g4fsdk._errors import EmptyAnswerError, G4FError, IncompleteStreamError
from g4fsdk._events import Event, TextDelta
from g4fsdk._parsers import BOM, MAX_BYTES, Parser
from g4fsdk._status import document_error, is_challenge, page_error

_decode_utf8 = codecs.utf_8_decode
_HTML_MARKS = ("<!doctype html", "<html")
_MAX_PAGE = 64 << 10  # challenge pages seen were under 20 KB


class TextParser(Parser):
    """Plain UTF-8 text: the bytes are the answer, and the end of the body is its end.

    An HTML page or a JSON error in place of text is known by its beginning together with the declared
    type; an answer that only looks like one is given out whole.
    """

    __slots__ = ("_beginning", "_is_whole", "_rest", "_write_text")

    def __init__(self, decoder: Decoder | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(decoder or TextDecoder(), max_bytes=max_bytes)
        self._write_text = self.decoder.answer.write_text
        self._rest = b""  # of a character that is cut
        self._is_whole = False  # ready, and no character was cut yet: the cheaper way to decode
        self._beginning: str | None = ""  # held back while it may be no answer

    def feed(self, data: bytes) -> list[Event]:
        if self._is_whole:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self._is_whole = False
            else:
                self._write_text(text)
                return [TextDelta(text)] if text else []
        if self._limit < 0:
            return super().feed(data)
        if self._rest:
            data = self._rest + data
            self._rest = b""
        text, used = _decode_utf8(data, "replace")
        if used != len(data):
            self._rest = data[used:]
        self._write_text(text)
        return [TextDelta(text)] if text else []

    def _fail(self, error: G4FError) -> None:
        super()._fail(error)
        self._is_whole = False

    def _take(self, data: bytes, out: list[Event]) -> None:
        if data:
            self._is_empty = False
        if self._head is not None:
            data = self._past_mark(data)
        text, used = _decode_utf8(self._rest + data, "replace")
        self._rest = (self._rest + data)[used:]
        if self._beginning is not None:
            text = self._past_beginning(text)
        if text:
            self.decoder.say_text(text, out)
        is_ready = self._beginning is None and self.decoder.is_plain
        self._limit = self.max_bytes if is_ready else -1
        self._is_whole = is_ready and not self._rest

    def _past_mark(self, data: bytes) -> bytes:
        """Drop a byte order mark, wherever it is cut."""
        head = (self._head or b"") + data
        is_open = len(head) < len(BOM) and BOM.startswith(head)
        self._head = head if is_open else None
        return b"" if is_open else head.removeprefix(BOM)

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
        if self._rest or self._head:
            raise IncompleteStreamError(
                "the answer ended inside a character, so it is not complete; ask again"
            )
        if self._beginning:
            held, self._beginning = self._beginning, None
            self._check_answer(held)
            self.decoder.say_text(held, out)
        self.decoder.end(out)

    def _broken(self, cause: str, out: list[Event]) -> G4FError:
        held, self._beginning = self._beginning or "", None
        if held.lstrip().startswith("<") and is_challenge(held.encode()):
            return page_error(self.status, held.encode())
        self.decoder.say_text(held, out)
        return super()._broken(cause, out)

    def _check_answer(self, held: str) -> None:
        body = held.encode("utf-8")
        if held.lstrip().startswith("{"):
            error = document_error(body)
            if error is not None:
                raise error
        elif held.lstrip().startswith("<") and ("html" in self.content_type or is_challenge(body)):
            raise page_error(self.status, body)
