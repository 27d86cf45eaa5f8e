"""Requests without their secrets, so that what was sent compares with what was recorded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from g4fsdk.testing._cassette.values import RecordedRequest

if TYPE_CHECKING:
    from g4fsdk.testing._secrets.scrub import Scrubber

MAX_RECURRING = 8  # secrets that the next request is looked through for, before anything else
MAX_REMEMBERED = 1000  # requests; a server that runs for ever must not grow with each of them


class Comparer:
    """Takes secrets out of requests: those registered, and those that names and looks give away.

    A secret may also be known only from another request. To search each request for all that were ever seen
    would cost more with every request, so that is done by `knowing`, for requests which match nothing.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._seen: deque[RecordedRequest] = deque(maxlen=MAX_REMEMBERED)
        self._knowing: Scrubber | None = None
        self._recurring: deque[bytes] = deque(maxlen=MAX_RECURRING)

    def add_secret(self, value: str) -> None:
        """Take *value* for a secret."""
        self._secrets.add(value)
        if self._knowing is not None:
            self._knowing.add_secret(value)

    def comparable(self, request: RecordedRequest) -> RecordedRequest:
        """Return *request* without the secrets that are registered or that it gives away itself."""
        scrubber = self._scrubber()
        comparable = scrubber.comparable(request)
        found = {secret.encode("utf-8", "surrogatepass") for secret in scrubber.secrets}
        self._recurring.extendleft(sorted(found.difference(self._recurring), key=len))
        return comparable

    def blotted(self, request: RecordedRequest) -> RecordedRequest:
        """Return *request* without the secrets that others gave away lately, where they are spelt out.

        That is found in no time, as programs send one key again and again; and it is right where what is left
        was recorded.
        """
        url, body = request.url.encode("utf-8", "surrogateescape"), request.body
        for secret in self._recurring:
            url, body = (data.replace(secret, b"SCRUBBED") for data in (url, body))
        return replace(request, url=url.decode("utf-8", "surrogateescape"), body=body)

    def remember(self, request: RecordedRequest) -> None:
        """Have the secrets of *request* known to `knowing`."""
        self._seen.append(request)

    def knowing(self, requests: Iterable[RecordedRequest]) -> list[RecordedRequest]:
        """Return *requests* without those secrets either that other requests gave away."""
        self._knowing = knowing = self._knowing or self._scrubber()
        while self._seen:
            knowing.scrub_request(self._seen.popleft())
        return [knowing.comparable(request) for request in requests]

    def _scrubber(self) -> Scrubber:
        from g4fsdk.testing._secrets.scrub import Scrubber

        scrubber = Scrubber()
        for secret in self._secrets:
            scrubber.add_secret(secret)
        return scrubber
