"""What a client was made with, and whom its calls ask, in what order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from g4fsdk import providers
from g4fsdk._client.clocks import UNCHANGED, Timeouts, read_timeouts
from g4fsdk._client.ids import SYSTEM_IDS
from g4fsdk._client.retries import Retries, read_retries
from g4fsdk._client.task import ChatCall, ChatTask, ImageCall, ImageTask, ModelsTask, Note
from g4fsdk._client.transport import Transport
from g4fsdk._core.flow.provider import Provider, checked_headers
from g4fsdk._core.framing.parser import MAX_BYTES
from g4fsdk._core.model.chat import Conversation, Ids, Messages, read_messages
from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.redact import secrets_of

ProviderLike: TypeAlias = str | Provider
#: A conversation, or what its `to_dict` returned.
ConversationLike: TypeAlias = Conversation | Mapping[str, Any]

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")  # what both HTTP libraries know


def read_conversation(conversation: ConversationLike | None) -> Conversation | None:
    """Return *conversation* itself, read back where it is a mapping. Raises UsageError for anything else."""
    if conversation is None or isinstance(conversation, Conversation):
        return conversation
    if isinstance(conversation, Mapping):
        return Conversation.from_dict(conversation)
    raise UsageError(f"conversation must be one, or what its to_dict() gave, not {conversation!r}"[:300])


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was made with, checked."""

    providers: tuple[Provider, ...]  # () when the model chooses
    model: str
    headers: Mapping[str, str] = field(repr=False)
    timeouts: Timeouts
    retries: Retries
    max_bytes: int
    ids: Ids
    secrets: frozenset[str] = field(repr=False)
    note: Note | None
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
        max_bytes: int = MAX_BYTES,
        ids: Ids | None,
        transport: Transport | None = None,
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
            _checked_size(max_bytes),
            ids or (transport.new_ids() if transport else None) or SYSTEM_IDS,
            frozenset({api_key} if api_key else ()) | proxy_secrets,
            transport.note_call if transport else None,
            count(),
        ).introduced(transport)

    def with_options(
        self,
        *,
        model: str | None,
        api_key: str | None,
        base_url: str | None,
        headers: Mapping[str, str] | None,
        timeout: Timeouts | float | None,
        retries: Retries | int | None,
        max_bytes: int | None,
    ) -> Settings:
        """Return a copy with what is given in place of its own; *headers* are added to its own.

        Raises UsageError for what cannot be, or a key that would go to several services.
        """
        if (api_key is not None or base_url is not None) and len(self.providers) != 1:
            raise UsageError("a key and a base_url belong to one provider: name exactly one")
        own = checked_headers(headers or {})
        return replace(
            self,
            providers=tuple(
                one.with_settings(base_url=base_url, api_key=api_key, headers=own) for one in self.providers
            ),
            model=model or self.model,
            headers={**self.headers, **own},
            timeouts=self.timeouts if timeout is UNCHANGED else read_timeouts(timeout),
            retries=self.retries if retries is None else read_retries(retries),
            max_bytes=self.max_bytes if max_bytes is None else _checked_size(max_bytes),
            secrets=self.secrets | ({api_key} if api_key else set()),
        )

    def introduced(self, transport: Transport | None) -> Settings:
        """Tell *transport* the keys, so that a recorder keeps them out of its file; return the settings."""
        if transport is not None:
            keys = {provider.api_key for provider in self.providers if provider.api_key}
            for secret in sorted(self.secrets | keys):
                transport.add_secret(secret)
        return self

    def chat_tasks(
        self,
        messages: Messages,
        model: str | None,
        *,
        stream: bool,
        conversation: ConversationLike | None,
        ignore_unsupported: bool,
        options: Mapping[str, Any],
    ) -> list[ChatTask]:
        """Return one task a provider, in the order to try them. Raises UsageError for bad input."""
        begun = read_conversation(conversation)
        call = ChatCall(
            read_messages(messages),
            model or self.model,
            stream,
            options,
            self._next_ids(),
            ignore_unsupported,
            self.note,
        )
        return [ChatTask(one, self.secrets, begun, call) for one in self._asked(call.model, begun)]

    def image_tasks(self, prompt: str, model: str | None, options: Mapping[str, Any]) -> list[ImageTask]:
        """The same for images."""
        call = ImageCall(prompt, model or self.model, options, self._next_ids(), self.note)
        return [ImageTask(one, self.secrets, call) for one in self._asked(call.model, None)]

    def models_task(self) -> ModelsTask:
        """Return whom to ask for models. Raises UsageError for nobody."""
        if not self.providers:
            raise UsageError(f"name a provider: Client(...); known: {', '.join(providers.PROVIDERS)}")
        return ModelsTask(self.providers[0], self.secrets)

    def _next_ids(self) -> Ids:
        return self.ids.child(next(self.calls))

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


def _checked_size(max_bytes: object) -> int:
    if not isinstance(max_bytes, int) or max_bytes <= 0:
        raise UsageError(f"max_bytes must be a number of bytes like 16 << 20, not {max_bytes!r}")
    return max_bytes


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
