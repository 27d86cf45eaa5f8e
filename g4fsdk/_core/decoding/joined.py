"""Pieces to wholes: what a stream said bit by bit, put together."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from itertools import chain

from g4fsdk._core.model.events import AudioDelta, Logprobs
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.messages import Audio

_MAX_DEPTH = 16  # nobody sends in pieces what is nested deeper


def joined(pieces: Sequence[JSON], depth: int = _MAX_DEPTH) -> JSON:
    """Return what *pieces* of one unnamed thing, at least one, add up to.

    Texts and lists go on, mappings are joined key by key, and of anything else the last counts. A text that
    is the same in every piece is one that is repeated.
    """
    last = pieces[-1]
    if len(pieces) == 1 or not depth:
        return last
    if all(isinstance(piece, dict) for piece in pieces):
        return {key: joined(values, depth - 1) for key, values in _by_key(pieces).items()}
    if all(isinstance(piece, list) for piece in pieces):
        return [*chain.from_iterable(pieces)]
    if all(isinstance(piece, str) for piece in pieces):
        return last if len({*pieces}) == 1 else "".join(pieces)
    return last


def _by_key(mappings: Sequence[dict[str, JSON]]) -> dict[str, list[JSON]]:
    found: dict[str, list[JSON]] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            found.setdefault(key, []).append(value)
    return found


def joined_logprobs(pieces: Sequence[Logprobs]) -> Logprobs | None:
    """Return the probabilities in *pieces*, None for none."""
    if not pieces:
        return None
    content = [piece.content for piece in pieces if piece.content is not None]
    refusal = [piece.refusal for piece in pieces if piece.refusal is not None]
    extra = joined([piece.extra for piece in pieces])
    choice = pieces[0].choice
    return Logprobs(joined(content) if content else None, joined(refusal) if refusal else None, choice, extra)


def joined_audio(pieces: Sequence[AudioDelta]) -> Audio | None:
    """Return the spoken answer in *pieces*, None for none."""
    if not pieces:
        return None
    return Audio(
        id=next((piece.id for piece in pieces if piece.id), None),
        data=_joined_base64([piece.data for piece in pieces if piece.data]),
        transcript="".join(piece.transcript for piece in pieces),
        expires_at=next((at for piece in reversed(pieces) if (at := piece.expires_at) is not None), None),
        extra=joined([piece.extra for piece in pieces]),
    )


def _joined_base64(pieces: Sequence[str]) -> str:
    """Return *pieces* as one base64 text: each may have been coded by itself, and end in padding."""
    text = "".join(pieces)
    if "=" not in text[:-2]:
        return text
    try:
        return b64encode(b"".join(b64decode(piece, validate=True) for piece in pieces)).decode()
    except (binascii.Error, ValueError):
        return text
