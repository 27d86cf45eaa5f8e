"""Whole answers in the OpenAI shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from g4fsdk._core.model.chat import Conversation
from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.events import Image, Logprobs, Usage, read_image
from g4fsdk._core.model.http import JSON, AnswerHead
from g4fsdk._core.model.shape import OpenAIShape, given, mappings, nested, split

FACTS: Mapping[str, type] = {
    "id": str,
    "created": int,
    "model": str,
    "system_fingerprint": str,
    "service_tier": str,
}
# Where a message says its reasoning: DeepSeek's name first, then that of OpenRouter and newer vLLM.
_REASONING_KEYS = ("reasoning_content", "reasoning")
# What is ours in an answer's JSON stands below this key.
OURS = "g4fsdk"


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

    def to_dict(self) -> dict[str, JSON]:
        """Return OpenAI's form, without the index."""
        key, text = _CALL_KEYS[self.type == "custom"]
        inner = given(**{"name": self.function.name, text: self.function.arguments})
        return nested(given(id=self.id, type=self.type) | {key: inner}, self.extra)

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON], position: int = 0) -> ToolCall:
        """Read OpenAI's form; *position* is the index of a call that has none."""
        key, text = _CALL_KEYS["custom" in value]
        named, rest = split(value, {"id": str, "type": str, "index": int, key: dict})
        inner, beside = split(named.pop(key, {}), {"name": str, text: str})
        function = Function(inner.get("name"), inner.get(text))
        extra = rest | ({key: beside} if beside else {})
        return cls(function=function, extra=extra, **{"index": position, **named})


# Where a call keeps its name and its text: of a function, of a custom tool.
_CALL_KEYS = (("function", "arguments"), ("custom", "input"))


class Audio(msgspec.Struct):
    """A spoken answer, or in a chunk the next piece of one: *data* is base64 text.

    *expires_at* is when the service forgets it, in Unix seconds.
    """

    id: str | None = None
    data: str = ""
    transcript: str = ""
    expires_at: int | None = None
    extra: dict[str, JSON] = {}

    def to_dict(self) -> dict[str, JSON]:
        """Return OpenAI's form."""
        known = given(id=self.id, expires_at=self.expires_at)
        return known | {"data": self.data, "transcript": self.transcript} | self.extra

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> Audio:
        """Read OpenAI's form."""
        named, rest = split(value, {"id": str, "data": str, "transcript": str, "expires_at": int})
        return cls(**named, extra=rest)


# What stood beside the text, or in place of a thing: an answer's own, and nothing that a service takes back.
_PARTS_BESIDE = tuple(
    f"{key}_parts"
    for key in (
        *("content", "refusal", "reasoning", "reasoning_content", "reasoning_text", "thinking"),
        *("audio", "tool_calls", "function_call"),
    )
)


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
        """Return the message as it goes back to a service.

        That is all but annotations and parts of another kind; of what was spoken, its id. Reasoning goes back
        with tool calls only: there some services insist on it, elsewhere some refuse it.
        """
        named = self.whole() | {"role": self.role}
        for key in ("annotations", *_PARTS_BESIDE):
            named.pop(key, None)
        if not self.tool_calls:
            named.pop(self.reasoning_key, None)
        elif self.content is None:
            del named["content"]
        if self.audio is not None:
            named["audio"] = {"id": self.audio.id}
        return named

    def whole(self) -> dict[str, Any]:
        """Return the message as it stands in an answer."""
        calls = [_call(call, position) for position, call in enumerate(self.tool_calls or ())]
        known: dict[str, JSON] = {
            "role": self.role,
            "content": self.content,
            **given(refusal=self.refusal, annotations=self.annotations),
            **given(**{self.reasoning_key: self.reasoning}),
            **({"tool_calls": calls} if calls else {}),
            **({"audio": self.audio.to_dict()} if self.audio is not None else {}),
            **({"images": [image.to_dict() for image in self.images]} if self.images else {}),
        }
        return nested(known, self.extra)

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> AssistantMessage:
        """Read OpenAI's form. Raises UsageError for calls that are none."""
        named, rest = split(value, _MESSAGE)
        key = next((key for key in _REASONING_KEYS if isinstance(rest.get(key), str)), _REASONING_KEYS[0])
        reasoning = rest.pop(key) if isinstance(rest.get(key), str) else None
        more = read_beside_text(named, rest)
        return cls(**named | more, reasoning=reasoning, reasoning_key=key, extra=rest)


_MESSAGE = {
    "role": str,
    "content": str,
    "refusal": str,
    "annotations": list,
    "tool_calls": list,
    "audio": dict,
    "images": list,
}


def _call(call: ToolCall, position: int) -> dict[str, JSON]:
    index = {"index": call.index} if call.index != position else {}
    return index | call.to_dict()


