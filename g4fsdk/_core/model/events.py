"""What a stream says, one frozen value a thing. Each carries `choice`: which of `n` answers it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from g4fsdk._core.model.chat import Conversation
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.shape import given, nested, split


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """The next piece of the answer's text."""

    text: str
    choice: int = 0


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """The next piece of what the model thinks aloud; not part of the answer."""

    text: str
    choice: int = 0


class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """The next piece of a refusal, which stands in place of an answer."""

    text: str
    choice: int = 0


class ToolCallDelta(msgspec.Struct, frozen=True, gc=False):
    """The next piece of tool call *index*: *arguments* add up; *id* and *name* are None after the first.

    *type* is "function", or "custom" for a tool whose input is text, which *arguments* then holds. *extra* is
    what has no name here, nested as it came: some services sign a call there and want it back.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0
    type: str = "function"
    extra: dict[str, JSON] = {}


class FinalText(msgspec.Struct, frozen=True, gc=False):
    """The service's own whole answer. It is the better text: the joined deltas may differ from it."""

    text: str
    choice: int = 0


class Title(msgspec.Struct, frozen=True, gc=False):
    """The name the service gives the conversation."""

    text: str
    choice: int = 0


class Image(msgspec.Struct, frozen=True, gc=False):
    """One image: its *url* as sent, or its bytes as base64 text; both may be there.

    *extra* is what has no name here, nested as it came.
    """

    url: str | None = None
    b64_json: str | None = None
    revised_prompt: str | None = None
    extra: dict[str, JSON] = {}

    def to_dict(self) -> dict[str, JSON]:
        """Return the image as it stood in a message or in an image answer."""
        inner = self.extra.get("image_url", {} if self.extra.get("type") == "image_url" else None)
        is_nested = isinstance(inner, dict) and "url" not in inner and self.url is not None
        address = {"image_url": {"url": self.url}} if is_nested else given(url=self.url)
        return nested(address | given(b64_json=self.b64_json, revised_prompt=self.revised_prompt), self.extra)


def read_image(item: JSON) -> Image | None:
    """Return the image that *item* is, of an image answer or of a chat message, or None when it is none."""
    match item:
        case {"url": str()} | {"b64_json": str()}:
            named, rest = split(item, {"url": str, "b64_json": str, "revised_prompt": str})
            found = Image(**{name: text for name, text in named.items() if text}, extra=rest)
        case {"image_url": {"url": str(url)} as inner}:
            _, rest = split(inner, {"url": str})
            is_usual = item.get("type") == "image_url" and not rest
            found = Image(url, extra=_beside(item, "image_url") | ({} if is_usual else {"image_url": rest}))
        case {"image_url": str(url)}:
            found = Image(url, extra=_beside(item, "image_url"))
        case {"image": str(b64)}:
            found = Image(b64_json=b64, extra=_beside(item, "image"))
        case _:
            return None
    return found if found.url or found.b64_json else None


def _beside(item: dict[str, JSON], name: str) -> dict[str, JSON]:
    return {key: value for key, value in item.items() if value is not None and key != name}


class ImageEvent(msgspec.Struct, frozen=True):
    """The images made for *prompt*."""

    images: tuple[Image, ...]
    prompt: str = ""
    choice: int = 0

    @property
    def urls(self) -> list[str]:
        """The addresses of those images that have one, unaltered."""
        return [image.url for image in self.images if image.url is not None]


class AudioDelta(msgspec.Struct, frozen=True, gc=False):
    """The next piece of a spoken answer: *data* is base64 text of its own, *transcript* adds up.

    *expires_at* is when the service forgets it, in Unix seconds; *extra* is what has no name here.
    """

    data: str = ""
    transcript: str = ""
    id: str | None = None
    expires_at: int | None = None
    choice: int = 0
    extra: dict[str, JSON] = {}


class Logprobs(msgspec.Struct, frozen=True, gc=False):
    """How likely the next tokens of the answer, and of its refusal, were: one mapping a token, as sent.

    *extra* is what has no name here, such as the lists of the older completions.
    """

    content: list[JSON] | None = None
    refusal: list[JSON] | None = None
    choice: int = 0
    extra: dict[str, JSON] = {}

    def to_dict(self) -> dict[str, JSON]:
        """Return OpenAI's `logprobs`."""
        return {"content": self.content, "refusal": self.refusal} | self.extra

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON], choice: int = 0) -> Logprobs:
        """Read OpenAI's `logprobs`."""
        named, rest = split(value, {"content": list, "refusal": list})
        return cls(**named, choice=choice, extra=rest)


class Annotation(msgspec.Struct, frozen=True, gc=False):
    """A note on the answer, such as the page it cites: *data* is as sent."""

    data: JSON
    choice: int = 0


class Extra(msgspec.Struct, frozen=True, gc=False):
    """What has no name here, as sent: *of* the message or of the choice around it."""

    data: dict[str, JSON]
    choice: int = 0
    of: Literal["message", "choice"] = "message"


class ConversationEvent(msgspec.Struct, frozen=True):
    """The handle to go on with. The last one of a stream includes the answer."""

    conversation: Conversation
    choice: int = 0


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens used, as the service counts them. A later one replaces an earlier one.

    The details are as sent (cached and reasoning tokens, say), or None; *extra* is what has no name here.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    choice: int = 0
    prompt_tokens_details: dict[str, JSON] | None = None
    completion_tokens_details: dict[str, JSON] | None = None
    extra: dict[str, JSON] = {}

    def to_dict(self) -> dict[str, JSON]:
        """Return OpenAI's `usage`."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        details = {name: getattr(self, name) for name in _DETAILS if getattr(self, name) is not None}
        return counts | details | self.extra

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> Usage:
        """Read OpenAI's `usage`; a count that is not there is 0."""
        named, rest = split(value, _KINDS)
        return cls(**named, extra=rest)


_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DETAILS = ("prompt_tokens_details", "completion_tokens_details")
_KINDS: dict[str, type] = {**dict.fromkeys(_COUNTS, int), **dict.fromkeys(_DETAILS, dict)}


class Finish(msgspec.Struct, frozen=True, gc=False):
    """The answer is over. *reason* is as sent; None when the service ended properly and named none."""

    reason: str | None = None
    choice: int = 0


Event: TypeAlias = (
    TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallDelta
    | FinalText
    | Title
    | ImageEvent
    | AudioDelta
    | Logprobs
    | Annotation
    | Extra
    | ConversationEvent
    | Usage
    | Finish
)
