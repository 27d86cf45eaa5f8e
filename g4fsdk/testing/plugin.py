"""The pytest plugin: recorded sessions in place of the network, for the tests that are marked.

    @pytest.mark.g4f_cassette("yqcloud/hello")          # cassettes/yqcloud/hello.yaml, below the root folder
    def test_greeting(g4f_client):
        assert greeting(g4f_client) == "Hello!"

    @pytest.mark.g4f_cassette                           # cassettes/<module>/test_program.yaml
    def test_program():
        assert main("Hello") == "Hello!"                # makes a client of its own

The marker takes several names, which are then one session, and `pace`, `cuts`, `faults`, `match_on` and
`ignore` of `Replay`. Without a name it takes that of the test: `<module>/<Class>.<test>[<param>].yaml`.

While a marked test runs, whatever asks by way of requests, httpx or httpx2 in this process is answered by its
recording, our own clients and those of the openai package included, in threads too; all other connections
are blocked. `g4f_sockets.allow("127.0.0.1:6379")` lets an address through. A test that passed fails when it
asked for something that is not recorded, even if the program went on, when it left a part of its recording
unplayed, when nothing was played at all, or when it should have made a recording and nobody answered.

Fixtures, each of which a project may override by name:

- `g4f_client`, `g4f_async_client`: clients that ask as the recorded one did, made from `g4f_settings`.
- `g4f_replay`: the `Replay`, for sessions and httpx clients with transports of their own.
- `g4f_server`: a `ReplayServer` on loopback, for programs out of reach of the others. The requests of such a
  test are answered by nothing else.
- `g4f_settings`: the arguments of the clients, from the recording: provider, model, base_url, ids, retries.
- `g4f_cassette_dir`: the folder of the recordings; also the ini option of that name.
- `g4f_sockets`: lets addresses through.

`--g4f-record` says whether the live service is asked: *none* never; *once* where the cassette is missing;
*new* for the requests that it has no answer to, which are appended; *all* for everything, anew. What was
recorded is written when the test ends, passed or not; a request that was refused (401, 403, 429, 503 and
their like) and not answered later leaves everything as it was, unless `--g4f-keep-refusals` or the ini
option `g4f_keep_refusals` says otherwise. `g4f_server` then stands in front of the service that
`g4f_settings` names. Markers with several names or with faults only play. A recording
belongs to one test: a second one of the same run plays it, and fails when it asks something else. Record
without `-n`.

Whom to ask for a recording, and with which key, a `conftest.py` says; a replay is asked at the address that
was recorded, whatever the `conftest.py` says by then:

    @pytest.fixture
    def g4f_settings(g4f_settings):
        return {**g4f_settings, "base_url": SERVER, "model": "llama3.2", "api_key": os.environ.get("KEY")}

Ini options that fail the tests of recordings which are too old, or made by nobody who is wanted:

    g4f_cassette_max_age = 90
    g4f_provenance = recorded

Importing this module imports no HTTP library, no YAML and no client. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from g4fsdk.testing._pytest.options import MARKER, add_options

if TYPE_CHECKING:
    from g4fsdk import AsyncClient, Client
    from g4fsdk.testing._cassette.cassette import Cassette
    from g4fsdk.testing._pytest.marked import MarkedTest
    from g4fsdk.testing._pytest.outcome import Outcome
    from g4fsdk.testing._pytest.sockets import SocketBlockedError as SocketBlockedError
    from g4fsdk.testing._pytest.sockets import SocketGuard as SocketGuard
    from g4fsdk.testing._record.front import Front
    from g4fsdk.testing._replay.replay import Replay
    from g4fsdk.testing._server.server import ReplayServer
else:

    def __getattr__(name: str) -> object:
        from g4fsdk.testing._pytest import sockets

        if name in ("SocketBlockedError", "SocketGuard"):
            return getattr(sockets, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_MARKED = pytest.StashKey["MarkedTest"]()
_SESSION = pytest.StashKey["tuple[MarkedTest, Cassette]"]()
_WRITERS = pytest.StashKey[dict[Path, str]]()  # the test that recorded it in this run, by cassette
_FIXTURES = pytest.StashKey[dict[str, object]]()
_CHECKED = ("g4f_replay", "g4f_server")


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_WRITERS] = {}
    config.addinivalue_line(
        "markers",
        f"{MARKER}(*names, pace='instant', cuts='recorded', faults=(), match_on=None, ignore=()): play these "
        "cassettes of the folder cassettes/ in place of the network, and block sockets; without a name, the "
        "cassette of the test's name (g4fsdk)",
    )


@pytest.fixture(scope="session")
def g4f_cassette_dir(pytestconfig: pytest.Config) -> Path:
    """The folder of the cassettes."""
    return pytestconfig.rootpath / str(pytestconfig.getini("g4f_cassette_dir"))


@pytest.fixture
def _g4f_marked(request: pytest.FixtureRequest, g4f_cassette_dir: Path) -> MarkedTest:
    from g4fsdk.testing._pytest.marked import read_marker

    mode: Any = request.config.getoption("g4f_record")
    writers = request.config.stash[_WRITERS]
    marked = request.node.stash[_MARKED] = read_marker(request.node, Path(g4f_cassette_dir), mode, writers)
    return marked


@pytest.fixture(autouse=True)
def _g4f_test(request: pytest.FixtureRequest) -> None:
    """Block the sockets of a marked test, and answer what it asks with clients of its own."""
    if request.node.get_closest_marker(MARKER) is not None:
        request.getfixturevalue("g4f_sockets")
        if not request.getfixturevalue("_g4f_marked").is_served:
            request.getfixturevalue("_g4f_intercepted")


@pytest.fixture
def g4f_sockets(request: pytest.FixtureRequest) -> Iterator[SocketGuard]:
    """Sockets are blocked in marked tests that don't record; `allow` lets an address through."""
    from g4fsdk.testing._pytest.sockets import SocketGuard

    guard = SocketGuard()
    is_marked = request.node.get_closest_marker(MARKER) is not None
    if not is_marked or request.getfixturevalue("_g4f_marked").records:
        yield guard
        return
    with guard:
        yield guard


