"""What the tests of the pytest plugin share; the sample project is no part of these tests, but run by one."""

from __future__ import annotations

import pytest

from tests.plugin_project import Project

pytest_plugins = ["pytester"]
collect_ignore = ["sample_project"]


@pytest.fixture
def project(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> Project:
    """An empty user project with the plugin in it, whichever way pytest came to know the plugin."""
    return Project(pytester, is_installed=request.config.pluginmanager.has_plugin("g4fsdk"))
