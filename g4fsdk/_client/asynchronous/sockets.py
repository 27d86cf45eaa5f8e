"""asyncio's sockets under httpcore, whose own go by way of anyio.

There the end of the loop waits for a name that is being looked up, and each read and write opens a cancel
scope: a fifth of what a short call costs.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from ssl import SSLContext
from threading import TIMEOUT_MAX
from typing import Any

import anyio
import httpcore

from g4fsdk._client.asynchronous.waiting import addresses_of, is_in_trio
from g4fsdk._client.network import by_turns, family_of
from g4fsdk._client.sending import SEND_BYTES

# How long one address keeps the next one waiting, at most. Source: RFC 8305, 5.
_NEXT_S = 0.25
# So much comes before it is asked for; the rest waits in the network.
_MOST_UNREAD = 262144
_EXTRA = {"client_addr": "sockname", "server_addr": "peername"}


class Sockets(httpcore.AsyncNetworkBackend):
    """Connects to the first of a name's addresses that answers."""

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any
    ) -> httpcore.AsyncNetworkStream:
        """Return what is connected to *host*; our pools ask for nothing of a socket beside that."""
        if is_in_trio():  # it waits for no name, and its scopes cost little
            trio: Any = httpcore.TrioBackend()
            return _Asked(await trio.connect_tcp(host, port, timeout))
        with _as_connecting(), anyio.fail_after(timeout):
            addresses = by_turns(await addresses_of(host, port))
            sock = await _first(addresses, port, min(_NEXT_S, (timeout or _NEXT_S) / len(addresses)))
            return await _opened(sock)


class _Asked(httpcore.AsyncNetworkStream):
    """A *stream* of httpcore's own, which knows whether something was read behind what was sent last."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._is_asked = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._is_asked = True
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._is_asked = False
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _Asked(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._is_asked if info == "is_asked" else self._stream.get_extra_info(info)


@contextmanager
def _as_connecting() -> Iterator[None]:
    """Let what fails be what httpcore calls it."""
    try:
        yield
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error


async def _first(addresses: Sequence[str], port: int, pause: float) -> socket.socket:
    """Return a socket connected to the first of *addresses* that answers.

    Each next is tried *pause* seconds later, or once the one before has failed. Raises what the last raised
    when none answers.
    """
    if len(addresses) == 1:
        return await _connected(addresses[0], port)
    found: list[socket.socket] = []
    failures: list[Exception] = []

    async def reach(address: str, over: anyio.Event) -> None:
        try:
            found.append(await _connected(address, port))
            group.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001  # raised below, where no other address is better
            failures.append(error)
        finally:
            over.set()

    try:
        async with anyio.create_task_group() as group:
            for address in addresses:
                over = anyio.Event()
                group.start_soon(reach, address, over)
                with anyio.move_on_after(pause):
                    await over.wait()
        if not found:
            raise failures[-1]
        return found.pop(0)
    finally:
        for late in found:
            late.close()


async def _connected(address: str, port: int) -> socket.socket:
    # With the protocol left out, loops don't take it for TCP, and a body waits for the receipt of its head.
    sock = socket.socket(family_of(address), socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _opened(sock: socket.socket) -> _Connection:
    """Let the loop read from and write to *sock*."""
    loop = asyncio.get_running_loop()
    try:
        _, opened = await loop.create_connection(partial(_Connection, loop, sock), sock=sock)
    except BaseException:
        sock.close()
        raise
    return opened


class _Connection(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """What comes from a socket, kept until it is asked for; and what goes to it."""

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self._loop = loop
        self._sock = sock
        self._unsent = b""
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._news: asyncio.Future[bool] | None = None  # somebody waits for something to come
        self._flushed: asyncio.Future[bool] | None = None  # not all of what was sent is gone
        self._is_over = False
        self._is_asked = False  # something was read behind what was sent last
        self._failure: Exception | None = None

    # --- What the loop tells ---

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        # What has been written is with the system; with 0 in place of 1, TLS never says so.
        transport.set_write_buffer_limits(high=1)

    def data_received(self, data: bytes) -> None:
        self._unread.append(bytes(data))  # on Windows it may be a bytearray
        self._unread_bytes += len(data)
        if self._unread_bytes > _MOST_UNREAD:
            self._transport.pause_reading()
        _settle(self._news)

    def eof_received(self) -> None:
        self._is_over = True
        _settle(self._news)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._failure = self._failure or exc
        _settle(self._news)
        _settle(self._flushed)

    def pause_writing(self) -> None:
        self._flushed = self._loop.create_future()

    def resume_writing(self) -> None:
        flushed, self._flushed = self._flushed, None
        _settle(flushed)

    # --- What httpcore asks for ---

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the next bytes, none at the end of all. Raises ReadError or ReadTimeout."""
        self._send()
        self._is_asked = True
        if not (self._unread or self._is_over):
            self._news = self._loop.create_future()
            if not await self._comes(self._news, timeout):
                raise httpcore.ReadTimeout
        if self._unread:
            return self._next(max_bytes)
        if self._failure is not None:
            raise httpcore.ReadError(str(self._failure)) from self._failure
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send *buffer*, what is short with what follows: a head with its body. What is read is asked for.

        Raises WriteError or WriteTimeout.
        """
        self._unsent += buffer
        self._is_asked = False
        if len(self._unsent) >= SEND_BYTES:
            self._send()
            if self._flushed is not None and not await self._comes(self._flushed, timeout):
                raise httpcore.WriteTimeout
        if self._failure is not None or self._transport.is_closing():
            raise httpcore.WriteError("the connection is closed") from self._failure

    def _send(self) -> None:
        if self._unsent and not self._transport.is_closing():
            self._transport.write(self._unsent)
        self._unsent = b""

    async def aclose(self) -> None:
        self._failure = self._failure or ConnectionAbortedError("the connection is closed")
        self._transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    async def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Go on in secret. Raises ConnectError or ConnectTimeout."""
        with _as_connecting(), anyio.fail_after(timeout):
            transport = await self._loop.start_tls(
                self._transport,
                self,
                ssl_context,
                server_hostname=server_hostname,
                ssl_handshake_timeout=TIMEOUT_MAX,
            )
            if transport is None:
                raise ConnectionAbortedError("the connection ended before TLS began")
            self.connection_made(transport)
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return bool(self._unread) or self._is_over or self._has_news()
        if info == "is_asked":
            return self._is_asked
        return self._transport.get_extra_info(_EXTRA.get(info, info))

    def _has_news(self) -> bool:
        """Whether the loop would hear something if it had a turn now: the end, most likely."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _next(self, max_bytes: int) -> bytes:
        data = b"".join(self._unread)  # nearly always one piece, which is not copied
        self._unread.clear()
        if len(data) > max_bytes:
            self._unread.append(data[max_bytes:])
            data = data[:max_bytes]
        was_full = self._unread_bytes > _MOST_UNREAD
        self._unread_bytes -= len(data)
        if was_full and self._unread_bytes <= _MOST_UNREAD and not self._transport.is_closing():
            self._transport.resume_reading()
        return data

    async def _comes(self, waiter: asyncio.Future[bool], seconds: float | None) -> bool:
        """Wait for *waiter*, *seconds* at most; return whether it came."""
        if seconds is None:
            return await waiter
        timer = self._loop.call_later(seconds, _settle, waiter, False)
        try:
            return await waiter
        finally:
            timer.cancel()


def _settle(waiter: asyncio.Future[bool] | None, has_come: bool = True) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(has_come)
