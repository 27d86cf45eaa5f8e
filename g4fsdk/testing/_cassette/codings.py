"""Content codings, undone piece by piece."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeAlias

from g4fsdk._client.inflate import CodingError, Inflater

__all__ = ["CodingError", "decode_pieces"]


class Decoder(Protocol):
    """Takes coded bytes, returns the plain ones they complete."""

    def __call__(self, data: bytes, /) -> bytes: ...


# A decoder, and what it raises for bytes that are not in its coding.
Coding: TypeAlias = tuple[Decoder, type[Exception]]


def _inflated(*, is_gzip: bool) -> Coding:
    inflater = Inflater(is_gzip=is_gzip)
    return lambda data: b"".join(inflater.feed(data)), CodingError


def _brotli() -> Coding:
    module = _import_one("brotli", "brotlicffi")
    decompressor = module.Decompressor()
    # The two libraries have one surface but for this name.
    decode = decompressor.process if hasattr(decompressor, "process") else decompressor.decompress
    return decode, module.error


def _zstd() -> Coding:
    module = _import_one("zstandard")
    return module.ZstdDecompressor().decompressobj().decompress, module.ZstdError


def _import_one(*names: str) -> Any:
    for name in names:
        with suppress(ImportError):
            return importlib.import_module(name)
    raise CodingError(f"no library for this content coding is installed; it is in {' or '.join(names)}")


_DECODERS: dict[str, Callable[[], Coding]] = {
    "gzip": partial(_inflated, is_gzip=True),
    "x-gzip": partial(_inflated, is_gzip=True),
    "deflate": partial(_inflated, is_gzip=False),
    "br": _brotli,
    "zstd": _zstd,
}


def decode_pieces(coding: str, pieces: Iterable[bytes]) -> list[bytes]:
    """Return what each of *pieces* decodes to, one to one; an entry may be empty.

    *coding* is the value of a Content-Encoding header; several codings are undone from the last.

    Raises:
        CodingError: The coding is not known here, or the bytes are not in it.
    """
    names = [name.strip().lower() for name in coding.split(",")]
    decoded = list(pieces)
    for name in reversed([name for name in names if name not in ("", "identity")]):
        decoded = _decode_one(name, decoded)
    return decoded


def _decode_one(name: str, pieces: list[bytes]) -> list[bytes]:
    if name not in _DECODERS:
        raise CodingError(f"unknown content coding {name!r}; known: {', '.join(_DECODERS)}")
    decode, refusal = _DECODERS[name]()
    try:
        return [decode(piece) for piece in pieces]
    except refusal as error:
        raise CodingError(f"the body is not in the content coding {name!r}: {error}") from error
