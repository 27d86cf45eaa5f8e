"""Pieces cut, marked and added to; positions are bytes of the recording, whatever was put in before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from g4fsdk.testing._replay.planned import Piece

DRIPS_PER_S = 20  # pieces a second of a slow body: smooth to a reader, cheap to play


def split_at(pieces: Sequence[Piece], position: int) -> tuple[list[Piece], list[Piece]]:
    """Return the pieces with the first *position* recorded bytes, and the others.

    What a fault put in at that very place belongs to the others.
    """
    before: list[Piece] = []
    left = position
    for i, piece in enumerate(pieces):
        if left <= 0:
            return before, list(pieces[i:])
        size = 0 if piece.chunk is None else len(piece.data)
        if size > left:
            head, tail = cut_piece(piece, left)
            return [*before, head], [tail, *pieces[i + 1 :]]
        before.append(piece)
        left -= size
    return before, []


def cut_piece(piece: Piece, size: int) -> tuple[Piece, Piece]:
    """Return the first *size* bytes of *piece*, which do the waiting, and the others."""
    return replace(piece, data=piece.data[:size]), replace(piece, data=piece.data[size:], wait_s=0.0)


def insert_at(pieces: Sequence[Piece], positions: Sequence[int], data: bytes) -> Iterator[Piece]:
    """Yield *pieces* with *data* in front of the recorded byte at each of the ascending *positions*."""
    waiting = list(reversed(positions))
    offset = 0
    for piece in pieces:
        rest = piece
        while rest.chunk is not None and waiting and waiting[-1] < offset + len(rest.data):
            head, rest = cut_piece(rest, waiting.pop() - offset)
            if head.data:
                yield head
                offset += len(head.data)
            yield Piece(data, rest.at_ms, wait_s=0.0 if head.data else piece.wait_s)
        yield rest
        offset += 0 if rest.chunk is None else len(rest.data)


def change_byte(pieces: Sequence[Piece], position: int, byte: int) -> Iterator[Piece]:
    """Yield *pieces* with the recorded byte at *position* replaced by *byte*."""
    offset = 0
    for piece in pieces:
        at = position - offset
        if piece.chunk is None or not 0 <= at < len(piece.data):
            yield piece
        else:
            yield replace(piece, data=piece.data[:at] + bytes([byte]) + piece.data[at + 1 :])
        offset += 0 if piece.chunk is None else len(piece.data)


def repeat_chunk(pieces: Sequence[Piece], chunk: int) -> Iterator[Piece]:
    """Yield *pieces* with what is left of the recorded *chunk* said twice."""
    said: list[Piece] = []
    for piece in pieces:
        if said and piece.chunk is not None and piece.chunk != chunk:
            yield Piece(b"".join(one.data for one in said), said[-1].at_ms)
            said = []
        if piece.chunk == chunk:
            said.append(piece)
        yield piece
    if said:
        yield Piece(b"".join(one.data for one in said), said[-1].at_ms)


def delay_tail(pieces: Sequence[Piece], position: int, seconds: float) -> list[Piece]:
    """Return *pieces* with a wait of *seconds* after *position* recorded bytes."""
    before, after = split_at(pieces, position)
    if after:
        return [*before, replace(after[0], wait_s=after[0].wait_s + seconds), *after[1:]]
    return [*before, Piece(b"", before[-1].at_ms if before else 0.0, wait_s=seconds)]


def slow_down(pieces: Sequence[Piece], bytes_per_s: float) -> Iterator[Piece]:
    """Yield *pieces* in drips, each after the time its bytes take at *bytes_per_s*."""
    size = max(1, int(bytes_per_s / DRIPS_PER_S))
    for piece in pieces:
        starts = range(0, len(piece.data), size) or [0]
        for start in starts:
            data = piece.data[start : start + size]
            wait_s = len(data) / bytes_per_s + (0.0 if start else piece.wait_s)
            yield replace(piece, data=data, wait_s=wait_s)
