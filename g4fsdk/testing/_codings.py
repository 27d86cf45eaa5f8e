"""Content codings, undone piece by piece."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol


class CodingError(ValueError):
    """The bytes are not what their Content-Encoding says, or the coding is not known here."""


class Decoder(Protocol):
    """Takes coded bytes, returns the plain ones they complete."""

    def __call__(self, data: bytes, /) -> bytes: ...


def _gzip() -> Decoder:
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress


def _deflate() -> Decoder:
    # RFC 9110 says zlib, some servers send raw deflate: the first byte tells (0x78 & 0x0f is the method, 8).
    inner: Decoder | None = None

    def decode(data: bytes, /) -> bytes:
        nonlocal inner
        if inner is None and data:
            inner = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS).decompress
        return inner(data) if inner else b""

    return decode


def _brotli() -> Decoder:
    module: Any = _optional("brotli", "brotlicffi")
    decompressor = module.Decompressor()
    decode: Decoder = getattr(decompressor, "decompress", None) or decompressor.process
    return decode


def _zstd() -> Decoder:
    module: Any = _optional("zstandard", "compression.zstd")
    make = getattr(module, "ZstdDecompressor")  # noqa: B009  # two libraries, one spelling
    decode: Decoder = (
        make().decompressobj().decompress if module.__name__ == "zstandard" else make().decompress
    )
    return decode


def _optional(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise CodingError(f"no library for this coding is installed; one of: {', '.join(names)}")


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
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
    decode = _DECODERS[name]()
    try:
        return [decode(piece) for piece in pieces]
    except (zlib.error, ValueError, EOFError) as error:
        raise CodingError(f"the body is not in the content coding {name!r}: {error}") from error
