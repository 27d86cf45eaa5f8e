"""Bodies read as they come, by the letter: what is no framing is no answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from http.client import HTTPResponse, IncompleteRead

import urllib3

from g4fsdk._client.inflate import Codings

_READ_BYTES = 65536
_MAX_LINE, _MAX_TRAILERS = 65536, 100  # those of http.client
_SHORT_LINE = 20  # holds a size alone: what is remembered must not grow with what a service sends
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")


def pieces_of(raw: urllib3.HTTPResponse, codings: Codings | None) -> Iterator[bytes]:
    """Give the bytes of the body as they come, their content *codings* undone."""
    pieces = _pieces(raw)
    return pieces if codings is None else _undone(pieces, codings)


def _pieces(raw: urllib3.HTTPResponse) -> Iterator[bytes]:
    """Give the bytes of the body as they come.

    On chunked bodies urllib3 waits for the end of every chunk, and takes what is no size for one and
    whatever stands behind a chunk for its end. On other bodies its `stream` waits for the end of all.
    """
    raw.decode_content = False  # vcrpy's stand-in knows the attribute, and not the keyword of `read1`
    if not getattr(raw, "chunked", False):  # vcrpy's has no such attribute
        return iter(partial(raw.read1, _READ_BYTES), b"")
    if type(raw) is urllib3.HTTPResponse and isinstance(raw._fp, HTTPResponse):
        return _chunked(raw, raw._fp)
    return raw.stream(_READ_BYTES, decode_content=False)


def _chunked(raw: urllib3.HTTPResponse, body: HTTPResponse) -> Iterator[bytes]:
    """Undo the chunked coding of *body*, giving each part of a chunk as it comes.

    Source: RFC 9112, 7.1.
    """
    file = body.fp
    while size := _chunk_size(file.readline(_MAX_LINE + 1)):
        while size > 0:
            data = file.read1(size if size < _READ_BYTES else _READ_BYTES)
            if not data:
                raise IncompleteRead(b"", size)
            size -= len(data)
            yield data
        if file.read(2) != b"\r\n":
            raise IncompleteRead(b"")
    for _ in range(_MAX_TRAILERS):
        line = file.readline(_MAX_LINE + 1)
        if line == b"\r\n":
            break
        if not line.endswith(b"\n"):
            raise IncompleteRead(b"")
    body.close()
    raw.release_conn()  # read to its end: the connection can be used again


def _chunk_size(line: bytes) -> int:
    """Return the size in a chunk's first line, which is that of many a chunk before it."""
    return _known_size(line) if len(line) <= _SHORT_LINE else _read_size(line)


def _read_size(line: bytes) -> int:
    """Return the size in *line*; extensions behind it mean nothing."""
    found = _SIZE.fullmatch(line)
    if found is None:
        raise IncompleteRead(b"")
    return int(found[1], 16)


_known_size = lru_cache(maxsize=1024)(_read_size)


def _undone(pieces: Iterator[bytes], codings: Codings) -> Iterator[bytes]:
    for data in pieces:
        yield from codings.feed(data)
    codings.close()
