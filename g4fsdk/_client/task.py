"""One provider's part of a call: starts its flow once a try, and completes its errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any, TypeAlias

from g4fsdk._client.hooks import Watch
from g4fsdk._client.sending import addressed
from g4fsdk._core.flow.addresses import checked_query, with_query
from g4fsdk._core.flow.bodies import merge_headers
from g4fsdk._core.flow.checks import checked_headers
from g4fsdk._core.flow.provider import Flow, Provider, Stream, advance
from g4fsdk._core.model.chat import Chat, Conversation, Ids, Message
from g4fsdk._core.model.completions import Model, ModelList
from g4fsdk._core.model.errors import DeadlineError, G4FError, UsageError
from g4fsdk._core.model.http import Request, Response
from g4fsdk._core.model.redact import Discreet, redact_text, secrets_of

logger = logging.getLogger("g4fsdk")

#: Told what a provider is asked: the arguments of `create` or `generate`, and the ids they go out with.
Note: TypeAlias = Callable[[Provider, Mapping[str, Any], Ids], None]


def edited(flow: Flow, edit: Callable[[Request], Request]) -> Flow:
    """Return *flow* with every request put through *edit*."""
    step = advance(flow)
    while isinstance(step, Request):
        try:
            response = yield edit(step)
        except G4FError as error:
            step = advance(flow, error)
        else:
            step = advance(flow, response)
    return replace(step, request=edit(step.request))


class Additions(Discreet, frozen=True):
    """What one call adds to each of its requests, on top of everything else."""

    headers: Mapping[str, str]
    query: Mapping[str, str | list[str]]

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Additions:
        """Return `extra_headers` and `extra_query` of *options*. Raises UsageError for what can't be sent."""
        headers, query = options.get("extra_headers") or {}, options.get("extra_query") or {}
        return cls(checked_headers(headers), checked_query(query))

    def to(self, flow: Flow) -> Flow:
        """Return *flow*, whose requests carry them."""
        return edited(flow, self._added) if self.headers or self.query else flow

    def _added(self, request: Request) -> Request:
        headers = merge_headers(request.headers, self.headers)
        return replace(request, url=with_query(request.url, self.query), headers=headers)


class Task:
    """One provider, the handle to go on with, and the secrets that no error may show."""

    def __init__(
        self, provider: Provider, secrets: frozenset[str], conversation: Conversation | None = None
    ) -> None:
        self.provider = provider
        key = provider.api_key
        self.secrets: frozenset[str] = secrets if not key or key in secrets else secrets | {key}
        self._conversation = conversation
        self._attempts = count()
        self.before: Sequence[G4FError] = ()  # what the providers failed with that were asked before
        self.watch: Watch = Watch()

    def asking(self) -> AbstractContextManager[None]:
        """Return what stands around the asking, tries and waits included."""
        raise NotImplementedError

    def start(self) -> Flow:
        """Start the next try; it goes on with the conversation that a failed one had made."""
        raise NotImplementedError

    def blame(self, error: G4FError, step: Request | Stream | None) -> None:
        """Say on *error* who was asked what, and take every secret out of it."""
        if isinstance(step, Stream):
            step.parser.mark(error)
            step = step.request
        error.asked(self.provider.name, step and step.redacted(), self._conversation)
        self._conversation = error.conversation
        sent = secrets_of(addressed(step).headers, step.url) if step else frozenset()
        error.errors = (*self.before, error)
        error.edit(partial(redact_text, secrets=self.secrets | sent))


class ChatCall(Discreet, frozen=True):
    """What one call of `create` or `stream` asks, of whatever provider."""

    messages: tuple[Message, ...]
    model: str
    stream: bool
    options: Mapping[str, Any]
    ids: Ids
    ignore_unsupported: bool
    note: Note | None

    def tell(self, provider: Provider, conversation: Conversation | None) -> None:
        """Tell what *provider* is about to be asked, where somebody wants to know."""
        if self.note is None:
            return
        lenient = {"ignore_unsupported": True} if self.ignore_unsupported else {}
        begun = conversation and conversation.elsewhere()
        self.note(provider, {**self.said(provider), **lenient, "conversation": begun}, self.ids)

    def said(self, provider: Provider) -> dict[str, Any]:
        """Return what *provider* is asked."""
        model = self.model or provider.model
        return {"messages": self.messages, "model": model, "stream": self.stream, **self.options}


