"""Records what a program sends and what comes back, while the program already reads it."""

from __future__ import annotations

import os
import random
import threading
import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import g4fsdk.testing._cassette.yaml  # noqa: F401  # that it is missing is told before a session is recorded
from g4fsdk._client.transport import Transport
from g4fsdk._core.model.chat import Ids
from g4fsdk._version import __version__
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.files import check_place
from g4fsdk.testing._cassette.sources import ids_of_client
from g4fsdk.testing._cassette.values import Interaction, RecordedRequest
from g4fsdk.testing._record.exchange import RecordingExchange
from g4fsdk.testing._traffic.clock import MonotonicClock

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from g4fsdk._core.flow.provider import Provider
    from g4fsdk.testing._record.on_httpx import BothWays
    from g4fsdk.testing._record.on_requests import RecordingAdapter

_DICE = random.SystemRandom()


class Recorder(Transport):
    """Records a session to the cassette at *path*, for any program on requests or httpx.

    The cassette is written when the `with` block is left, also by an exception, scrubbed of secrets, and
    whole or not at all. *provider* is the name of the service, *provenance* says truthfully what answered: it
    begins with "recorded from the live service" or "recorded from the real server software on loopback", and
    names the address by itself if you leave it out. *ids_seed* is what the ids of the requests were made
    from, *call* what was asked of the SDK. `metadata` can be added to until the end. *before_record* takes
    each `Interaction` when all is recorded, secrets included, and returns what to keep of it, or None.

    Give it as `transport` to `Client` or `AsyncClient`; threads and tasks may share it. Each chunk is handed
    on as it comes. Times are milliseconds since the request went to the library, a new connection's set-up
    included.

    Raises:
        OSError: On entering: *path* is no place for a file.
        LeakError: On leaving: a secret is left. Nothing is written then, an older file stays as it was.
    """

    #: A client records around its own connections, with its proxy and its clocks.
    wraps = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        provider: str = "",
        provenance: str = "",
        ids_seed: int | None = None,
        call: dict[str, Any] | None = None,
        before_record: Callable[[Interaction], Interaction | None] | None = None,
        clock: MonotonicClock | None = None,
    ) -> None:
        self._before_record = before_record
        self._path = Path(path)
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._exchanges: list[RecordingExchange] = []
        self._secrets: set[str] = set()
        self._clients = 0
        self._ids: Ids | None = None  # of the call that is kept
        self._provider = provider
        self.metadata: dict[str, Any] = {
            "provider": provider,
            "provenance": provenance,
            "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "ids_seed": ids_seed,
            "sdk_version": __version__,
            "call": call,
        }

    def __repr__(self) -> str:
        return f"<Recorder of {self._path}>"

    def __enter__(self) -> Self:
        check_place(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from g4fsdk.testing._secrets.leaks import find_unsearched
        from g4fsdk.testing._secrets.scrub import Scrubber

        scrubber = Scrubber()
        for secret in self._secrets:
            scrubber.add_secret(secret)
        cleaned = scrubber.clean(self._recorded(), self._path)
        cleaned.save(self._path)
        for leak in find_unsearched(cleaned):
            warnings.warn(f"{self._path}: {leak}", stacklevel=2)

    def new_ids(self) -> Ids:
        """Return ids for the next client, which a replay can make again; clients without their own ask."""
        with self._lock:
            seed = self.metadata["ids_seed"]
            if seed is None:
                seed = self.metadata["ids_seed"] = _DICE.randrange(1 << 31)
            number, self._clients = self._clients, self._clients + 1
        return ids_of_client(seed, number)

    def note_call(self, provider: Provider, call: Mapping[str, Any], ids: Ids) -> None:
        """Keep the first call: *provider* was asked *call*, the arguments of `create` or `generate`.

        The providers of a fallback are asked the same with the same *ids*, but for the model, which each may
        have of its own: the last one answered.
        """
        kept = self.metadata["call"]
        if kept is not None and ids is not self._ids:
            return
        sent = _as_sent(call)
        if kept is None or _but_for_the_model(sent) == _but_for_the_model(kept):
            self._ids = ids
            own_address = provider.base_url != type(provider).url.rstrip("/")
            self.metadata["provider"] = self._provider or provider.name
            self.metadata["base_url"] = provider.base_url if own_address else None
            self.metadata["call"] = sent

    def add_secret(self, value: str) -> None:
        """Take *value* for a secret, wherever it is found; clients do so with their `api_key`."""
        with self._lock:
            self._secrets.add(value)

    def requests_adapter(
        self, inner: BaseAdapter | None = None, *, player: BaseAdapter | None = None
    ) -> RecordingAdapter:
        """Return an adapter to mount on a `requests.Session`; *inner* sends, by default a new HTTPAdapter.

        What *player*, the adapter of a `Replay`, has an answer for is neither sent nor recorded.
        """
        from g4fsdk.testing._record.on_requests import RecordingAdapter

        return RecordingAdapter(self._begin, inner, player)

    def httpx_transport(self, inner: Any = None, *, player: BothWays | None = None) -> Any:
        """Return a transport for clients of httpx and httpx2, both ways; *inner* sends, else their own.

        What *player*, the transport of a `Replay`, has an answer for is neither sent nor recorded.
        """
        from g4fsdk.testing._record.on_httpx import RecordingTransport

        return RecordingTransport(self._begin, inner, player)

    def _begin(self, request: RecordedRequest) -> RecordingExchange:
        exchange = RecordingExchange(request, self._clock)
        with self._lock:
            self._exchanges.append(exchange)
        return exchange

    def _recorded(self) -> Cassette:
        with self._lock:
            recorded = [exchange.interaction() for exchange in self._exchanges]
        interactions = [kept for one in recorded if (kept := self._chosen(one)) is not None]
        metadata = {name: value for name, value in self.metadata.items() if value not in ("", None)}
        origins = dict.fromkeys(origin_of(one.request.url) for one in interactions)
        said = f"recorded by g4fsdk.testing.Recorder; what answered: {', '.join(origins) or 'nothing'}"
        metadata.setdefault("provenance", said)
        return Cassette(interactions, metadata)

    def _chosen(self, recorded: Interaction) -> Interaction | None:
        if self._before_record is None:
            return recorded
        kept = self._before_record(deepcopy(recorded))
        if kept is None or isinstance(kept, Interaction):
            return kept
        raise TypeError(f"before_record returned {kept!r}, expected an Interaction, or None to leave it out")


def _but_for_the_model(call: Any) -> Any:
    return {**call, "model": None} if isinstance(call, dict) else call


def _as_sent(call: Mapping[str, Any]) -> Any:
    """Return *call* in the values that JSON makes of it, without the model or conversation that it lacks.

    None stands for what can't be sent, as the provider is about to say.
    """
    import msgspec

    said = {name: value for name, value in call.items() if name not in ("model", "conversation") or value}
    if "messages" in said:
        said["messages"] = [message.to_dict() for message in said["messages"]]
    if "conversation" in said:
        said["conversation"] = said["conversation"].to_dict()
    try:
        return msgspec.json.decode(msgspec.json.encode(said))
    except (TypeError, ValueError, RecursionError):
        return None


def origin_of(url: str) -> str:
    """Return scheme, host and port of *url*, which may hold a password besides."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
