"""Content codings, undone piece by piece and within bounds."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeAlias

from g4fsdk._client.inflate import CodingError, Inflater
from g4fsdk.testing._cassette.values import Headers, values_of

__all__ = ["CodingError", "CutError", "NoDecoderError", "coding_of", "decode_pieces"]

# Far more than any answer. What was small on the wire may not fill the memory.
MOST_BYTES = 64 << 20
_MOST_GROWTH = 200  # what grows by less is no bomb, see `g4fsdk._client.inflate`
_STEP = 64  # bytes for a decoder that knows no bound: brotli makes up to 100 KB of each


class NoDecoderError(CodingError):
    """Nothing here undoes this coding."""


class _GrownError(CodingError):
    pass


class CutError(CodingError):
    """The coded body lacks its end. *plain* is what came before, piece by piece."""

    def __init__(self, message: str, plain: list[bytes]) -> None:
        super().__init__(message)
        self.plain = plain


class Decoder(Protocol):
    """Takes coded bytes, returns the plain ones they complete, in pieces."""

    def __call__(self, data: bytes, /) -> Iterable[bytes]: ...


# A decoder, what it raises for bytes that are not in its coding, and what is called at the end.
Coding: TypeAlias = tuple[Decoder, type[Exception], Callable[[], None]]


def _inflated(*, is_gzip: bool) -> Coding:
    inflater = Inflater(is_gzip=is_gzip)
    return inflater.feed, CodingError, inflater.close


def _brotli() -> Coding:
    module = _import_one("br", "brotli", "brotlicffi")
    decompressor = module.Decompressor()
    # The two libraries have one surface but for this name.
    decode = decompressor.process if hasattr(decompressor, "process") else decompressor.decompress
    return partial(_by_steps, decode), module.error, partial(_check_over, decompressor.is_finished)


def _zstd() -> Coding:
    module = _import_one("zstd", "zstandard")
    frames = _Frames(module.ZstdDecompressor().decompressobj)
    return partial(_by_steps, frames.feed), module.ZstdError, partial(_check_over, frames.is_over)


class _Frames:
    """Undoes frames, of which a body may have several: what undoes one leaves the next in `unused_data`."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        self._begin = begin
        self._frame = begin()

    def feed(self, data: bytes) -> bytes:
        plain = b""
        while data:
            if self._frame.eof:
                self._frame = self._begin()
            plain += self._frame.decompress(data)
            data = self._frame.unused_data
        return plain

    def is_over(self) -> bool:
        return bool(self._frame.eof)


def _check_over(is_over: Callable[[], bool]) -> None:
    if not is_over():
        raise CodingError("the body lacks its end")


def _by_steps(decode: Callable[[bytes], bytes], data: bytes) -> Iterator[bytes]:
    return (decode(data[at : at + _STEP]) for at in range(0, len(data), _STEP))


def _import_one(coding: str, *names: str) -> Any:
    for name in names:
        with suppress(ImportError):
            return importlib.import_module(name)
    raise NoDecoderError(
        f"no library for the content coding {coding!r} is installed; it is in {' or '.join(names)}"
    )


_DECODERS: dict[str, Callable[[], Coding]] = {
    "gzip": partial(_inflated, is_gzip=True),
    "x-gzip": partial(_inflated, is_gzip=True),
    "deflate": partial(_inflated, is_gzip=False),
    "br": _brotli,
    "zstd": _zstd,
}


def coding_of(headers: Headers) -> str:
    """Return the content codings that *headers* name, as one value."""
    return ",".join(values_of(headers, "content-encoding"))


def decode_pieces(coding: str, pieces: Iterable[bytes]) -> list[bytes]:
    """Return what each of *pieces* decodes to, one to one; an entry may be empty.

    *coding* is the value of a Content-Encoding header; several codings are undone from the last.

    Raises:
        NoDecoderError: The coding is not known here, or its library is not installed.
        CutError: The bytes end before the coding does.
        CodingError: The bytes are not in the coding, or grow and grow.
    """
    names = [name.strip().lower() for name in coding.split(",")]
    decoded, cut = list(pieces), False
    for name in reversed([name for name in names if name not in ("", "identity")]):
        decoded, is_cut = _decode_one(name, decoded)
        cut = cut or is_cut
    if cut:
        raise CutError(f"the body in the content coding {coding!r} is cut off", decoded)
    return decoded


def _decode_one(name: str, pieces: list[bytes]) -> tuple[list[bytes], bool]:
    if name not in _DECODERS:
        raise NoDecoderError(f"unknown content coding {name!r}; known: {', '.join(_DECODERS)}")
    if not any(pieces):  # no body at all, as behind HEAD
        return pieces, False
    decode, refusal, close = _DECODERS[name]()
    try:
        decoded = [*_all_bounded(name, decode, pieces)]
    except _GrownError:
        raise
    except refusal as error:
        raise CodingError(f"the body is not in the content coding {name!r}: {error}") from error
    try:
        close()
    except CodingError:
        return decoded, True
    return decoded, False


def _all_bounded(name: str, decode: Decoder, pieces: list[bytes]) -> Iterator[bytes]:
    left = MOST_BYTES + _MOST_GROWTH * sum(map(len, pieces))
    for piece in pieces:
        plain = _bounded(name, decode(piece), left)
        left -= len(plain)
        yield plain


def _bounded(name: str, pieces: Iterable[bytes], left: int) -> bytes:
    kept = []
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise _GrownError(
                f"the body in the content coding {name!r} grows by more than {MOST_BYTES} bytes"
            )
        kept.append(piece)
    return b"".join(kept)
