"""What the fixture `g4f_server` hands out: a server that plays, or one that records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from g4fsdk import providers
from g4fsdk.testing._cassette.errors import MismatchError
from g4fsdk.testing._cassette.services import base_url_of
from g4fsdk.testing._pytest.clients import NO_PROVIDER
from g4fsdk.testing._pytest.marked import fail
from g4fsdk.testing._pytest.rerecord import RecordingReplay
from g4fsdk.testing._record.front import Front
from g4fsdk.testing._server.server import ReplayServer

if TYPE_CHECKING:
    from g4fsdk.testing._cassette.cassette import Cassette
    from g4fsdk.testing._pytest.marked import MarkedTest
    from g4fsdk.testing._replay.replay import Replay


@contextmanager
def serving(marked: MarkedTest, cassette: Cassette) -> Iterator[ReplayServer]:
    """Serve *cassette*; what was asked and isn't in it is reported with the outcome of the test itself."""
    with suppress(MismatchError), ReplayServer(cassette, **marked.played) as server:
        yield server


def fronting(replay: Replay, settings: Mapping[str, Any], cassette: Cassette) -> Front:
    """Return a server in front of whom *settings* name, else of who was recorded; it is not started."""
    name = settings.get("provider") or ""
    if not isinstance(name, str) or not name:
        fail(f"{NO_PROVIDER}: g4f_server records one provider, named in g4f_settings")
    upstream = settings.get("base_url") or base_url_of(cassette, name) or providers.get(name).base_url
    if isinstance(replay, RecordingReplay):
        replay.recorder.metadata |= {"provider": name, "base_url": settings.get("base_url")}
    return Front(replay.requests_adapter(), upstream)
