"""Many rows on a Dask cluster: its workers ask, and the answers come here. Needs the extra `dask`."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar
from uuid import uuid4

try:
    import distributed
    from distributed.scheduler import KilledWorker
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"g4fsdk.integrations.dask needs {_error.name}: pip install 'g4fsdk[dask]'", name=_error.name
    ) from _error

from g4fsdk import Client, Completion, G4FError, TransportError, UsageError
from g4fsdk._client.blocking.batches import Crew
from g4fsdk._client.settings import ProviderLike
from g4fsdk._core.flow.rows import Row

__all__ = ["batch", "connected"]

R = TypeVar("R", bound=Row)
Answers: TypeAlias = Generator[tuple[R, Completion | G4FError], None, None]
_OWN = frozenset({"api_key", "base_url", "headers"})  # a provider object has its own
_CONNECT_S = 10


@contextmanager
def connected(address: str) -> Iterator[distributed.Client]:
    """Give the cluster whose scheduler is at *address*. Raises TransportError where there is none."""
    try:
        cluster = distributed.Client(address, timeout=_CONNECT_S)  # type: ignore[no-untyped-call]  # so it is
    except (OSError, ValueError) as error:
        raise TransportError(f"no Dask scheduler answers at {address}: {error}") from error
    with cluster:
        yield cluster


def batch(
    cluster: distributed.Client,
    rows: Iterable[R],
    provider: ProviderLike | Sequence[ProviderLike] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    concurrency: int = 8,
    rate: str | None = None,
    **options: Any,
) -> Answers[R]:
    """Do what `Client(provider, **settings).batch(rows, ...)` does, on the workers of *cluster*.

    *concurrency* and *rate* are those of the whole cluster: so many rows are with workers and not yet
    answered, and so many are handed to them in any such time; what a worker tries again is not counted.
    It asks one row a thread: give it as many threads as calls are to go on (`dask worker --nthreads 16`),
    else rows wait there, and begin when one is free. What a worker had that is lost is asked by another;
    a row that has lost several comes with a TransportError.

    What the environment says of `openai` is read here and goes to the workers with *settings*, a key
    included; proxies and certificates are those of the workers.

    Raises:
        UsageError: Settings, a concurrency or a rate that cannot be, no rows, or an asynchronous *cluster*.
        TransportError: The cluster has gone; what came before has been given.
    """
    if cluster.asynchronous:
        raise UsageError("a batch waits for its cluster: give a distributed.Client without asynchronous=True")
    asking = _Asking(*_as_shipped(provider, dict(settings or {})))
    waiting = set[Any]()
    ask = partial(_ask, cluster, asking.name, waiting)
    crew = Crew(ask, rows, concurrency, rate, options)
    return _answers(cluster, asking, crew, waiting)


def _as_shipped(provider: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return both, as a worker needs them. Raises UsageError for what cannot be."""
    with Client(provider, **settings) as client:
        known = client._settings
    asked = [*known.providers] or [*filter(None, [known.default])]
    if not asked:  # the model chooses
        return None, settings
    return asked, {name: value for name, value in settings.items() if name not in _OWN}


def _answers(cluster: Any, asking: _Asking, crew: Crew[R], waiting: set[Any]) -> Answers[R]:
    try:
        cluster.register_plugin(asking)
        yield from crew.answers()
    except CancelledError as error:
        raise TransportError(f"the Dask cluster has gone: {error}") from error
    finally:
        crew.stop()
        if cluster.status == "running":
            cluster.cancel([*waiting])
            cluster.unregister_worker_plugin(asking.name)


def _ask(cluster: Any, name: str, waiting: set[Any], **call: Any) -> Completion:
    """Have a worker ask *call*, and wait for it. Raises G4FError for what that failed with."""
    future = cluster.submit(_ask_here, name, call, pure=False)
    waiting.add(future)
    try:
        found: Completion | G4FError = future.result()
    except KilledWorker as error:
        raise TransportError(f"its workers were lost, one after the other: {error}", sent=True) from error
    finally:
        waiting.discard(future)
    if isinstance(found, G4FError):
        raise found
    return found


def _ask_here(name: str, call: Mapping[str, Any]) -> Completion | G4FError:
    """Ask *call* on this worker. An error of ours is returned, which Dask would wrap."""
    asking: Any = distributed.get_worker().plugins[name]
    try:
        completion: Completion = asking.client.chat.completions.create(**call)
    except G4FError as error:
        return error
    return completion


class _Asking(distributed.WorkerPlugin):
    """What a worker has for a batch, however late it comes: one client for all of its threads."""

    def __init__(self, provider: Any, settings: Mapping[str, Any]) -> None:
        self.name = f"g4fsdk-{uuid4().hex}"
        self._provider, self._settings = provider, settings

    def setup(self, worker: distributed.Worker) -> None:
        self.client = Client(self._provider, **self._settings)

    def teardown(self, worker: distributed.Worker) -> None:
        self.client.close()
