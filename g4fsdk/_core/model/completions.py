"""Whole answers in the OpenAI shape."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from g4fsdk._core.model.chat import Conversation
from g4fsdk._core.model.events import Image, Logprobs, Usage
from g4fsdk._core.model.http import JSON


class Facts(msgspec.Struct, frozen=True):
    """What a service says of an answer beside its choices: "" or None where it does not say."""

    id: str = ""
    created: int | None = None
    model: str = ""
    system_fingerprint: str | None = None
    service_tier: str | None = None
    extra: dict[str, JSON] = {}


class Function(msgspec.Struct, omit_defaults=True):
    """The function of a tool call; *arguments* is JSON text."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    """A tool call, or in a chunk the next piece of one.

    With *type* "custom" the function is the custom tool, and its arguments are the input, which is any text.
    *extra* is what has no name here, nested as it came, and goes back with the message.
    """

    id: str | None = None
    function: Function = msgspec.field(default_factory=Function)
    index: int = 0
    type: str = "function"
    extra: dict[str, JSON] = {}


class Audio(msgspec.Struct):
    """A spoken answer, or in a chunk the next piece of one: *data* is base64 text.

    *expires_at* is when the service forgets it, in Unix seconds.
    """

    id: str | None = None
    data: str = ""
    transcript: str = ""
    expires_at: int | None = None
    extra: dict[str, JSON] = {}


class AssistantMessage(msgspec.Struct, kw_only=True):
    """The assistant's answer. It can be put back into a message list as it is.

    *annotations* are as sent. *extra* is what has no name here. *reasoning_key* is the name under which the
    service says its reasoning.
    """

    content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    role: str = "assistant"
    audio: Audio | None = None
    images: list[Image] | None = None
    annotations: list[JSON] | None = None
    extra: dict[str, JSON] = {}
    reasoning_key: str = "reasoning_content"

    def to_dict(self) -> dict[str, Any]:
        """Return the message as it goes back to a service: reasoning is left out."""
        calls = [
            {"id": call.id, "type": call.type, "function": msgspec.to_builtins(call.function)}
            for call in self.tool_calls or ()
        ]
        refusal = {"refusal": self.refusal} if self.refusal else {}
        return {
            "role": self.role,
            "content": self.content,
            **refusal,
            **({"tool_calls": calls} if calls else {}),
        }


class Choice(msgspec.Struct, kw_only=True):
    """One of the answers asked for. *extra* is what has no name here."""

    index: int = 0
    message: AssistantMessage
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    extra: dict[str, JSON] = {}


class Completion(msgspec.Struct, kw_only=True):
    """A complete answer in the OpenAI shape, with the extras of the other providers.

    *id*, *created* (Unix seconds), *model*, *system_fingerprint* and *service_tier* are as the service named
    them; where it named none, *model* is what was asked for, the others are "" or None. *extra* is what has
    no name here. *images* are those of all choices.
    """

    choices: list[Choice]
    model: str = ""
    provider: str = ""
    usage: Usage | None = None
    title: str | None = None
    images: list[Image] = []
    conversation: Conversation | None = None
    id: str = ""
    created: int | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    extra: dict[str, JSON] = {}

    @property
    def text(self) -> str:
        """The text of the first choice, "" where there is none.

        Where the service sends its own whole answer as well (FinalText), this is that one: it is what
        the service keeps, and the streamed pieces may hold stop tokens, trailing space or replaced
        characters that it does not have.
        """
        return self.choices[0].message.content or ""


class ImagesResponse(msgspec.Struct):
    """The images made for one prompt."""

    data: list[Image]


class Model(msgspec.Struct):
    """A model that can be asked."""

    id: str
    owned_by: str = ""
    object: str = "model"


ModelList: TypeAlias = list[Model]
