"""What may stand in place of the network: where it comes from."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from g4fsdk._core.model.errors import UsageError

#: The variable that names what makes a transport for clients that bring none: ``package.module:function``.
TRANSPORT = "G4FSDK_TRANSPORT"


def of_environment(transport: Any, own: object) -> Any:
    """Return *transport*, or where there is none the one that the environment names.

    *own* is the caller's own session, in whose place nothing stands.

    Raises:
        UsageError: The environment names what is not there.
    """
    place = os.environ.get(TRANSPORT)
    if transport is not None or own is not None or not place:
        return transport
    module, _, function = place.partition(":")
    try:
        make = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"{TRANSPORT} must be like package.module:function, not {place!r}") from error
    return make()
