"""What is left to play: looked up by what a request means, each answer once, in recorded order."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from g4fsdk.testing._cassette.errors import MismatchError, UnplayedError
from g4fsdk.testing._cassette.match import Key, match_key
from g4fsdk.testing._cassette.values import RecordedRequest
from g4fsdk.testing._replay.nearest import explain_mismatch, request_line
from g4fsdk.testing._replay.planned import PlannedAnswer
from g4fsdk.testing._secrets.scrub import Scrubber

MAX_REMEMBERED = 1000  # requests; a server that runs for ever must not grow with each of them


class RecordedAnswers:
    """Hands out answers, from any number of threads and tasks.

    *sessions* are lists of answers; a lookup costs the same however many there are. Without *with_origin* a
    request matches whatever its scheme, host and port. With *reuse* answers are played again and again, in
    recorded order for equal requests.
    """

    def __init__(
        self, sessions: Sequence[Sequence[PlannedAnswer]], *, with_origin: bool = True, reuse: bool = False
    ) -> None:
        self._comparer = Comparer()
        self._with_origin = with_origin
        self._reuse = reuse
        #: Requests that nothing recorded answered, in the order they came.
        self.mismatches: deque[MismatchError] = deque(maxlen=MAX_REMEMBERED if reuse else None)
        self._lock = threading.Lock()
        self._planned = _number(sessions)
        self._expected = {answer.number for answer in self._planned if not answer.injected}
        self._excused = _excused(sessions)
        self._played: set[int] = set()
        self._requests: dict[int, RecordedRequest] = {}
        self._waiting: dict[Key, deque[PlannedAnswer]] = {}

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

    def claim(self, request: RecordedRequest) -> PlannedAnswer:
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
            return self._next_of(queue)

    def assert_all_played(self) -> None:
        """Raise `UnplayedError`, which names them, when recorded interactions are left."""
        with self._lock:
            self._index_once()
            missing = self._missing()
        if missing:
            lines = [f"  interactions[{n}]: {request_line(self._requests[n])}" for n in missing]
            count = f"{len(missing)} of {len(self._expected)}"
            raise UnplayedError("\n".join([f"{count} recorded interactions were not played:", *lines]))

    def _find(self, sent: RecordedRequest) -> deque[PlannedAnswer] | None:
        return self._waiting.get(match_key(sent, with_origin=self._with_origin))

    def _missing(self) -> list[int]:
        return sorted(self._expected - self._played - self._excused)

    def _index_once(self) -> None:
        if self._waiting:
            return
        waiting: defaultdict[Key, deque[PlannedAnswer]] = defaultdict(deque)
        for answer in self._planned:
            request = self._requests[answer.number] = self._comparer.comparable(answer.request)
            waiting[match_key(request, with_origin=self._with_origin)].append(answer)
        self._waiting = dict(waiting)

    def _next_of(self, queue: deque[PlannedAnswer]) -> PlannedAnswer:
        answer = queue[0]
        if self._reuse:
            queue.rotate(-1)
        elif not answer.lasting:
            queue.popleft()
        if not answer.injected:
            self._played.add(answer.number)
        return answer

    def _explain(self, sent: RecordedRequest) -> str:
        numbers = sorted(self._expected)
        recorded = list(zip(numbers, self._comparer.knowing(self._requests[n] for n in numbers), strict=True))
        return explain_mismatch(
            sent,
            unplayed=[one for one in recorded if one[0] not in self._played],
            played=[one for one in recorded if one[0] in self._played],
            with_origin=self._with_origin,
        )


def _number(sessions: Sequence[Sequence[PlannedAnswer]]) -> list[PlannedAnswer]:
    """Return all answers, numbered through, so that the sessions of a folder don't share numbers."""
    answers: list[PlannedAnswer] = []
    for session in sessions:
        offset = answers[-1].number + 1 if answers else 0
        answers += [replace(answer, number=answer.number + offset) for answer in session]
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


class Comparer:
    """Takes secrets out of requests: those registered, and those that names and looks give away.

    A secret may also be known only from another request. To search each request for all that were ever seen
    would cost more with every request, so that is done by `knowing`, for requests which match nothing.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._seen: deque[RecordedRequest] = deque(maxlen=MAX_REMEMBERED)
        self._knowing = Scrubber()

    def add_secret(self, value: str) -> None:
        """Take *value* for a secret."""
        self._secrets.add(value)
        self._knowing.add_secret(value)

    def comparable(self, request: RecordedRequest) -> RecordedRequest:
        """Return *request* without the secrets that are registered or that it gives away itself."""
        scrubber = Scrubber()
        for secret in self._secrets:
            scrubber.add_secret(secret)
        self._seen.append(request)
        return scrubber.comparable(request)

    def knowing(self, requests: Iterable[RecordedRequest]) -> list[RecordedRequest]:
        """Return *requests* without those secrets either that other requests gave away."""
        while self._seen:
            self._knowing.scrub_request(self._seen.popleft())
        return [self._knowing.comparable(request) for request in requests]
