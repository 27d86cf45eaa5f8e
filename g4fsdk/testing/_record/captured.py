"""Where the clients of a program under `g4fsdk capture` take their transport from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from g4fsdk.testing._record.capture import CaptureRecorder


def transport() -> CaptureRecorder | None:
    """Return the recorder of this process, or None when nobody captures it.

    Raises:
        ModuleNotFoundError: What recordings need is not installed where the program runs.
    """
    from g4fsdk.testing._record.capture import transport_from_environment

    return transport_from_environment()
