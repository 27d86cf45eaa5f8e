"""A command on a terminal of its own, and what one sees there."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import pyte

from tests.support.command_line import ENVIRONMENT

# Takes the terminal for its own, which no parent with threads may do for a child, and becomes the command.
# Ctrl-C means something, also where these tests run in the background of a shell.
_LOGIN = """
import os, signal, sys
os.login_tty(0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
output, *words = sys.argv[1:]
if output:
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT, 0o600), 1)
os.execv(sys.executable, [sys.executable, *words])
"""
PATIENCE_S = 60.0  # a busy machine starts the command slowly


class _Screen(pyte.HistoryScreen):
    """A screen that gives *answer* what a terminal answers by itself: where its cursor is."""

    answer: Callable[[str], None]

    def write_process_input(self, data: str) -> None:
        self.answer(data)


class Terminal:
    """Runs the command with *words* on a terminal; its stdout goes to *output*, where that is given.

    Leaving its block ends the command.
    """

    def __init__(
        self,
        *words: object,
        columns: int = 80,
        lines: int = 24,
        environment: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> None:
        self._screen = _Screen(columns, lines, history=10_000, ratio=1)
        self._screen.answer = self.type
        self._stream = pyte.ByteStream(self._screen)
        self.written = b""
        self._file, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        own = {name: value for name, value in ENVIRONMENT.items() if name not in ("COLUMNS", "LINES")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOGIN, str(output or ""), "-m", "g4fsdk", *map(str, words)],
            env={**own, **(environment or {})},
            stdin=end,
            stdout=end,
            stderr=end,
        )
        os.close(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._file)

    @property
    def text(self) -> str:
        """All that can be seen, scrolled back as far as it goes."""
        width = self._screen.columns
        above = ["".join(line[n].data for n in range(width)) for line in self._screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *self._screen.display]).rstrip()

    def see(self, *texts: str) -> str:
        """Wait until each of *texts* can be seen; return all that can."""
        limit = time.monotonic() + PATIENCE_S
        while not all(text in self.text for text in texts):
            assert time.monotonic() < limit, f"not seen: {texts}; but:\n{self.text}"
            assert self._read(limit), f"it ended without: {texts}; but:\n{self.text}"
        return self.text

    def type(self, keys: str) -> None:
        """Press *keys*."""
        os.write(self._file, keys.encode())

    @property
    def shows_keys(self) -> bool:
        """Whether what is typed can be seen."""
        return bool(termios.tcgetattr(self._file)[3] & termios.ECHO)

    def kill(self, number: int) -> None:
        """Send the signal *number*."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for the command to end; return its exit code."""
        limit = time.monotonic() + PATIENCE_S
        while self._read(limit):
            assert time.monotonic() < limit, f"it did not end:\n{self.text}"
        return self._process.wait()

    def _read(self, limit: float) -> bytes:
        """Return what is written next, b"" at the end."""
        ready, _, _ = select.select([self._file], [], [], max(0.0, limit - time.monotonic()))
        data = b""
        with suppress(OSError):  # Linux has EIO where the other side is gone
            data = os.read(self._file, 65536) if ready else b""
        self.written += data
        self._stream.feed(data)
        return data
