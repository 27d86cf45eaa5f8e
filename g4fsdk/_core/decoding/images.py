"""Image answers: one JSON document, in the shapes of several services."""

from __future__ import annotations

from collections.abc import Iterable

from g4fsdk._core.decoding.decoder import Decoder
from g4fsdk._core.decoding.refusals import failure_in
from g4fsdk._core.model.errors import ProtocolError
from g4fsdk._core.model.events import Event, Image, ImageEvent
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


def read_image(item: JSON) -> Image | None:
    """Return the image that *item* is, of an image answer or of a chat message, or None when it is none."""
    match item:
        case {"url": str()} | {"b64_json": str()}:
            names = ("url", "b64_json", "revised_prompt")
            url, b64, prompt = (_text(item.get(name)) for name in names)
            found = Image(url, b64, prompt, _rest(item, *names))
        case {"image_url": {"url": str(url)} as inner}:
            beside = {"image_url": rest} if (rest := _rest(inner, "url")) else {}
            found = Image(url, extra=_rest(item, "image_url") | beside)
        case {"image_url": str(url)}:
            found = Image(url, extra=_rest(item, "image_url"))
        case {"image": str(b64)}:
            found = Image(b64_json=b64, extra=_rest(item, "image"))
        case _:
            return None
    return found if found.url or found.b64_json else None


def _rest(item: dict[str, JSON], *names: str) -> dict[str, JSON]:
    return {key: value for key, value in item.items() if value is not None and key not in names}


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


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None
