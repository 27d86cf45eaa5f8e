"""What the two clients share: which providers to ask, in what order, and what an error gets told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import count
from threading import TIMEOUT_MAX
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from g4fsdk import providers
from g4fsdk._client.clocks import Clocks, Timeouts
from g4fsdk._client.ids import SYSTEM_IDS
from g4fsdk._client.retries import Retries, read_retries
from g4fsdk._client.task import Task, no_flow
from g4fsdk._core.flow.provider import Flow, Provider
from g4fsdk._core.model.chat import (
    Chat,
    Conversation,
    Ids,
    Messages,
)
from g4fsdk._core.model.completions import (
    Chunk,
    ChunkChoice,
    Delta,
    Model,
    to_chunk,
)
from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.events import Event, TextDelta
from g4fsdk._core.model.redact import secrets_of

T = TypeVar("T")
ProviderLike: TypeAlias = str | Provider
#: A conversation, or what its `to_dict` returned.
ConversationLike: TypeAlias = Conversation | Mapping[str, Any]

#: Tells a recorder what a provider is asked: the arguments of `create` or `generate`.
Note: TypeAlias = Callable[[Provider, Mapping[str, Any], Ids], None]

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")  # what both HTTP libraries know


def read_conversation(conversation: ConversationLike | None) -> Conversation | None:
    """Return *conversation* itself, read back where it is a mapping. Raises UsageError for anything else."""
    if conversation is None or isinstance(conversation, Conversation):
        return conversation
    if isinstance(conversation, Mapping):
        return Conversation.from_dict(conversation)
    raise UsageError(f"conversation must be one, or what its to_dict() gave, not {conversation!r}"[:300])


def read_timeouts(timeout: Timeouts | float | None) -> Timeouts:
    """Return *timeout* as clocks: a number is the limit of each clock but the total, None is no limit.

    Raises:
        UsageError: A limit that is no time to wait.
    """
    if timeout is None:
        return Timeouts(None, None, None, None)
    if isinstance(timeout, Timeouts):
        for clock in fields(timeout):
            _check_seconds(getattr(timeout, clock.name))
        return timeout
    _check_seconds(timeout)
    return Timeouts(min(timeout, 10.0), timeout, timeout)


def _check_seconds(seconds: object) -> None:
    if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds <= TIMEOUT_MAX):
        raise UsageError(f"a timeout is a positive number of seconds, or None for no limit, not {seconds!r}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was made with, checked."""

    providers: tuple[Provider, ...]  # () when the model chooses
    model: str
    headers: Mapping[str, str] = field(repr=False)
    timeouts: Timeouts
    retries: Retries
    ids: Ids
    secrets: frozenset[str] = field(repr=False)
    note: Note
    calls: count[int]

    @classmethod
    def read(
        cls,
        provider: ProviderLike | Sequence[ProviderLike] | None,
        *,
        model: str | None,
        api_key: str | None,
        base_url: str | None,
        headers: Mapping[str, str] | None,
        proxy: str | None,
        timeout: Timeouts | float | None,
        retries: Retries | int,
        ids: Ids | None,
        transport: object = None,
    ) -> Settings:
        """*transport* may bring ids that make its recording again, and may want to know what is asked.

        Raises UsageError for an unknown provider, or a key that would go to several services.
        """
        found = _read_providers(provider, {"base_url": base_url, "api_key": api_key, "headers": headers})
        proxy_secrets = secrets_of({}, _checked_proxy(proxy) or "")
        return cls(
            found,
            model or "",
            dict(headers or {}),
            read_timeouts(timeout),
            read_retries(retries),
            ids or getattr(transport, "new_ids", _no_ids)() or SYSTEM_IDS,
            frozenset({api_key} if api_key else ()) | proxy_secrets,
            getattr(transport, "note_call", _note_nothing),
            count(),
        )

    def chat_tasks(
        self,
        messages: Messages,
        model: str | None,
        *,
        stream: bool,
        conversation: ConversationLike | None,
        ignore_unsupported: bool,
        options: Mapping[str, Any],
    ) -> list[Task]:
        """Return one task a provider, in the order to try them. Raises UsageError for bad input."""
        wanted = model or self.model
        ids = self.ids.child(next(self.calls))
        begun = read_conversation(conversation)

        def start(provider: Provider, attempt: int, handle: Conversation | None) -> Flow:
            chat = Chat(messages, wanted, stream, options, handle, ids, ignore_unsupported, attempt)
            said = {"messages": chat.messages, "model": wanted or provider.model, "stream": stream, **options}
            lenient = {"ignore_unsupported": True} if ignore_unsupported else {}
            self.note(provider, {**said, **lenient, "conversation": handle}, ids)
            return provider.chat(chat)

        return [Task(provider, start, begun, self.secrets) for provider in self._asked(wanted, begun)]

    def image_tasks(self, prompt: str, model: str | None, options: Mapping[str, Any]) -> list[Task]:
        """The same for images."""
        wanted = model or self.model
        call_ids = self.ids.child(next(self.calls))

        def start(provider: Provider, attempt: int, handle: Conversation | None) -> Flow:
            ids = call_ids.child(attempt)
            self.note(provider, {"prompt": prompt, "model": wanted or provider.model, **options}, ids)
            return provider.image(prompt, wanted, options, ids)

        return [Task(provider, start, None, self.secrets) for provider in self._asked(wanted, None)]

    def models_task(self) -> tuple[Task, list[Model] | None]:
        """Return whom to ask for models, and the list where it is fixed. Raises UsageError for nobody."""
        if not self.providers:
            raise UsageError(f"name a provider: Client(...); known: {', '.join(providers.PROVIDERS)}")
        provider = self.providers[0]
        task = Task(provider, no_flow, None, self.secrets)
        fixed = provider.list_models() is None
        return task, task.models([*provider.models, *provider.image_models]) if fixed else None

    def clocks(self, *, is_closed: bool) -> Clocks:
        """Return the clocks of a call. Raises UsageError when its client *is_closed*."""
        if is_closed:
            raise UsageError("this client is closed; make a new one")
        return Clocks(self.timeouts)

    def _asked(self, model: str, conversation: Conversation | None) -> Iterable[Provider]:
        if conversation is not None:
            return self._of_conversation(conversation)
        if self.providers:
            return self.providers
        if not model:
            raise UsageError(
                f"name a provider or a model: Client('yqcloud') or create(..., model='gpt-4'); "
                f"known providers: {', '.join(providers.PROVIDERS)}"
            )
        return [providers.get(name, headers=self.headers) for name in providers.listing(model)]

    def _of_conversation(self, conversation: Conversation) -> list[Provider]:
        if not self.providers:
            provider = providers.get(conversation.provider, headers=self.headers)
            if not provider.has_home:
                raise UsageError(
                    f"say where this conversation lives: Client({provider.name!r}, base_url=..., api_key=...)"
                )
            return [provider]
        found = [provider for provider in self.providers if provider.name == conversation.provider]
        if not found:
            names = " or ".join(repr(provider.name) for provider in self.providers)
            raise UsageError(f"this conversation is with {conversation.provider!r}, not with {names}")
        return found


