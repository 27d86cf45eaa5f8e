"""What a caller says: messages, and the conversation they belong to. Values only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.http import JSON

Content: TypeAlias = str | Sequence[Mapping[str, JSON]] | None
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat.

    *content* is text, a list of OpenAI content parts, or None (an assistant that only called tools).
    *extra* holds every other key of the message (``name``, ``tool_calls``...). *has_content*
    is false where the message goes out without the key.
    """

    role: str
    content: Content = None
    extra: Mapping[str, JSON] = field(default_factory=dict)
    has_content: bool = field(default=True, compare=False)

    @property
    def text(self) -> str:
        """The content as text: the text parts of a list joined with nothing in between, "" for none."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part["text"] for part in self.content or () if isinstance(part.get("text"), str))

    def to_dict(self) -> dict[str, JSON]:
        """Return the message as the mapping that goes out as JSON, its further keys included."""
        content = {"content": self.content} if self.has_content else {}
        return {"role": self.role} | content | dict(self.extra)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, JSON]) -> Message:
        """Read *mapping*. Raises UsageError for a missing or unknown role and for content of another type."""
        extra = {key: value for key, value in mapping.items() if key not in ("role", "content")}
        return cls(_checked_role(mapping), _checked_content(mapping), extra, "content" in mapping)


def _checked_role(mapping: Mapping[str, JSON]) -> str:
    match mapping.get("role"):
        case str(role) if role in ROLES:
            return role
        case other:
            raise UsageError(f"unknown role {other!r} in a message; known: {', '.join(sorted(ROLES))}")


def _checked_content(mapping: Mapping[str, JSON]) -> Content:
    match mapping.get("content"):
        case None | str() as content:
            if content is None and mapping.get("role") in ("system", "developer", "user"):
                raise UsageError(f"the {mapping['role']} message has no content; give it text")
            return content
        case list() | tuple() as parts if all(isinstance(part, Mapping) for part in parts):
            return list(parts)
        case other:
            raise UsageError(f"message content must be text or a list of parts, not {type(other).__name__}")


class ToMapping(Protocol):
    """Anything that knows its own message form, as the message of a completion does."""

    def to_dict(self) -> dict[str, JSON]: ...


Messages: TypeAlias = str | Sequence[Mapping[str, JSON] | ToMapping]


def read_messages(messages: Messages) -> tuple[Message, ...]:
    """Return *messages* checked and copied; a text is one user message.

    Raises:
        UsageError: No messages, an unknown role, or content that is neither text nor parts.
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    items: object = messages
    if not isinstance(items, list | tuple):
        raise UsageError(f"messages must be text or a list of messages, not {type(items).__name__}")
    read = tuple(_read_message(item) for item in items)
    if not any(message.content or message.extra for message in read):
        raise UsageError("messages are empty; give at least one message with content")
    return read


def _read_message(message: Any) -> Message:
    if isinstance(message, Message):
        return message
    if isinstance(message, Mapping):
        return Message.from_mapping(message)
    if hasattr(message, "to_dict"):
        return Message.from_mapping(message.to_dict())
    raise UsageError(f"a message must be a mapping with role and content, not {type(message).__name__}")


