"""The text of an answer so far, kept in little memory however small its pieces are."""

from __future__ import annotations

import codecs

MANY_PIECES = 1024


class TextBuffer:
    """Keeps text: *new* pieces as they came, some 60 bytes each, until they are many and are joined."""

    __slots__ = ("_settled", "new")

    def __init__(self) -> None:
        self._settled: list[str] = []
        self.new: list[str] = []

    def write(self, text: str) -> None:
        self.new.append(text)
        if len(self.new) >= MANY_PIECES:
            self.settle()

    def settle(self) -> None:
        """Make room: join the new pieces."""
        self._settled.append("".join(self.new))
        self.new.clear()

    @property
    def is_empty(self) -> bool:
        return not any(self.new) and not any(self._settled)

    @property
    def size(self) -> int:
        """How many characters are kept."""
        return sum(map(len, self._settled)) + sum(map(len, self.new))

    @property
    def place(self) -> tuple[int, int]:
        """Where writing goes on: another one once something was written."""
        return len(self._settled), len(self.new)

    def getvalue(self) -> str:
        return "".join((*self._settled, *self.new))

    def tail(self, size: int) -> str:
        """Return the last pieces, as many as have *size* characters together."""
        found: list[str] = []
        for piece in (*reversed(self.new), *reversed(self._settled)):
            if size <= 0:
                break
            found.append(piece)
            size -= len(piece)
        return "".join(reversed(found))


class ByteBuffer:
    """Keeps text as the UTF-8 bytes it came in: *new* for short pieces, `add_long` for long ones.

    The last character may be cut; until its rest has come, it is none.
    """

    __slots__ = ("_settled", "new")

    def __init__(self) -> None:
        self._settled: list[bytes] = []
        self.new: bytearray = bytearray()

    def write(self, text: str) -> None:
        self.new += text.encode()

    def add_long(self, data: bytes) -> None:
        self._settled += (bytes(self.new), data)
        self.new.clear()

    @property
    def is_empty(self) -> bool:
        return not self.new and not any(self._settled)

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return sum(map(len, self._settled)) + len(self.new)

    def getvalue(self) -> str:
        return codecs.utf_8_decode(b"".join((*self._settled, self.new)), "replace")[0]
