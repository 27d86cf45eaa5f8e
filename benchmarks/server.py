"""A server that costs little: streams made beforehand, over loopback, in a process of its own.

It prints its port, and ends with its standard input, or after *--seconds*. Paths say what comes:
`/events/20000/...` one event an HTTP chunk, `/blocks/20000/...` chunks of 16 KiB, both at once;
`/steps/100/...` the first event at once and the others in ten parts, 20 ms apart; `/first/100/...` no others;
`/whole/100/...` the text of so many events as one document.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO, Self

from benchmarks import corpora

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_STEPS = 10
_STEP_S = 0.02
_BACKLOG = 2048
_BLOCK = 16384
_LONGEST_S = 900.0


def chunked(parts: Sequence[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


@cache
def script(kind: str, count: int) -> list[bytes]:
    """Return what to write, and after each entry but the last to wait a step."""
    corpus = corpora.SSE["constant"](count)
    if kind == "whole":
        return [_document(corpus.text)]
    if kind == "blocks":
        return [_HEAD + chunked([*corpora.pieces(corpus.wire, _BLOCK)]) + b"0\r\n\r\n"]
    if kind == "events":
        return [_HEAD + chunked(corpus.events) + b"0\r\n\r\n"]
    first, *others = corpus.events
    if kind == "first":
        return [_HEAD + chunked([first])]
    size = -(-len(others) // _STEPS)
    parts = [chunked(others[at : at + size]) for at in range(0, len(others), size)]
    parts[-1] += b"0\r\n\r\n"
    return [_HEAD + chunked([first]), *parts]


def _document(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = json.dumps(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    )
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


class Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self) -> None:
        self._request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._request += data
        head, end, body = self._request.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._request = b""
        _, kind, count, *_ = head.split(b" ", 2)[1].decode().split("/")
        self._write([*script(kind, int(count))])

    def _write(self, parts: list[bytes]) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(parts.pop(0))
        if parts:
            asyncio.get_running_loop().call_later(_STEP_S, self._write, parts)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def serve(seconds: float, until: IO[bytes], out: IO[str]) -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def wait_for_end() -> None:
        until.read()
        loop.call_soon_threadsafe(over.set)

    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=_BACKLOG)
    out.write(f"{server.sockets[0].getsockname()[1]}\n")
    out.flush()
    threading.Thread(target=wait_for_end, daemon=True).start()
    loop.call_later(seconds, over.set)
    await over.wait()
    server.close()


class Server:
    """The server in a process of its own, from `with` to its end."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def base_url(self, kind: str, count: int) -> str:
        """Return the base URL of an OpenAI-compatible endpoint that answers so."""
        return f"http://127.0.0.1:{self._port}/{kind}/{count}/v1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server")
    parser.add_argument("--seconds", type=float, default=_LONGEST_S, help="end after so long")
    asyncio.run(serve(parser.parse_args().seconds, sys.stdin.buffer, sys.stdout))


if __name__ == "__main__":
    main()
