"""The gateway in a thread, and clients for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from openai import OpenAI

from g4fsdk import AsyncClient
from g4fsdk.providers import PROVIDERS
from g4fsdk.server.app import Gateway
from g4fsdk.server.guards import Limits
from g4fsdk.server.run import Server, address_of, listen
from g4fsdk.server.upstream import Upstream
from tests.support.loopback import PATIENCE_S
from tests.support.loopback_clients import ONCE

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]


@contextmanager
def serving(upstream: Upstream, *, lenient: bool = False, grace_s: int = 1, **limits: Any) -> Iterator[str]:
    """Serve *upstream* while the block lasts; gives the address with `/v1`."""
    started = threading.Event()
    with listen("127.0.0.1", 0) as listener:
        address = address_of(listener)
        server = Server(Gateway(upstream, Limits(**limits), lenient), started.set, grace_s)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert started.wait(PATIENCE_S)
            yield address
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S + grace_s)
        assert not thread.is_alive()


def upstream_of(url: str, *names: str, **settings: Any) -> Upstream:
    """Return providers called *names*, or openai, at *url*; a fallback where there are several."""
    settings = {"retries": ONCE, **settings}
    objects = [
        PROVIDERS[name](base_url=f"{url}/v1" if name == "openai" else url) for name in names or ["openai"]
    ]
    client = AsyncClient(objects, **settings)
    return Upstream([client], names or ["openai"], [AsyncClient(one, **settings) for one in objects])


def openai_at(address: str, **settings: Any) -> OpenAI:
    """Return a client of the openai package that asks once."""
    return OpenAI(base_url=address, **{"api_key": "any", "max_retries": 0, **settings})


def post(address: str, body: Any, **settings: Any) -> httpx.Response:
    """Post *body* to the chats of *address*, as JSON unless it is bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"} | settings.pop("headers", {})
    return httpx.post(f"{address}/chat/completions", content=data, headers=headers, **settings)
