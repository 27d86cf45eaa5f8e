"""chat-ui's answer stream: one update a line.

The declared type is `application/jsonl` or `text/event-stream`, but it is never an event stream.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from g4fsdk._core.decoding.decoder import UNREADABLE, Decoder
from g4fsdk._core.decoding.refusals import failure_in, shown
from g4fsdk._core.model.errors import ProviderError
from g4fsdk._core.model.events import (
    Event,
    FinalText,
    Finish,
    ReasoningDelta,
    Title,
)
from g4fsdk._core.model.http import JSON


class _Update(msgspec.Struct, gc=False):
    """What nearly every line is: a token, or a keep-alive, which says nothing."""

    type: Literal["stream", "status"]
    token: str = ""
    status: Literal["started", "keepAlive"] | None = None


_decode_update = msgspec.json.Decoder(_Update).decode


class UpdateDecoder(Decoder):
    """Updates of chat-ui. `finalAnswer` makes an answer complete; the end of the body ends it.

    After `finalAnswer` a title may still come, or the report that there was nothing but white space.
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
        return update.token.rstrip("\0") if update.type == "stream" else ""

    def decode(self, data: bytes, name: bytes, out: list[Event]) -> None:
        token = self.read_text(data)
        if token is not None:
            self.say_text(token, out)
        else:
            self._decode_any(data, out)

    def _decode_any(self, data: bytes, out: list[Event]) -> None:
        value = self.load(data)
        match value:
            case {"type": "stream", "token": str(token)}:
                self.say_text(token.rstrip("\0"), out)
            case {"type": "finalAnswer", "text": str(text)}:
                self._final(text, out)
            case {"type": "title", "title": str(title)}:
                self.say(Title(title), out)
            case {"type": "reasoning", "subtype": "stream", "token": str(token)} if token:
                self.say(ReasoningDelta(token), out)
            case {"type": "status", "status": "error"}:
                raise _failure(value)
            case {"type": str()}:
                pass  # keep-alives, tools, web search, and what newer versions add
            case dict():
                said = f"the service refused inside its answer: {shown(value)}"
                raise failure_in(value) or ProviderError(said)
            case _:
                raise ValueError("not an object")

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


def _failure(value: dict[str, JSON]) -> ProviderError:
    message = value.get("message")
    said = message[:500] if isinstance(message, str) else shown(value)
    return ProviderError(f"the service failed inside its answer: {said}")
