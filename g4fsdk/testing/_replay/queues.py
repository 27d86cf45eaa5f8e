"""The answers that wait to be played, in queues of requests that are one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from g4fsdk.testing._replay.planned import PlannedAnswer


@dataclass(slots=True, eq=False)
class Queue:
    """The answers of one request, in recorded order. *first* is one of them, *turns* how many were given."""

    first: PlannedAnswer
    answers: deque[PlannedAnswer] = field(default_factory=deque)
    turns: int = 0

    @property
    def rounds(self) -> int:
        """How often all answers were given that are left."""
        return self.turns // len(self.answers)

    def take(self, *, reuse: bool) -> PlannedAnswer:
        """Return the next answer. With *reuse* it stands behind the others then."""
        answer = self.answers[0]
        self.turns += 1
        if reuse:
            self.answers.rotate(-1)
        elif not answer.lasting:
            self.answers.popleft()
        return answer


def next_of(queues: Iterable[Queue], *, reuse: bool) -> Queue | None:
    """Return the queue with the answer that was recorded first; with *reuse*, of those given least often."""
    waiting = [queue for queue in queues if queue.answers]
    return min(waiting, key=lambda queue: (reuse and queue.rounds, queue.answers[0].number), default=None)


class Rehearsals:
    """Lets what was asked before a fault be asked again, until the request that failed has its real answer.

    A program whose request failed may begin again with its first one, which was recorded once.
    """

    def __init__(self) -> None:
        self._given: dict[int, tuple[PlannedAnswer, Queue]] = {}
        self._lent: dict[int, list[tuple[PlannedAnswer, Queue]]] = {}

    def note(self, answer: PlannedAnswer, queue: Queue) -> None:
        """Take note that *answer* of *queue* was given."""
        if answer.injected or answer.lasting:
            self._lend(answer, queue)
            return
        self._given[answer.number] = (answer, queue)
        for lent, owner in self._lent.pop(answer.number, ()):
            with suppress(ValueError):
                owner.answers.remove(lent)

    def _lend(self, fault: PlannedAnswer, failed: Queue) -> None:
        lent = self._lent.setdefault(fault.number, [])
        for number in range(fault.number - 1, fault.first - 1, -1):
            answer, queue = self._given.get(number, (None, failed))
            if answer is None or queue is failed or answer in queue.answers:
                continue
            queue.answers.appendleft(answer)
            lent.append((answer, queue))
