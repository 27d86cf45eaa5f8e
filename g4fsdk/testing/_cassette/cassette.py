"""Cassettes: recorded sessions in vcrpy's format 1, with the wire kept beside them.

A cassette is a YAML file that plain vcrpy plays. Two additions, which vcrpy ignores, make it true to
the wire: ``g4fsdk`` says what was recorded and what answered, and each response's ``wire`` block says
where the body was cut into chunks, when each chunk came, and how the body ended.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from g4fsdk.testing._cassette.files import write_atomically
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
