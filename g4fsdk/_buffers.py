"""The text of an answer so far, kept in little memory however small its pieces are."""

from __future__ import annotations

from io import StringIO


class TextBuffer:
    """Keeps text as text. What is settled takes a byte for an ASCII character; what is new takes four."""

    __slots__ = ("_new", "_settled", "write")

    def __init__(self) -> None:
        self._settled: list[str] = []
        # Begun empty, a StringIO would hold every piece as it came until it is asked.
        self._new = StringIO("-")
        self._new.truncate(self._new.seek(0))
        self.write = self._new.write

    def settle(self) -> None:
        """Make room: what was written is long enough to be kept apart."""
        self._settled.append(self._new.getvalue())
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

    def settle(self) -> None:
        self._settled.append(bytes(self.new))
        self.new.clear()

    def add_long(self, data: bytes) -> None:
        self.settle()
        self._settled.append(data)

    def getvalue(self) -> str:
        return b"".join((*self._settled, self.new)).decode("utf-8", "replace")
