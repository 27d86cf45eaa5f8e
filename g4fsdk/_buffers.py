"""The text of an answer so far, kept in little memory however small its pieces are."""

from __future__ import annotations

from io import StringIO


class TextBuffer:
    """Keeps text. What is new takes four bytes a character; what is settled mostly one."""

    __slots__ = ("_new", "_settled", "write")

    def __init__(self) -> None:
        self._settled: list[str] = []
        # Begun empty, a StringIO would hold every piece as it came until it is asked.
        self._new = StringIO("-")
        self._new.truncate(self._new.seek(0))
        self.write = self._new.write

    def settle(self, text: str = "") -> None:
        """Make room: keep apart what was written, and *text* behind it."""
        self._settled += (self._new.getvalue(), text)
        self._new.truncate(self._new.seek(0))

    def getvalue(self) -> str:
        return "".join((*self._settled, self._new.getvalue()))


class ByteBuffer:
    """Keeps text as the UTF-8 bytes it came in: *new* for short pieces, `add_long` for long ones."""

    __slots__ = ("_settled", "new")

    def __init__(self) -> None:
        self._settled: list[bytes] = []
        self.new = bytearray()

    def write(self, text: str) -> None:
        self.new += text.encode()

    def settle(self, text: str = "") -> None:
        self.add_long(text.encode())

    def add_long(self, data: bytes) -> None:
        self._settled += (bytes(self.new), data)
        self.new.clear()

    def getvalue(self) -> str:
        return b"".join((*self._settled, self.new)).decode("utf-8", "replace")
