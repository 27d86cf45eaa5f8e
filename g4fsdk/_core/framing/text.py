"""Plain text: the bytes are the answer."""

from __future__ import annotations

import codecs

from g4fsdk._core.decoding.decoder import TextDecoder
from g4fsdk._core.decoding.refusals import document_error, is_challenge, page_error
from g4fsdk._core.framing.parser import BOM, MAX_BYTES, Parser
from g4fsdk._core.model.errors import EmptyAnswerError, G4FError, IncompleteStreamError
from g4fsdk._core.model.events import Event, TextDelta

_decode_utf8 = codecs.utf_8_decode
_HTML_MARKS = ("<!doctype html", "<html")
_SHORT = 4096  # bytes that are cheaper copied than kept as they came
_MANY = 1 << 16  # bytes in short pieces, after which they are seen to
_MAX_PAGE = 64 << 10  # challenge pages seen were under 20 KB


class TextParser(Parser):
    """Plain UTF-8 text: the bytes are the answer, and the end of the body is its end.

    An HTML page or a JSON error in place of text is known by its beginning together with the declared
    type; an answer that only looks like one is given out whole.
    """

    __slots__ = ("_add_long", "_beginning", "_is_ready", "_kept", "_most", "_rest")

    def __init__(self, decoder: TextDecoder | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        decoder = decoder or TextDecoder()
        super().__init__(decoder, max_bytes=max_bytes)
        self._kept = decoder.kept.new
        self._add_long = decoder.kept.add_long
        self._rest = b""  # of a character that is cut
        self._is_ready = False  # it is known to be an answer, and bytes are kept as they come
        self._most = -1  # how much may be kept for a chunk to be tried as whole characters
        self._beginning: str | None = ""  # held back while it may be no answer

    def feed(self, data: bytes) -> list[Event]:
        if len(self._kept) <= self._most:
            try:
                text = data.decode()
                self._kept += data
            except UnicodeDecodeError:
                text = self._past_cut(data)
        elif self._is_ready and self._seen <= self._weigh_at:
            text = self._past_cut(data)
        else:
            return super().feed(data)
        return [TextDelta(text)] if text else []

    def _past_cut(self, data: bytes) -> str:
        """Decode *data*, at whose ends characters may be cut."""
        joined = self._rest + data
        text, used = _decode_utf8(joined, "replace")
        self._rest = joined[used:]
        is_short = len(data) <= _SHORT
        if is_short and len(self._kept) <= _MANY:
            self._kept += data
        else:
            self._seen += len(self._kept) + len(data)
            self._add_long(data)
        # Trying costs an exception, and time, where it fails; where most characters are ASCII, few are cut.
        self._most = _MANY if is_short and not self._rest and 8 * len(text) > 7 * len(data) else -1
        return text

    def _fail(self, error: G4FError) -> None:
        super()._fail(error)
        self._is_ready, self._most = False, -1

    def _take(self, data: bytes, out: list[Event]) -> None:
        if data:
            self._is_empty = False
        if self._head is not None:
            data = self._past_mark(data)
        data = self._rest + data
        text, used = _decode_utf8(data, "replace")
        self._rest = data[used:]
        if self._beginning is not None:
            text = self._past_beginning(text)
        if text:
            self.decoder.say_text(text, out)
        self._is_ready = self._beginning is None and self.decoder.is_plain and not self._rest
        self._most = _MANY if self._is_ready and len(data) <= _SHORT else -1

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
            self._say_held(out)
            raise IncompleteStreamError(
                "the answer ended inside a character, so it is not complete; ask again"
            )
        if self._beginning:
            self._check_answer(self._beginning)
        self._say_held(out)
        self.decoder.end(out)

    def _broken(self, cause: str, out: list[Event]) -> G4FError:
        held = self._beginning or ""
        if held.lstrip().startswith("<") and is_challenge(held.encode()):
            self._beginning = None
            return page_error(self.status, held.encode(), self.headers)
        self._say_held(out)
        return super()._broken(cause, out)

    def _say_held(self, out: list[Event]) -> None:
        held, self._beginning = self._beginning or "", None
        self.decoder.say_text(held, out)
        self.decoder.flush(out)

    def _check_answer(self, held: str) -> None:
        body = held.encode("utf-8")
        if held.lstrip().startswith("{"):
            error = document_error(body)
            if error is not None:
                raise error
        elif held.lstrip().startswith("<") and ("html" in self.content_type or is_challenge(body)):
            raise page_error(self.status, body, self.headers)
