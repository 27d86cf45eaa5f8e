"""`g4fsdk image`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from g4fsdk._core.model.errors import ProtocolError
from g4fsdk._core.model.events import Image
from g4fsdk.cli._terminal.output import write, write_document
from g4fsdk.cli._words import options
from g4fsdk.cli._words.question import read_settings
from g4fsdk.cli._words.target import Said

_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif"}


def image(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What the image shows.")],
    provider: options.Providers = None,
    endpoint: options.Endpoints = None,
    model: options.Model = None,
    base_url: options.BaseURL = None,
    api_key: options.APIKey = None,
    option: options.Settings = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write images that come as bytes to this file or folder, and print where.",
            metavar="PATH",
        ),
    ] = None,
    as_json: options.AsJSON = False,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    proxy: options.Proxy = None,
) -> None:
    """Have an image made, and print its address; several on a line each.

    The provider is amigo, where none is named. An image that comes as bytes gets a data: address.
    """
    said = Said.read(provider, model, base_url, api_key, timeout, retries, proxy, endpoint)
    with said.target(otherwise="amigo").with_model().client() as client:
        images = client.images.generate(prompt, **read_settings(option)).data
    show_images(images, as_json=as_json, output=output)


def show_images(images: Sequence[Image], *, as_json: bool, output: Path | None = None) -> None:
    """Print where *images* are; those that came as bytes are written to *output*, where it is given.

    Raises:
        ProtocolError: What should be the bytes of an image is no base64.
        OSError: It can't be written.
    """
    from g4fsdk._core.decoding.images import address_of

    places = [_saved(one, output, number) or address_of(one) for number, one in enumerate(images, 1)]
    if as_json:
        write_document(images)
    else:
        write("".join(f"{place}\n" for place in places))


def _saved(image: Image, output: Path | None, number: int) -> str | None:
    """Write *image*, the one with that *number*, if it came as bytes, and return where."""
    if output is None or image.b64_json is None:
        return None
    try:
        data = b64decode("".join(image.b64_json.split()), validate=True)
    except ValueError as error:
        raise ProtocolError(f"image {number} is not in base64: {error}") from error
    from g4fsdk._core.decoding.images import media_type

    path = _place(output, number, _SUFFIXES.get(media_type(image), ".bin"))
    path.write_bytes(data)
    return str(path)


def _place(output: Path, number: int, suffix: str) -> Path:
    """Return *output*, if it is no folder, or a name in it that is not taken."""
    if not output.is_dir():
        return output if number == 1 else output.with_stem(f"{output.stem}-{number}")
    names = (output / f"image-{n}{suffix}" for n in count(1))
    return next(path for path in names if not path.exists())
