"""gzip and deflate, undone piece by piece and within bounds; a body that lacks its end told from a whole one.

Both HTTP libraries undo them too, but take a body cut off in mid-answer for a complete one, and whatever
coding their plug-ins know for one that was asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from g4fsdk._core.model.errors import ProtocolError

# However small what came is, it grows by no more than this at a time.
_MAX_PIECE = 1 << 20
# An event stream of many fields that stay the same grew to 40 times its size: this is no bomb.
_MAX_RATIO = 200
_IS_GZIP = {"gzip": True, "x-gzip": True, "deflate": False}
# What a server may do to a body unasked. Other words there ("utf-8", "none") name no coding.
_NOT_ASKED_FOR = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "bzip2", "xz"})
_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15


class CodingError(Exception):
    """The body is not what its Content-Encoding says, or ends too early for it."""


class Codings:
    """Undoes all the content codings of one body, the last one first."""

    def __init__(self, names: list[str], max_bytes: int) -> None:
        """*max_bytes*: by how much the body may grow, beyond what is usual."""
        self._stages = [Inflater(is_gzip=_IS_GZIP[name]) for name in reversed(names) if name in _IS_GZIP]
        self._odd = next((name for name in names if name in _NOT_ASKED_FOR), None)
        self._max_bytes = max_bytes
        self._left = max_bytes

    @classmethod
    def of(cls, values: list[str], max_bytes: int) -> Codings | None:
        """Return what undoes the codings in *values*, those of the header, or None where there is none."""
        names = [name.strip().lower() for value in values for name in value.split(",")]
        known = [name for name in names if name in _IS_GZIP or name in _NOT_ASKED_FOR]
        return cls(known, max_bytes) if known else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the plain bytes that *data* completes.

        Raises:
            CodingError: The bytes mean nothing.
            ProtocolError: Nobody asked for this coding, or the body grows and grows.
        """
        if self._odd is not None:
            raise ProtocolError(
                f"the body has the Content-Encoding {self._odd!r}, which nobody asked for; leave the header "
                "Accept-Encoding as it is, or ask another server or proxy"
            )
        self._left += _MAX_RATIO * len(data)
        for piece in self._through(data, 0):
            self._left -= len(piece)
            if self._left < 0:
                grown = f"the packed body grows by more than {self._max_bytes} bytes"
                raise ProtocolError(f"{grown}; allow more with max_bytes=...")
            yield piece

    def _through(self, data: bytes, stage: int) -> Iterator[bytes]:
        if stage == len(self._stages):
            yield data
            return
        for piece in self._stages[stage].feed(data):
            yield from self._through(piece, stage + 1)

    def close(self) -> None:
        """Say that the body ended. Raises CodingError when what was fed does not."""
        for stage in self._stages:
            stage.close()


class Inflater:
    """Undoes one coding of a body.

    Source: RFC 9110, 8.4.1. Some servers mean raw deflate by "deflate": the first byte tells.
    """

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._codec: zlib._Decompress | None = None
        self._is_over = False

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
