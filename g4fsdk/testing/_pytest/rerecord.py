"""Recording what isn't recorded yet, in the place of a replay: the record modes of the pytest plugin."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakSet

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import MismatchError
from g4fsdk.testing._cassette.match import match_key
from g4fsdk.testing._cassette.values import Interaction
from g4fsdk.testing._record.recorder import Recorder, origin_of
from g4fsdk.testing._replay.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests.adapters import BaseAdapter

    from g4fsdk._core.flow.provider import Provider
    from g4fsdk._core.model.chat import Ids
    from g4fsdk.testing._record.on_requests import RecordingAdapter

_UNANSWERED = (
    "nobody answered, so nothing was recorded; asked: {}; for a deadline, play the recording of an answer, "
    "damaged: @pytest.mark.g4f_cassette(..., faults=[Fault.stall(at_byte=0, seconds=100)])"
)
_UNASKED = (
    "nobody was asked, so nothing was recorded; the code under test has to use g4f_client, g4f_async_client, "
    "g4f_replay or g4f_server, or to ask by way of requests, httpx or httpx2"
)
#: Statuses that say no for reasons which have nothing to do with what was asked: it would be played for ever.
REFUSALS = frozenset({401, 402, 403, 407, 408, 425, 429, 502, 503, 504, 529})


class Rerecorder(Recorder):
    """Records what follows the session *before*; *how* is the command that recorded it.

    *ids_seed* is what the ids of requests are made from. Nothing is written when nobody answered, or when a
    request was only refused, unless *keeps_refusals*: an older file is worth more than that, and a missing
    one is recorded next time.
    """

    def __init__(
        self, path: Path, before: Cassette, *, ids_seed: int | None, how: str, keeps_refusals: bool = False
    ) -> None:
        super().__init__(path, ids_seed=ids_seed)
        self._before = before
        self._how = how
        self._keeps_refusals = keeps_refusals

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.has_news:
            super().__exit__(kind, error, traceback)

    @property
    def has_news(self) -> bool:
        """Whether there is something to write."""
        return not self._refused() and any(one.response.status for one in self._kept())

    def complaint(self) -> str:
        """Return why nothing was recorded, where something should have been, or ""."""
        if refused := self.refusal():
            return refused
        asked = ", ".join(dict.fromkeys(origin_of(one.request.url) for one in self._asked()))
        if self.has_news or (self._before.interactions and not asked):
            return ""
        return _UNANSWERED.format(asked) if asked else _UNASKED

    def refusal(self) -> str:
        """Return what was refused, where nothing is recorded for that, or ""."""
        return next((_refusal(one) for one in self._refused()), "")

    def _asked(self) -> list[Interaction]:
        return super()._recorded().interactions

    def _kept(self) -> list[Interaction]:
        return [one for one in self._asked() if self._keeps_refusals or not _is_refusal(one)]

    def _refused(self) -> list[Interaction]:
        """Return the refusals after which nothing else came for the same request."""
        if self._keeps_refusals:
            return []
        last = {match_key(one.request): one for one in self._asked()}
        return [one for one in last.values() if _is_refusal(one)]

    def _recorded(self) -> Cassette:
        new = Cassette(self._kept(), super()._recorded().metadata)
        metadata = {**new.metadata, **self._before.metadata, "provenance": self._provenance(new)}
        return Cassette([*self._before.interactions, *new.interactions], metadata)

    def _provenance(self, new: Cassette) -> str:
        origins = dict.fromkeys(origin_of(one.request.url) for one in new.interactions if one.response.status)
        said = f"recorded by g4fsdk.testing ({self._how}); what answered: {', '.join(origins)}"
        before = str(self._before.metadata.get("provenance", ""))
        return before if said in before else f"{before}; then {said}" if before else said


def _is_refusal(interaction: Interaction) -> bool:
    return interaction.response.status in REFUSALS


def _refusal(interaction: Interaction) -> str:
    request, response = interaction.request, interaction.response
    where = f"{origin_of(request.url)}{urlsplit(request.url).path}"
    return (
        f"{request.method} {where} was refused ({response.status} {response.reason}), so nothing was "
        "recorded; to keep refusals: pytest --g4f-keep-refusals, or g4f_keep_refusals = true in the ini file"
    )


class RecordingReplay(Replay):
    """Plays *before*, and lets *recorder* ask the service for what isn't in it."""

    wraps = True

    def __init__(self, before: Cassette, recorder: Rerecorder, **played: Any) -> None:
        super().__init__(before, **played)
        self.recorder = recorder
        self._sending: WeakSet[Any] = WeakSet()

    @property
    def mismatches(self) -> list[MismatchError]:
        """Nothing: what isn't recorded is asked of the service."""
        return []

    def add_secret(self, value: str) -> None:
        """Keep *value* out of the recording, and out of messages."""
        super().add_secret(value)
        self.recorder.add_secret(value)

    def new_ids(self) -> Ids:
        """Return ids for the next client."""
        return self.recorder.new_ids()

    def note_call(self, provider: Provider, call: Mapping[str, Any], ids: Ids) -> None:
        """Keep what is asked, so that the recording can be asked the same."""
        self.recorder.note_call(provider, call, ids)

    def requests_adapter(  # type: ignore[override]  # used as any adapter is
        self, inner: BaseAdapter | None = None
    ) -> RecordingAdapter:
        """Return an adapter to mount on a `requests.Session`; *inner* sends."""
        player: Any = _Watched(super().requests_adapter(), self._sending)
        return self.recorder.requests_adapter(inner, player=player)

    def httpx_transport(self, inner: Any = None) -> Any:
        """Return a transport for clients of httpx and httpx2, both ways; *inner* sends."""
        player: Any = _Watched(super().httpx_transport(), self._sending)
        return self.recorder.httpx_transport(inner, player=player)

    def is_sending(self, request: object) -> bool:
        """Whether *request* is on its way to the service and recorded by this; true once for each time."""
        was_sending = request in self._sending
        self._sending.discard(request)
        return was_sending


class _Watched:
    """A player that keeps the requests which it is asked first, before they go to the service."""

    def __init__(self, player: Any, sending: WeakSet[Any]) -> None:
        self._player = player
        self._sending = sending

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        self._sending.add(request)
        return self._player.send(request, *args, **options)

    def handle_request(self, request: Any) -> Any:
        self._sending.add(request)
        return self._player.handle_request(request)

    async def handle_async_request(self, request: Any) -> Any:
        self._sending.add(request)
        return await self._player.handle_async_request(request)
