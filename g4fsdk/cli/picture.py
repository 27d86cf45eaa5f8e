"""A picture at an address, asked for as an image of a provider: with clocks, retries, bounds."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from g4fsdk._core.decoding.images import ImageDecoder, picture_type
from g4fsdk._core.flow.bodies import get
from g4fsdk._core.flow.provider import Flow, Provider, Stream, one_request
from g4fsdk._core.framing.parser import Parser
from g4fsdk._core.model.chat import Ids
from g4fsdk._core.model.errors import ProtocolError
from g4fsdk._core.model.events import Event, Image, ImageEvent

_KEPT = "".join(map(chr, range(0x21, 0x7F)))  # what an address may hold, coded or not


class Picture(Provider):
    """Whoever has the picture at *url*. It is told no key."""

    name = "picture"
    has_home = False

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        super().__init__(base_url=f"{parts.scheme}://{parts.netloc}")
        self._url = quote(url.partition("#")[0], safe=_KEPT)

    def image(
        self, prompt: str, model: str = "", options: Mapping[str, Any] | None = None, ids: Ids | None = None
    ) -> Flow:
        return one_request(Stream(get(self._url, {}), _PictureParser(ImageDecoder(prompt)), self, model))


class _PictureParser(Parser):
    """Takes a body as it is, which has to be a picture."""

    def _take(self, data: bytes, out: list[Event]) -> None:
        self._is_empty = False
        self._line += data
        self._check_size(len(self._line), 0, self._line)

    def _end(self, out: list[Event]) -> None:
        data = bytes(self._line)
        if picture_type(data) is None:
            raise ProtocolError(f"expected a picture, got {data[:200]!r}", excerpt=data)
        self.decoder.say(ImageEvent((Image(b64_json=b64encode(data).decode()),), ""), out)
        self.decoder.done = True
