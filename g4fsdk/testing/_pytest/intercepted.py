"""What the code under test asks with clients of its own, answered by the recording of its test.

While a marked test runs, the places where requests, httpx and httpx2 hand a request to the network look here
first: `HTTPAdapter.send` and the two `HTTPTransport`s. What stands above them, a mock included, is as it was.
Clients of ours besides hear by way of G4FSDK_TRANSPORT with which ids the recording was made. Programs that
the test starts read it, too, and may run where there is no pytest: none is imported here.

The test in whose context a request is made answers it. Threads have contexts of their own, and so have tasks
of older loops: theirs is answered by the marked test that runs, unless there are several.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import TracebackType
from typing import TYPE_CHECKING, Any

from g4fsdk._client.transport import TRANSPORT
from g4fsdk.testing._pytest.patches import Patches

if TYPE_CHECKING:
    from g4fsdk.testing._pytest.sockets import SocketGuard
    from g4fsdk.testing._replay.replay import Replay

OVERHEARING = "g4fsdk.testing._pytest.overheard:overhearing"
LIBRARIES = ("requests", "httpx", "httpx2")
#: The keys that clients of ours gave away in any test of this run, for they may ask in later ones, too.
heard: dict[str, None] = {}

_lock = threading.Lock()
_active: list[Interception] = []
_patches = Patches()
_before: list[str | None] = []  # what G4FSDK_TRANSPORT was
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
        for secret in [*heard]:
            self.replay.add_secret(secret)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _here.set(None)
        with _lock:
            _active.remove(self)
            if not _active:
                _uninstall()

    def takes(self, request: Any, url: str) -> bool:
        """Whether *request* is answered here; not what is being recorded already."""
        return not _is_recorded(self.replay, request) and not self._guard.allows(url)

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


def _is_recorded(replay: Replay, request: object) -> bool:
    """Whether *replay* is recording *request* already, which is on its way to the network."""
    if not replay.wraps:
        return False
    from g4fsdk.testing._pytest.rerecord import RecordingReplay

    return isinstance(replay, RecordingReplay) and replay.is_sending(request)


def _taking(request: Any, url: str) -> Interception | None:
    found = current()
    return found if found is not None and found.takes(request, url) else None


# --- The hooks ---


def _install() -> None:
    """Put the hooks in front of the network, and our own clients' transport into the environment."""
    for name in LIBRARIES:
        if name in sys.modules:
            _hook(sys.modules[name])
    sys.meta_path.insert(0, _late)
    _before.append(os.environ.get(TRANSPORT))
    os.environ[TRANSPORT] = OVERHEARING


def _uninstall() -> None:
    os.environ.pop(TRANSPORT, None)
    if (before := _before.pop()) is not None:
        os.environ[TRANSPORT] = before
    sys.meta_path.remove(_late)
    _patches.undo()


def _hook(module: Any) -> None:
    if module.__name__ == "requests":
        _put(module.adapters.HTTPAdapter, "send", _of_requests)
    else:
        _put(module.HTTPTransport, "handle_request", _of_httpx)
        _put(module.AsyncHTTPTransport, "handle_async_request", _of_async_httpx)


def _put(owner: Any, name: str, hook: Callable[[Any], Any]) -> None:
    _patches.put(owner, name, hook(vars(owner)[name]))


class _Late(MetaPathFinder):
    """Hooks a library that is imported while a marked test runs: nobody pays for the others."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name not in LIBRARIES:
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, others), None)
        if spec is not None and spec.loader is not None:
            _run_after(spec.loader, _hook)
        return spec


def _run_after(loader: Any, hook: Callable[[Any], None]) -> None:
    """Let *loader*, which is of one module, call *hook* with it once it is loaded."""
    load = loader.exec_module

    def exec_module(module: Any) -> None:
        del loader.exec_module
        load(module)
        with _lock:
            if _active:
                hook(module)

    loader.exec_module = exec_module


_late = _Late()


def _of_requests(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(adapter: Any, request: Any, *args: Any, **options: Any) -> Any:
        found = _taking(request, request.url)
        if found is None:
            return original(adapter, request, *args, **options)
        from g4fsdk.testing._replay.tries import once, retries_of, tried

        inner = _Straight(partial(original, once(adapter)), found.replay)
        ask = partial(found.answering("requests_adapter", inner).send, request, *args, **options)
        return tried(ask, retries_of(adapter), request, waits=found.replay.wraps)

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
        _is_recorded(self._replay, request)
        return self._original(request, *args, **options)

    def handle_request(self, request: Any) -> Any:
        return self.send(request)

    async def handle_async_request(self, request: Any) -> Any:
        return await self.send(request)

    def close(self) -> None:
        return None

    async def aclose(self) -> None:
        return None
