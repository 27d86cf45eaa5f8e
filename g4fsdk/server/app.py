"""The routes of the gateway."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from g4fsdk import AsyncChunkStream, Model
from g4fsdk._version import __version__
from g4fsdk.server.asked import Asked, kinds_for, read_chat, read_image, read_model, read_object
from g4fsdk.server.guards import Guard, Limits, read_body
from g4fsdk.server.refused import FAILURES, Refused, json_response, refusal
from g4fsdk.server.streamed import HEADERS, Identity, Outbox, Told, failed, painted, whole
from g4fsdk.server.upstream import Upstream

#: Gives a response, or has sent one.
_Work: TypeAlias = Callable[[Send], Awaitable[Response | None]]
_LAST_WORD_S = 1.0
_SERVED = "POST /v1/chat/completions, POST /v1/images/generations, GET /v1/models, GET /health"


class Calls:
    """The calls that go on."""

    def __init__(self) -> None:
        self._scopes: set[anyio.CancelScope] = set()

    @contextmanager
    def one(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Know the call in *scope*, while the block lasts."""
        self._scopes.add(scope)
        try:
            yield
        finally:
            self._scopes.discard(scope)

    def stop(self) -> None:
        """End them all; each tells its caller so."""
        for scope in self._scopes:
            scope.cancel()


class Sent:
    """Sends, and knows what a caller has been sent: nothing yet, a stream that goes on, or all."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun: bool = False
        self.goes_on: bool = False

    async def __call__(self, message: Message) -> None:
        self.has_begun, self.goes_on = True, bool(message.get("more_body"))
        await self._send(message)


@dataclass(frozen=True, slots=True)
class Attended:
    """A response whose work stops when the client leaves, after *seconds*, or with all *calls*.

    Whatever stops it, the caller is told.
    """

    work: _Work
    seconds: float
    calls: Calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent, limit = Sent(send), anyio.move_on_after(self.seconds)
        async with anyio.create_task_group() as group:
            group.start_soon(_leave, receive, group.cancel_scope)
            with self.calls.one(group.cancel_scope), limit:
                response = await self._answer(sent)
                if response is not None:
                    await response(scope, receive, sent)
            group.cancel_scope.cancel()
        why = self._too_late if limit.cancelled_caught else _STOPPED
        with anyio.move_on_after(_LAST_WORD_S):
            if not sent.has_begun:
                await why.response()(scope, receive, send)
            elif sent.goes_on:
                await send({"type": "http.response.body", "body": failed(why)})

    async def _answer(self, sent: Sent) -> Response | None:
        try:
            return await self.work(sent)
        except (*FAILURES, Refused) as error:
            return refusal(error).response()

    @property
    def _too_late(self) -> Refused:
        return Refused(504, f"the answer took longer than {self.seconds:g} s", "timeout")


_STOPPED = Refused(503, "the server stopped this answer", "stopped")


async def _leave(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


@dataclass(frozen=True, slots=True)
class Gateway:
    """OpenAI's API in front of *upstream*; *is_lenient* leaves out options that nobody can honour."""

    upstream: Upstream
    limits: Limits
    is_lenient: bool = False
    calls: Calls = field(default_factory=Calls)

    def app(self) -> Starlette:
        """Return the application, which closes its clients when it ends."""
        return Starlette(
            routes=[
                Route("/health", self.health),
                Route("/v1/models", self.models),
                Route("/v1/models/{name:path}", self.model),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/images/generations", self.images, methods=["POST"]),
            ],
            middleware=[Middleware(Guard, limits=self.limits)],
            exception_handlers=dict.fromkeys((*FAILURES, Refused, HTTPException, Exception), _refuse),
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.upstream.close()

    async def health(self, request: Request) -> Response:
        return json_response({"status": "ok", "version": __version__})

    async def models(self, request: Request) -> Attended:
        return self._attended(partial(_list, self.upstream))

    async def model(self, request: Request) -> Attended:
        return self._attended(partial(_find, self.upstream, request.path_params["name"]))

    async def chat(self, request: Request) -> Attended:
        upstream, body = await self._asked(request)
        kinds = kinds_for(upstream.names, body["model"])
        asked = read_chat(body, kinds, is_lenient=self.is_lenient)
        return self._attended(partial(_stream if asked.stream else _complete, upstream, asked))

    async def images(self, request: Request) -> Attended:
        upstream, body = await self._asked(request)
        kinds_for(upstream.names, body["model"])
        return self._attended(partial(_paint, upstream, read_image(body)))

    async def _asked(self, request: Request) -> tuple[Upstream, dict[str, Any]]:
        """Return who is asked, and the body of *request* with the model's name there."""
        body = read_object(await read_body(request, self.limits))
        upstream, model = self.upstream.chosen(read_model(body))
        return upstream, {**body, "model": model}

    def _attended(self, work: _Work) -> Attended:
        return Attended(work, self.limits.max_seconds, self.calls)


async def _list(upstream: Upstream, _: Send) -> Response:
    return json_response({"object": "list", "data": [*map(_model, await upstream.list_models())]})


async def _find(upstream: Upstream, name: str, _: Send) -> Response:
    for model in await upstream.list_models():
        if model.id == name:
            return json_response(_model(model))
    raise Refused(404, f"there is no model {name!r}", "model_not_found", "model")


async def _complete(upstream: Upstream, asked: Asked, _: Send) -> Response:
    return json_response(whole(await upstream.complete(asked), Identity(_now())))


async def _paint(upstream: Upstream, asked: Asked, _: Send) -> Response:
    return json_response(painted(await upstream.paint(asked), _now()))


async def _stream(upstream: Upstream, asked: Asked, send: Send) -> None:
    async with await upstream.stream(asked) as stream:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await _tell(stream, Told(Identity(_now()), shows_usage=asked.shows_usage), send)


async def _tell(stream: AsyncChunkStream, told: Told, send: Send) -> None:
    """Send each chunk as it comes, and how it ended."""
    outbox = Outbox(send)
    async with anyio.create_task_group() as group:
        group.start_soon(outbox.run)
        try:
            async for chunk in stream:
                if data := told.chunk(chunk):
                    await outbox.put(data)
            last = told.end()
        except FAILURES as error:
            last = failed(refusal(error))
        outbox.close()
    await send({"type": "http.response.body", "body": last})  # pyright: ignore[reportPossiblyUnboundVariable]


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code in (404, 405):
        said = f"{request.method} {request.url.path} is nothing here; what there is: {_SERVED}"
        error = Refused(error.status_code, said, headers=error.headers)
    return refusal(error).response()


def _now() -> int:
    return int(time.time())


def _model(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": model.object,
        "created": model.created or 0,
        "owned_by": model.owned_by,
        **model.extra,
    }
