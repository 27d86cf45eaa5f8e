"""What the harness raises.

CassetteError(ValueError)       a file is no cassette, or contradicts itself
LeakError(Exception)            a recording still held a secret, so it was not written
MismatchError(AssertionError)   a request came which was not recorded
UnplayedError(AssertionError)   a recorded request never came
"""

from __future__ import annotations


class CassetteError(ValueError):
    """A file is no cassette; the message names the file, the place and what was expected there."""


class LeakError(Exception):
    """A recording still holds a secret and was not written.

    The message names the places. The secret itself appears nowhere in it.
    """


class MismatchError(AssertionError):
    """A request came which no recorded and unplayed interaction answers.

    The message names the request, the nearest recorded one and what differs, secrets removed.
    """


class UnplayedError(AssertionError):
    """Recorded interactions were never asked for; the message names them."""
