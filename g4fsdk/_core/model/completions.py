"""Whole answers in the OpenAI shape, and what chunks have in common with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

import msgspec

from g4fsdk._core.model.chat import Conversation
from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.events import Image, Logprobs, Usage
from g4fsdk._core.model.http import JSON, AnswerHead
from g4fsdk._core.model.messages import AssistantMessage
from g4fsdk._core.model.shape import OpenAIShape, given, mappings, nested, split

FACTS: Mapping[str, type] = {
    "id": str,
    "created": int,
    "model": str,
    "system_fingerprint": str,
    "service_tier": str,
}
# What is ours in an answer's JSON stands below this key.
_OURS = "g4fsdk"
ChoiceT = TypeVar("ChoiceT", bound="AnyChoice")


class Facts(msgspec.Struct, frozen=True):
    """What a service says of an answer beside its choices: "" or None where it does not say."""

    id: str = ""
    created: int | None = None
    model: str = ""
    system_fingerprint: str | None = None
    service_tier: str | None = None
    extra: dict[str, JSON] = {}


class AnyChoice:
    """What a choice of an answer and one of a chunk have in common."""

    __slots__ = ()
    index: int
    finish_reason: str | None
    logprobs: Logprobs | None
    extra: dict[str, JSON]
    #: Where it says something, and what that is.
    _key: ClassVar[str]
    _kind: ClassVar[type[Any]]

    def _said(self) -> dict[str, Any]:
        raise NotImplementedError

    def to_dict(self) -> dict[str, JSON]:
        """Return OpenAI's form."""
        return {
            "index": self.index,
            self._key: self._said(),
            **({"logprobs": self.logprobs.to_dict()} if self.logprobs is not None else {}),
            "finish_reason": self.finish_reason,
            **self.extra,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON], position: int = 0) -> Self:
        """Read OpenAI's form; *position* is the index of a choice that has none."""
        kinds = {"index": int, cls._key: dict, "logprobs": dict, "finish_reason": str}
        named, rest = split(value, kinds)
        said = cls._kind.from_dict(named.get(cls._key, {}))
        fields: dict[str, Any] = {"index": position, **named, cls._key: said, "extra": rest}
        if "logprobs" in fields:
            fields["logprobs"] = Logprobs.from_dict(fields["logprobs"], fields["index"])
        return cls(**fields)


class Choice(AnyChoice, msgspec.Struct, kw_only=True):
    """One of the answers asked for. *extra* is what has no name here."""

    _key = "message"
    _kind = AssistantMessage
    index: int = 0
    message: AssistantMessage
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    extra: dict[str, JSON] = {}

    def _said(self) -> dict[str, Any]:
        return self.message.whole()


class AnyAnswer(OpenAIShape, msgspec.Struct, Generic[ChoiceT], eq=False):
    """What a completion and a chunk have in common: who answers, and the choices.

    *id*, *created* (Unix seconds), *model*, *system_fingerprint* and *service_tier* are as the service named
    them; where it named none, *model* is what was asked for, the others are "" or None. *extra* is what has
    no name here.
    """

    choices: list[ChoiceT]
    model: str = ""
    id: str = ""
    created: int | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    extra: dict[str, JSON] = {}
    usage: Usage | None = None
    title: str | None = None
    conversation: Conversation | None = None

    #: Its name in OpenAI's JSON, what its choices are, and the fields that are ours.
    _object: ClassVar[str]
    _choice: ClassVar[type[Any]]
    _ours: ClassVar[tuple[str, ...]] = ("title",)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyAnswer) and self.to_dict() == other.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return all it says as OpenAI's JSON; what is ours (provider, title) stands under `g4fsdk`.

        The conversation is left out: it may hold a session's cookies, and has a `to_dict` of its own.
        """
        ours = {name: value for name in self._ours if (value := getattr(self, name))}
        known = {
            "id": self.id,
            "object": self._object,
            "created": self.created,
            "model": self.model,
            "choices": [choice.to_dict() for choice in self.choices],
            **({"usage": self.usage.to_dict()} if self.usage is not None else {}),
            **given(system_fingerprint=self.system_fingerprint, service_tier=self.service_tier),
            **({_OURS: ours} if ours else {}),
        }
        return nested(known, self.extra)

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> Self:
        """Read what `to_dict` returned, or OpenAI's own; null is what was not said.

        Raises:
            UsageError: *value* is something else.
        """
        match value:
            case {"choices": list()}:
                pass
            case _:
                raise UsageError(f"not a {cls._object}, which has choices: {value!r}"[:300])
        named, rest = split(value, {**FACTS, "choices": list, "usage": dict, _OURS: dict})
        if rest.get("object") == cls._object:
            del rest["object"]
        more = named.pop(_OURS, {})
        ours = {name: more[name] for name in cls._ours if more.get(name) and isinstance(more[name], str)}
        more = {name: said for name, said in more.items() if name not in ours}
        if "usage" in named:
            named["usage"] = Usage.from_dict(named["usage"])
        choices = enumerate(mappings(named.pop("choices")))
        return cls(
            choices=[cls._choice.from_dict(choice, at) for at, choice in choices],
            extra=rest | ({_OURS: more} if more else {}),
            **named,
            **ours,
        )


class Completion(AnyAnswer[Choice], kw_only=True, eq=False):
    """A complete answer in the OpenAI shape, with the extras of the other providers.

    *id*, *created* (Unix seconds), *model*, *system_fingerprint* and *service_tier* are as the service named
    them; where it named none, *model* is what was asked for, the others are "" or None. *extra* is what has
    no name here. *response* is the HTTP side of the answer. Two are equal when they say the same: neither
    *conversation* nor *response* is compared.
    """

    _object = "chat.completion"
    _choice = Choice
    _ours = ("provider", "title")
    provider: str = ""
    response: AnswerHead | None = None

    def __str__(self) -> str:
        """Return its text; where it has none, all that it holds."""
        return self.text or repr(self)

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


class ImagesResponse(msgspec.Struct):
    """The images made for one prompt.

    *model* is what the service named, or what was asked for; *extra* is what stood beside the images that
    has no name here.
    """

    data: list[Image]
    created: int | None = None
    model: str = ""
    id: str = ""
    usage: Usage | None = None
    extra: dict[str, JSON] = {}

    @classmethod
    def of(cls, completion: Completion) -> Self:
        """Return the images of *completion*, and what the service said beside them."""
        beside = {name: getattr(completion, name) for name in ("created", "model", "id", "usage")}
        unnamed = {name: getattr(completion, name) for name in ("system_fingerprint", "service_tier")}
        return cls(completion.images, **beside, extra=given(**unnamed) | completion.extra)


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