@dataclass(frozen=True, slots=True, repr=False)
class Conversation:
    """A handle to go on with: the messages so far, and what the service needs to find its own side.

    It may hold the service's session cookies, so its repr shows neither them nor the messages; keep the
    result of `to_dict` as you would keep a password.
    """

    provider: str
    model: str = ""
    messages: tuple[Message, ...] = ()
    state: Mapping[str, JSON] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Conversation {self.provider} {self.model!r}, {len(self.messages)} messages>"

    @property
    def home(self) -> str:
        """The server that keeps its side of the conversation, "" where none does."""
        home = self.state.get("home", "")
        return home if isinstance(home, str) else repr(home)

    def elsewhere(self) -> Conversation:
        """Return the conversation with no server named, so that one that plays it may answer, too."""
        return replace(self, state={name: value for name, value in self.state.items() if name != "home"})

    def with_messages(self, messages: Iterable[Message]) -> Conversation:
        return Conversation(self.provider, self.model, tuple(messages), self.state)

    def to_dict(self) -> dict[str, JSON]:
        """Return plain JSON values, which `from_dict` reads back."""
        messages = [message.to_dict() for message in self.messages]
        return {
            "provider": self.provider,
            "model": self.model,
            "messages": messages,
            "state": dict(self.state),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, JSON]) -> Conversation:
        """Read what `to_dict` returned. Raises UsageError when *value* is something else."""
        match value:
            case {
                "provider": str(provider),
                "model": str(model),
                "messages": list(messages),
                "state": dict(s),
            }:
                return cls(provider, model, tuple(_read_message(m) for m in messages), s)
            case _:
                raise UsageError("not a conversation; give what Conversation.to_dict() returned")


class Ids(Protocol):
    """Where a provider gets its ids and the time: values, so that a recorded request can be made again.

    Make a subclass to give your own. An id is named by what it is for: the same source gives the same id
    for the same name.
    """

    def uuid(self, name: str) -> str:
        """Return a random-looking UUID for *name*, in 8-4-4-4-12 form."""
        ...

    def now_ms(self) -> int:
        """Return the Unix time in milliseconds."""
        ...

    def child(self, number: int) -> Ids:
        """Return the source for call or attempt *number*, from 0; that for 0 gives the same ids as this."""
        ...

    @staticmethod
    def seeded(seed: int) -> Ids:
        """Return a source that always gives the same ids, for tests and recordings."""
        return SeededIds(str(seed))


@dataclass(frozen=True, slots=True)
class SeededIds(Ids):
    """Ids drawn from a hash of *seed* and the name asked for."""

    seed: str = "0"

    def uuid(self, name: str) -> str:
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).hexdigest()
        variant = "89ab"[int(digest[16], 16) % 4]
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"

    def now_ms(self) -> int:
        return 1_700_000_000_000 + int(hashlib.sha256(self.seed.encode()).hexdigest()[:8], 16)

    def child(self, number: int) -> Ids:
        return SeededIds(f"{self.seed}.{number}") if number else self


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Chat:
    """What a caller asks a provider for.

    *messages* may be given as text or mappings and are kept as a tuple of Message. *model* "" means the
    provider's default. *options* are sampling options by their OpenAI names; one that the provider cannot
    honour is a UsageError, or left out with *ignore_unsupported*. *attempt* counts the tries of one call
    from 0: what a service wants anew for each is drawn by it, all else stays the same. Options may hold
    keys (``extra_headers``), so the repr shows no values.

    Raises:
        UsageError: Messages that cannot be sent.
    """

    messages: tuple[Message, ...]
    model: str
    stream: bool
    options: Mapping[str, JSON]
    conversation: Conversation | None
    ids: Ids
    ignore_unsupported: bool
    attempt: int

    def __init__(
        self,
        messages: Messages,
        model: str = "",
        stream: bool = True,
        options: Mapping[str, JSON] | None = None,
        conversation: Conversation | None = None,
        ids: Ids | None = None,
        ignore_unsupported: bool = False,
        attempt: int = 0,
    ) -> None:
        object.__setattr__(self, "messages", read_messages(messages))
        object.__setattr__(self, "model", model or "")
        object.__setattr__(self, "stream", stream)
        object.__setattr__(self, "options", dict(options or {}))
        object.__setattr__(self, "conversation", conversation)
        object.__setattr__(self, "ids", ids or SeededIds())
        object.__setattr__(self, "ignore_unsupported", ignore_unsupported)
        object.__setattr__(self, "attempt", attempt)

    def __repr__(self) -> str:
        options = f", options {', '.join(self.options)}" if self.options else ""
        return f"<Chat {self.model!r}, {len(self.messages)} messages{options}>"
