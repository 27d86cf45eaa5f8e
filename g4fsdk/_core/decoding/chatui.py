"""chat-ui's answer stream: one update a line.

The declared type is `application/jsonl` or `text/event-stream`, but it is never an event stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from g4fsdk._core.decoding.decoder import UNREADABLE, Decoder
from g4fsdk._core.decoding.refusals import failure_in, shown
from g4fsdk._core.decoding.said import beside
from g4fsdk._core.model.errors import ProviderError
from g4fsdk._core.model.events import (
    Event,
    Extra,
    FinalText,
    Finish,
    ReasoningDelta,
    Title,
)
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.shape import as_json

#: What says nothing, by the type of an update and a key of it.
_SILENT: Mapping[tuple[str, str], tuple[JSON, ...]] = {
    ("status", "status"): ("started", "keepAlive", "finished"),  # the server is there, or ends the body
    ("finalAnswer", "interrupted"): (False,),  # it did not break off
}
#: The types that say nothing by themselves.
_TYPES = frozenset({"stream", "status", "title", "finalAnswer", "reasoning"})


class _Update(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What nearly every line is: a token, or a keep-alive, which says nothing."""

    type: Literal["stream", "status"]
    token: str = ""
    status: Literal["started", "keepAlive"] | None = None


_decode_update = msgspec.json.Decoder(_Update).decode


class UpdateDecoder(Decoder):
    """Updates of chat-ui. `finalAnswer` makes an answer complete; the end of the body ends it.

    After `finalAnswer` a title may still come, or the report that there was nothing but white space. What has
    no event of its own (tools, web search, and what newer versions add) is kept as it came, under `updates`.
    """

    end_marker = "finalAnswer"
    text_key = b"token"
    padding = "\0"

    def read_text(self, data: bytes) -> str | None:
        if 10 in data or 13 in data:
            return None
        try:
            if not data.isascii():
                data.decode()  # what nobody decodes has to be characters, too
            update = _decode_update(data)
        except UNREADABLE:
            return None
        if update.type == "stream" and update.status is None:
            return update.token.rstrip("\0")
        return None if update.token or update.type == "stream" else ""

    def decode(self, data: bytes, name: bytes, out: list[Event]) -> None:
        token = self.read_text(data)
        if token is not None:
            self.say_text(token, out)
        else:
            self._decode_any(data, out)

    def _decode_any(self, data: bytes, out: list[Event]) -> None:
        value = self.load(data)
        match value:
            case {"type": "status", "status": "error"}:
                raise _failure(value)
            case {"type": str()}:
                self._keep(value, self._say(value, out), out)
            case dict():
                said = f"the service refused inside its answer: {shown(value)}"
                raise failure_in(value) or ProviderError(said, body=as_json(value).encode())
            case _:
                raise ValueError("not an object")

    def _say(self, update: dict[str, JSON], out: list[Event]) -> tuple[str, ...]:
        """Say what *update* has an event for; return the keys that tell it."""
        match update:
            case {"type": "stream", "token": str(token)}:
                self.say_text(token.rstrip("\0"), out)
                return ("token",)
            case {"type": "finalAnswer", "text": str(text)}:
                self._final(text, out)
                return ("text",)
            case {"type": "title", "title": str(title)}:
                self.say(Title(title), out)
                return ("title",)
            case {"type": "reasoning", "subtype": "stream", "token": str(token)}:
                self._think(token, out)
                return ("token", "subtype")
            case _:
                return ()

    def _think(self, token: str, out: list[Event]) -> None:
        if token:
            self.say(ReasoningDelta(token), out)

    def _keep(self, update: dict[str, JSON], told: tuple[str, ...], out: list[Event]) -> None:
        """Keep *update*, or what it says beside what was *told*."""
        kind, rest = update["type"], beside(update, {"type", *told})
        if kind not in _TYPES or any(not _is_silent(kind, *item) for item in rest.items()):
            self.say(Extra({"updates": [{"type": kind, **rest}]}, of="choice"), out)

    def _final(self, text: str, out: list[Event]) -> None:
        self.flush(out)
        if text and self.texts.is_empty:
            self.say_text(text, out)
        self.say(FinalText(text), out)
        self.is_complete = True

    def is_over(self) -> bool:
        return self.answer.choices[0].final is not None

    def finish(self, out: list[Event]) -> None:
        self.say(Finish(None), out)


def _is_silent(kind: str, key: str, item: JSON) -> bool:
    return item in _SILENT.get((kind, key), ()) and isinstance(item, str | bool)


def _failure(value: dict[str, JSON]) -> ProviderError:
    message, code = value.get("message"), value.get("statusCode")
    said = message[:500] if isinstance(message, str) else shown(value)
    return ProviderError(
        f"the service failed inside its answer: {said}",
        code=code if isinstance(code, str | int) else None,
        body=as_json(value).encode(),
    )
