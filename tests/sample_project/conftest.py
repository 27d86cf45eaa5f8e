"""What the shop adds to the plugin of g4fsdk, which brings the fixtures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from g4fsdk.testing import Replay


@pytest.fixture
def session(g4f_replay: Replay) -> Iterator[requests.Session]:
    """A session that is answered by the recording."""
    with requests.Session() as session:
        session.mount("https://", g4f_replay.requests_adapter())
        yield session