@pytest.fixture
def _g4f_intercepted(g4f_replay: object, g4f_sockets: SocketGuard) -> Iterator[None]:
    from g4fsdk.testing._pytest.intercepted import Interception
    from g4fsdk.testing._replay.replay import Replay

    if not isinstance(g4f_replay, Replay):  # the project's own
        yield
        return
    with Interception(g4f_replay, g4f_sockets):
        yield


@pytest.fixture
def _g4f_session(request: pytest.FixtureRequest, _g4f_marked: MarkedTest) -> Cassette:
    from g4fsdk.testing._pytest.fixtures import load

    session = load(_g4f_marked, request.config)
    request.node.stash[_SESSION] = _g4f_marked, session
    return session


@pytest.fixture
def g4f_settings(_g4f_marked: MarkedTest, _g4f_session: Cassette) -> dict[str, Any]:
    """The arguments of the clients; override it to say whom to ask for a recording, with which key."""
    from g4fsdk.testing._pytest.fixtures import client_settings

    return client_settings(_g4f_marked, _g4f_session)


@pytest.fixture
def g4f_replay(
    _g4f_marked: MarkedTest, _g4f_session: Cassette, g4f_sockets: SocketGuard, pytestconfig: pytest.Config
) -> Iterator[Replay]:
    """The recording as a transport; in the record modes it records what it has not got."""
    from g4fsdk.testing._pytest.fixtures import playing
    from g4fsdk.testing._pytest.rerecord import RecordingReplay

    with playing(_g4f_marked, _g4f_session, pytestconfig) as replay:
        yield replay
    if isinstance(replay, RecordingReplay) and replay.recorder.has_news:
        pytestconfig.stash[_WRITERS][_g4f_marked.paths[0]] = _g4f_marked.nodeid


@pytest.fixture
def g4f_client(
    request: pytest.FixtureRequest, g4f_settings: dict[str, Any], g4f_replay: Replay
) -> Iterator[Client]:
    """A `Client` that is answered by the recording."""
    from g4fsdk import Client

    with Client(**_arguments(request, g4f_settings, g4f_replay)) as client:
        yield client


@pytest.fixture
def g4f_async_client(
    request: pytest.FixtureRequest, g4f_settings: dict[str, Any], g4f_replay: Replay
) -> AsyncClient:
    """An `AsyncClient` that is answered by the recording. It holds nothing that has to be closed."""
    from g4fsdk import AsyncClient

    return AsyncClient(**_arguments(request, g4f_settings, g4f_replay))


def _arguments(request: pytest.FixtureRequest, settings: dict[str, Any], replay: Replay) -> dict[str, Any]:
    from g4fsdk.testing._pytest.fixtures import client_arguments

    return client_arguments(settings, replay, request.node.stash.get(_SESSION, None))


@pytest.fixture
def g4f_server(
    request: pytest.FixtureRequest,
    _g4f_marked: MarkedTest,
    _g4f_session: Cassette,
    g4f_sockets: SocketGuard,
) -> Iterator[ReplayServer | Front]:
    """A server on loopback that plays the recording; the only address that sockets may reach.

    In the record modes it stands in front of the service, and records it.
    """
    from contextlib import suppress

    from g4fsdk.testing._cassette.errors import MismatchError
    from g4fsdk.testing._pytest.fixtures import fronting, serving

    if _g4f_marked.records:
        replay, settings = (request.getfixturevalue(name) for name in ("g4f_replay", "g4f_settings"))
        with fronting(replay, settings, _g4f_session) as front:
            yield front
        return
    # What it was asked and had not got is reported with the outcome of the test itself.
    with suppress(MismatchError), serving(_g4f_marked, _g4f_session) as server:
        g4f_sockets.allow(server.url)
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Keep what is to be checked when the test has passed, the fixture being overridden or not."""
    value = yield
    if fixturedef.argname in _CHECKED:
        request.node.stash.setdefault(_FIXTURES, {})[fixturedef.argname] = value
    return value


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_FIXTURES] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed and left something unplayed or unrecorded, or asked for what isn't there."""
    try:
        result = yield
    except BaseException:
        for text in _outcome(item).noticed() if item.stash[_FIXTURES] else ():
            item.add_report_section("call", "g4fsdk", text)
        raise
    for text in _outcome(item).wrong() if item.stash[_FIXTURES] else ():
        pytest.fail(text, pytrace=False)
    return result


def _outcome(item: pytest.Item) -> Outcome:
    from g4fsdk.testing._pytest.outcome import Outcome

    fixtures = item.stash[_FIXTURES]
    return Outcome(item.stash.get(_MARKED, None), fixtures)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if call.excinfo and _MARKED in item.stash and not item.config.option.fulltrace:
        from g4fsdk.testing._pytest.outcome import shorten

        shorten(call, item.config.rootpath)
    return (yield)