class ChatTask(Task):
    """Asks a provider for an answer."""

    def __init__(
        self,
        provider: Provider,
        secrets: frozenset[str],
        conversation: Conversation | None,
        call: ChatCall,
    ) -> None:
        super().__init__(provider, secrets, conversation)
        self._call = call
        self._additions = Additions.read(call.options)

    def asking(self) -> AbstractContextManager[None]:
        return self.watch.asking(self.provider, self._call.said)

    def start(self) -> Flow:
        call, handle = self._call, self._conversation
        call.tell(self.provider, handle)
        chat = Chat(
            call.messages,
            call.model,
            call.stream,
            _own(call.options),
            handle,
            call.ids,
            call.ignore_unsupported,
            next(self._attempts),
        )
        return self._additions.to(self.provider.chat(chat))


class ImageCall(Discreet, frozen=True):
    """What one call of `generate` asks, of whatever provider."""

    prompt: str
    model: str
    options: Mapping[str, Any]
    ids: Ids
    note: Note | None

    def tell(self, provider: Provider, ids: Ids) -> None:
        """Tell what *provider* is about to be asked, where somebody wants to know."""
        if self.note is not None:
            self.note(provider, self.said(provider), ids)

    def said(self, provider: Provider) -> dict[str, Any]:
        """Return what *provider* is asked."""
        return {"prompt": self.prompt, "model": self.model or provider.model, **self.options}


class ImageTask(Task):
    """Asks a provider for images."""

    def __init__(self, provider: Provider, secrets: frozenset[str], call: ImageCall) -> None:
        super().__init__(provider, secrets)
        self._call = call
        self._additions = Additions.read(call.options)

    def asking(self) -> AbstractContextManager[None]:
        return self.watch.asking(self.provider, self._call.said)

    def start(self) -> Flow:
        call, ids = self._call, self._call.ids.child(next(self._attempts))
        call.tell(self.provider, ids)
        flow = self.provider.image(call.prompt, call.model, _own(call.options), ids)
        return self._additions.to(flow)


def _own(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is the provider's own of *options*."""
    return {name: value for name, value in options.items() if name not in ("extra_headers", "extra_query")}


class ModelsTask(Task):
    """Asks a provider for its models: one request, whose whole answer is the list."""

    @property
    def fixed(self) -> ModelList | None:
        """The list where the provider has one of its own, and nobody needs to be asked."""
        provider = self.provider
        if provider.list_models() is not None:
            return None
        names = (*provider.models, *provider.image_models)
        return [Model(id=name, owned_by=provider.name) for name in names]

    def request(self) -> Request:
        request = self.provider.list_models()
        assert request is not None  # else the list is fixed
        return request

    def read(self, response: Response) -> ModelList:
        """Return the models in *response*. Raises G4FError when they are not there."""
        models = self.provider.read_models(response)
        for model in models:
            model.owned_by = model.owned_by or self.provider.name
        return models


def failed(errors: Sequence[G4FError]) -> G4FError:
    """Return the error to raise when every provider has failed: the last, with all of them on it."""
    last = errors[-1]
    last.errors = tuple(errors)
    if len(errors) > 1:
        last.reword(last.message + "; before that: " + "; ".join(str(error) for error in errors[:-1]))
    return last


def asks_next(error: G4FError, errors: list[G4FError], tasks: Sequence[Task]) -> bool:
    """Add *error* to *errors*, and say whether to ask the next provider: not once the call's time is over."""
    errors.append(error)
    is_final = isinstance(error, DeadlineError) and error.clock == "total"
    if is_final or len(errors) == len(tasks):
        return False
    # What the caller asked for will not be possible the next time, either.
    level = logging.WARNING if isinstance(error, UsageError) else logging.INFO
    tasks[len(errors)].before = tuple(errors)
    logger.log(level, "%s; asking %r next", error, tasks[len(errors)].provider)
    return True
