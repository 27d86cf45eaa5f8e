"""Recording what isn't recorded yet, in the place of a replay: the record modes of the pytest plugin."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import MismatchError
from g4fsdk.testing._record.recorder import Recorder, origin_of
from g4fsdk.testing._replay.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests.adapters import BaseAdapter

    from g4fsdk._core.flow.provider import Provider
    from g4fsdk._core.model.chat import Ids
    from g4fsdk.testing._record.on_requests import RecordingAdapter
    from g4fsdk.testing._replay.arranged import Cuts
    from g4fsdk.testing._replay.planned import Pace

_UNANSWERED = (
    "nobody answered, so nothing was recorded; for a deadline, play the recording of an answer, damaged: "
    "@pytest.mark.g4f_cassette(..., faults=[Fault.stall(at_byte=0, seconds=100)])"
)
_UNASKED = (
    "nobody was asked, so nothing was recorded; the code under test has to use g4f_client, g4f_async_client "
    "or g4f_replay"
)


class Rerecorder(Recorder):
    """Records what follows the session *before*; *how* is the command that recorded it.

    *ids_seed* is what the ids of requests are made from. Nothing is written when nobody answered: an older
    file is worth more than that.
    """

    def __init__(self, path: Path, before: Cassette, *, ids_seed: int | None, how: str) -> None:
        super().__init__(path, ids_seed=ids_seed)
        self._before = before
        self._how = how

    def __enter__(self) -> Rerecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.was_answered:
            super().__exit__(kind, error, traceback)

    @property
    def was_answered(self) -> bool:
        """Whether somebody answered, so that there is something to write."""
        return any(one.response.status for one in super()._recorded().interactions)

    def complaint(self) -> str:
        """Return why nothing was recorded, where something should have been, or ""."""
        was_asked = bool(super()._recorded().interactions)
        if self.was_answered or (self._before.interactions and not was_asked):
            return ""
        return _UNANSWERED if was_asked else _UNASKED

    def _recorded(self) -> Cassette:
        new = super()._recorded()
        metadata = {**new.metadata, **self._before.metadata, "provenance": self._provenance(new)}
        return Cassette([*self._before.interactions, *new.interactions], metadata)

    def _provenance(self, new: Cassette) -> str:
        origins = dict.fromkeys(origin_of(one.request.url) for one in new.interactions if one.response.status)
        said = f"recorded by g4fsdk.testing ({self._how}); what answered: {', '.join(origins)}"
        before = str(self._before.metadata.get("provenance", ""))
        return before if said in before else f"{before}; then {said}" if before else said


class RecordingReplay(Replay):
    """Plays *before*, and lets *recorder* ask the service for what isn't in it."""

    wraps = True

    def __init__(self, before: Cassette, recorder: Rerecorder, *, pace: Pace, cuts: Cuts) -> None:
        super().__init__(before, pace=pace, cuts=cuts)
        self.recorder = recorder

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
        return self.recorder.requests_adapter(inner, player=super().requests_adapter())

    def httpx_transport(self, inner: Any = None) -> Any:
        """Return a transport for clients of httpx and httpx2, both ways; *inner* sends."""
        return self.recorder.httpx_transport(inner, player=super().httpx_transport())
