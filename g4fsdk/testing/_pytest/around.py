"""What lasts as long as a marked test.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from g4fsdk.testing._pytest.intercepted import Interception
from g4fsdk.testing._replay.replay import Replay

if TYPE_CHECKING:
    from g4fsdk.testing._pytest.marked import MarkedTest
    from g4fsdk.testing._pytest.sockets import SocketGuard


@contextmanager
def around(marked: MarkedTest, guard: SocketGuard, replay: object) -> Iterator[None]:
    """Block sockets but for what *guard* allows, and let *replay* answer, unless it is a project's own."""
    blocking = nullcontext() if marked.records else guard
    answering = Interception(replay, guard) if isinstance(replay, Replay) else nullcontext()
    with blocking, answering:
        yield