def read_beside_text(named: Mapping[str, JSON], rest: dict[str, JSON]) -> dict[str, Any]:
    """Return the calls, sound and images in *named*; what is no image goes into *rest*."""
    calls = [ToolCall.from_dict(call, at) for at, call in enumerate(mappings(named.get("tool_calls", ())))]
    audio = Audio.from_dict(named["audio"]) if "audio" in named else None
    return {"tool_calls": calls or None, "audio": audio, "images": _images(named, rest)}


def _images(named: Mapping[str, JSON], rest: dict[str, JSON]) -> list[Image] | None:
    """Return the images in *named*, or put into *rest* what is none."""
    items = named.get("images", [])
    images = [image for image in map(read_image, items) if image is not None]
    if len(images) < len(items):
        rest["images"] = items
        return None
    return images or None


class Choice(msgspec.Struct, kw_only=True):
    """One of the answers asked for. *extra* is what has no name here."""

    index: int = 0
    message: AssistantMessage
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    extra: dict[str, JSON] = {}

    def to_dict(self) -> dict[str, JSON]:
        """Return OpenAI's form."""
        return {
            "index": self.index,
            "message": self.message.whole(),
            **({"logprobs": self.logprobs.to_dict()} if self.logprobs is not None else {}),
            "finish_reason": self.finish_reason,
            **self.extra,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON], position: int = 0) -> Choice:
        """Read OpenAI's form; *position* is the index of a choice that has none."""
        kinds = {"index": int, "message": dict, "logprobs": dict, "finish_reason": str}
        named, rest = split(value, kinds)
        index = named.get("index", position)
        return cls(
            index=index,
            message=AssistantMessage.from_dict(named.get("message", {})),
            finish_reason=named.get("finish_reason"),
            logprobs=Logprobs.from_dict(named["logprobs"], index) if "logprobs" in named else None,
            extra=rest,
        )


class Completion(OpenAIShape, msgspec.Struct, kw_only=True, eq=False):
    """A complete answer in the OpenAI shape, with the extras of the other providers.

    *id*, *created* (Unix seconds), *model*, *system_fingerprint* and *service_tier* are as the service named
    them; where it named none, *model* is what was asked for, the others are "" or None. *extra* is what has
    no name here. *response* is the HTTP side of the answer. Two are equal when they say the same: neither
    *conversation* nor *response* is compared.
    """

    choices: list[Choice]
    model: str = ""
    provider: str = ""
    usage: Usage | None = None
    title: str | None = None
    conversation: Conversation | None = None
    response: AnswerHead | None = None
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

    @property
    def images(self) -> list[Image]:
        """The images of all choices."""
        return [image for choice in self.choices for image in choice.message.images or ()]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Completion) and self.to_dict() == other.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return all the answer says as OpenAI's JSON; what is ours (provider, title) stands under `g4fsdk`.

        The conversation is left out: it may hold a session's cookies, and has a `to_dict` of its own.
        """
        ours = {key: value for key, value in (("provider", self.provider), ("title", self.title)) if value}
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [choice.to_dict() for choice in self.choices],
            **({"usage": self.usage.to_dict()} if self.usage is not None else {}),
            **given(system_fingerprint=self.system_fingerprint, service_tier=self.service_tier),
            **({OURS: ours} if ours else {}),
            **self.extra,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> Completion:
        """Read what `to_dict` returned, or OpenAI's own. Raises UsageError when *value* is something else."""
        named, rest = split(value, {**FACTS, "choices": list, "usage": dict, OURS: dict})
        if "choices" not in named:
            raise UsageError(f"not a completion, which has choices: {value!r}"[:300])
        if rest.get("object") == "chat.completion":
            del rest["object"]
        ours = named.pop(OURS, {})
        choices = mappings(named.pop("choices"))
        usage = named.pop("usage", None)
        return cls(
            **named,
            choices=[Choice.from_dict(choice, at) for at, choice in enumerate(choices)],
            usage=Usage.from_dict(usage) if usage is not None else None,
            provider=ours.get("provider", ""),
            title=ours.get("title"),
            extra=rest,
        )


class ImagesResponse(msgspec.Struct):
    """The images made for one prompt."""

    data: list[Image]


class Model(msgspec.Struct):
    """A model that can be asked; *extra* is what the service says of it that has no name here."""

    id: str
    owned_by: str = ""
    object: str = "model"
    created: int | None = None
    extra: dict[str, JSON] = {}

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> Model:
        """Read OpenAI's form. Raises UsageError when there is no id."""
        named, rest = split(value, {"id": str, "owned_by": str, "object": str, "created": int})
        if "id" not in named:
            raise UsageError(f"not a model, which has an id: {value!r}"[:300])
        return cls(**named, extra=rest)


ModelList: TypeAlias = list[Model]
