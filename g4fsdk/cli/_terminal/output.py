"""Text, JSON and tables on stdout; one line at a time on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from g4fsdk._core.model.chat import Conversation

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_GAP = 2  # between two columns of a table
_NARROWEST = 16  # for a text that is to be broken
# What moves the cursor, paints, rings or turns the order of letters round: the text of others must not steer
# a terminal. It is shown as JSON would write it; a carriage return is no more than a line end.
_CONTROLS = {
    code: f"\\u{code:04x}"
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        0x61C,
        0x200E,
        0x200F,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
    if chr(code) not in "\n\t"
} | {ord("\r"): ""}


def shown(text: str) -> str:
    """Return *text* as it may go to a terminal: what would steer it is spelt out."""
    return text.translate(_CONTROLS)


def is_terminal(stream: TextIO) -> bool:
    """Tell whether *stream* is a terminal on which lines can be drawn anew."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


@contextmanager
def typing_unseen() -> Iterator[None]:
    """Keep what is typed from being shown meanwhile: it would stand in what is drawn. It is read later."""
    if sys.platform == "win32" or sys.stdin is None or not sys.stdin.isatty():
        yield
        return
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    flags = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSANOW, flags)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


def shows_all(stream: TextIO) -> bool:
    """Tell whether *stream* can show every character."""
    return (stream.encoding or "utf-8").lower() in ("utf-8", "utf8")


def write(text: str) -> None:
    """Write *text* to stdout at once: as it is to a file or pipe, to a terminal without control codes."""
    sys.stdout.write(shown(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def say(text: str, end: str = "\n") -> None:
    """Write *text* to stderr, without control codes."""
    sys.stderr.write(shown(text) + end)
    sys.stderr.flush()


def say_dimmed(text: str) -> None:
    """Write *text* to stderr, without a line end, and dimmed where stderr is a terminal."""
    if not is_terminal(sys.stderr):
        say(text, end="")
        return
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True).print(Text(shown(text), style="dim"), end="", soft_wrap=True)


def write_document(value: object) -> None:
    """Write *value* as one JSON document."""
    write(_json(value, sys.stdout, indent=2) + "\n")


def write_json_line(value: object) -> None:
    """Write *value* as JSON on one line."""
    write(_json(value, sys.stdout) + "\n")


def say_json_line(value: object) -> None:
    """Write *value* to stderr as JSON on one line."""
    say(_json(value, sys.stderr))


def _json(value: object, stream: TextIO, indent: int | None = None) -> str:
    """Return *value* as JSON, with JSON's own escapes where *stream* can't show every character."""
    return json.dumps(plain(value), ensure_ascii=not shows_all(stream), indent=indent)


def plain(value: Any) -> Any:
    """Return *value* as JSON values; a conversation as `Conversation.from_dict` reads it."""
    match value:
        case Conversation():
            return value.to_dict()
        case msgspec.Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case Mapping():
            return {str(name): plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case PurePath():
            return str(value)
        case _:
            return value


def write_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Write *rows*, which have the same keys: as a table on a terminal, in aligned columns elsewhere."""
    if not rows:
        return
    cells = [[*rows[0]], *([_cell(value) for value in row.values()] for row in rows)]
    if sys.stdout.isatty():
        _write_rich(cells)
    else:
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        write("".join(_line(row, widths) + "\n" for row in cells))


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _write_rich(cells: Sequence[Sequence[str]]) -> None:
    """Write a table of which nothing is cut: its widest column may break, or else each row is a list."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    texts = [[Text(shown(cell)) for cell in row] for row in cells]
    widths = [max(cell_len(text.plain) for text in column) for column in zip(*texts, strict=True)]
    widest = widths.index(max(widths))
    left = console.width - sum(widths) - _GAP * (len(widths) - 1) + widths[widest]
    if left < min(_NARROWEST, widths[widest]):
        _write_lists(texts, console)
        return
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for number, name in enumerate(texts[0]):
        table.add_column(name, overflow="fold", no_wrap=number != widest)
    for row in texts[1:]:
        table.add_row(*row)
    console.print(table)


def _write_lists(texts: Sequence[Sequence[Text]], console: Console) -> None:
    from rich.table import Table

    for number, row in enumerate(texts[1:]):
        table = Table.grid(padding=(0, _GAP, 0, 0))
        for name, value in zip(texts[0], row, strict=True):
            table.add_row(name, value)
        table.columns[0].style, table.columns[1].overflow = "bold", "fold"
        console.print(*([""] if number else []), table, sep="\n")
