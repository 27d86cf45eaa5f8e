"""gzip and deflate, undone piece by piece, and a body that lacks its end told from a whole one.

Both HTTP libraries undo them too, but take a body cut off in mid-answer for a complete one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

# However small what came is, it grows by no more than this at a time.
_MAX_PIECE = 1 << 20
_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15


class CodingError(Exception):
    """The body is not what its Content-Encoding says, or ends too early for it."""


class Inflater:
    """Undoes the content coding of one body.

    Source: RFC 9110, 8.4.1. Some servers mean raw deflate by "deflate": the first byte tells.
    """

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._codec: zlib._Decompress | None = None
        self._is_over = False

    @classmethod
    def of(cls, coding: str | None) -> Inflater | None:
        """Return what undoes *coding*, the header's value, or None where that is the library's to do."""
        name = (coding or "").strip().lower()
        return cls(is_gzip=name != "deflate") if name in ("gzip", "x-gzip", "deflate") else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the plain bytes that *data* completes. Raises CodingError for bytes that mean nothing."""
        more = bool(data)
        while more and not self._is_over:
            if self._codec is None:
                self._codec = zlib.decompressobj(self._bits(data[0]))
            try:
                piece = self._codec.decompress(data, _MAX_PIECE)
            except zlib.error as error:
                raise CodingError(f"the body is not what its Content-Encoding says: {error}") from error
            if piece:
                yield piece
            data = self._codec.unconsumed_tail or self._next_member()
            more = bool(data) or len(piece) == _MAX_PIECE

    def close(self) -> None:
        """Say that the body ended. Raises CodingError when what was fed does not."""
        if self._codec is not None and not self._codec.eof:
            raise CodingError("the compressed body ended early")

    def _bits(self, first: int) -> int:
        if self._is_gzip:
            return _GZIP_BITS
        return _ZLIB_BITS if first & 0x0F == zlib.DEFLATED else _RAW_BITS

    def _next_member(self) -> bytes:
        """Return the next gzip member's bytes; what follows the last one is padding."""
        assert self._codec is not None
        rest = self._codec.unused_data
        if not self._codec.eof:
            return b""
        if not (self._is_gzip and rest[:1] == b"\x1f"):
            self._is_over = bool(rest)
            return b""
        self._codec = None
        return rest
