"""What g4f's generators yield, told apart by type. Printed, everything but text and images is nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex, TypeAlias

from g4fsdk._client.ids import SYSTEM_IDS
from g4fsdk._core.decoding.images import address_of
from g4fsdk._core.model.events import (
    Event,
    Finish,
    Image,
    ImageEvent,
    RefusalDelta,
    TextDelta,
    Title,
)


class _Item:
    """What g4f's own client, where it is loaded, takes for the item of that name of its own."""

    __slots__ = ()
    _name: ClassVar[str]

    @property  # type: ignore[misc]  # isinstance asks for it, once the type itself is not what it looks for
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # nobody sets it
        return getattr(sys.modules.get("g4f.providers.response"), self._name, type(self))

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        """Pickled, it is of its own type: `__class__` would name the other."""
        return (object.__new__, (type(self),), *super().__reduce_ex__(protocol)[2:])


class _Unseen(_Item):
    """An item that is no text: printed it is nothing."""

    __slots__ = ()

    def __str__(self) -> str:
        return ""

    def __bool__(self) -> bool:
        return False  # g4f's own client skips what is nothing, and takes the rest for text


@dataclass(frozen=True, slots=True)
class FinishReason(_Unseen):
    """Why the answer ended, in the service's own word."""

    _name = "FinishReason"
    reason: str


@dataclass(frozen=True, slots=True)
class TitleGeneration(_Unseen):
    """The name that the service gives the conversation."""

    _name = "TitleGeneration"
    title: str


class ImageResponse(_Item):
    """Images by their URLs, exactly as sent; its text is Markdown.

    *images* is one URL or several, *alt* what was asked for. `images`, `urls` and `image_urls` are one list.
    """

    _name = "ImageResponse"

    def __init__(
        self, images: str | Iterable[str], alt: str = "", options: Mapping[str, Any] | None = None
    ) -> None:
        self.images: list[str] = [images] if isinstance(images, str) else [*images]
        self.alt = alt
        self.options: dict[str, Any] = dict(options or {})

    @property
    def urls(self) -> list[str]:
        return self.images

    @property
    def image_urls(self) -> list[str]:
        return self.images

    def get_list(self) -> list[str]:
        """Return the URLs."""
        return [*self.images]

    def get(self, key: str) -> Any:
        """Return the option *key*, or None."""
        return self.options.get(key)

    def __str__(self) -> str:
        alt = " ".join(self.alt.split())
        several = len(self.images) > 1
        lines = (
            f"[![{f'#{number} {alt}' if several else alt}]({_target(url)})]({_target(url)})"
            for number, url in enumerate(self.images, 1)
        )
        body = "\n".join(lines)
        return f"\n<!-- generated images start -->\n{body}\n<!-- generated images end -->\n\n"

    def __repr__(self) -> str:
        return f"ImageResponse({self.images!r}, {self.alt!r})"


def _target(url: str) -> str:
    """Return *url* as Markdown wants it: in angle brackets where a space or bracket would end it."""
    return f"<{url}>" if {*" ()"} & {*url} else url


class JsonConversation(_Item):
    """A handle to go on with: any attributes, yours to change, to pickle or to keep as JSON.

    `JsonConversation(**conversation.get_dict())` makes the same again. It may hold session cookies, so keep
    it as you would keep a password.
    """

    _name = "JsonConversation"

    def __init__(self, /, **attributes: Any) -> None:
        vars(self).update(attributes)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def get_dict(self) -> dict[str, Any]:
        """Return the attributes."""
        return dict(vars(self))

    def reset(self) -> None:
        """Forget every attribute."""
        vars(self).clear()

    def __str__(self) -> str:
        return ""


class Conversation(JsonConversation):
    """A conversation with Yqcloud: its *model*, a fresh `userId`, and the `message_history` so far."""

    model: str
    userId: str  # noqa: N815  # the service's spelling
    message_history: list[dict[str, Any]]

    def __init__(self, model: str, **attributes: Any) -> None:
        fresh = {"model": model, "userId": f"#/chat/{SYSTEM_IDS.now_ms()}", "message_history": []}
        super().__init__(**(fresh | attributes))


Item: TypeAlias = str | FinishReason | TitleGeneration | ImageResponse | JsonConversation


def items_of(event: Event) -> Iterator[str | FinishReason | TitleGeneration | ImageResponse]:
    """Give what *event* is in g4f's terms: one item, or none."""
    match event:
        case TextDelta(text=text) | RefusalDelta(text=text):  # a refusal stands in place of the answer
            yield text
        case Title(text=title):
            yield TitleGeneration(title)
        case ImageEvent(images=images, prompt=prompt):
            yield image_response(images, prompt)
        case Finish(reason=str(reason)):
            yield FinishReason(reason)


def image_response(images: Iterable[Image], prompt: str) -> ImageResponse:
    return ImageResponse([address_of(image) for image in images], prompt)
