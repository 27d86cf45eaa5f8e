"""`g4fsdk image`."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from itertools import count, zip_longest
from pathlib import Path
from typing import Annotated

import typer

from g4fsdk._core.model.errors import ProtocolError, UsageError
from g4fsdk._core.model.events import Image
from g4fsdk.cli._terminal.output import plain, write, write_document
from g4fsdk.cli._terminal.waiting import Waiting
from g4fsdk.cli._words import options
from g4fsdk.cli._words.question import as_typed, read_settings
from g4fsdk.cli._words.target import Said, Target
from g4fsdk.testing._cassette.files import check_place, write_atomically

_MAX_BYTES = 64 << 20  # of a picture that is fetched
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
            help="Save the images to this file or folder, and print where; those at an address are fetched.",
            metavar="PATH",
        ),
    ] = None,
    as_json: options.AsJSON = False,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    proxy: options.Proxy = None,
) -> None:
    """Have an image made, and print its address; several on a line each.

    The provider is amigo, where none is named. An image that comes as bytes gets a data: address, unless -o
    saves it.
    """
    if not prompt.strip():
        raise UsageError('there is no prompt: g4fsdk image "a cat"')
    said = Said.read(provider, model, base_url, api_key, timeout, retries, proxy, endpoint)
    if output is not None and not output.is_dir():
        check_place(output)
    target = said.target(otherwise="amigo").with_model()
    waiting = Waiting()
    with waiting, target.client(event_hooks=waiting.hooks) as client:
        images = client.images.generate(as_typed(prompt), **read_settings(option)).data
    if output is None:
        show_images(images, as_json=as_json)
        return
    paths: list[Path] = []
    try:
        for number, image in enumerate(images, 1):
            paths.append(_saved(image, output, number, target))
    finally:  # what can't be saved has been made all the same
        show_images(images, as_json=as_json, paths=paths)


def show_images(images: Sequence[Image], *, as_json: bool, paths: Sequence[Path] = ()) -> None:
    """Print where *images* are: at *paths*, as far as these go, else at their addresses."""
    from g4fsdk._core.decoding.images import address_of

    rows = [*zip_longest(images, paths)]
    if as_json:
        write_document([plain(image) | ({"path": path} if path else {}) for image, path in rows])
    else:
        write("".join(f"{path or address_of(image)}\n" for image, path in rows))


def _saved(image: Image, output: Path, number: int, target: Target) -> Path:
    """Write *image*, the one with that *number*, and return where.

    Raises:
        G4FError: What should be an image is none, or can't be had.
        OSError: It can't be written.
    """
    from g4fsdk._core.decoding.images import media_type

    if image.b64_json is None:
        image = _fetched(image, target)
    try:
        data = b64decode("".join((image.b64_json or "").split()), validate=True)
    except ValueError as error:
        raise ProtocolError(f"image {number} is not in base64: {error}") from error
    path = _place(output, number, _SUFFIXES.get(media_type(image), ".bin"))
    write_atomically(path, data)
    return path


def _fetched(image: Image, target: Target) -> Image:
    """Return *image*, which came as an address, with its bytes."""
    from g4fsdk import Client
    from g4fsdk.cli.picture import Picture

    url = image.url or ""
    if url.startswith("data:"):
        return Image(b64_json=url.partition("base64,")[2])
    with Client(Picture(url), max_bytes=_MAX_BYTES, **target.settings()) as client:
        return client.images.generate("").data[0]


def _place(output: Path, number: int, suffix: str) -> Path:
    """Return *output*, if it is no folder, or a name in it that is not taken."""
    if not output.is_dir():
        return output if number == 1 else output.with_stem(f"{output.stem}-{number}")
    names = (output / f"image-{n}{suffix}" for n in count(1))
    return next(path for path in names if not path.exists())
