"""The tool calls of one choice, in pieces or whole: by any of their names, and whatever is odd in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from g4fsdk._core.decoding.answer import Answer
from g4fsdk._core.decoding.call_numbers import CallNumbers, as_index
from g4fsdk._core.decoding.joined import joined
from g4fsdk._core.decoding.parts import MAX_COMPARED, CallParts
from g4fsdk._core.decoding.said import NOTHING, text_of
from g4fsdk._core.model.chat import Ids
from g4fsdk._core.model.events import Extra, ToolCallDelta
from g4fsdk._core.model.http import JSON
from g4fsdk._core.model.shape import split


class _Piece(msgspec.Struct, frozen=True):
    """What one item says of a call."""

    index: JSON
    id: str | None
    name: str | None
    arguments: str
    type: str
    extra: dict[str, JSON]

    @property
    def says_nothing(self) -> bool:
        return not (self.id or self.name or self.arguments or self.extra) and self.type == "function"

    def event(self, number: int, choice: int) -> ToolCallDelta:
        return ToolCallDelta(number, self.id, self.name, self.arguments, choice, self.type, self.extra)


class ToolCalls:
    """Reads the tool calls of *choice*, and knows from *answer* what was said of them before."""

    def __init__(self, answer: Answer, choice: int) -> None:
        self._answer = answer
        self._choice = choice
        self._compared = 0
        self._numbers = CallNumbers(lambda number: self._said[number].text())

    @property
    def _said(self) -> dict[int, CallParts]:
        parts = self._answer.choices.get(self._choice)
        return {} if parts is None else parts.calls

    def read(self, message: Mapping[str, JSON], *, is_whole: bool) -> Iterator[ToolCallDelta | Extra]:
        """Give what *message* says of calls. In a whole one each item is one, and none is said again.

        Each event has to be added to the answer before the next is asked for.
        """
        calls, odd = _calls_in(message)
        if odd:
            yield Extra(odd, self._choice)
        self._numbers.begin_chunk()
        repeats = is_whole and bool(self._said) and self._compared < MAX_COMPARED
        for call in calls:
            piece = _read(call)
            again = self._number_said(piece) if repeats else None
            if again is not None:
                yield from self._more(piece, again, call)
            elif not piece.says_nothing:
                find = self._numbers.new_number if is_whole else self._numbers.number_of
                number = find(piece.index, piece.id, piece.name)
                rest = self._not_told(piece, number)
                if not rest.says_nothing:
                    yield rest.event(number, self._choice)

    def read_piece(self, index: int | None, arguments: str) -> Iterator[ToolCallDelta]:
        """Give what `read` gives for a chunk that holds but these two, of one call."""
        self._numbers.begin_chunk()
        if arguments:
            number = self._numbers.number_of(index, None, None)
            yield ToolCallDelta(number, arguments=arguments, choice=self._choice)

    def _not_told(self, piece: _Piece, number: int) -> _Piece:
        """Return *piece* of call *number* without the id and name that are known: some repeat them."""
        said = self._said.get(number)
        if said is None or not (piece.id or piece.name):
            return piece
        call_id = None if piece.id == said.id else piece.id
        return replace(piece, id=call_id, name=(piece.name or "").removeprefix(said.name) or None)

    def _number_said(self, piece: _Piece) -> int | None:
        """Return the number of the call that *piece*, which is whole, was said as before."""
        if piece.id is not None:
            return self._numbers.of_id(piece.id)
        self._compared += len(self._said)
        said = (parts for parts in self._said.items() if parts[1].name == piece.name)
        return next((number for number, parts in said if parts.text() == piece.arguments), None)

    def _more(self, piece: _Piece, number: int, call: JSON) -> Iterator[ToolCallDelta | Extra]:
        """Give what *piece*, which is whole, adds to the call that was said before."""
        said = self._said[number]
        self._compared += len(said.extra)
        before, extra = said.text(), joined(said.extra)
        more = {key: item for key, item in piece.extra.items() if extra.get(key) != item}
        is_other = piece.name not in (None, said.name) or piece.type not in ("function", said.type)
        if is_other or not (piece.arguments.startswith(before) or before.startswith(piece.arguments)):
            yield Extra({"tool_calls_parts": [call]}, self._choice)
        elif more or len(piece.arguments) > len(before):
            arguments = piece.arguments[len(before) :]
            rest = replace(piece, id=None, name=None, arguments=arguments, extra=more)
            yield rest.event(number, self._choice)

    def named(self, ids: Ids) -> Iterator[ToolCallDelta]:
        """Give an id to each call that has none: without one, the answer could not be sent back."""
        for number, call in [*self._said.items()]:
            if call.id is None:
                made = ids.uuid(f"tool call {self._choice} {number}").replace("-", "")
                yield ToolCallDelta(number, f"call_{made}", choice=self._choice)


def _calls_in(message: Mapping[str, JSON]) -> tuple[list[dict[str, JSON]], dict[str, JSON]]:
    """Return the calls in *message*, and what stands in their place and is none."""
    found = message.get("tool_calls")
    items = [item for item in (found if isinstance(found, list) else [found]) if item not in NOTHING]
    calls = [item for item in items if isinstance(item, dict)]
    odd = [item for item in items if not isinstance(item, dict)]
    function = message.get("function_call")  # OpenAI's older name, still sent
    if isinstance(function, dict) and function and not calls:
        calls.append({"index": 0, "function": function})
    elif function not in NOTHING and function not in [call.get("function") for call in calls]:
        return calls, {"function_call_parts": [function], **({"tool_calls_parts": odd} if odd else {})}
    return calls, {"tool_calls_parts": odd} if odd else {}


def _read(call: dict[str, JSON]) -> _Piece:
    match call:
        case {"index": index, "function": {"arguments": str(text), **beside}, **more} if not (beside or more):
            return _Piece(index, None, None, text, "function", {})
        case _:
            return _read_any(call)


def _read_any(call: dict[str, JSON]) -> _Piece:
    call = _nested(call)
    key, text = ("custom", "input") if isinstance(call.get("custom"), dict) else ("function", "arguments")
    named, extra = split(call, {"type": str, key: dict})
    function = named.get(key, {})
    beside = {name: item for name, item in function.items() if name != text and item is not None}
    kind = named.get("type") or "function"
    if key == "custom" and kind not in ("function", key):
        extra["type"] = kind
    call_id, name = _word(extra, "id"), _word(beside, "name")
    index = extra.pop("index", None)
    if as_index(index) is None and index not in NOTHING:
        extra["index_parts"] = [index]
    more = extra | ({key: beside} if beside else {})
    return _Piece(
        index, call_id, name, text_of(function.get(text)), "custom" if key == "custom" else kind, more
    )


def _nested(call: dict[str, JSON]) -> dict[str, JSON]:
    """Return *call*; a name and arguments that stand bare in it become its function."""
    bare = {key: item for key, item in call.items() if key in ("name", "arguments")}
    if not bare or call.get("function") or call.get("custom"):
        return call
    return {key: item for key, item in call.items() if key not in bare} | {"function": bare}


def _word(value: dict[str, JSON], key: str) -> str | None:
    """Take the id or name under *key* out of *value*; a number is one, too."""
    found = value.get(key)
    if not isinstance(found, str | int) or isinstance(found, bool):
        return None
    del value[key]
    return str(found) or None
