"""What a client was made with, and whom its calls ask, in what order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, TypeAlias, TypedDict

from msgspec.structs import replace

from g4fsdk import providers
from g4fsdk._client.clocks import UNCHANGED, Clocks, Timeouts, read_timeouts
from g4fsdk._client.environment import OpenAIDefaults
from g4fsdk._client.hooks import NO_HOOKS, EventHooks, Hooks, Terms
from g4fsdk._client.ids import SYSTEM_IDS
from g4fsdk._client.retries import Retries, read_retries
from g4fsdk._client.task import ChatCall, ChatTask, ImageCall, ImageTask, ModelsTask, Note, Task
from g4fsdk._client.transport import Transport
from g4fsdk._core.flow.checks import checked_headers
from g4fsdk._core.flow.provider import Provider
from g4fsdk._core.framing.parser import MAX_BYTES
from g4fsdk._core.model.chat import Conversation, Ids, Messages, read_messages
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.options import ChatOptions, PlainOptions
from g4fsdk._core.model.redact import Discreet

NO_DEFAULTS = OpenAIDefaults()
ProviderLike: TypeAlias = str | Provider
#: A conversation, what its `to_dict` returned, or the answer that it comes with.
ConversationLike: TypeAlias = Conversation | Mapping[str, Any] | Completion


class ParseOptions(PlainOptions, total=False):
    """What `parse` takes beside messages and type: the arguments and options of `create`."""

    model: str | None
    conversation: ConversationLike | None
    ignore_unsupported: bool
    timeout: Timeouts | float | None
    retries: Retries | int | None


class CallOptions(ParseOptions, ChatOptions, total=False):
    """What `create` and `stream` take beside the messages."""


class ClientOptions(TypedDict, total=False):
    """What `with_options` takes: arguments of a client, whose own stay where they are None or left out."""

    model: str | None
    api_key: str | None
    base_url: str | None
    headers: Mapping[str, str] | None
    timeout: Timeouts | float | None
    retries: Retries | int | None
    max_bytes: int | None
    event_hooks: EventHooks | None


class OfClient:
    """What hangs on a client, such as `client.images`."""

    _client: Any

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._client!r}>"


def read_conversation(conversation: object) -> Conversation | None:
    """Return *conversation* itself, that of an answer, or read back where it is a mapping.

    Raises UsageError for anything else.
    """
    if isinstance(conversation, Completion):
        if conversation.conversation is None:
            raise UsageError("this answer has no conversation to go on with: say the whole of it in messages")
        return conversation.conversation
    if conversation is None or isinstance(conversation, Conversation):
        return conversation
    if isinstance(conversation, Mapping):
        return Conversation.from_dict(conversation)
    hint = "; give json.loads() of it" if isinstance(conversation, str) else ""
    kind = type(conversation).__name__  # what is in it may be cookies
    raise UsageError(f"conversation must be one, or what its to_dict() gave, not {kind}{hint}")


class Settings(Discreet, frozen=True):
    """What a client was made with, checked."""

    providers: tuple[Provider, ...]  # () when the model chooses
    default: Provider | None  # asked in place of those that the model would choose
    model: str
    headers: Mapping[str, str]
    timeouts: Timeouts
    retries: Retries
    max_bytes: int
    hooks: Hooks
    ids: Ids
    secrets: frozenset[str]
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
        timeout: Timeouts | float | None,
        retries: Retries | int,
        max_bytes: int = MAX_BYTES,
        hooks: Hooks = NO_HOOKS,
        ids: Ids | None,
        transport: Transport | None = None,
        defaults: OpenAIDefaults = NO_DEFAULTS,
        secrets: frozenset[str] = frozenset(),
    ) -> Settings:
        """*transport* may bring ids that make its recording again, and may want to know what is asked.
        *defaults* are for what is not said of `openai`. *secrets* are known beside the key.

        Raises UsageError for an unknown provider, or a key that would go to several services.
        """
        own = {"base_url": base_url, "api_key": api_key, "headers": headers}
        if provider is None and (base_url or api_key):
            provider = "openai"
        is_default = provider is None and defaults.is_set
        return cls(
            _read_providers(provider, own, defaults),
            _named("openai", own, defaults) if is_default else None,
            model or "",
            dict(headers or {}),
            read_timeouts(timeout),
            read_retries(retries),
            _checked_size(max_bytes),
            hooks,
            ids or (transport.new_ids() if transport else None) or SYSTEM_IDS,
            secrets | ({api_key} if api_key else set()),
            transport.note_call if transport else None,
            count(),
        ).introduced(transport)

    def with_options(
        self,
        *,
        model: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: Timeouts | float | None = UNCHANGED,
        retries: Retries | int | None = None,
        max_bytes: int | None = None,
        event_hooks: EventHooks | None = None,
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
            default=self.default and self.default.with_settings(headers=own),
            model=model or self.model,
            headers={**self.headers, **own},
            timeouts=self.timeouts if timeout is UNCHANGED else read_timeouts(timeout),
            retries=self.retries if retries is None else read_retries(retries),
            max_bytes=self.max_bytes if max_bytes is None else _checked_size(max_bytes),
            hooks=self.hooks if event_hooks is None else self.hooks.instead(event_hooks),
            secrets=self.secrets | ({api_key} if api_key else set()),
        )

    def introduced(self, transport: Transport | None) -> Settings:
        """Tell *transport* the keys, so that a recorder keeps them out of its file; return the settings."""
        if transport is not None:
            keys = {one.api_key for one in (*self.providers, self.default) if one and one.api_key}
            for secret in sorted(self.secrets | keys):
                transport.add_secret(secret)
        return self

    def __str__(self) -> str:
        asked = self.providers or [*filter(None, [self.default])]
        named = ", then ".join(map(str, asked)) or "whoever lists the model"
        return f"{named}, {self.model}" if self.model else named

    def terms(self, task: Task, clocks: Clocks) -> Terms:
        """Return what holds for every request of *task*."""
        return Terms(clocks, self.max_bytes, self.hooks, task.secrets)

    def asked(self, messages: Messages, options: Mapping[str, Any], *, stream: bool) -> list[ChatTask]:
        """Return one task a provider, in the order to try them; *options* are all of the call's.

        Raises UsageError for bad input.
        """
        rest = {name: value for name, value in options.items() if name not in ("timeout", "retries")}
        return self.chat_tasks(
            messages,
            rest.pop("model", None),
            stream=stream,
            conversation=rest.pop("conversation", None),
            ignore_unsupported=rest.pop("ignore_unsupported", False),
            options=rest,
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
        asked = next(iter(self.providers), self.default)
        if asked is None:
            raise UsageError(f"name a provider: Client(...); known: {', '.join(providers.PROVIDERS)}")
        return ModelsTask(asked, self.secrets)

    def _next_ids(self) -> Ids:
        return self.ids.child(next(self.calls))

    def _asked(self, model: str, conversation: Conversation | None) -> Iterable[Provider]:
        if conversation is not None:
            return self._of_conversation(conversation)
        if self.providers or self.default:
            return self.providers or [*filter(None, [self.default])]
        if not model:
            raise UsageError(
                f"name a provider or a model: Client('yqcloud') or create(..., model='gpt-4'); "
                f"known providers: {', '.join(providers.PROVIDERS)}"
            )
        return [providers.get(name, headers=self.headers) for name in providers.listing(model)]

    def _of_conversation(self, conversation: Conversation) -> list[Provider]:
        if not self.providers:
            if self.default and self.default.name == conversation.provider:
                return [self.default]
            provider = providers.get(conversation.provider, headers=self.headers)
            if not provider.has_home:
                raise UsageError(
                    f"say where this conversation lives: Client({provider.name!r}, base_url=..., api_key=...)"
                )
            return [provider]
        found = [one for one in self.providers if one.name == conversation.provider]
        if not found:
            names = " or ".join(repr(provider.name) for provider in self.providers)
            raise UsageError(f"this conversation is with {conversation.provider!r}, not with {names}")
        at_home = [one for one in found if conversation.home in ("", one.home)]
        return at_home or found[:1]  # which says where the conversation is


def _checked_size(max_bytes: object) -> int:
    if not isinstance(max_bytes, int) or max_bytes <= 0:
        raise UsageError(f"max_bytes must be a number of bytes like 16 << 20, not {max_bytes!r}")
    return max_bytes


def _read_providers(
    provider: ProviderLike | Sequence[ProviderLike] | None,
    settings: Mapping[str, Any],
    defaults: OpenAIDefaults,
) -> tuple[Provider, ...]:
    given = {key: value for key, value in settings.items() if value is not None}
    several = _several(provider)
    has_objects = any(isinstance(one, Provider) for one in several)
    own = sorted({"base_url", "api_key"} & given.keys())
    if has_objects and given.get("headers"):  # names take them all, objects have their own
        own.append("headers")
    if own and (len(several) != 1 or has_objects):
        raise UsageError(
            f"{own[0]}= belongs to one provider: name exactly one, or say providers.get(name, {own[0]}=...)"
        )
    return tuple(_named(one, given, defaults) if isinstance(one, str) else one for one in several)


def _several(provider: Any) -> list[str | Provider]:
    is_one = isinstance(provider, str) or not isinstance(provider, Sequence)
    several: list[Any] = [] if provider is None else [provider] if is_one else [*provider]
    for odd in several:
        if not isinstance(odd, str | Provider):
            raise UsageError(
                f"a provider is a name or an object of providers.get(...), not {type(odd).__name__}"
            )
    return several


def _named(name: str, settings: Mapping[str, Any], defaults: OpenAIDefaults) -> Provider:
    return providers.get(name, **(defaults.complete(settings) if name == "openai" else settings))
