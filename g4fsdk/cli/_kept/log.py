"""The user's chats, in SQLite: what was asked of whom, what came, and the handle to go on with."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict

from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.redact import Discreet, redact_text
from g4fsdk.cli._kept.folder import home, made_home

if TYPE_CHECKING:
    import sqlite3

#: What makes a database of each version into one of the next.
_MIGRATIONS = (
    (
        """CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            handle TEXT  -- JSON, NULL where there is none
        )""",
        """CREATE TABLE turns (
            id INTEGER PRIMARY KEY,
            conversation TEXT NOT NULL REFERENCES conversations,
            asked_at TEXT NOT NULL,  -- ISO 8601, UTC
            duration_ms INTEGER NOT NULL,
            provider TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            model TEXT NOT NULL,
            base_url TEXT NOT NULL,  -- without credentials
            replay TEXT NOT NULL,  -- the recording that answered
            messages TEXT NOT NULL,  -- JSON, as are the next three
            options TEXT NOT NULL,
            completion TEXT,
            usage TEXT,
            prompt TEXT NOT NULL,
            answer TEXT NOT NULL,  -- as far as it came
            error TEXT NOT NULL  -- why it came no further
        )""",
        "CREATE INDEX turns_of_conversation ON turns (conversation)",
    ),
)
_GOES_ON = (
    "ON CONFLICT (id) DO UPDATE SET handle = excluded.handle, "
    "title = coalesce(nullif(title, ''), excluded.title)"
)
_PATIENCE_S = 5.0  # for another process that is writing
_JSON = frozenset({"messages", "options", "completion", "usage"})


class LogError(G4FError):
    """The log can't be read or written."""


class Turn(msgspec.Struct, frozen=True):
    """One question, and what came of it. *replay* is the recording that answered, "" for the network."""

    asked_at: str
    duration_ms: int
    messages: list[dict[str, Any]]
    options: dict[str, Any] = {}
    provider: str = ""
    endpoint: str = ""
    model: str = ""
    base_url: str = ""
    replay: str = ""
    completion: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    prompt: str = ""
    answer: str = ""
    error: str = ""


class Kept(Discreet, frozen=True):
    """A conversation: its turns in order. *handle* is what `Conversation.to_dict` gave."""

    id: str
    title: str
    turns: Sequence[Turn]
    handle: dict[str, Any] | None

    @property
    def last(self) -> Turn:
        return self.turns[-1]

    def to_dict(self) -> dict[str, Any]:
        """Return what may be shown of it: no handle, which may hold a session's cookies."""
        return {"id": self.id, "title": self.title, "turns": [asdict(turn) for turn in self.turns]}


def log_path() -> Path:
    return home() / "logs.db"


