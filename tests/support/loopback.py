"""A raw HTTP/1.1 server on loopback that does exactly what a test says, byte by byte.

Threads and plain sockets, so that a body can wait for the test (put an `Event` between two pieces), break
off in any way, or never come. It counts what it saw; leaving its block ends every thread and socket.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Literal, Self, TypeAlias

Framing: TypeAlias = Literal["chunked", "length", "close"]
#: complete: as the framing ends a body. fin, rst: the connection ends inside it. hold: nothing more comes.
End: TypeAlias = Literal["complete", "fin", "rst", "hold"]
Piece: TypeAlias = bytes | Event
PATIENCE_S = 5.0  # how long anything waits before the test is called stuck


@dataclass
class Reply:
    """What one request gets. An Event among *pieces* is waited for; *raw* goes out in place of a head.

    *pause_s* comes before each piece, and before the head.
    """

    pieces: Sequence[Piece] = ()
    status: int = 200
    headers: Sequence[tuple[str, str]] | Mapping[str, str] = ()
    framing: Framing = "chunked"
    gzip: bool = False
    end: End = "complete"
    has_head: bool = True
    raw: bytes | None = None
    pause_s: float = 0.0

    @property
    def body(self) -> bytes:
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))

    @property
    def wire(self) -> bytes:
        """All that goes out, for a reply that waits for nothing."""
        return _head(self) + b"".join(_framed(self, lambda _: None))


@dataclass
class Received:
    """One request as it came. *connection* counts the connections of the server from 0."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    header_pairs: list[tuple[str, str]] = field(default_factory=list)


TLS_CERT = Path(__file__).with_name("tls_cert.pem")

Script: TypeAlias = Reply | Iterable[Reply] | Callable[[Received], Reply]


class Server:
    """Answers request number n with the n-th reply, or with what a callable makes of it.

    With *reads_body* false it leaves the body of a request in the network, and so the client sending. With
    *tls* it speaks https, with a certificate that nobody trusts who is not told to: `TLS_CERT`.
    """

    def __init__(self, script: Script, *, reads_body: bool = True, tls: bool = False) -> None:
        self._next = _player(script)
        self._tls = _server_tls() if tls else None
        self._reads_body = reads_body
        self._lock = threading.Condition()
        self._stopping = Event()
        self._open: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self.requests: list[Received] = []
        self.connections = 0
        #: When each piece of a body was handed to the socket, by `time.perf_counter`.
        self.written_at: list[float] = []
        self.problems: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._open)

    def wait_until(self, claim: Callable[[Server], bool], seconds: float = PATIENCE_S) -> bool:
        """Wait for *claim* to hold; return whether it does."""
        limit = time.monotonic() + seconds
        with self._lock:
            while not claim(self):
                left = limit - time.monotonic()
                if left <= 0:
                    return False
                self._lock.wait(left)
        return True

    def all_closed(self) -> bool:
        """Wait until the client has closed every connection; return whether it did."""
        return self.wait_until(lambda server: not server._open)

    def forget(self) -> None:
        """Keep nothing of what is over."""
        with self._lock:
            self.requests.clear()
            self.written_at.clear()
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open.values():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        assert not stuck, f"threads of the test server are stuck: {stuck}"
        assert not self.problems, self.problems[:3]

    def _start(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                number, self.connections = self.connections, self.connections + 1
                self._open[number] = connection
            self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with contextlib.suppress(OSError):
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                    with self._lock:
                        self._open[number] = connection
                while self._answer(connection, number):
                    pass
        except Exception as error:  # noqa: BLE001  # a mistake in a test's script has to reach the test
            self.problems.append(repr(error))
        finally:
            # Closed first: what a test waits for has happened when it is told.
            connection.close()
            with self._lock:
                self._open.pop(number, None)
                self._lock.notify_all()

    def _answer(self, connection: socket.socket, number: int) -> bool:
        """Answer the next request; return whether another may follow on this connection."""
        head = _read_head(connection)
        if head is None:
            return False
        request = _parsed(head[0], number)
        if self._reads_body:
            request.body = _read_body(connection, head[1], request.headers)
        with self._lock:
            reply = self._next(request)
            self.requests.append(request)
            self._lock.notify_all()
        self._stopping.wait(reply.pause_s)
        if reply.raw is not None:
            connection.sendall(reply.raw)
        elif reply.has_head:
            connection.sendall(_head(reply))
        for data in _framed(reply, self._wait):
            self._stopping.wait(reply.pause_s)
            self.written_at.append(time.perf_counter())
            connection.sendall(data)
        return self._end(connection, reply)

    def _wait(self, gate: Event) -> None:
        limit = time.monotonic() + PATIENCE_S
        while not gate.wait(0.02):
            if self._stopping.is_set():
                raise ConnectionAbortedError
            if time.monotonic() > limit:
                raise AssertionError("the client never did what this piece waits for")

    def _end(self, connection: socket.socket, reply: Reply) -> bool:
        if reply.end == "complete":
            return reply.framing != "close" and reply.raw is None
        if reply.end == "rst":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif reply.end == "hold":
            while self._reads_body and connection.recv(65536):
                pass
            if not self._reads_body:
                self._stopping.wait(PATIENCE_S)
        return False


def _server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS_CERT, Path(__file__).with_name("tls_key.pem"))
    return context


def _player(script: Script) -> Callable[[Received], Reply]:
    if callable(script):
        return script
    if isinstance(script, Reply):
        return lambda _: script
    replies = iter(script)

    def play(request: Received) -> Reply:
        reply = next(replies, None)
        if reply is None:
            raise AssertionError(f"a request too many: {request.method} {request.target}")
        return reply

    return play


def _read_head(connection: socket.socket) -> tuple[bytes, bytes] | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _parsed(head: bytes, number: int) -> Received:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Received(method, target, {name.lower(): value for name, value in pairs}, b"", number, pairs)


def _read_body(connection: socket.socket, rest: bytes, headers: Mapping[str, str]) -> bytes:
    size = int(headers.get("content-length", "0"))
    body = bytearray(rest)
    while len(body) < size:
        more = connection.recv(1 << 20)
        if not more:
            raise ConnectionAbortedError
        body += more
    return bytes(body)


def _head(reply: Reply) -> bytes:
    headers = list(reply.headers.items() if isinstance(reply.headers, Mapping) else reply.headers)
    if reply.gzip:
        headers.append(("Content-Encoding", "gzip"))
    if reply.framing == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
    elif reply.framing == "length":
        missing = 0 if reply.end == "complete" else 100
        size = sum(len(data) for data in _coded(reply, lambda _: None)) + missing
        headers.append(("Content-Length", str(size)))
    else:
        headers.append(("Connection", "close"))
    lines = [f"HTTP/1.1 {reply.status} Because", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _coded(reply: Reply, wait: Callable[[Event], None]) -> Iterator[bytes]:
    """Give the body's pieces; gzipped, each is flushed, as a streaming server does."""
    packer = zlib.compressobj(wbits=31)
    for piece in reply.pieces:
        if isinstance(piece, Event):
            wait(piece)
        elif reply.gzip:
            yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
        elif piece:
            yield piece
    if reply.gzip and reply.end == "complete":
        yield packer.flush()


def _framed(reply: Reply, wait: Callable[[Event], None]) -> Iterator[bytes]:
    is_chunked = reply.framing == "chunked" and reply.has_head and reply.raw is None
    for data in _coded(reply, wait):
        yield b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data
    if is_chunked and reply.end == "complete":
        yield b"0\r\n\r\n"
