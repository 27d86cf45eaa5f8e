"""Which tests are not over with their last line: fixtures may ask something when they end.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from inspect import isasyncgenfunction, isgeneratorfunction
from typing import Any

import pytest

# Those of pytest, of us, of event loops and mocks end without asking anybody, but for `teardown_method` and
# its kin.
_QUIET = frozenset({"_pytest", "g4fsdk", "pytest_asyncio", "anyio", "pytest_mock"})
_CLASSIC = "_xunit_"


def asks_at_its_end(fixture: pytest.FixtureDef[Any]) -> bool:
    """Whether *fixture* may ask something after the test."""
    if fixture.scope != "function":
        return False
    function = fixture.func
    if not (isgeneratorfunction(function) or isasyncgenfunction(function) or "request" in fixture.argnames):
        return False
    return fixture.argname.startswith(_CLASSIC) or str(function.__module__).partition(".")[0] not in _QUIET
