"""What our own clients are given in a marked test, loaded with the first of them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from g4fsdk._client.ids import SYSTEM_IDS
from g4fsdk._client.transport import Transport
from g4fsdk._core.model.chat import Ids
from g4fsdk.testing._pytest.intercepted import Interception, current, heard

if TYPE_CHECKING:
    from g4fsdk._core.flow.provider import Provider


class Overhearing(Transport):
    """What our clients get in a marked test: they send as ever, and the recording hears what they ask."""

    wraps = True

    def requests_adapter(self, inner: Any = None) -> Any:
        """Return *inner*: the hooks see what it sends."""
        return inner

    def httpx_transport(self, inner: Any = None) -> Any:
        """Return *inner*: the hooks see what it sends."""
        return inner

    def new_ids(self) -> Ids:
        """Return ids for one client, which may be older than the test that it asks for."""
        return _IdsOfTheTest()

    def note_call(self, provider: Provider, call: Mapping[str, Any], ids: Ids) -> None:
        """Let the recording keep what is asked."""
        if found := current():
            found.replay.note_call(provider, call, ids)

    def add_secret(self, value: str) -> None:
        """Keep *value* out of this recording, and of those of later tests that ask with the same client."""
        heard[value] = None
        if found := current():
            found.replay.add_secret(value)


def overhearing() -> Transport | None:
    """Return the transport of clients that bring none; what G4FSDK_TRANSPORT names in a marked test."""
    return Overhearing() if current() else None


class _IdsOfTheTest(Ids):
    """The ids of the recording that answers when a call is made, for each of them from its start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Interception | None = None
        self._ids: Ids = SYSTEM_IDS
        self._calls = count()

    def uuid(self, name: str) -> str:
        return self._source().uuid(name)

    def now_ms(self) -> int:
        return self._source().now_ms()

    def child(self, number: int) -> Ids:
        with self._lock:
            return self._source().child(next(self._calls))

    def _source(self) -> Ids:
        found = current()
        if found is not self._of:
            self._of, self._calls = found, count()
            self._ids = (found.replay.new_ids() if found else None) or SYSTEM_IDS
        return self._ids
