"""The pytest plugin: recorded sessions in place of the network, for the tests that are marked.

    @pytest.mark.g4f_cassette("yqcloud/hello")          # cassettes/yqcloud/hello.yaml, below the root folder
    def test_greeting(g4f_client):
        assert greeting(g4f_client) == "Hello!"

The marker takes several names, which are then one session, and `pace`, `cuts` and `faults` of `Replay`. While
a marked test runs, sockets are blocked; without a name the marker does only that. A passed test fails when it
left a part of its recording unplayed, or should have made one and nobody answered.

Fixtures, each of which a project may override by name:

- `g4f_client`, `g4f_async_client`: clients that ask as the recorded one did, made from `g4f_settings`.
- `g4f_replay`: the `Replay`, for programs that make their own client, session or httpx client.
- `g4f_server`: a `ReplayServer` on loopback, for programs out of reach of the others.
- `g4f_settings`: the arguments of the clients, from the recording: provider, model, base_url, ids, retries.
- `g4f_cassette_dir`: the folder of the recordings; also the ini option of that name.
- `g4f_sockets`: lets addresses through, `g4f_sockets.allow("127.0.0.1:6379")`.

`--g4f-record` says whether the live service is asked: *none* never; *once* where the cassette is missing;
*new* for the requests that it has no answer to, which are appended; *all* for everything, anew. What was
recorded is written when the test ends, passed or not. Markers with several names or with faults only play,
and so do tests that use `g4f_server`. A recording belongs to one test: a second one of the same run plays
it, and fails when it asks something else. Give each parameter its own, with
`pytest.param(..., marks=pytest.mark.g4f_cassette(...))`, and record without `-n`.

Whom to ask for a recording, and with which key, a `conftest.py` says; a replay is asked at the address that
was recorded, whatever the `conftest.py` says by then:

    @pytest.fixture
    def g4f_settings(g4f_settings):
        return {**g4f_settings, "base_url": SERVER, "model": "llama3.2", "api_key": os.environ.get("KEY")}

Importing this module imports no HTTP library, no YAML and no client. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from g4fsdk.testing._pytest.marked import (
    MARKER,
    MODES,
    MarkedTest,
    read_marker,
)
from g4fsdk.testing._pytest.sockets import SocketBlockedError as SocketBlockedError
from g4fsdk.testing._pytest.sockets import SocketGuard as SocketGuard

if TYPE_CHECKING:
    from g4fsdk import AsyncClient, Client
    from g4fsdk.testing._cassette.cassette import Cassette
    from g4fsdk.testing._replay.replay import Replay
    from g4fsdk.testing._server.server import ReplayServer

_MARKED = pytest.StashKey[MarkedTest]()
_SESSION = pytest.StashKey["tuple[MarkedTest, Cassette]"]()
_WRITERS = pytest.StashKey[dict[Path, str]]()  # the test that recorded it in this run, by cassette
_FIXTURES = pytest.StashKey[dict[str, Any]]()
_CHECKED = ("g4f_replay", "g4f_server")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("g4fsdk").addoption(
        "--g4f-record",
        choices=MODES,
        default="none",
        help="whether tests marked g4f_cassette ask the live service: none (default) never, once where the "
        "cassette is missing, new for requests it has no answer to, all for everything, anew",
    )
    parser.addini("g4f_cassette_dir", "folder of the cassettes, below the root folder", default="cassettes")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_WRITERS] = {}
    config.addinivalue_line(
        "markers",
        f"{MARKER}(*names, pace='instant', cuts='recorded', faults=()): play these cassettes of the folder "
        "cassettes/ in place of the network, and block sockets (g4fsdk)",
    )


@pytest.fixture(scope="session")
def g4f_cassette_dir(pytestconfig: pytest.Config) -> Path:
    """The folder of the cassettes."""
    return pytestconfig.rootpath / str(pytestconfig.getini("g4f_cassette_dir"))


@pytest.fixture
def _g4f_marked(request: pytest.FixtureRequest, g4f_cassette_dir: Path) -> MarkedTest:
    mode: Any = request.config.getoption("g4f_record")
    writers = request.config.stash[_WRITERS]
    marked = request.node.stash[_MARKED] = read_marker(request.node, Path(g4f_cassette_dir), mode, writers)
    return marked


@pytest.fixture(autouse=True)
def g4f_sockets(request: pytest.FixtureRequest) -> Iterator[SocketGuard]:
    """Sockets are blocked in marked tests that don't record; `allow` lets an address through."""
    guard = SocketGuard()
    is_marked = request.node.get_closest_marker(MARKER) is not None
    if not is_marked or request.getfixturevalue("_g4f_marked").records:
        yield guard
        return
    with guard:
        yield guard


