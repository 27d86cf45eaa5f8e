"""Taking the secrets out of a cassette before it is written, and out of a request before it is compared.

A secret is found by its name, by its look, or because its value was seen or given before; the tables are
in `g4fsdk.testing._secrets.names`. It becomes ``SCRUBBED-<name>-<n>``, the same one everywhere: in headers,
cookies, URLs, JSON, SSE, multipart and base64, whatever its coding, and also where it is spread over
chunks or over the pieces of an answer. What holds no secret keeps its bytes.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import LeakError
from g4fsdk.testing._cassette.values import RecordedRequest
from g4fsdk.testing._secrets.coded import edits_in_base64
from g4fsdk.testing._secrets.editor import CassetteEditor, placeholders_in
from g4fsdk.testing._secrets.edits import Edit, applied, merged
from g4fsdk.testing._secrets.find import PLACEHOLDER_BYTES
from g4fsdk.testing._secrets.known import KnownSecrets, forms_of
from g4fsdk.testing._secrets.leaks import Leak, find_leaks
from g4fsdk.testing._secrets.names import PLACEHOLDER

__all__ = ["Leak", "Scrubber", "find_leaks"]

# One way through finds and replaces, a second replaces what was found late; each layer of coding may ask
# for one more. Real sessions take two or three.
MOST_PASSES = 8
MAX_SHOWN = 10  # leaks in one message

# What stands in a body with placeholders: as they are, or in base64.
_SCRUBBED = (b"SCRUBBED", *forms_of("SCRUBBED-").base64)


class Scrubber:
    """Takes secrets out, and remembers them. Safe to share between threads.

    The same input gives the same output, and scrubbing twice changes nothing.
    """

    def __init__(self) -> None:
        self._known = KnownSecrets()
        self._lock = threading.Lock()

    @property
    def secrets(self) -> frozenset[str]:
        """The values that are searched everywhere: those given and those found so far."""
        return frozenset(self._known.values)

    def add_secret(self, value: str) -> None:
        """Have *value* replaced wherever it occurs.

        Values under six characters and single ordinary words are ignored: they would hit other text.
        """
        with self._lock:
            self._known.add(value)

    def scrub_cassette(self, cassette: Cassette) -> Cassette:
        """Return *cassette* without secrets; *cassette* itself is left alone.

        Raises:
            LeakError: Secrets are left after all. This should not happen, and nothing may be written.
        """
        with self._lock:
            self._known.keep_placeholders(placeholders_in(cassette))
            for _ in range(MOST_PASSES):
                scrubbed = CassetteEditor(self._known).cassette(cassette)
                if scrubbed == cassette:
                    return scrubbed
                cassette = scrubbed
        raise LeakError("the cassette still changes when it is scrubbed again, so a secret may be left in it")

    def clean(self, cassette: Cassette, name: object) -> Cassette:
        """Return *cassette*, which is to be written to the file *name*, without secrets.

        Raises:
            LeakError: Some are left, or a request can't be searched; the message names the places.
        """
        cleaned = self.scrub_cassette(cassette)
        leaks = find_leaks(cleaned, self.secrets)
        if not leaks:
            return cleaned
        shown = [f"  {leak}" for leak in leaks[:MAX_SHOWN]]
        more = [f"  ... and {len(leaks) - MAX_SHOWN} more"] if len(leaks) > MAX_SHOWN else []
        raise LeakError("\n".join([f"{name} was not written, secrets are left in:", *shown, *more]))

    def scrub_request(self, request: RecordedRequest) -> RecordedRequest:
        """Return *request* without secrets."""
        with self._lock:
            for _ in range(MOST_PASSES):
                scrubbed = CassetteEditor(self._known).request("request", request)
                if scrubbed == request:
                    return scrubbed
                request = scrubbed
        raise LeakError("the request still changes when it is scrubbed again, so a secret may be left in it")

    def comparable(self, request: RecordedRequest) -> RecordedRequest:
        """Return *request* as recorded and live requests compare: scrubbed, and every secret like any other.

        A replay runs with other keys than the recording, or with none worth the name, and maybe in another
        order; so which secret stands somewhere can't count, only that one does. Headers are not compared
        and keep their placeholders.
        """
        scrubbed = self.scrub_request(request)
        url, body = PLACEHOLDER.sub("SCRUBBED", scrubbed.url), scrubbed.body
        if any(form in body for form in _SCRUBBED):
            body = applied(body, merged([*_placeholders(body), *edits_in_base64(body, _placeholders)]))
        return replace(scrubbed, url=url, body=body)


def _placeholders(data: bytes) -> list[Edit]:
    """Return the edits that make every placeholder in *data* the same."""
    return [Edit(*found.span(), b"SCRUBBED", "placeholder") for found in PLACEHOLDER_BYTES.finditer(data)]
