"""Cassettes: recorded sessions in vcrpy's format 1, with the wire kept beside them.

A cassette is a YAML file that plain vcrpy plays. Two additions, which vcrpy ignores, make it true to
the wire: ``g4fsdk`` says what was recorded and what answered, and each response's ``wire`` block says
where the body was cut into chunks, when each chunk came, and how the body ended.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from g4fsdk.testing._cassette.values import Interaction


@dataclass(slots=True)
class Cassette:
    """A recorded session. *metadata* is the file's ``g4fsdk`` block."""

    interactions: list[Interaction] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Cassette:
        """Return the cassette in the file at *path*.

        A cassette of plain vcrpy is read too, YAML or JSON: each body is then one chunk at 0 ms.

        Raises:
            CassetteError: The file is no cassette, or contradicts itself; says where.
            OSError: The file can't be read.
        """
        from g4fsdk.testing._cassette.document import from_document
        from g4fsdk.testing._cassette.yaml import load_file

        return cls(*from_document(load_file(path), os.fspath(path)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the cassette to *path*, whole or not at all; missing folders are made.

        It is JSON where *path* ends in ``.json``, else YAML. Nothing is scrubbed here: `Recorder` does that
        before it saves.
        """
        from g4fsdk.testing._cassette.document import to_document
        from g4fsdk.testing._cassette.yaml import dump_json, dump_yaml

        dump = dump_json if Path(path).suffix.lower() == ".json" else dump_yaml
        write_atomically(Path(path), dump(to_document(self)))

    def shape(self) -> Any:
        """Return what the session looks like without its content, for comparing two sessions."""
        from g4fsdk.testing._cassette.shape import shape

        return shape(self)


def write_atomically(path: Path, data: bytes, *, is_private: bool = False) -> None:
    """Write *data* to *path*, whole or not at all; missing folders are made.

    The file is for the user alone where it *is_private*; else it may be read as before, or as others may.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same folder, because a rename is atomic only within one file system. An ordinary `open`, because
    # the files of `tempfile` are for the owner alone, whatever the umask.
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb", opener=partial(os.open, mode=0o600 if is_private else 0o666)) as file:
            with suppress(FileNotFoundError):
                temporary.chmod(path.stat().st_mode & (0o600 if is_private else 0o777))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
