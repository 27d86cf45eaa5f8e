"""One request while it is being recorded."""

from __future__ import annotations

import socket
import ssl

from g4fsdk.testing._cassette.bodies import kept_headers, plain_headers
from g4fsdk.testing._cassette.codings import (
    CodingError,
    CutError,
    NoDecoderError,
    coding_of,
    decode_pieces,
)
from g4fsdk.testing._cassette.values import (
    End,
    Headers,
    Interaction,
    RecordedRequest,
    RecordedResponse,
)
from g4fsdk.testing._traffic.clock import MonotonicClock

# What ends a request before anybody is asked: no address, or one that is not who it should be.
UNASKED = (socket.gaierror, ssl.SSLCertVerificationError)
AT_MS_DIGITS = 1  # schedulers are no more exact than that


class RecordingExchange:
    """Keeps what came for *request*, which is sent now.

    Until it is said how the body ended, the client has left it: whoever stops reading says nothing.
    """

    def __init__(self, request: RecordedRequest, clock: MonotonicClock) -> None:
        self._request = request
        self._clock = clock
        self._start = clock.now()
        self._head = RecordedResponse(0)
        self._headers: Headers = []
        self._pieces: list[tuple[float, list[bytes]]] = []
        self._is_coded = False
        self._goes_on = False
        self._end: End = "client_closed"

    def answered(self, status: int, reason: str, headers: Headers, http_version: str) -> None:
        """Keep the head of the response. *headers* are those that came, codings included."""
        self._head = RecordedResponse(status, reason, http_version=http_version)
        self._headers = headers

    def heard(self, data: bytes, *, is_coded: bool, goes_on: bool = False) -> None:
        """Keep *data*, which just came; *is_coded* says that its Content-Encoding is still in it.

        *goes_on* says that more of the same HTTP chunk is to come, which the caller reads by and by.
        """
        if not data:
            return
        self._is_coded = is_coded
        if self._goes_on:
            self._pieces[-1][1].append(data)
        else:
            self._pieces.append((1000 * (self._clock.now() - self._start), [data]))
        self._goes_on = goes_on

    def ended(self, end: End) -> None:
        """Keep how the body ended; the first to say it is right."""
        if self._end == "client_closed":
            self._end = end

    def interaction(self) -> Interaction:
        """Return what was recorded so far, the body's content coding undone."""
        pieces = [(at_ms, b"".join(parts)) for at_ms, parts in list(self._pieces)]
        headers, plain, end = self._decoded([data for _, data in pieces])
        kept = [(at_ms, data) for (at_ms, _), data in zip(pieces, plain, strict=True) if data]
        response = RecordedResponse(
            self._head.status,
            self._head.reason,
            headers,
            [data for _, data in kept],
            [round(at_ms, AT_MS_DIGITS) for at_ms, _ in kept],
            end,
            self._head.http_version,
        )
        return Interaction(self._request, response)

    def _decoded(self, pieces: list[bytes]) -> tuple[Headers, list[bytes], End]:
        """Return headers, plain pieces and end; what nothing here undoes keeps its coding."""
        plain, end = plain_headers(self._headers), self._end
        if not self._is_coded:
            return plain, pieces, end
        try:
            return plain, decode_pieces(coding_of(self._headers), pieces), end
        except NoDecoderError:
            return kept_headers(self._headers), pieces, end
        except CutError as error:
            return plain, error.plain, "truncated" if end == "complete" else end
        except CodingError:  # the server sent something else than it said: that is what gets recorded
            return plain, pieces, end
