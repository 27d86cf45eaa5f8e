"""FastAPI: an endpoint that streams an answer on, as server-sent events.

    pip install g4fsdk fastapi uvicorn
    G4FSDK_BASE_URL=http://localhost:11434/v1 G4FSDK_MODEL=llama3.2 uvicorn fastapi_stream:app
    curl -N localhost:8000/answer --json '{"question": "Why is the sky blue?"}'

What fails before the first event has its status; what fails behind it is the last event, `event: error`, and
there is no `[DONE]`. Whoever leaves, before the first event or behind it, stops the provider.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from g4fsdk import AsyncChunkStream, AsyncClient, DeadlineError, G4FError, RateLimitError, UsageError

HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}  # nginx would keep events back
STATUSES = {UsageError: 400, RateLimitError: 429, DeadlineError: 504}


class Asked(BaseModel):
    question: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncClient() as app.state.client:  # one for all requests: it holds the connections
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/answer")
async def answer(asked: Asked, request: Request) -> Response:
    return Answer(request.app.state.client, asked.question)


class Answer(Response):
    """The answer to *question* as it comes; it is asked while somebody is there to listen."""

    def __init__(self, client: AsyncClient, question: str) -> None:
        super().__init__()
        self.client, self.question = client, question

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(leave, receive, group.cancel_scope)
            response = await self.begun()
            await response(scope, receive, send)
            group.cancel_scope.cancel()

    async def begun(self) -> Response:
        try:
            chunks = await self.client.chat.completions.create(self.question, stream=True)
        except G4FError as error:
            status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 502)
            return JSONResponse({"error": str(error)}, status)
        return StreamingResponse(events(chunks), headers=HEADERS, media_type="text/event-stream")


async def leave(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def events(chunks: AsyncChunkStream) -> AsyncIterator[str]:
    async with chunks:
        try:
            async for chunk in chunks:
                yield f"data: {chunk.to_json()}\n\n"
        except G4FError as error:
            yield f"event: error\ndata: {json.dumps({'error': str(error)})}\n\n"
        else:
            yield "data: [DONE]\n\n"
