"""What goes with the prompt: pictures, and files of text. What a file is, its content says."""

from __future__ import annotations

import sys
from base64 import b64encode
from codecs import getincrementaldecoder
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import msgspec

from g4fsdk._core.model.errors import UsageError

Part: TypeAlias = Mapping[str, Any]
STDIN = "-"
MAX_PICTURE = 20 << 20  # bytes; OpenAI's limit for one picture, and none of the others takes more
MAX_TEXT = 1 << 20  # bytes: a quarter of a million tokens


class Attachments(msgspec.Struct, frozen=True):
    """What was attached: *texts*, each with its name, and *pictures* as OpenAI's content parts."""

    texts: Sequence[str] = ()
    pictures: Sequence[Part] = ()

    def __bool__(self) -> bool:
        return bool(self.texts or self.pictures)

    @classmethod
    def read(cls, sources: Iterable[str]) -> Self:
        """Read files, `-` for stdin, and addresses of pictures, which the service itself will fetch.

        Raises:
            UsageError: One is empty, too large, or neither a picture nor text.
            OSError: One can't be read.
        """
        read = [_read(source) for source in sources]
        return cls(
            [one for one in read if isinstance(one, str)], [one for one in read if not isinstance(one, str)]
        )

    def with_(self, more: Attachments) -> Attachments:
        """Return these and *more*."""
        return Attachments((*self.texts, *more.texts), (*self.pictures, *more.pictures))

    def beside(self, prompt: str) -> str | list[Part]:
        """Return the content of the message that says *prompt*: text, or parts where there are pictures."""
        text = "\n\n".join(one for one in (prompt, *self.texts) if one)
        if not self.pictures:
            return text
        return [*([{"type": "text", "text": text}] if text else ()), *self.pictures]

    def check(self, providers: Iterable[str]) -> None:
        """Raises UsageError for pictures that one of *providers* does not take."""
        if not self.pictures:
            return
        from g4fsdk.providers import PROVIDERS

        takers = [name for name, kind in PROVIDERS.items() if kind.takes_pictures]
        odd = [name for name in providers if name in PROVIDERS and name not in takers]
        if odd:
            raise UsageError(f"{odd[0]} takes no pictures (-a), only text; these do: {', '.join(takers)}")


def _read(source: str) -> Part | str:
    from g4fsdk._core.decoding.images import picture_type

    if source.startswith(("http://", "https://")):
        return _picture(source)
    data = _bytes_of(source)
    kind = picture_type(data)
    if kind is None:
        return f"{_name(source)}:\n\n{_text(source, data)}"
    if len(data) > MAX_PICTURE:
        raise UsageError(too_large(source, "picture", MAX_PICTURE))
    return _picture(f"data:{kind};base64,{b64encode(data).decode()}")


def _picture(address: str) -> Part:
    return {"type": "image_url", "image_url": {"url": address}}


def _bytes_of(source: str) -> bytes:
    """Return what *source* holds, or as much of it as is too much in any case."""
    if source == STDIN:
        return sys.stdin.buffer.read(MAX_PICTURE + 1) if sys.stdin else b""
    with Path(source).expanduser().open("rb") as file:
        return file.read(MAX_PICTURE + 1)


def _text(source: str, data: bytes) -> str:
    is_whole = len(data) <= MAX_TEXT
    try:
        text = getincrementaldecoder("utf-8-sig")().decode(data[:MAX_TEXT], is_whole)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(f"{source} is neither a picture (PNG, JPEG, WebP, GIF) nor text in UTF-8")
    if not is_whole:
        raise UsageError(too_large(source, "text", MAX_TEXT))
    if not text.strip():
        raise UsageError(f"{source} is empty")
    return text.rstrip("\r\n")


def too_large(source: str, kind: str, limit: int) -> str:
    """Return what is said of a *source* that holds more than *limit* bytes."""
    return f"{source} is too large: a {kind} may have {limit >> 20} MiB"


def _name(source: str) -> str:
    return "stdin" if source == STDIN else Path(source).name
