"""Markdown on a terminal while it arrives."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from queue import SimpleQueue
from threading import Thread
from typing import ClassVar

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Heading, Markdown, MarkdownElement, TableElement
from rich.segment import Segment, SegmentLines
from rich.table import Table

from g4fsdk.cli._terminal.output import shown

_SHORTEST_PAUSE = 0.04  # seconds between two drawings
_REST = 3  # after a drawing, so many times as long as it took
# What is no text to a reader of Markdown is shown as it was written: rich would leave it out.
_AS_WRITTEN = ["html_block", "html_inline", "image", "reference", "autolink"]
_PARSER = MarkdownIt().enable(["strikethrough", "table"]).disable(_AS_WRITTEN)


class _Heading(Heading):
    """A heading at the left, as all else: the first level is centred, or stands in a box, by the version."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Table(TableElement):
    """A table whose cells break where they are too long: they would be cut."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            for column in table.columns if isinstance(table, Table) else ():
                column.overflow = "fold"
            yield table


class _Markdown(Markdown):
    """Markdown in which nothing is left out, and nothing hides an address."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "table_open": _Table,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme="ansi_dark", hyperlinks=False)
        self.parsed = _PARSER.parse(text)
        for piece in (child for token in self.parsed for child in token.children or ()):
            if piece.type == "softbreak":
                piece.type = "hardbreak"  # lines stay lines, as in a poem


class MarkdownPrinter:
    """Prints Markdown: a block that is finished once and for good, the one that grows again and again.

    It is drawn in a thread of its own: text waits for no further piece, and no piece for a drawing.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._drawing = Drawing(console or Console())
        self._pieces: SimpleQueue[str | None] = SimpleQueue()
        self._failure: Exception | None = None
        self._thread = Thread(target=self._draw_all, daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Show *text*, soon."""
        self._pieces.put(shown(text))

    def close(self) -> None:
        """Show all of it, and leave the terminal as it was. Raises what the drawing met."""
        self._pieces.put(None)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _draw_all(self) -> None:
        try:
            with self._drawing:
                for text in _gathered(self._pieces):
                    began = time.perf_counter()
                    self._drawing.add(text)
                    time.sleep(max(_SHORTEST_PAUSE, _REST * (time.perf_counter() - began)))
        except Exception as error:  # noqa: BLE001  # the thread that writes raises it
            self._failure = error


def _gathered(pieces: SimpleQueue[str | None]) -> Iterator[str]:
    """Give the pieces as they come, those that wait together, up to None."""
    while (text := pieces.get()) is not None:
        more: str | None = ""
        while more is not None and not pieces.empty():
            more = pieces.get()
            text += more or ""
        yield text
        if more is None:
            return


class Drawing:
    """What was said: printed as far as it is finished; of the block that grows, what the terminal shows."""

    def __init__(self, console: Console) -> None:
        self._text = ""
        self._is_first = self._is_open = True
        self._live = Live(
            self, console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._live.stop()

    def add(self, text: str) -> None:
        """Take *text*, and print the blocks that it finishes."""
        *done, self._text = _blocks(self._text + text, is_open=True)
        if done:
            lines = self._lines(done)
            self._is_first = self._is_first and not lines
            self._live.console.print(SegmentLines(lines, new_lines=True))
        else:
            self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = self._lines(_blocks(self._text, is_open=self._is_open))
        yield SegmentLines(lines[1 - console.height :] if self._is_open else lines, new_lines=True)

    def _lines(self, blocks: Iterable[str]) -> list[list[Segment]]:
        """Return *blocks* as lines, an empty one between two of them."""
        console, lines = self._live.console, list[list[Segment]]()
        for block in blocks:
            found = console.render_lines(_Markdown(block), pad=False)
            while found and not _is_shown(found[0]):
                del found[0]
            while found and not _is_shown(found[-1]):
                del found[-1]
            lines += [[]] * bool(found and (lines or not self._is_first)) + found
        return lines


def _is_shown(line: list[Segment]) -> bool:
    return any(segment.text.strip() for segment in line)


def _blocks(text: str, *, is_open: bool) -> list[str]:
    """Return *text* in blocks. With *is_open* more will come: a line that is not complete begins none."""
    lines = text.split("\n")
    ends = len(lines) - is_open
    starts = [token.map[0] for token in _PARSER.parse(text) if token.level == 0 and token.map]
    cuts = [0, *(start for start in starts[1:] if start < ends), len(lines)]
    return ["\n".join(lines[start:end]) for start, end in pairwise(cuts)]
