"""Where pytest finds the plugin by itself, in whatever project this package is installed.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from importlib import import_module

import pytest

from g4fsdk.testing._pytest.options import MARKER


class TooOld:
    """Stands in place of the plugin where pytest or pluggy is too old for it: only marked tests notice."""

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", f"{MARKER}: of g4fsdk")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if any(item.get_closest_marker(MARKER) for item in items):
            raise pytest.UsageError(
                f"tests marked {MARKER} need a newer pytest or pluggy: pip install 'g4fsdk[testing]'"
            )


def _is_new_enough() -> bool:
    try:
        pytest.hookimpl(wrapper=True)
    except TypeError:  # pluggy before 1.2
        return False
    return hasattr(pytest, "StashKey")


plugin: object = import_module("g4fsdk.testing.plugin") if _is_new_enough() else TooOld()
