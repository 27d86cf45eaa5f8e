"""Image answers: one JSON document, in the shapes of several services."""

from __future__ import annotations

import re
from binascii import a2b_base64

from g4fsdk._core.decoding.beside import odd_usage, usage_in
from g4fsdk._core.decoding.decoder import Decoder
from g4fsdk._core.decoding.refusals import failure_in
from g4fsdk._core.model.errors import ProtocolError
from g4fsdk._core.model.events import Event, Image, ImageEvent, read_image
from g4fsdk._core.model.http import JSON

_UNKNOWN = "application/octet-stream"
# How the bytes of a picture begin.
_SIGNATURES = {
    "image/png": rb"\x89PNG\r\n",
    "image/jpeg": rb"\xff\xd8\xff",
    "image/webp": rb"RIFF....WEBP",  # other RIFF files are sound and film
    "image/gif": rb"GIF8",
}


def picture_type(data: bytes) -> str | None:
    """Return the media type of a picture that begins with *data*, or None where it is of no kind known."""
    kinds = (kind for kind, start in _SIGNATURES.items() if re.match(start, data, re.DOTALL))
    return next(kinds, None)


def address_of(image: Image) -> str:
    """Return the address of *image*; one that came as bytes gets a `data:` address that holds them."""
    return image.url or f"data:{media_type(image)};base64,{image.b64_json or ''}"


def media_type(image: Image) -> str:
    """Return the media type of an image that came as bytes."""
    start = "".join((image.b64_json or "")[:64].split())
    try:
        return picture_type(a2b_base64(start[: len(start) // 4 * 4])) or _UNKNOWN
    except ValueError:
        return _UNKNOWN


class ImageDecoder(Decoder):
    """An image answer, one document. *prompt* is what was asked for."""

    def __init__(self, prompt: str) -> None:
        super().__init__()
        self._prompt = prompt

    def decode(self, data: bytes, name: bytes, out: list[Event]) -> None:
        raise ValueError("an image answer is one document")

    def document(self, data: bytes, out: list[Event]) -> None:
        value = self.load(data)
        key, items = _items(value)
        images = [image for item in items if (image := read_image(item)) is not None]
        failure = failure_in(value)
        if not images:
            raise failure or ProtocolError(
                f"expected images with a url or b64_json, got {data[:200]!r}", excerpt=data
            )
        odd = {f"{key}_parts": [item for item in items if read_image(item) is None]}
        around = {name: item for name, item in value.items() if name != key}
        self.answer.note(around | odd_usage(value) | (odd if len(images) < len(items) else {}))
        self.say(ImageEvent(tuple(images), self._prompt), out)
        if (usage := usage_in(value)) is not None:
            self.say(usage, out)
        if failure is not None:
            raise failure
        self.done = True


def _items(value: JSON) -> tuple[str, list[JSON]]:
    """Return what should be images in an image answer, and where it stands."""
    match value:
        case {"data": list(items)}:
            return "data", items
        case {"images": list(items)}:  # Hyperbolic
            return "images", items
        case _:
            return "", []