class Log:
    """The log, as it is at `log_path`. Every method opens and closes it; each raises LogError."""

    def add(
        self,
        turn: Turn,
        title: str,
        handle: Mapping[str, Any] | None,
        conversation: str | None,
        secrets: Iterable[str] = (),
    ) -> str:
        """Keep *turn*, in *conversation* or in a new one, which can go on with *handle*; return its id.

        *secrets* are not kept, wherever a service said them again.
        """
        name = conversation or os.urandom(8).hex()
        begun = {"id": name, "title": title, "handle": None if handle is None else json.dumps(handle)}
        with self._writing() as database:
            _insert(database, "conversations", _safe(begun, secrets), _GOES_ON)
            _insert(database, "turns", _safe({"conversation": name, **_row(turn)}, secrets))
        return name

    def last(self) -> Kept | None:
        """Return the conversation that was last gone on with, replays aside."""
        with self._reading() as database:
            row = database.execute(
                "SELECT conversation FROM turns WHERE replay = '' ORDER BY id DESC LIMIT 1"
            ).fetchone()
            return row and self._kept(database, row[0])

    def find(self, name: str) -> Kept:
        """Return the conversation whose id begins with *name*. Raises UsageError for none or several."""
        with self._reading() as database:
            found = [
                row[0]
                for row in database.execute(
                    "SELECT id FROM conversations WHERE substr(id, 1, ?) = ? LIMIT 2",
                    (len(name), _whole(name)),
                )
            ]
            if not found or not name:
                raise UsageError(f"there is no conversation {name!r}; `g4fsdk logs` lists them")
            if len(found) > 1:
                raise UsageError(f"several conversations begin with {name!r}: give more of the id")
            return self._kept(database, found[0])

    def newest(self, limit: int) -> list[Kept]:
        """Return the conversations that were last gone on with, the newest first; *limit* 0 gives all."""
        query = "SELECT conversation FROM turns GROUP BY conversation ORDER BY max(id) DESC LIMIT ?"
        with self._reading() as database:
            return [self._kept(database, name) for (name,) in database.execute(query, (limit or -1,))]

    def search(self, words: Sequence[str], limit: int) -> list[tuple[str, Turn]]:
        """Return the turns in which all *words* stand, in whatever case, with their conversations."""
        where = " AND ".join(["instr(folded(prompt || char(10) || answer), ?)"] * len(words))
        query = f"SELECT * FROM turns WHERE {where} ORDER BY id DESC LIMIT ?"
        with self._reading() as database:
            database.create_function("folded", 1, str.casefold, deterministic=True)
            found = database.execute(query, (*map(str.casefold, words), limit or -1))
            return [(row["conversation"], _turn(row)) for row in found]

    def _kept(self, database: sqlite3.Connection, name: str) -> Kept:
        row = database.execute("SELECT * FROM conversations WHERE id = ?", (name,)).fetchone()
        turns = database.execute("SELECT * FROM turns WHERE conversation = ? ORDER BY id", (name,))
        return Kept(
            row["id"], row["title"], [*map(_turn, turns)], row["handle"] and json.loads(row["handle"])
        )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give the log as it is, an empty one where there is none."""
        path = log_path()
        with _failures(path), _open(str(path) if path.exists() else ":memory:") as database:
            _migrate(database)
            yield database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give the log, which is made where there is none; what is done in the block is done as a whole."""
        path = log_path()
        with _failures(path):
            made_home()
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # its journals get the same mode
            with _open(str(path)) as database:
                _write_ahead(database)
                _migrate(database)
                with _transaction(database):
                    yield database


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        raise LogError(f"{path}: {error}") from error
    except OSError as error:
        raise LogError(f"{error.filename or path}: {error.strerror or error}") from error


@contextmanager
def _open(name: str) -> Iterator[sqlite3.Connection]:
    import sqlite3

    database = sqlite3.connect(name, timeout=_PATIENCE_S, isolation_level=None)
    try:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA foreign_keys = ON")
        yield database
    finally:
        database.close()


def _write_ahead(database: sqlite3.Connection) -> None:
    """Let others read while one writes. SQLite waits for nobody where several make a new file so."""
    import sqlite3

    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")  # waits for others here, and never in the middle
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _migrate(database: sqlite3.Connection) -> None:
    if _version(database) == len(_MIGRATIONS):
        return
    with _transaction(database):
        version = _version(database)  # another process may have been first
        if version > len(_MIGRATIONS):
            raise LogError(f"{log_path()} was written by a newer g4fsdk, which reads it")
        for statement in chain(*_MIGRATIONS[version:]):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def _insert(database: sqlite3.Connection, table: str, row: Mapping[str, Any], more: str = "") -> None:
    columns, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    database.execute(f"INSERT INTO {table} ({columns}) VALUES ({places}) {more}", row)


def _safe(row: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """Return *row* without *secrets*, and without the halves of characters, which no database keeps."""
    return {
        name: _whole(redact_text(value, secrets)) if isinstance(value, str) else value
        for name, value in row.items()
    }


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _row(turn: Turn) -> dict[str, Any]:
    row = asdict(turn)
    return {
        name: json.dumps(value) if name in _JSON and value is not None else value
        for name, value in row.items()
    }


def _turn(row: sqlite3.Row) -> Turn:
    found = {name: row[name] for name in row.keys() if name not in ("id", "conversation")}  # noqa: SIM118
    return Turn(
        **{name: json.loads(value) if name in _JSON and value else value for name, value in found.items()}
    )
