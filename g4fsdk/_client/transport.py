"""What may stand in place of the network."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from g4fsdk._client.network import Network
from g4fsdk._core.model.errors import UsageError

if TYPE_CHECKING:
    from g4fsdk._core.flow.provider import Provider
    from g4fsdk._core.model.chat import Ids

#: The variable that names what makes a transport for clients that bring none: ``package.module:function``.
TRANSPORT = "G4FSDK_TRANSPORT"


class Transport:
    """What `transport=` takes: makes adapters of both libraries, and hears what a client is about to ask.

    Recorders and replays are some. *wraps* says that its adapters send through the ones they are made with:
    all that the client would do without it.
    """

    wraps: bool = False

    def requests_adapter(self, inner: Any = None) -> Any:
        """Return an adapter to mount on a `requests.Session`; *inner* is the client's own."""
        raise NotImplementedError

    def httpx_transport(self, inner: Any = None) -> Any:
        """Return a transport for an `httpx.AsyncClient`; *inner* is the client's own."""
        raise NotImplementedError

    def new_ids(self) -> Ids | None:
        """Return ids for the next client; None leaves them to it."""
        return None

    def note_call(self, provider: Provider, call: Mapping[str, Any], ids: Ids) -> None:
        """Hear that *provider* is asked *call*, the arguments of `create` or `generate`."""

    def add_secret(self, value: str) -> None:
        """Hear a key of the client, so that it reaches no file and no message."""


class _AdapterOnly(Transport):
    """An object of the caller's that makes adapters of one library, and wants to hear nothing."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def requests_adapter(self, inner: Any = None) -> Any:
        return self._make()

    def httpx_transport(self, inner: Any = None) -> Any:
        return self._make()


def read_transport(
    given: object, network: Network, own: object, *, name: str, method: str
) -> Transport | None:
    """Return what stands in place of the network: *given*, or what the environment names, or nothing.

    *own* is the caller's own client, given as *name*: it has a transport and a *network* of its own.
    *method* is what the least of transports has.

    Raises:
        UsageError: *own* beside one of the others, what is no transport, an environment that names none.
    """
    if own is not None:
        if given is not None or network.is_given:
            raise UsageError(
                f"{name}= brings its own transport and proxy, and whom it trusts; give one or the other"
            )
        return None
    found = _of_environment() if given is None else given
    if found is None or isinstance(found, Transport):
        return found
    make = getattr(found, method, None)
    if make is None:
        wanted = f"transport= takes a Recorder or Replay of g4fsdk.testing, or what has {method}()"
        raise UsageError(f"{wanted}, not {type(found).__name__}")
    return _AdapterOnly(make)


def _of_environment() -> object:
    place = os.environ.get(TRANSPORT)
    if not place:
        return None
    module, _, function = place.partition(":")
    try:
        make = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"{TRANSPORT} must be like package.module:function, not {place!r}") from error
    return make()
