"""What is left to play: looked up by what a request means, each take once, in recorded order."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace

from g4fsdk.testing._cassette.errors import MismatchError, UnplayedError
from g4fsdk.testing._cassette.match import Key, match_key
from g4fsdk.testing._cassette.values import RecordedRequest
from g4fsdk.testing._replay.comparing import MAX_REMEMBERED, Comparer
from g4fsdk.testing._replay.nearest import explain_mismatch, request_line
from g4fsdk.testing._replay.planned import Take


class Playlist:
    """Hands out takes, from any number of threads and tasks.

    *sessions* are lists of takes; a lookup costs the same however many there are. Without *with_origin* a
    request matches whatever its scheme, host and port. With *reuse* takes are played again and again, in
    recorded order for equal requests.
    """

    def __init__(
        self, sessions: Sequence[Sequence[Take]], *, with_origin: bool = True, reuse: bool = False
    ) -> None:
        self._comparer = Comparer()
        self._with_origin = with_origin
        self._reuse = reuse
        #: Requests that nothing recorded answered, in the order they came.
        self.mismatches: deque[MismatchError] = deque(maxlen=MAX_REMEMBERED if reuse else None)
        self._lock = threading.Lock()
        self._takes = _number(sessions)
        self._expected = {take.number for take in self._takes if not take.injected}
        self._excused = _excused(sessions)
        self._played: set[int] = set()
        self._requests: dict[int, RecordedRequest] = {}
        self._waiting: dict[Key, deque[Take]] = {}

    @property
    def played(self) -> int:
        """How many recorded interactions were played; injected answers don't count."""
        return len(self._played)

    @property
    def unplayed(self) -> int:
        """How many recorded interactions were not played and should have been."""
        return len(self._missing())

    def add_secret(self, value: str) -> None:
        """Take *value* for a secret: it is removed from requests before they are compared or shown."""
        with self._lock:
            self._comparer.add_secret(value)

    def claim(self, request: RecordedRequest) -> Take:
        """Return what is to be played for *request*.

        Raises:
            MismatchError: Nothing recorded and unplayed answers it.
        """
        with self._lock:
            self._index_once()
            sent = self._comparer.comparable(request)
            queue = self._find(sent)
            if not queue:
                [sent] = self._comparer.knowing([request])
                queue = self._find(sent)
            if not queue:
                error = MismatchError(self._explain(sent))
                self.mismatches.append(error)
                raise error
            return self._take_from(queue)

    def assert_all_played(self) -> None:
        """Raise `UnplayedError`, which names them, when recorded interactions are left."""
        with self._lock:
            self._index_once()
            missing = self._missing()
        if missing:
            lines = [f"  interactions[{n}]: {request_line(self._requests[n])}" for n in missing]
            count = f"{len(missing)} of {len(self._expected)}"
            raise UnplayedError("\n".join([f"{count} recorded interactions were not played:", *lines]))

    def _find(self, sent: RecordedRequest) -> deque[Take] | None:
        return self._waiting.get(match_key(sent, with_origin=self._with_origin))

    def _missing(self) -> list[int]:
        return sorted(self._expected - self._played - self._excused)

    def _index_once(self) -> None:
        if self._waiting:
            return
        waiting: defaultdict[Key, deque[Take]] = defaultdict(deque)
        for take in self._takes:
            request = self._requests[take.number] = self._comparer.comparable(take.request)
            waiting[match_key(request, with_origin=self._with_origin)].append(take)
        self._waiting = dict(waiting)

    def _take_from(self, queue: deque[Take]) -> Take:
        take = queue[0]
        if self._reuse:
            queue.rotate(-1)
        elif not take.lasting:
            queue.popleft()
        if not take.injected:
            self._played.add(take.number)
        return take

    def _explain(self, sent: RecordedRequest) -> str:
        numbers = sorted(self._expected)
        recorded = list(zip(numbers, self._comparer.knowing(self._requests[n] for n in numbers), strict=True))
        return explain_mismatch(
            sent,
            unplayed=[one for one in recorded if one[0] not in self._played],
            played=[one for one in recorded if one[0] in self._played],
            with_origin=self._with_origin,
        )


def _number(sessions: Sequence[Sequence[Take]]) -> list[Take]:
    """Return all takes, numbered through, so that the sessions of a folder don't share numbers."""
    takes: list[Take] = []
    for session in sessions:
        offset = takes[-1].number + 1 if takes else 0
        takes += [replace(take, number=take.number + offset) for take in session]
    return takes


def _excused(sessions: Sequence[Sequence[Take]]) -> set[int]:
    """Return the numbers of the takes that stand behind a lasting failure of their session."""
    excused: set[int] = set()
    offset = 0
    for session in sessions:
        last = max((take.number for take in session), default=-1)
        for take in session:
            if take.excuses:
                first = take.number if take.injected else take.number + 1
                excused.update(range(offset + first, offset + last + 1))
        offset += last + 1
    return excused
