"""The async client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, overload

from g4fsdk._client.asynchronous.http import AdapterMaker, Connections
from g4fsdk._client.asynchronous.routes import HTTP
from g4fsdk._client.asynchronous.streams import AsyncChatStream, AsyncChunkStream, OpenStream
from g4fsdk._client.asynchronous.waiting import Rooms, exhaust, sleep
from g4fsdk._client.clocks import UNCHANGED, Calls, Clocks, Timeouts
from g4fsdk._client.environment import OpenAIDefaults
from g4fsdk._client.hooks import EventHooks, Hooks, Terms
from g4fsdk._client.network import Network, Verify
from g4fsdk._client.reading import Reading, View, as_chunks, as_events
from g4fsdk._client.retries import Retries, Tries
from g4fsdk._client.settings import CallOptions, ClientOptions, OfClient, ParseOptions, ProviderLike, Settings
from g4fsdk._client.task import ModelsTask, Task, asks_next, failed
from g4fsdk._client.transport import Transport, read_transport
from g4fsdk._core.flow.provider import Flow, Stream, advance
from g4fsdk._core.framing.parser import MAX_BYTES
from g4fsdk._core.model.chat import Ids, Messages
from g4fsdk._core.model.completions import Completion, ImagesResponse, ModelList
from g4fsdk._core.model.errors import G4FError
from g4fsdk._core.model.http import Request

if TYPE_CHECKING:
    from g4fsdk._client.asynchronous.batches import AsyncBatch
    from g4fsdk._client.pace import Pace
    from g4fsdk._core.flow.parsed import ParsedCompletion
    from g4fsdk._core.flow.rows import Row

R = TypeVar("R", bound="Row")
T = TypeVar("T")
_TIMEOUTS, _RETRIES = Timeouts(), Retries()


class AsyncClient:
    """Asks providers, and awaits their answers. The calls are those of `Client`.

    `chat.completions` has `create`, `stream` (not awaited) and `parse`;
    `images` has `generate`, `models` has `list`.

    Args:
        provider: A provider's name or object, or a list of them to try one
            after the other; with none, the model chooses.
        model: The model where a call names none.
        api_key: The key, for a single provider given by name.
        base_url: The address in place of the provider's own; for `openai` it
            includes `/v1`.
        headers: Headers that override any.
        proxy: An address like `http://user:password@host:port`, in place of the
            environment's.
        verify: A file or folder of certificates, or an `ssl.SSLContext`, in
            place of the environment's.
        timeout: Clocks, or seconds for each of them but the total.
        retries: How to try again, or how often to try.
        max_bytes: The size that a line, a document or an answer of a service
            may have.
        max_concurrency: How many calls may go on at once, a stream until it is
            closed. Others wait, and of the clocks only the total runs
            meanwhile.
        event_hooks: What is called with each `request` before it goes out, the
            head of each `response`, each `retry` (a RetryEvent) and each
            `event` of an answer, to log or count them: lists, by these names,
            of functions or coroutine functions. Requests and heads come without
            secrets. What a hook raises ends the call.
        http_client: Your own httpx client, or one with the same surface, which
            you close yourself.
        transport: A Recorder or Replay of g4fsdk.testing.
        ids: Where ids come from; `Ids.seeded(n)` makes requests repeatable.
        http: What sends: `httpx`, or `aiohttp`, which takes half the CPU
            time for many streams at once and needs the extra of that name.

    Raises:
        UsageError: A provider, address, key or header that cannot be.
    """

    def __init__(
        self,
        provider: ProviderLike | Sequence[ProviderLike] | None = None,
        *,
        model: str | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        verify: Verify | None = None,
        timeout: Timeouts | float | None = _TIMEOUTS,
        retries: Retries | int = _RETRIES,
        max_bytes: int = MAX_BYTES,
        max_concurrency: int | None = None,
        event_hooks: EventHooks | None = None,
        http_client: Any = None,
        transport: Transport | AdapterMaker | None = None,
        ids: Ids | None = None,
        http: HTTP = "httpx",
    ) -> None:
        network = Network(proxy, verify)
        found = read_transport(transport, network, http_client, name="http_client", method="httpx_transport")
        self._settings = Settings.read(
            provider,
            model=model,
            api_key=api_key,
            base_url=base_url,
            headers=headers,
            timeout=timeout,
            retries=retries,
            max_bytes=max_bytes,
            hooks=Hooks(event_hooks, awaits=True),
            ids=ids,
            transport=found,
            defaults=OpenAIDefaults.of(os.environ),
            secrets=network.secrets,
        )
        self._connections = Connections(http_client, found, network, http)
        self._calls = Calls()
        self._rooms = Rooms(max_concurrency)
        self._pace: Pace | None = None  # of a batch: for tries after the first
        self._transport = found
        self._give_names()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._settings}>"

    def _give_names(self) -> None:
        self.chat: Chats = Chats(self)
        self.images: Images = Images(self)
        self.models: Models = Models(self)

    def with_options(self, *, max_concurrency: int | None = None, **options: Unpack[ClientOptions]) -> Self:
        """Return a client with other settings; *headers* are added to its own.

        It shares the connections, so closing either closes both; and, without a
        *max_concurrency* of its own, the room for calls.

        Raises:
            UsageError: An address, key or header that cannot be.
        """
        other = copy(self)
        other._settings = self._settings.with_options(**options).introduced(self._transport)
        if max_concurrency is not None:
            other._rooms = Rooms(max_concurrency)
        other._give_names()
        return other

    def _tuned(
        self, *, timeout: Timeouts | float | None = UNCHANGED, retries: Retries | int | None = None, **_: Any
    ) -> Self:
        """Return the client of one call, of all whose options these are."""
        is_same = timeout is UNCHANGED and retries is None
        return self if is_same else self.with_options(timeout=timeout, retries=retries)

    async def close(self) -> None:
        """End every call that goes on; close all connections but your own client's."""
        for ending in self._calls.close():
            if isinstance(ending, Awaitable):
                await ending
        await self._connections.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def batch(
        self,
        rows: Iterable[R] | AsyncIterable[R],
        *,
        concurrency: int = 8,
        rate: str | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncBatch[R]:
        """Ask *rows*; give each with its Completion or G4FError, as they come.

        A row is a text, a list of messages, ``{"id": ..., "prompt": ...}``, or
        as OpenAI's batch files have it, ``{"custom_id": ..., "body": {...}}``;
        *options*, those of `create`, are for what it does not say itself. They
        may be an async iterable; *concurrency* are asked at once, and they are
        taken as there is room for their answers. *rate*, `60/min` for instance,
        or `N/s`, `N/h`, limits how many begin, or are tried again, in any such
        time (extra `batch`). Leaving the iteration ends what is under way;
        `aclose()`, or the end of an `async with` block, waits until it has ended.

        Raises:
            UsageError: A concurrency or rate that cannot be, or no rows. That
                of a row comes as its result.
        """
        from g4fsdk._client.asynchronous.batches import AsyncBatch, Crew

        apart, begin = self.with_options(), partial(self._begin, is_streamed=True)
        crew = Crew(apart.chat.completions.create, begin, rows, concurrency, rate, options)
        apart._pace = crew.pace
        return AsyncBatch(crew)

    def _begin(self, *, is_streamed: bool) -> Clocks:
        return self._calls.begin(self._settings.timeouts, is_streamed=is_streamed)

    async def _open(self, tasks: Sequence[Task], view: View[T], clocks: Clocks) -> OpenStream[T]:
        """Return the first stream that gives an event, after retries and fallback."""
        try:
            return await self._ask_each(tasks, view, clocks)
        except BaseException:  # a caller who is cancelled or interrupted, too
            clocks.over()
            raise

    async def _ask_each(self, tasks: Sequence[Task], view: View[T], clocks: Clocks) -> OpenStream[T]:
        errors: list[G4FError] = []
        for task in tasks:
            try:
                with task.asking():
                    return await self._retried(partial(self._attempt, task, clocks, view), clocks)
            except G4FError as error:
                if not asks_next(error, errors, tasks):
                    break
        raise failed(errors)

    async def _retried(self, attempt: Callable[[], Awaitable[T]], clocks: Clocks) -> T:
        tries = Tries(self._settings.retries, clocks.total_left)
        while True:
            try:
                return await attempt()
            except G4FError as error:
                event = tries.after(error)
            await exhaust(self._settings.hooks.tell("retry", event))
            await sleep(clocks, event.wait_s)
            while self._pace and not clocks.is_stopped and (seconds := self._pace.begin()):
                await sleep(clocks, seconds)

    async def _attempt(self, task: Task, clocks: Clocks, view: View[T]) -> OpenStream[T]:
        step: Request | Stream | None = None
        settings = self._settings
        terms = settings.terms(task, clocks)
        try:
            await self._start_attempt(clocks)
            flow = task.start()
            step = advance(flow)
            while isinstance(step, Request):
                step = await self._set_up(flow, step, terms)
            answer = await self._connections.send(step.request, terms, repeatable=step.repeatable)
        except G4FError as error:
            task.blame(error, step)
            raise
        reading = Reading(task, step, answer.head, clocks, view, settings.max_bytes, settings.hooks)
        return await OpenStream(reading, answer).begun()

    async def _start_attempt(self, clocks: Clocks) -> None:
        clocks.start_attempt()
        await self._rooms.enter(clocks)

    async def _set_up(self, flow: Flow, request: Request, terms: Terms) -> Request | Stream:
        try:
            response = await self._connections.fetch(request, terms)
        except G4FError as error:
            return advance(flow, error)  # the provider adds the handle to go on with, where it has one
        return advance(flow, response)


class Chats(OfClient):
    """`client.chat`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client: AsyncClient = client
        self.completions: Completions = Completions(client)


class Completions(OfClient):
    """`client.chat.completions`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client: AsyncClient = client

    @overload
    async def create(
        self, messages: Messages, *, stream: Literal[False] = False, **options: Unpack[CallOptions]
    ) -> Completion: ...
    @overload
    async def create(
        self, messages: Messages, *, stream: Literal[True], **options: Unpack[CallOptions]
    ) -> AsyncChunkStream: ...
    @overload
    async def create(
        self, messages: Messages, *, stream: bool, **options: Unpack[CallOptions]
    ) -> Completion | AsyncChunkStream: ...
    async def create(
        self, messages: Messages, *, stream: bool = False, **options: Unpack[CallOptions]
    ) -> Completion | AsyncChunkStream:
        """Ask, and return the whole answer, or with *stream* its chunks.

        *messages* is text or a list of messages; with `conversation=` only what
        is new. `model=`, `timeout=` and `retries=` are for this call in place
        of the client's. The other options are OpenAI's sampling options;
        `ignore_unsupported=True`, which leaves out those that a provider cannot
        honour; and `extra_headers` and `extra_query`, mappings that each
        request of the call carries, too.

        Raises:
            G4FError: There is no complete answer; `error.partial` has the text
                that did arrive.
        """
        client = self._client._tuned(**options)
        tasks = client._settings.asked(messages, options, stream=stream)
        clocks = client._begin(is_streamed=stream)
        if stream:
            return AsyncChunkStream(await client._open(tasks, as_chunks, clocks))
        return await (await client._open(tasks, as_events, clocks)).completion()

    async def parse(
        self, messages: Messages, *, response_format: type[T], **options: Unpack[ParseOptions]
    ) -> ParsedCompletion[T]:
        """Ask for an answer of a type of yours, and return it with `parsed`, which is one.

        *response_format* is a msgspec Struct, a dataclass or a pydantic model;
        its JSON Schema goes out. The other arguments are those of `create`.

        Raises:
            ProtocolError: The text does not fit; it stands in `error.partial`.
            G4FError: As for `create`.
        """
        from g4fsdk._core.flow.parsed import format_of, parsed_as

        completion = await self.create(messages, response_format=format_of(response_format), **options)
        return parsed_as(response_format, completion)

    def stream(self, messages: Messages, **options: Unpack[CallOptions]) -> AsyncChatStream:
        """Ask, and return the answer as typed events: ``async with ....stream(...) as stream``.

        The request goes out on entering the block, or with the first event
        asked for. Arguments and errors are those of `create`.
        """
        client = self._client._tuned(**options)
        tasks = client._settings.asked(messages, options, stream=True)
        return AsyncChatStream(
            partial(client._begin, is_streamed=True), partial(client._open, tasks, as_events)
        )


class Images(OfClient):
    """`client.images`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client: AsyncClient = client

    async def generate(
        self,
        prompt: str,
        *,
        model: str | None = None,
        timeout: Timeouts | float | None = UNCHANGED,
        retries: Retries | int | None = None,
        **options: Any,
    ) -> ImagesResponse:
        """Return the images made for *prompt*. Raises G4FError when there is none.

        *timeout* and *retries* are for this call in place of the client's.
        *options* are those of the provider, and `extra_headers` and
        `extra_query`.
        """
        client = self._client._tuned(timeout=timeout, retries=retries)
        tasks = client._settings.image_tasks(prompt, model, options)
        opened = await client._open(tasks, as_events, client._begin(is_streamed=False))
        return ImagesResponse.of(await opened.completion())


class Models(OfClient):
    """`client.models`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client: AsyncClient = client

    async def list(self) -> ModelList:
        """Return the models of the first provider, asked of the service where it can be.

        Raises:
            G4FError: The service did not answer with a list of models.
        """
        task = self._client._settings.models_task()
        if (fixed := task.fixed) is not None:
            return fixed
        clocks = self._client._begin(is_streamed=True)
        try:
            return await self._client._retried(partial(self._ask, task, clocks), clocks)
        finally:
            clocks.over()

    async def _ask(self, task: ModelsTask, clocks: Clocks) -> ModelList:
        request = task.request()
        try:
            await self._client._start_attempt(clocks)
            terms = self._client._settings.terms(task, clocks)
            return task.read(await self._client._connections.fetch(request, terms))
        except G4FError as error:
            task.blame(error, request)
            raise
