"""What the tests of the commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from g4fsdk.testing import Cassette


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Cassette], Path]:
    """A function that saves a recording and returns its path."""

    def save(cassette: Cassette) -> Path:
        path = tmp_path / "a.yaml"
        cassette.save(path)
        return path

    return save
