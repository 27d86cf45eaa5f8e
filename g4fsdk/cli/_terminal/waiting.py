"""A line on stderr while there is no answer yet, where stderr is a terminal."""

from __future__ import annotations

import sys
from threading import Lock, Timer
from typing import TYPE_CHECKING, Self

from g4fsdk._core.model.events import Event, ReasoningDelta, TextDelta
from g4fsdk.cli._terminal.output import is_terminal, shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from g4fsdk._client.hooks import EventHooks
    from g4fsdk._client.retries import RetryEvent

_COMES: dict[type[Event], str] = {ReasoningDelta: "thinking", TextDelta: "receiving the answer"}
_PATIENCE = 0.3  # seconds: a quick answer needs no line, and rich is imported while one waits


class Waiting:
    """In its block, says what is waited for, until it is over; then the line is gone."""

    def __init__(self) -> None:
        self._said = ""
        self._line: Live | None = None
        self._lock = Lock()
        self._is_over = True
        self._timer: Timer | None = None

    def __enter__(self) -> Self:
        self._said = "waiting for the answer"
        self._is_over = not is_terminal(sys.stderr)
        if not self._is_over:
            self._timer = Timer(_PATIENCE, self._begin)
            self._timer.daemon = True
            self._timer.start()
        return self

    @property
    def hooks(self) -> EventHooks:
        """What a client has to tell."""
        return {"retry": [self.retry]}

    def __exit__(self, *_: object) -> None:
        self.end()

    def retry(self, event: RetryEvent) -> None:
        """Say why it is tried again."""
        self._said = f"trying again in {event.wait_s:.1f} s: {event.error}"

    def see(self, event: Event) -> None:
        """Say what comes with *event*, which is not shown."""
        self._said = _COMES.get(type(event), self._said)

    def end(self) -> None:
        """Take the line away."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._is_over = True
            line, self._line = self._line, None
        if line is not None:
            line.stop()

    def _begin(self) -> None:
        from rich.console import Console

        line = _spinning(Console(stderr=True), self)
        with self._lock:
            if not self._is_over and self._line is None:
                self._line = line
                line.start()

    def __str__(self) -> str:
        return shown(self._said)


def _spinning(console: Console, said: object) -> Live:
    """Return a line that says what *said* says, however that changes, cut where it is too long."""
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.table import Table
    from rich.text import Text

    spinner = Spinner("line" if console.options.ascii_only else "dots")

    def line() -> Table:
        grid = Table.grid(padding=(0, 1))
        grid.add_row(spinner, Text(str(said), style="dim", no_wrap=True, overflow="ellipsis"))
        return grid

    return Live(
        get_renderable=line, console=console, refresh_per_second=10, transient=True,
        redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
