"""The whole answer to a request that is not streamed: collected, and what it means when it breaks off."""

from __future__ import annotations

from g4fsdk._core.flow.provider import is_success
from g4fsdk._core.framing.parser import MAX_BYTES
from g4fsdk._core.model.errors import (
    DeadlineError,
    G4FError,
    IncompleteStreamError,
    ProtocolError,
)
from g4fsdk._core.model.http import Response


class WholeAnswer:
    """Collects the body that follows *head*."""

    def __init__(self, head: Response) -> None:
        self._head = head
        self._body = bytearray()

    def add(self, data: bytes) -> None:
        """Take the next bytes. Raises ProtocolError when there are too many."""
        self._body += data
        if len(self._body) > MAX_BYTES:
            raise ProtocolError(
                f"the answer to a set-up request is longer than {MAX_BYTES} bytes",
                excerpt=bytes(self._body[:200]),
            )

    def response(self) -> Response:
        head = self._head
        return Response(head.status, head.headers, bytes(self._body), head.received_at)

    def cut(self, error: G4FError) -> G4FError | None:
        """Say that the body broke off with *error*; return what that means, None if the status said all."""
        if isinstance(error, DeadlineError):
            return error
        if not is_success(self._head):
            return None
        cut = IncompleteStreamError(f"the connection broke in mid-answer ({error.message}); ask again")
        cut.retryable = True
        return cut
