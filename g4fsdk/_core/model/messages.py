"""The assistant's message, and what it holds beside its text: in the OpenAI shape, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from g4fsdk._core.model.events import Image, read_image
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.shape import given, mappings, nested, split

#: Where a message says its reasoning as text: DeepSeek's name first, then that of OpenRouter and newer vLLM.
REASONING_KEYS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
# Where it says it in parts, and what a part of nothing but text is there: Mistral, OpenRouter, LiteLLM.
_IN_PARTS: Mapping[str, Callable[[str], dict[str, JSON]]] = {
    "content": lambda text: {"type": "thinking", "thinking": [{"type": "text", "text": text}]},
    "reasoning_details": lambda text: {"type": "reasoning.text", "text": text},
    "thinking_blocks": lambda text: {"type": "thinking", "thinking": text},
}
_THOUGHTS = ("thinking", "redacted_thinking", "reasoning")  # parts of the content that are no answer


class Function(msgspec.Struct, omit_defaults=True):
    """The function of a tool call; *arguments* is JSON text."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    """A tool call, or in a chunk the next piece of one.

    With *type* "custom" the function is the custom tool, and its arguments are the input, which is any text.
    *extra* is what has no name here, nested as it came, and goes back with the message. *has_index*: the
    index stood in a message, where it is usually left out.
    """

    id: str | None = None
    function: Function = msgspec.field(default_factory=Function)
    index: int = 0
    type: str = "function"
    extra: dict[str, JSON] = {}
    has_index: bool = False

    def to_dict(self) -> dict[str, JSON]:
        """Return OpenAI's form, without the index."""
        key, text = _CALL_KEYS[self.type == "custom"]
        inner = given(**{"name": self.function.name, text: self.function.arguments})
        return nested(given(id=self.id, type=self.type) | {key: inner}, self.extra)

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON], position: int = 0) -> ToolCall:
        """Read OpenAI's form; *position* is the index of a call that has none."""
        is_custom = _is_custom(value)
        key, text = _CALL_KEYS[is_custom]
        named, rest = split(value, {"id": str, "type": str, "index": int, key: dict})
        inner, beside = split(named.pop(key, {}), {"name": str, text: str})
        function = Function(inner.get("name"), inner.get(text))
        extra = rest | ({key: beside} if beside else {})
        usual: dict[str, Any] = {"index": position, "type": "custom" if is_custom else "function"}
        return cls(function=function, extra=extra, has_index="index" in named, **usual | named)


def _is_custom(call: Mapping[str, JSON]) -> bool:
    kind = call.get("type")
    return kind == "custom" if isinstance(kind, str) else "custom" in call and "function" not in call


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
    f"{key}_parts" for key in ("content", "refusal", *REASONING_KEYS, "audio", "tool_calls", "function_call")
)


class AssistantMessage(msgspec.Struct, kw_only=True):
    """The assistant's answer. It can be put back into a message list as it is.

    *annotations* are as sent. *extra* is what has no name here. *reasoning_key* is the name under which the
    service says its reasoning: as text, or in parts ("content", "reasoning_details", "thinking_blocks").
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

        That is all but annotations and parts of another kind; of what was spoken, its id. Thoughts that the
        service signed go back as they came; other reasoning with tool calls only, under the service's name:
        there some insist on it, elsewhere some refuse it.
        """
        named = self.whole() | {"role": self.role}
        reasoning = self._reasoning(named)
        for key in ("annotations", *_PARTS_BESIDE, *REASONING_KEYS):
            named.pop(key, None)
        if self.tool_calls:
            named["tool_calls"] = [_without_index(call) for call in named["tool_calls"]]
            if self.content is None:
                del named["content"]
        if self.audio is not None:
            named["audio"] = {"id": self.audio.id}
        return named | reasoning

    def _reasoning(self, named: Mapping[str, JSON]) -> dict[str, JSON]:
        """Return what goes back of the reasoning in *named*."""
        text = [{"type": "text", "text": self.content}] if self.content else []
        parts = self.extra.get("content_parts")
        if thoughts := [part for part in parts if _is_thought(part)] if isinstance(parts, list) else []:
            return {"content": thoughts + text}
        if not self.tool_calls or self.reasoning_key in self.extra:
            return {}
        if self.reasoning is not None and self.reasoning_key in _IN_PARTS:
            part = _IN_PARTS[self.reasoning_key](self.reasoning)
            return {self.reasoning_key: [part, *(text if self.reasoning_key == "content" else ())]}
        return {key: named[key] for key in REASONING_KEYS if key in named}

    def whole(self) -> dict[str, Any]:
        """Return the message as it stands in an answer."""
        calls = [_call(call, position) for position, call in enumerate(self.tool_calls or ())]
        known: dict[str, JSON] = {
            "role": self.role,
            "content": self.content,
            **given(refusal=self.refusal, annotations=self.annotations),
            **given(
                **{
                    REASONING_KEYS[0]
                    if self.reasoning_key in _IN_PARTS
                    else self.reasoning_key: self.reasoning
                }
            ),
            **({"tool_calls": calls} if calls else {}),
            **({"audio": self.audio.to_dict()} if self.audio is not None else {}),
            **({"images": [image.to_dict() for image in self.images]} if self.images else {}),
        }
        return nested(known, self.extra)

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> AssistantMessage:
        """Read OpenAI's form. Raises UsageError for calls that are none."""
        named, rest = split(value, _MESSAGE)
        if named.get("role", _ROLE) != _ROLE:
            rest["role"] = named.pop("role")
        key = next((key for key in REASONING_KEYS if isinstance(rest.get(key), str)), REASONING_KEYS[0])
        reasoning = rest.pop(key) if isinstance(rest.get(key), str) else None
        more = read_beside_text(named, rest)
        return cls(**named | more, reasoning=reasoning, reasoning_key=key, extra=rest)


_ROLE = "assistant"
_MESSAGE = {
    "role": str,
    "content": str,
    "refusal": str,
    "annotations": list,
    "tool_calls": list,
    "audio": dict,
    "images": list,
}


def _is_thought(part: JSON) -> bool:
    return isinstance(part, dict) and part.get("type") in _THOUGHTS


def _without_index(call: JSON) -> JSON:
    return {key: call[key] for key in call if key != "index"} if isinstance(call, dict) else call


def _call(call: ToolCall, position: int) -> dict[str, JSON]:
    index = {"index": call.index} if call.has_index or call.index != position else {}
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
