"""Read devalue, the flattened JSON in which SvelteKit sends page data.

A value is a flat list: element 0 is the root, and inside objects and arrays every number is an index into
the list. Source: the devalue package's `unflatten`; recordings of chat-ui's `__data.json`.
"""

from __future__ import annotations

from g4fsdk._core.decoding.refusals import shown
from g4fsdk._core.model.http import JSON

# Negative indexes stand for values that JSON cannot write.
_CONSTANTS = {-1: None, -2: None, -3: float("nan"), -4: float("inf"), -5: float("-inf"), -6: -0.0}


class Flattened:
    """A flattened value, looked at step by step: nothing is resolved that is not asked for."""

    def __init__(self, values: JSON) -> None:
        """Raises ValueError when *values* is no non-empty list."""
        if not isinstance(values, list) or not values:
            raise ValueError("page data is not a flattened list")
        self._values = values

    def at(self, index: JSON) -> JSON:
        """Return the raw element at *index*; typed values (`["Date", ...]`) come as they stand.

        Raises:
            ValueError: *index* is not one.
        """
        if isinstance(index, bool) or not isinstance(index, int):
            raise ValueError(f"{shown(index)} is not an index")
        if index in _CONSTANTS:
            return _CONSTANTS[index]
        if not 0 <= index < len(self._values):
            raise ValueError(f"index {index} is outside of the page data")
        return self._values[index]

    def key(self, index: JSON, name: str) -> JSON:
        """Return the index under *name* in the object at *index*. Raises ValueError without one."""
        value = self.at(index)
        if not isinstance(value, dict) or name not in value:
            raise ValueError(f"page data has no {name!r}")
        return value[name]

    def items(self, index: JSON) -> list[JSON]:
        """Return the indexes in the array at *index*. Raises ValueError when it is something else."""
        value = self.at(index)
        if not isinstance(value, list) or (value and isinstance(value[0], str)):
            raise ValueError("page data has no array where one belongs")
        return value

    def text(self, index: JSON) -> str:
        """Return the string at *index*. Raises ValueError when it is something else."""
        value = self.at(index)
        if not isinstance(value, str):
            raise ValueError(f"page data has {type(value).__name__} where text belongs")
        return value
