"""What the tests of the pytest plugin share; the sample project is no part of these tests, but run by one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.support import fault_table
from tests.support.plugin_project import Project

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_CERTIFICATES = ("requests_ca_bundle", "curl_ca_bundle", "ssl_cert_file", "ssl_cert_dir")

pytest_plugins = ["pytester"]
collect_ignore = ["sample_project"]
pytest.register_assert_rewrite(
    "tests.support.loopback_clients"
)  # where clients differ, the difference is shown
# A busy machine is no failure, nothing is kept between runs, and equal code gets equal examples.
settings.register_profile(
    "g4fsdk",
    max_examples=50,
    derandomize=True,
    deadline=None,
    database=None,
    phases=set(Phase) - {Phase.explain},  # costs more than all else where an example is looked for
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("g4fsdk")


# What a script starts with `&` or `nohup` ignores these, and so would what the tests start.
for _name, _usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _usual)

# What a machine may have set is for the tests of it to set.
for _name in [*os.environ]:
    if _name.lower() in (*_PROXIES, *_CERTIFICATES) or _name.startswith(("OPENAI_", "G4FSDK_")):
        del os.environ[_name]

#: What commands keep of the tests of this process.
_KEPT = TemporaryDirectory(prefix="g4fsdk-tests-", ignore_cleanup_errors=True)
os.environ["G4FSDK_HOME"] = _KEPT.name


@pytest.fixture
def project(
    pytester: pytest.Pytester, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """An empty user project with the plugin in it, whichever way pytest came to know the plugin."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
    return Project(pytester, is_installed=request.config.pluginmanager.has_plugin("g4fsdk"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    fault_table.summary(terminalreporter)
