"""What a batch reads and writes: rows to ask, and their answers in the form of OpenAI's batches."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from g4fsdk._core.flow.rows import read_row
from g4fsdk._core.model.chat import read_messages
from g4fsdk._core.model.completions import Completion
from g4fsdk._core.model.errors import G4FError, StatusError, UsageError
from g4fsdk._core.model.http import AnswerHead

try:
    import fcntl
except ImportError:  # on Windows nothing keeps two batches apart
    fcntl = None  # type: ignore[assignment]  # as said

Row = dict[str, Any]
_BEGINNING = b'{"id": "batch_req_'  # of every line that is written here


# --- What is asked ---


def read_input(name: str) -> dict[str, Row]:
    """Return the rows of the file *name* by their ids; `-` is stdin.

    Raises:
        UsageError: A line is no row, or has the id of another.
    """
    rows: dict[str, Row] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(_bytes_of(name).removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            key, row = _read_line(line, number)
        except UsageError as error:
            raise UsageError(f"{name}, line {number}: {error.message}") from error
        if key in lines:
            raise UsageError(f"{name}, line {number}: the id {key!r} is that of line {lines[key]}, too")
        lines[key], rows[key] = number, row
    return rows


def _bytes_of(name: str) -> bytes:
    if name != "-":
        return Path(name).read_bytes()
    return sys.stdin.buffer.read() if sys.stdin else b""  # the shell may have closed it


def _read_line(line: bytes, number: int) -> tuple[str, Row]:
    """Return the row of *line* and its id; one without an id goes by its place and what it says."""
    try:
        text = line.decode().strip()
        row = json.loads(text) if text.startswith("{") else {"prompt": text}
    except UnicodeDecodeError as error:
        raise UsageError(f"it is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"it is no JSON: {error}") from error
    asked = read_row(row)
    read_messages(asked.call["messages"])
    key = asked.id or f"line-{number}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return key, row | {"custom_id" if "body" in row else "id": key}


# --- What is answered ---


class Output:
    """The answers in a file: those of earlier runs, and each new one as a line, written at once.

    A process may be killed anywhere: what it leaves is whole lines, and at most the beginning of one more.

    Raises:
        UsageError: The file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no file that a batch can go on with")
        self.answered: set[str] = set()
        self.failed: set[str] = set()

    def __enter__(self) -> Self:
        self._file = _own(self._path)
        try:
            self._mend()
        except BaseException:
            os.close(self._file)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def _mend(self) -> None:
        """Read what is there, and cut off a line that was torn."""
        size, line = 0, b"\n"
        with self._path.open("rb") as file:
            for number, found in enumerate(file, 1):
                row = _written(found)
                if row is None and not found.endswith(b"\n") and _is_begun(found):
                    break  # as a killed process leaves it
                if row is None:
                    raise UsageError(f"{self._path}, line {number}: no answer of a batch; give another -o")
                size, line = size + len(found), found
                (self.answered if _is_answered(row) else self.failed).add(row["custom_id"])
        os.truncate(self._file, size)
        os.lseek(self._file, 0, os.SEEK_END)
        self._write(b"" if line.endswith(b"\n") else b"\n")

    def forget(self, names: Iterable[str]) -> None:
        """Take the failed rows of *names* out of the file, which is there all the time."""
        gone = self.failed & {*names}
        if not gone:
            return
        new = self._path.with_name(f"{self._path.name}.new")
        with self._path.open("rb") as old, new.open("wb") as kept:
            kept.writelines(_lines_without(gone, old))
        shutil.copymode(self._path, new)
        before, self._file = self._file, _own(new)
        os.lseek(self._file, 0, os.SEEK_END)
        os.replace(new, self._path)
        os.close(before)
        self.failed -= gone

    def write(self, name: str, result: Completion | G4FError) -> None:
        """Write the row *name* with its *result*."""
        line = json.dumps({"id": f"batch_req_{uuid.uuid4().hex}", "custom_id": name, **_said(result)})
        self._write(f"{line}\n".encode())
        (self.failed if isinstance(result, G4FError) else self.answered).add(name)

    def _write(self, line: bytes) -> None:
        while line:  # one write, unless the disk is full
            line = line[os.write(self._file, line) :]


def _own(path: Path) -> int:
    """Open *path* for this process alone, as long as it lives. Raises UsageError where another has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(file), os.stat(path)):  # another has put a new one in its place
            raise BlockingIOError
    except BlockingIOError as error:
        os.close(file)
        raise UsageError(f"another batch is writing {path}") from error
    return file


def _written(line: bytes) -> Row | None:
    """Return the row that is written as *line*, or None where it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match row:
        case {"custom_id": str(), "response": dict() | None, "error": dict() | None}:
            return dict(row)
    return None


def _is_begun(line: bytes) -> bool:
    return line.startswith(_BEGINNING) or _BEGINNING.startswith(line)


def _is_answered(row: Row) -> bool:
    return row["error"] is None and row["response"] is not None


def _lines_without(names: set[str], lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        row = _written(line)
        if row is not None and (_is_answered(row) or row["custom_id"] not in names):
            yield line


def _said(result: Completion | G4FError) -> Row:
    if isinstance(result, Completion):
        head = result.response or AnswerHead(200, {})
        return {"response": _response(head.status, head.request_id, result.to_dict()), "error": None}
    partial = {"partial": result.partial} if result.partial else {}
    error = {"code": str(result.code or type(result).__name__), "message": str(result), **partial}
    response = None
    if isinstance(result, StatusError) and result.status:
        response = _response(result.status, result.request_id, {"error": error})
    return {"response": response, "error": error}


def _response(status: int, request_id: str | None, body: Row) -> Row:
    return {"status_code": status, "request_id": request_id, "body": body}
