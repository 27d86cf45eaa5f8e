"""What callers want told of each call, for logs and meters."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

import msgspec
from msgspec.structs import replace

from g4fsdk._client.clocks import Clocks
from g4fsdk._core.framing.parser import MAX_BYTES
from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.http import AnswerHead, Request, Response
from g4fsdk._core.model.redact import redact_text, secrets_of

if TYPE_CHECKING:
    from g4fsdk._core.flow.provider import Provider
    from g4fsdk._core.model.completions import Completion

logger = logging.getLogger("g4fsdk")
HookName: TypeAlias = Literal["request", "response", "retry", "event"]
#: What `event_hooks=` takes: by name, what is called with one thing each time.
EventHooks: TypeAlias = Mapping[str, Sequence[Callable[[Any], object]]]
_NAMES: tuple[HookName, ...] = get_args(HookName)


class Hooks:
    """The hooks of a client, checked. *awaits*: what a hook returns may have to be awaited."""

    def __init__(self, given: EventHooks | None = None, *, awaits: bool = False) -> None:
        """Raises UsageError for a name that is none, or for what cannot be called."""
        if not isinstance(given, Mapping | None):
            raise UsageError(f"event_hooks takes a mapping of names to lists, not {type(given).__name__}")
        self._awaits = awaits
        self._of = {name: _checked(name, hooks, awaits) for name, hooks in (given or {}).items()}

    def instead(self, given: EventHooks) -> Hooks:
        """Return those that are *given*, for the same client."""
        return Hooks(given, awaits=self._awaits)

    def has(self, name: HookName) -> bool:
        return bool(self._of.get(name))

    def tell(self, name: HookName, said: object) -> Iterator[object]:
        """Call each of the hooks *name* with *said* when it is its turn; give what it returned."""
        return (hook(said) for hook in self._of.get(name, ()))


#: Nobody is told.
NO_HOOKS = Hooks()


def _checked(name: str, hooks: object, awaits: bool) -> tuple[Callable[[Any], object], ...]:
    if name not in _NAMES:
        raise UsageError(f"unknown event hook {name!r}; known: {', '.join(_NAMES)}")
    if not isinstance(hooks, Sequence) or not all(map(callable, hooks)):
        raise UsageError(f"event_hooks[{name!r}] takes a list of what can be called, not {hooks!r}")
    if not awaits and any(map(_is_awaited, hooks)):
        raise UsageError(f"event_hooks[{name!r}] has a coroutine function, which only AsyncClient can await")
    return tuple(hooks)


def _is_awaited(hook: object) -> bool:
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__)


class Terms(msgspec.Struct, frozen=True):
    """What holds for every request of a call: its clocks and bounds, and who is told of it.

    *secrets* are kept from whom is told, as they are from errors.
    """

    clocks: Clocks
    max_bytes: int = MAX_BYTES
    hooks: Hooks = NO_HOOKS
    secrets: frozenset[str] = frozenset()

    def knowing(self, request: Request) -> Terms:
        """Return the same, with the secrets of *request* as it was written, where somebody is told more."""
        if not self.hooks.has("response"):
            return self
        return replace(self, secrets=self.secrets | secrets_of(request.headers, request.url))

    def asking(self, request: Request) -> Iterator[object]:
        """Tell that *request* goes out."""
        return self.hooks.tell("request", request.redacted()) if self.hooks.has("request") else iter(())

    def answered(self, request: Request, head: Response) -> Iterator[object]:
        """Tell that the answer to *request* has begun."""
        if not self.hooks.has("response"):
            return iter(())
        secrets = self.secrets | secrets_of(request.headers, request.url)
        seen = {name: redact_text(value, secrets) for name, value in AnswerHead.of(head).headers.items()}
        return self.hooks.tell("response", AnswerHead(head.status, seen))


# --- Watching every call of every client ---


class Watched(Protocol):
    """One provider that is asked, as somebody watches it."""

    def current(self) -> AbstractContextManager[object]:
        """Return what stands around the asking, tries and waits included."""
        ...

    def began(self) -> None:
        """Hear that the first event has come."""

    def ended(self, said: Completion | None, error: BaseException | None) -> None:
        """Hear that nothing more comes: what was *said* so far, None for nothing, and the *error* if any."""


#: Told of each provider that is asked, and with what: the arguments of `create` or `generate`.
Watcher: TypeAlias = "Callable[[Provider, Mapping[str, Any]], Watched]"


class Watching:
    """Who watches the calls of all clients, None for nobody."""

    def __init__(self) -> None:
        self.watcher: Watcher | None = None


WATCHING = Watching()


class Watch:
    """One provider's part of a call, from the asking to the end, told to the watcher if there is one.

    A watcher that fails is logged, and changes nothing about the call.
    """

    def __init__(self) -> None:
        self._watched: Watched | None = None

    @contextmanager
    def asking(self, provider: Provider, said: Callable[[Provider], Mapping[str, Any]]) -> Iterator[None]:
        """Tell what *provider* is asked, in the block; what that raises is the end."""
        if WATCHING.watcher is not None:
            with _harmless():
                self._watched = WATCHING.watcher(provider, said(provider))
        if self._watched is None:
            yield
            return
        try:
            with self._watched.current():
                yield
        except BaseException as error:
            with _harmless():
                self._watched.ended(None, error)
            raise
        with _harmless():
            self._watched.began()

    def ended(self, say: Callable[[], Completion], error: BaseException | None) -> None:
        """Tell that the answer has ended; a caller who left it is no *error*."""
        if self._watched is not None:
            with _harmless():
                self._watched.ended(say(), None if isinstance(error, GeneratorExit) else error)


@contextmanager
def _harmless() -> Iterator[None]:
    try:
        yield
    except Exception:
        logger.exception("what watches the calls failed")
