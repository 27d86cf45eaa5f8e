"""Bringing a recording up to date from itself: the recorded answers, and the requests that are sent now."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from g4fsdk._core.model.errors import G4FError, UsageError
from g4fsdk._core.model.http import Request
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.match import match_key
from g4fsdk.testing._cassette.values import Headers, Interaction, RecordedRequest, RecordedResponse
from g4fsdk.testing._replay.player import Player
from g4fsdk.testing._secrets.scrub import Scrubber


def updated(cassette: Cassette) -> Cassette:
    """Return *cassette* with the requests that its recorded call sends now; all else stays as it was.

    Each request gets the answer that was recorded in its place, whatever it asks. A request that means what
    was recorded stays as it is spelt there, with its placeholders.

    Raises:
        CassetteError: It doesn't say what was asked, or another number of requests is sent now.
        UsageError: The call can't be made.
    """
    player = _InOrder(cassette)
    try:
        for _ in player.play():
            continue
    except UsageError:
        raise
    except G4FError as error:  # how the recorded call ended, too; or it left requests that were recorded
        player.check_all_sent(error)
    player.check_all_sent()
    pairs = zip(cassette.interactions, player.sent, strict=True)
    return Cassette(
        [Interaction(_kept(one.request, now), one.response) for one, now in pairs], cassette.metadata
    )


class _InOrder(Player):
    """Gives the recorded answers in their order, and keeps what was sent."""

    def __init__(self, cassette: Cassette) -> None:
        super().__init__(cassette)
        self._count = len(cassette.interactions)
        self._left = deque(one.response for one in cassette.interactions)
        self.sent: list[RecordedRequest] = []

    @property
    def unplayed(self) -> int:
        return len(self._left)

    def answer(self, request: Request) -> RecordedResponse:
        if not self._left:
            raise CassetteError(
                f"{self._count} requests were recorded, and the call sends more now: record it anew"
            )
        self.sent.append(
            RecordedRequest(request.method, request.url, [*request.headers.items()], request.body)
        )
        return self._left.popleft()

    def check_all_sent(self, cause: G4FError | None = None) -> None:
        if self._left:
            raise CassetteError(
                f"{self._count} requests were recorded, and the call sends {len(self.sent)} now: "
                "record it anew"
            ) from cause


def _kept(recorded: RecordedRequest, sent: RecordedRequest) -> RecordedRequest:
    """Return *sent* in the words of *recorded*, where they mean the same."""
    scrubber = Scrubber()
    now = scrubber.scrub_request(sent)
    headers = _headers(recorded.headers, now.headers)
    before, after = (match_key(scrubber.comparable(one)) for one in (recorded, sent))
    if before == after:
        return replace(recorded, headers=headers)
    return replace(now, headers=headers)


def _headers(recorded: Headers, sent: Headers) -> Headers:
    """Return *recorded* with the values that are sent now; those that the libraries add stay."""
    now = {name.lower(): value for name, value in sent}
    known = {name.lower() for name, _ in recorded}
    return [
        *((name, now.get(name.lower(), value)) for name, value in recorded),
        *((name, value) for name, value in sent if name.lower() not in known),
    ]
