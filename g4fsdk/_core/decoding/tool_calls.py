"""Which tool call a piece of one belongs to."""

from __future__ import annotations

from g4fsdk._core.model.http import JSON


class CallNumbers:
    """Which tool call a piece belongs to, where the service may not say, or says 0 for all of them."""

    def __init__(self) -> None:
        self._begun: dict[int, tuple[str | None, str | None]] = {}  # number: id and name
        self._by_index: dict[int, int] = {}
        self._by_id: dict[str, int] = {}
        self._last: int | None = None
        self._most = -1

    def number_of(self, index: JSON, call_id: str | None, name: str | None) -> int:
        """Return the number of the call that a piece with these belongs to."""
        if isinstance(index, int):
            number = self._by_index.get(index)
        else:
            number = self._last if call_id is None else self._by_id.get(call_id)
        if number is None or self._begins_another(number, index, call_id, name):
            number = self._free_number(index)
        self._last = number
        self._most = max(self._most, number)
        old_id, old_name = self._begun.get(number, (None, None))
        self._begun[number] = (old_id or call_id, old_name or name)
        if isinstance(index, int):
            self._by_index[index] = number
        if call_id is not None:
            self._by_id[call_id] = number
        return number

    def _begins_another(self, number: int, index: JSON, call_id: str | None, name: str | None) -> bool:
        # A new id alone means nothing: older vLLM draws one for every piece.
        old_id, old_name = self._begun[number]
        if name is None or old_name is None:
            return False
        return old_id != call_id if call_id and old_id else not isinstance(index, int) and call_id is None

    def _free_number(self, index: JSON) -> int:
        if isinstance(index, int) and index not in self._begun:
            return index
        return self._most + 1
