"""Which tool call a piece of one belongs to."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from g4fsdk._core.model.http import JSON


class CallNumbers:
    """Which tool call a piece belongs to, where the service may not say, or says 0 for all of them.

    *arguments_of* returns what a call has said so far.
    """

    def __init__(self, arguments_of: Callable[[int], str]) -> None:
        self._arguments_of = arguments_of
        self._begun: dict[int, tuple[str | None, str | None]] = {}  # number: id and name
        self._by_index: dict[int, int] = {}
        self._by_id: dict[str, int] = {}
        self._here: set[int] = set()  # the calls of this chunk
        self._last: int | None = None
        self._most = -1

    def begin_chunk(self) -> None:
        """Say that the next pieces come in a chunk of their own."""
        self._here.clear()

    def of_id(self, call_id: str) -> int | None:
        """Return the number of the call with that id, None where none has begun."""
        return self._by_id.get(call_id)

    def number_of(self, index: JSON, call_id: str | None, name: str | None) -> int:
        """Return the number of the call that a piece with these belongs to."""
        place = as_index(index)
        number = self._found(place, call_id, name)
        if number is not None and self._begins_another(number, place, call_id, name):
            number = None
        return self._keep(self._free_number(place) if number is None else number, place, call_id, name)

    def new_number(self, index: JSON, call_id: str | None, name: str | None) -> int:
        """Return the number of a whole call, which is none of those before."""
        place = as_index(index)
        return self._keep(self._free_number(place), place, call_id, name)

    def _found(self, index: int | None, call_id: str | None, name: str | None) -> int | None:
        known = None if call_id is None else self._by_id.get(call_id)
        if index is None:
            return self._last if known is None else known
        if index not in self._by_index and name is not None:
            return None  # even where all calls share an id
        return self._by_index.get(index) if known is None else known

    def _begins_another(self, number: int, index: int | None, call_id: str | None, name: str | None) -> bool:
        old_id, old_name = self._begun[number]
        if self._by_id.get(call_id or "") == number:
            return False
        if name is not None and old_name is not None:
            if call_id and old_id:
                return True
            if old_id and index is not None and number not in self._here and not self._arguments_of(number):
                return False  # Gemini sends names in pieces, too
            return name != old_name or number in self._here or _is_whole(self._arguments_of(number))
        # A new id alone means nothing in mid-call: older vLLM draws one for every piece.
        said = self._arguments_of(number) if index is None and call_id and old_id else "{"
        return not said or _is_whole(said)

    def _free_number(self, index: int | None) -> int:
        return self._most + 1 if index is None or index in self._begun else index

    def _keep(self, number: int, index: int | None, call_id: str | None, name: str | None) -> int:
        self._last = number
        self._most = max(self._most, number)
        self._here.add(number)
        old_id, old_name = self._begun.get(number, (None, None))
        self._begun[number] = (old_id or call_id, old_name or name)
        if index is not None:
            self._by_index[index] = number
        if call_id is not None:
            self._by_id[call_id] = number
        return number


def as_index(index: JSON) -> int | None:
    """Return the place that *index* says, None where it says none."""
    match index:
        case bool():
            return None
        case int() if index >= 0:
            return index
        case float() if index.is_integer():
            return int(index)
        case str() if index.isdecimal():
            return int(index)
    return None


def _is_whole(arguments: str) -> bool:
    if not arguments.rstrip().endswith(("}", "]")):
        return False
    try:
        msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
