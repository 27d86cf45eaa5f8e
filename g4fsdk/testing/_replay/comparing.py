"""Requests without their secrets, so that a recorded and a live one can be compared and shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from g4fsdk.testing._cassette.values import RecordedRequest
from g4fsdk.testing._secrets.scrub import Scrubber

MAX_REMEMBERED = 1000  # requests; a server that runs for ever must not grow with each of them


class Comparer:
    """Takes secrets out of requests: those registered, and those that names and looks give away.

    A secret may also be known only from another request. To search each request for all that were ever seen
    would cost more with every request, so that is done by `knowing`, for requests which match nothing.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._seen: deque[RecordedRequest] = deque(maxlen=MAX_REMEMBERED)
        self._knowing = Scrubber()

    def add_secret(self, value: str) -> None:
        """Take *value* for a secret."""
        self._secrets.add(value)
        self._knowing.add_secret(value)

    def comparable(self, request: RecordedRequest) -> RecordedRequest:
        """Return *request* without the secrets that are registered or that it gives away itself."""
        scrubber = Scrubber()
        for secret in self._secrets:
            scrubber.add_secret(secret)
        self._seen.append(request)
        return scrubber.comparable(request)

    def knowing(self, requests: Iterable[RecordedRequest]) -> list[RecordedRequest]:
        """Return *requests* without those secrets either that other requests gave away."""
        while self._seen:
            self._knowing.scrub_request(self._seen.popleft())
        return [self._knowing.comparable(request) for request in requests]
