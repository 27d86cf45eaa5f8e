"""What the code under test asks with clients of its own, answered by the recording of its test.

While a marked test runs, the places where requests, httpx and httpx2 hand a request to the network look here
first: `HTTPAdapter.send` and the two `HTTPTransport`s. What stands above them, a mock included, is as it was.
Clients of ours besides hear by way of G4FSDK_TRANSPORT with which ids the recording was made.

The test in whose context a request is made answers it. Threads have contexts of their own, and so have tasks
of older loops: theirs is answered by the marked test that runs, unless there are several.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from g4fsdk._client.ids import SYSTEM_IDS
from g4fsdk._client.transport import TRANSPORT, Transport
from g4fsdk._core.model.chat import Ids
from g4fsdk.testing._pytest.patches import Patches
from g4fsdk.testing._pytest.rerecord import RecordingReplay

if TYPE_CHECKING:
    from g4fsdk._core.flow.provider import Provider
    from g4fsdk.testing._pytest.sockets import SocketGuard
    from g4fsdk.testing._replay.replay import Replay

LIBRARIES = ("requests", "httpx", "httpx2")

_lock = threading.Lock()
_active: list[Interception] = []
_patches = Patches()
_environment = pytest.MonkeyPatch()
_here: ContextVar[Interception | None] = ContextVar("_here", default=None)


class Interception:
    """Lets *replay* answer while the `with` block lasts; what *guard* allows goes to the network."""

    def __init__(self, replay: Replay, guard: SocketGuard) -> None:
        self.replay = replay
        self._guard = guard
        self._kept: dict[str, Any] = {}

    def __enter__(self) -> Interception:
        with _lock:
            if not _active:
                _install()
            _active.append(self)
        _here.set(self)
        for secret in [*_heard]:
            self.replay.add_secret(secret)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _here.set(None)
        with _lock:
            _active.remove(self)
            if not _active:
                _patches.undo()
                _environment.undo()

    def takes(self, request: Any, url: str) -> bool:
        """Whether *request* is answered here; not what is being recorded already."""
        if isinstance(self.replay, RecordingReplay) and self.replay.is_sending(request):
            return False
        return not self._guard.allows(url)

    def answering(self, make: str, inner: Any) -> Any:
        """Return the adapter of the replay that its method *make* makes; *inner* sends what is recorded."""
        if self.replay.wraps:
            return getattr(self.replay, make)(inner)
        if make not in self._kept:
            self._kept[make] = getattr(self.replay, make)()
        return self._kept[make]


def current() -> Interception | None:
    """Return what answers requests that are made here.

    Raises:
        RuntimeError: Several marked tests run at a time, and the caller's context belongs to none.
    """
    mine, running = _here.get(), [*_active]
    if mine in running:
        return mine
    if len(running) > 1:
        raise RuntimeError(
            f"{len(running)} tests marked g4f_cassette run at a time in this process, and this thread has "
            "the context of none of them: start it with contextvars.copy_context().run"
        )
    return running[0] if running else None


def _taking(request: Any, url: str) -> Interception | None:
    found = current()
    return found if found is not None and found.takes(request, url) else None


# --- The hooks ---


def _install() -> None:
    """Put the hooks in front of the network, and our own clients' transport into the environment."""
    for owner, name, hook in _hooks():
        _patches.put(owner, name, hook(vars(owner)[name]))
    _environment.setenv(TRANSPORT, f"{__name__}:{overhearing.__name__}")


def _hooks() -> Iterator[tuple[Any, str, Callable[[Any], Any]]]:
    seen = set()
    for name in LIBRARIES:
        if find_spec(name) is None:
            continue
        module = import_module(name)
        if name == "requests":
            yield module.adapters.HTTPAdapter, "send", _of_requests
        elif module.HTTPTransport not in seen:  # httpx2 can be told to stand in place of httpx
            seen.add(module.HTTPTransport)
            yield module.HTTPTransport, "handle_request", _of_httpx
            yield module.AsyncHTTPTransport, "handle_async_request", _of_async_httpx


def _of_requests(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(adapter: Any, request: Any, *args: Any, **options: Any) -> Any:
        found = _taking(request, request.url)
        if found is None:
            return original(adapter, request, *args, **options)
        inner = _Straight(partial(original, adapter), found.replay)
        return found.answering("requests_adapter", inner).send(request, *args, **options)

    return send


def _of_httpx(original: Callable[..., Any]) -> Callable[..., Any]:
    def handle_request(transport: Any, request: Any) -> Any:
        found = _taking(request, str(request.url))
        if found is None:
            return original(transport, request)
        inner = _Straight(partial(original, transport), found.replay)
        return found.answering("httpx_transport", inner).handle_request(request)

    return handle_request


def _of_async_httpx(original: Callable[..., Any]) -> Callable[..., Any]:
    async def handle_async_request(transport: Any, request: Any) -> Any:
        found = _taking(request, str(request.url))
        if found is None:
            return await original(transport, request)
        inner = _Straight(partial(original, transport), found.replay)
        return await found.answering("httpx_transport", inner).handle_async_request(request)

    return handle_async_request


class _Straight:
    """The program's own way to the network, behind the hook; whoever made it closes it."""

    def __init__(self, original: Callable[..., Any], replay: Replay) -> None:
        self._original = original
        self._replay = replay

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        if isinstance(self._replay, RecordingReplay):
            self._replay.is_sending(request)
        return self._original(request, *args, **options)

    def handle_request(self, request: Any) -> Any:
        return self.send(request)

    async def handle_async_request(self, request: Any) -> Any:
        return await self.send(request)

    def close(self) -> None:
        return None

    async def aclose(self) -> None:
        return None


# --- Our own clients ---


class Overhearing(Transport):
    """What our clients get in a marked test: they send as ever, and the recording hears what they ask."""

    wraps = True

    def requests_adapter(self, inner: Any = None) -> Any:
        """Return *inner*: the hooks see what it sends."""
        return inner

    def httpx_transport(self, inner: Any = None) -> Any:
        """Return *inner*: the hooks see what it sends."""
        return inner

    def new_ids(self) -> Ids:
        """Return ids for one client, which may be older than the test that it asks for."""
        return _IdsOfTheTest()

    def note_call(self, provider: Provider, call: Mapping[str, Any], ids: Ids) -> None:
        """Let the recording keep what is asked."""
        if found := current():
            found.replay.note_call(provider, call, ids)

    def add_secret(self, value: str) -> None:
        """Keep *value* out of this recording, and of those of later tests that ask with the same client."""
        _heard[value] = None
        if found := current():
            found.replay.add_secret(value)


_heard: dict[str, None] = {}


def overhearing() -> Transport | None:
    """Return the transport of clients that bring none; what G4FSDK_TRANSPORT names in a marked test."""
    return Overhearing() if current() else None


class _IdsOfTheTest(Ids):
    """The ids of the recording that answers when a call is made, for each of them from its start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Interception | None = None
        self._ids: Ids = SYSTEM_IDS
        self._calls = count()

    def uuid(self, name: str) -> str:
        return self._source().uuid(name)

    def now_ms(self) -> int:
        return self._source().now_ms()

    def child(self, number: int) -> Ids:
        with self._lock:
            return self._source().child(next(self._calls))

    def _source(self) -> Ids:
        found = current()
        if found is not self._of:
            self._of, self._calls = found, count()
            self._ids = (found.replay.new_ids() if found else None) or SYSTEM_IDS
        return self._ids
