"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from functools import partial
from pathlib import Path


def check_place(path: Path) -> None:
    """Raises OSError for a place where no file can be written."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder: name a file", str(path))
    place = path if path.exists() else next(parent for parent in path.absolute().parents if parent.exists())
    if not path.exists() and not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(place))
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, "it can't be written", str(path))


def write_atomically(path: Path, data: bytes, *, is_private: bool = False) -> None:
    """Write *data* to *path*, whole or not at all; missing folders are made.

    A link stays one, and what is no ordinary file (a pipe, `/dev/stdout`) is written as it is. The file is
    for the user alone where it *is_private*; else it may be read as before, or as others may.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = path.resolve()
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
