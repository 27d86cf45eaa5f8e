"""Bodies that are packed, or in UTF-16: as text that can be searched, and back."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import TypeAlias

from g4fsdk.testing._cassette.codings import CodingError, coding_of, decode_pieces
from g4fsdk.testing._cassette.values import Headers

Pack: TypeAlias = Callable[[bytes], bytes]

GZIP_MAGIC = b"\x1f\x8b"


def _by_library(name: str, data: bytes) -> bytes:
    module = import_module(name)
    compress = module.compress if hasattr(module, "compress") else module.ZstdCompressor().compress
    return bytes(compress(data))


_gzip: Pack = partial(gzip.compress, mtime=0)
PACKS: dict[str, Pack] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": zlib.compress,
    "br": partial(_by_library, "brotli"),
    "zstd": partial(_by_library, "zstandard"),
}


def unpacked(body: bytes, headers: Headers) -> tuple[bytes, list[Pack]]:
    """Return *body*, sent with *headers*, as text in UTF-8, and what packs it again, the first step first.

    Raises:
        CodingError: It is in a content coding that nothing here undoes.
    """
    body, packs = _decoded(body, coding_of(headers))
    charset = json.detect_encoding(body) if b"\0" in body[:4] or body[:1] in b"\xff\xfe" else "utf-8"
    if charset != "utf-8" and (text := _text(body, charset)) is not None:
        return text.encode("utf-8", "surrogatepass"), [partial(_encoded, charset), *packs]
    return body, packs


def packed(text: bytes, packs: list[Pack]) -> bytes:
    """Return *text* as a body again."""
    for pack in packs:
        text = pack(text)
    return text


def _decoded(body: bytes, coding: str) -> tuple[bytes, list[Pack]]:
    names = list(_names(coding)) or ["gzip"] * body.startswith(GZIP_MAGIC)
    if not names or not body:
        return body, []
    try:
        plain = b"".join(decode_pieces(",".join(names), [body]))
    except CodingError:
        if coding and _text(body, "utf-8") is None:
            raise
        return body, []  # whatever its header says, it is text; or it only begins like gzip
    return plain, [PACKS[name] for name in names]


def _names(coding: str) -> Iterator[str]:
    return (name for each in coding.split(",") if (name := each.strip().lower()) not in ("", "identity"))


def _text(body: bytes, charset: str) -> str | None:
    try:
        return body.decode(charset)
    except UnicodeDecodeError:
        return None


def _encoded(charset: str, text: bytes) -> bytes:
    return text.decode("utf-8", "surrogatepass").encode(charset)