@pytest.fixture
def _g4f_session(request: pytest.FixtureRequest, _g4f_marked: MarkedTest) -> Cassette:
    from g4fsdk.testing._pytest.fixtures import load

    session = load(_g4f_marked)
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

    with playing(_g4f_marked, _g4f_session) as replay:
        yield replay
    if isinstance(replay, RecordingReplay) and replay.recorder.was_answered:
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
    _g4f_marked: MarkedTest, _g4f_session: Cassette, g4f_sockets: SocketGuard
) -> Iterator[ReplayServer]:
    """A server on loopback that plays the recording; the only address that sockets may reach."""
    from contextlib import suppress

    from g4fsdk.testing._cassette.errors import MismatchError
    from g4fsdk.testing._pytest.fixtures import serving

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
        outcome = yield
    except BaseException:
        for text in _mismatches(item):
            item.add_report_section("call", "g4fsdk", text)
        raise
    for text in (*_mismatches(item), *_unplayed(item), *_unrecorded(item)):
        pytest.fail(text, pytrace=False)
    return outcome


def _advice(item: pytest.Item) -> str:
    marked = item.stash.get(_MARKED, None)
    return f"\n{marked.advice()}" if marked else ""


def _mismatches(item: pytest.Item) -> Iterator[str]:
    for fixture in item.stash[_FIXTURES].values():
        from g4fsdk.testing._replay.replay import Replay
        from g4fsdk.testing._server.server import ReplayServer

        if isinstance(fixture, Replay | ReplayServer):
            yield from (f"{error}{_advice(item)}" for error in fixture.mismatches)


def _unplayed(item: pytest.Item) -> Iterator[str]:
    for name, fixture in item.stash[_FIXTURES].items():
        from g4fsdk.testing._cassette.errors import UnplayedError
        from g4fsdk.testing._replay.replay import Replay
        from g4fsdk.testing._server.server import ReplayServer

        if isinstance(fixture, Replay | ReplayServer):
            try:
                fixture.assert_all_played()
            except UnplayedError as error:
                yield f"{name}: {error}{_advice(item)}"


def _unrecorded(item: pytest.Item) -> Iterator[str]:
    for name, fixture in item.stash[_FIXTURES].items():
        from g4fsdk.testing._pytest.rerecord import RecordingReplay

        if isinstance(fixture, RecordingReplay) and (complaint := fixture.recorder.complaint()):
            yield f"{name}: {complaint}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show where a program asked for what isn't there, without the libraries between it and us."""
    from g4fsdk.testing._cassette.errors import MismatchError

    found = call.excinfo
    if (
        found
        and isinstance(found.value, MismatchError | SocketBlockedError)
        and not item.config.option.fulltrace
    ):
        found.traceback = type(found.traceback)(_of_project(found.tb, item.config.rootpath))
    return (yield)


def _of_project(traceback: TracebackType, root: Path) -> TracebackType:
    """Return *traceback* with the calls alone that stand in files of the project at *root*."""
    kept: TracebackType | None = None
    for one in reversed([*_calls(traceback)]):
        path = Path(one.tb_frame.f_code.co_filename)
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            kept = TracebackType(kept, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return kept or traceback


def _calls(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
