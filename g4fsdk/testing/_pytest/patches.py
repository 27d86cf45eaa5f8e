"""Attributes of others that are replaced for a while."""

from __future__ import annotations

from typing import Any

_ABSENT: Any = object()


class Patches:
    """Puts values in the place of attributes, and takes them away again.

    Where somebody else has put something over ours since, theirs stays: they may not be done with it.
    """

    def __init__(self) -> None:
        self._put: list[tuple[Any, str, Any, Any]] = []

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Put *value* in the place of the attribute *name* of *owner*."""
        self._put.append((owner, name, vars(owner).get(name, _ABSENT), value))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put back what was there before, the last first."""
        while self._put:
            owner, name, before, value = self._put.pop()
            if vars(owner).get(name) is not value:
                continue
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
