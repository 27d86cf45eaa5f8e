"""Plays recordings inside the process, in place of the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from g4fsdk._client.transport import Transport
from g4fsdk.testing._cassette.sources import Source, ids_of_client, load_sessions
from g4fsdk.testing._replay.answers import RecordedAnswers
from g4fsdk.testing._replay.arranged import Cuts, arrange
from g4fsdk.testing._replay.matching import Matching, MatchOn
from g4fsdk.testing._replay.planned import Pace, pace_factor
from g4fsdk.testing._traffic.clock import MonotonicClock

if TYPE_CHECKING:
    from g4fsdk._core.model.chat import Ids
    from g4fsdk.testing._cassette.errors import MismatchError
    from g4fsdk.testing._cassette.values import RecordedRequest
    from g4fsdk.testing._replay.faults import Fault
    from g4fsdk.testing._replay.on_requests import ReplayAdapter


class Replay(Transport):
    """Answers requests from a recording, for any program on requests, httpx or httpx2.

    *source* is the path of a cassette, a `Cassette`, or a list of them, which is then one session. *pace* is
    "instant", "recorded", or a factor on the recorded times (2.0 is half as fast). *cuts* is where bodies are
    cut: as "recorded", "whole", in pieces of so many bytes, or at random places for ("seed", n). *faults* are
    applied in the order given. Where a recorded answer fell silent, an async program waits until it gives up;
    at the pace "instant" for 5 seconds at most.

    A request is answered by the recorded one with the same method, URL and meaning of the body; each is
    played once, equal ones in recorded order. A default that is left out equals one that is given, and what
    the client's `Ids` make doesn't count. *match_on* compares other parts: some of "method", "url" (without
    its query), "query", "headers" (but those of the connection) and "body", or a callable that takes the
    request that was sent and a recorded one, without their secrets, and says whether the answer fits.
    *ignore* leaves places out: `"$.metadata.time"` and `"$.items[*].id"` in the body, `"header:Name"`,
    `"query:name"`.

    Give it as `transport` to `Client` or `AsyncClient`; threads and tasks may share it. It never asks the
    network: what isn't recorded is a `MismatchError`, which is kept in `mismatches`, too.

    Raises:
        UsageError: *match_on* or *ignore* can't be read.
        CassetteError: A file is no cassette.
        ValueError: An argument is none of the above, or a fault doesn't fit the recording.
        MismatchError: From the program's request, not from here: nothing recorded answers it.
    """

    def __init__(
        self,
        source: Source | Sequence[Source],
        *,
        pace: Pace = "instant",
        cuts: Cuts = "recorded",
        faults: Sequence[Fault] = (),
        match_on: MatchOn | None = None,
        ignore: str | Iterable[str] = (),
        clock: MonotonicClock | None = None,
    ) -> None:
        self._factor = pace_factor(pace)
        self._clock = clock or MonotonicClock()
        sessions = load_sessions(source)
        self._answers = RecordedAnswers(arrange(sessions, cuts, faults), Matching.read(match_on, ignore))
        self._seed = next((one.metadata.get("ids_seed") for one in sessions), None)
        self._clients = count()

    def __repr__(self) -> str:
        return f"<Replay, {self.played} played, {self.unplayed} to play>"

    def new_ids(self) -> Ids | None:
        """Return the ids with which the next client of the recording was made, where it says so."""
        return ids_of_client(self._seed, next(self._clients)) if isinstance(self._seed, int) else None

    @property
    def mismatches(self) -> list[MismatchError]:
        """What was asked and not recorded, in the order it came."""
        return list(self._answers.mismatches)

    @property
    def played(self) -> int:
        """How many recorded interactions were played."""
        return self._answers.played

    @property
    def unplayed(self) -> int:
        """How many recorded interactions were not played and should have been."""
        return self._answers.unplayed

    def unplayed_requests(self) -> list[RecordedRequest]:
        """Return the recorded requests that were not sent and should have been, as they stand in *source*."""
        return self._answers.unplayed_requests()

    def assert_all_played(self) -> None:
        """Raise `UnplayedError`, which names the requests, when recorded interactions are left.

        A `MismatchError` that the code under test swallowed comes first.
        """
        for error in self.mismatches:
            raise error
        self._answers.assert_all_played()

    def add_secret(self, value: str) -> None:
        """Remove *value* from requests before they are compared or shown in a message."""
        self._answers.add_secret(value)

    def requests_adapter(self, inner: object = None) -> ReplayAdapter:
        """Return an adapter to mount on a `requests.Session`, for `http://` and for `https://`.

        A redirect to where the session has another adapter is a MismatchError: it would leave the recording.
        """
        from g4fsdk.testing._replay.on_requests import ReplayAdapter

        return ReplayAdapter(self._answers, self._factor, self._clock)

    def httpx_transport(self, inner: object = None) -> Any:
        """Return a transport for clients of httpx and httpx2, blocking and async."""
        from g4fsdk.testing._replay.on_httpx import ReplayTransport

        return ReplayTransport(self._answers, self._factor, self._clock)
