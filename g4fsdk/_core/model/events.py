"""What a stream says, one frozen value a thing. Each carries `choice`: which of `n` answers it belongs to."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from g4fsdk._core.model.chat import Conversation


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
    """The next piece of tool call *index*: *arguments* add up; *id* and *name* are None after the first."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0


class FinalText(msgspec.Struct, frozen=True, gc=False):
    """The service's own whole answer. It is the better text: the joined deltas may differ from it."""

    text: str
    choice: int = 0


class Title(msgspec.Struct, frozen=True, gc=False):
    """The name the service gives the conversation."""

    title: str
    choice: int = 0


class Image(msgspec.Struct, frozen=True, gc=False):
    """One image: its *url* as sent, or its bytes as base64 text; both may be there."""

    url: str | None = None
    b64_json: str | None = None
    revised_prompt: str | None = None


class ImageEvent(msgspec.Struct, frozen=True):
    """The images made for *prompt*."""

    images: tuple[Image, ...]
    prompt: str = ""
    choice: int = 0

    @property
    def urls(self) -> list[str]:
        """The addresses of those images that have one, unaltered."""
        return [image.url for image in self.images if image.url is not None]


class ConversationEvent(msgspec.Struct, frozen=True):
    """The handle to go on with. The last one of a stream includes the answer."""

    conversation: Conversation
    choice: int = 0


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens used, as the service counts them. A later one replaces an earlier one."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    choice: int = 0


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
    | ConversationEvent
    | Usage
    | Finish
)
