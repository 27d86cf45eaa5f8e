"""What is left to play: looked up by what a request means, each answer once, in recorded order."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NoReturn, TypeAlias

from g4fsdk.testing._cassette.errors import MismatchError, UnplayedError
from g4fsdk.testing._cassette.paths import JSON
from g4fsdk.testing._cassette.values import RecordedRequest
from g4fsdk.testing._replay.comparer import MAX_REMEMBERED, Comparer
from g4fsdk.testing._replay.matching import Matching, Names, providers_of
from g4fsdk.testing._replay.planned import PlannedAnswer
from g4fsdk.testing._replay.queues import Queue, Rehearsals, next_of

_Index: TypeAlias = dict[Names, defaultdict[str, list[Queue]]]


class RecordedAnswers:
    """Hands out answers, from any number of threads and tasks.

    *sessions* are lists of answers; a lookup costs the same however many there are, unless *matching* is by a
    callable, which is asked about one after another. With *reuse* answers are played again and again, in
    recorded order for equal requests.
    """

    def __init__(
        self,
        sessions: Sequence[Sequence[PlannedAnswer]],
        matching: Matching | None = None,
        *,
        reuse: bool = False,
    ) -> None:
        self._comparer = Comparer()
        self._matching = matching or Matching()
        self._reuse = reuse
        #: Requests that nothing recorded answered, in the order they came.
        self.mismatches: deque[MismatchError] = deque(maxlen=MAX_REMEMBERED if reuse else None)
        self._lock = threading.Lock()
        self._planned = _number(sessions)
        self._recorded = {answer.number: answer for answer in self._planned}
        self._expected = {answer.number for answer in self._planned if not answer.injected}
        self._excused = _excused(sessions)
        self._played: set[int] = set()
        self._rehearsals = Rehearsals()
        self._queues: dict[object, Queue] = {}
        self._comparables: dict[int, RecordedRequest] = {}
        self._meant: _Index | None = None
        self._scrubbed: _Index | None = None
        self._at_a_glance: dict[object, list[Queue]] = {}

    @property
    def played(self) -> int:
        """How many recorded interactions were played; injected answers don't count."""
        return len(self._played)

    @property
    def unplayed(self) -> int:
        """How many recorded interactions were not played and should have been."""
        return len(self._missing())

    def unplayed_requests(self) -> list[RecordedRequest]:
        """Return the requests of those interactions."""
        return [self._recorded[number].request for number in self._missing()]

    def add_secret(self, value: str) -> None:
        """Take *value* for a secret: it is removed from requests before they are compared or shown."""
        with self._lock:
            self._comparer.add_secret(value)
            self._comparables.clear()
            self._scrubbed = None
            self._at_a_glance.clear()

    def claim(self, request: RecordedRequest) -> PlannedAnswer:
        """Return what is to be played for *request*.

        Raises:
            MismatchError: Nothing recorded and unplayed answers it.
        """
        with self._lock:
            self._index_once()
            self._comparer.remember(request)
            try:
                return self._take(self._find(request))
            except MismatchError as error:
                self.mismatches.append(error)
                raise

    def refuse(self, text: str) -> NoReturn:
        """Raise, and remember, a MismatchError."""
        error = MismatchError(text)
        self.mismatches.append(error)
        raise error

    def assert_all_played(self) -> None:
        """Raise `UnplayedError`, which names them, when recorded interactions are left."""
        with self._lock:
            missing = self._missing()
            requests = [self._comparer.comparable(self._recorded[number].request) for number in missing]
        if missing:
            from g4fsdk.testing._replay.nearest import request_line

            lines = [
                f"  interactions[{number}]: {request_line(request)}"
                for number, request in zip(missing, requests, strict=True)
            ]
            count = f"{len(missing)} of {len(self._expected)}"
            raise UnplayedError("\n".join([f"{count} recorded interactions were not played:", *lines]))

    def _find(self, request: RecordedRequest) -> Queue:
        for queues in self._candidates(request):
            if queue := next_of(queues, reuse=self._reuse):
                return queue
        raise MismatchError(self._explain(request))

    def _missing(self) -> list[int]:
        return sorted(self._expected - self._played - self._excused)

    def _index_once(self) -> None:
        if self._queues:
            return
        for answer in self._planned:
            same = self._matching.same_bytes(answer.request) or answer.number
            queue = self._queues.setdefault(same, Queue(answer))
            queue.answers.append(answer)

    def _candidates(self, request: RecordedRequest) -> Iterator[Iterable[Queue]]:
        """Yield the queues that *request* may take from, found in ways that cost more and more.

        A secret is taken out of requests only where something else than what was recorded is asked.
        """
        if self._matching.judge is not None:
            yield self._judged(request)
            return
        if (same := self._queues.get(self._matching.same_bytes(request))) is not None:
            yield [same]
        if self._at_a_glance:
            yield self._at_a_glance.get(self._matching.same_bytes(self._comparer.blotted(request)), [])
        if self._meant is None:
            self._meant = self._index((queue, queue.first.request) for queue in self._queues.values())
        yield self._found(self._meant, request)
        if self._scrubbed is None:
            self._scrubbed = self._index_without_secrets()
        yield self._found(self._scrubbed, self._comparer.comparable(request))
        [known] = self._comparer.knowing([request])
        yield self._found(self._scrubbed, known)

    def _index(self, requests: Iterable[tuple[Queue, RecordedRequest]]) -> _Index:
        """Return queues by what their *requests* mean, for each kind of request."""
        index: _Index = {}
        for queue, request in requests:
            names = providers_of(queue.first.request.url, queue.first.provider)
            index.setdefault(names, defaultdict(list))[self._matching.key(request, names)].append(queue)
        return index

    def _index_without_secrets(self) -> _Index:
        """Return the index by what is meant but for secrets; where all are of one kind, by bytes too."""
        requests = {queue: self._comparer.comparable(queue.first.request) for queue in self._queues.values()}
        index = self._index(requests.items())
        for same in (queues for kind in index.values() for queues in kind.values() if len(index) == 1):
            for key in {self._matching.same_bytes(requests[queue]) for queue in same} - {None}:
                self._at_a_glance[key] = same
        return index

    def _found(self, index: _Index, sent: RecordedRequest) -> list[Queue]:
        kinds = ((queues, self._matching.key(sent, names)) for names, queues in index.items())
        return [queue for queues, key in kinds for queue in queues.get(key, ())]

    def _judged(self, request: RecordedRequest) -> list[Queue]:
        sent = self._comparer.comparable(request)
        waiting = [queue for queue in self._queues.values() if queue.answers]
        if self._reuse:
            waiting.sort(key=lambda queue: queue.rounds)
        taken = (one for one in waiting if self._matching.takes(sent, self._shown(one.first)))
        return [*islice(taken, 1)]

    def _shown(self, answer: PlannedAnswer) -> RecordedRequest:
        """Return the recorded request as a callable sees it."""
        if answer.number not in self._comparables:
            self._comparables[answer.number] = self._comparer.comparable(answer.request)
        return self._comparables[answer.number]

    def _take(self, queue: Queue) -> PlannedAnswer:
        answer = queue.take(reuse=self._reuse)
        if not self._reuse:
            self._rehearsals.note(answer, queue)
        if not answer.injected:
            self._played.add(answer.number)
        return answer

    def _explain(self, request: RecordedRequest) -> str:
        from g4fsdk.testing._replay.nearest import explain_mismatch

        numbers = sorted(self._expected)
        shown = self._comparer.knowing([request, *(self._recorded[number].request for number in numbers)])
        recorded = list(zip(numbers, shown[1:], strict=True))
        return explain_mismatch(
            shown[0],
            unplayed=[one for one in recorded if one[0] not in self._played],
            played=[one for one in recorded if one[0] in self._played],
            tree=self._tree,
        )

    def _tree(self, number: int, request: RecordedRequest) -> dict[str, JSON]:
        recorded = self._recorded[number]
        return self._matching.tree(request, providers_of(recorded.request.url, recorded.provider))


def _number(sessions: Sequence[Sequence[PlannedAnswer]]) -> list[PlannedAnswer]:
    """Return all answers, numbered through, so that the sessions of a folder don't share numbers."""
    answers: list[PlannedAnswer] = []
    for session in sessions:
        offset = answers[-1].number + 1 if answers else 0
        answers += [replace(answer, number=answer.number + offset, first=offset) for answer in session]
    return answers


def _excused(sessions: Sequence[Sequence[PlannedAnswer]]) -> set[int]:
    """Return the numbers of the answers that stand behind a lasting failure of their session."""
    excused: set[int] = set()
    offset = 0
    for session in sessions:
        last = max((answer.number for answer in session), default=-1)
        for answer in session:
            if answer.excuses:
                first = answer.number if answer.injected else answer.number + 1
                excused.update(range(offset + first, offset + last + 1))
        offset += last + 1
    return excused