def _checked_proxy(proxy: str | None) -> str | None:
    if proxy is not None and not _is_proxy(proxy):
        place = str(proxy).rpartition("@")[2]
        raise UsageError(
            f"proxy must be an address like http://user:password@host:port, not {place!r} (what may be a "
            f"password is left out); known: {', '.join(_PROXY_SCHEMES)}"
        )
    return proxy


def _is_proxy(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        is_whole = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number, half an IPv6 address
        return False
    return is_whole and parts.scheme in _PROXY_SCHEMES and proxy.isprintable() and " " not in proxy


def _read_providers(
    provider: ProviderLike | Sequence[ProviderLike] | None, settings: Mapping[str, Any]
) -> tuple[Provider, ...]:
    given = {key: value for key, value in settings.items() if value is not None}
    several = [] if provider is None else [provider] if isinstance(provider, str | Provider) else [*provider]
    has_objects = any(isinstance(one, Provider) for one in several)
    own = sorted({"base_url", "api_key"} & given.keys())
    if has_objects and given.get("headers"):  # names take them all, objects have their own
        own.append("headers")
    if own and (len(several) != 1 or has_objects):
        raise UsageError(
            f"{own[0]}= belongs to one provider: name exactly one, or say providers.get(name, {own[0]}=...)"
        )
    return tuple(providers.get(one, **given) if isinstance(one, str) else one for one in several)


#: What a stream gives its caller: made for a model's name, takes events and returns the items they become.
View: TypeAlias = Callable[[str], Callable[[list[Event]], Iterable[T]]]


def as_events(model: str) -> Callable[[list[Event]], Iterable[Event]]:
    """View a stream as its events."""
    return iter


def as_chunks(model: str) -> Callable[[list[Event]], Iterable[Chunk]]:
    """View a stream as OpenAI-shaped chunks."""
    return partial(chunks_of, model=model)


def chunks_of(events: Iterable[Event], model: str) -> list[Chunk]:
    """Return *events* as OpenAI-shaped chunks."""
    chunks = []
    for event in events:
        if type(event) is TextDelta:  # nearly all of them
            chunks.append(Chunk([ChunkChoice(Delta(event.text), event.choice)], model))
        else:
            chunk = to_chunk(event, model)
            if chunk is not None:
                chunks.append(chunk)
    return chunks


def register_secrets(transport: object, settings: Settings) -> None:
    """Tell a recorder the keys of its client, so that none of them reaches a file."""
    add = getattr(transport, "add_secret", None)
    if add is not None:
        keys = {provider.api_key for provider in settings.providers if provider.api_key}
        for secret in sorted(settings.secrets | keys):
            add(secret)


def _no_ids() -> None:
    """What a transport without ids of its own gives."""


def _note_nothing(provider: Provider, call: Mapping[str, Any], ids: Ids) -> None:
    """What a transport that wants to know nothing is told."""
