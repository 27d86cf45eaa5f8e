"""The user's folder, and files in it that are for the user alone."""

from __future__ import annotations

import os
from pathlib import Path

_NOWHERE = Path("/nonexistent/g4fsdk")  # as systems call the home of who has none


def home() -> Path:
    """Return the folder for settings and logs: G4FSDK_HOME, or the one that the platform has for it."""
    named = os.environ.get("G4FSDK_HOME")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_data_path

    try:
        path = user_data_path("g4fsdk", appauthor=False)
    except RuntimeError:  # a user whom the system does not know; older versions give a path from `~` on
        return _NOWHERE
    return path if path.is_absolute() else _NOWHERE


def made_home() -> Path:
    """Return the folder, which is made where it is missing, for the user alone."""
    folder = home()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_privately(path: Path, text: str) -> None:
    """Write *text* to *path*, whole or not at all, for the user alone. A link stays one."""
    from g4fsdk.testing._cassette.files import write_atomically

    made_home()
    write_atomically(path, text.encode(), is_private=True)
