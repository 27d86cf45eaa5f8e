"""Image answers: one JSON document, in the shapes of several services."""

from __future__ import annotations

from collections.abc import Iterable

from g4fsdk._core.decoding.decoder import Decoder
from g4fsdk._core.decoding.refusals import failure_in
from g4fsdk._core.model.errors import ProtocolError
from g4fsdk._core.model.events import Event, Image, ImageEvent, read_image
from g4fsdk._core.model.http import JSON

# How the base64 of an image begins, by the first bytes of its format.
_MEDIA_TYPES = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "UklGR": "image/webp",
    "R0lGOD": "image/gif",
}


def read_images(value: JSON, data: bytes) -> tuple[Image, ...]:
    """Return the images of an image answer.

    Raises:
        ProviderError: The service reported a failure.
        ProtocolError: There is no image in it.
    """
    images = tuple(_images(value))
    if not images:
        raise failure_in(value) or ProtocolError(
            f"expected images with a url or b64_json, got {data[:200]!r}", excerpt=data
        )
    return images


def _images(value: JSON) -> Iterable[Image]:
    match value:
        case {"data": list(items)} | {"images": list(items)}:  # Hyperbolic says `images`
            yield from filter(None, map(read_image, items))


def address_of(image: Image) -> str:
    """Return the address of *image*; one that came as bytes gets a `data:` address that holds them."""
    return image.url or f"data:{media_type(image)};base64,{image.b64_json or ''}"


def media_type(image: Image) -> str:
    """Return the media type of an image that came as bytes."""
    data = image.b64_json or ""
    found = (kind for start, kind in _MEDIA_TYPES.items() if data.startswith(start))
    return next(found, "application/octet-stream")


class ImageDecoder(Decoder):
    """An image answer, one document. *prompt* is what was asked for."""

    def __init__(self, prompt: str) -> None:
        super().__init__()
        self._prompt = prompt

    def decode(self, data: bytes, name: bytes, out: list[Event]) -> None:
        raise ValueError("an image answer is one document")

    def document(self, data: bytes, out: list[Event]) -> None:
        self.say(ImageEvent(read_images(self.load(data), data), self._prompt), out)
        self.done = True
