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
unplayed, when nothing was played at all, or when it should have made a recording and nobody answered. What
its fixtures ask at their end is a part of it; those of a wider scope begin before it, and reach the network.

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

`--g4f-unplayed=FILE` writes to FILE what no test played, also with `-n`; `g4fsdk cassette prune --unplayed
FILE` takes it out of the recordings. What tests that were left out, skipped or failed may need stays.

Whom to ask for a recording, and with which key, a `conftest.py` says; a replay is asked at the address that
was recorded, whatever the `conftest.py` says by then:

    @pytest.fixture
    def g4f_settings(g4f_settings):
        whom = {"provider": "openai", "base_url": SERVER, "model": "llama3.2", "api_key": os.environ["KEY"]}
        return {**whom, **g4f_settings}  # what a recording says of itself wins

Ini options that fail the tests of recordings which are too old, or made by nobody who is wanted:

    g4f_cassette_max_age = 90
    g4f_provenance = recorded

Importing this module imports no HTTP library, no YAML and no client. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from g4fsdk.testing._pytest.ends import asks_at_its_end
from g4fsdk.testing._pytest.options import MARKER, add_options, load_as_ever

if TYPE_CHECKING:
    from g4fsdk import AsyncClient, Client
    from g4fsdk.testing._cassette.cassette import Cassette
    from g4fsdk.testing._pytest.marked import MarkedTest
    from g4fsdk.testing._pytest.outcome import Outcome
    from g4fsdk.testing._pytest.sockets import SocketBlockedError as SocketBlockedError
    from g4fsdk.testing._pytest.sockets import SocketGuard as SocketGuard
    from g4fsdk.testing._pytest.unplayed import UnplayedFile
    from g4fsdk.testing._record.front import Front
    from g4fsdk.testing._replay.replay import Replay
    from g4fsdk.testing._server.server import ReplayServer
else:

    def __getattr__(name: str) -> object:
        if name in ("SocketBlockedError", "SocketGuard"):
            from g4fsdk.testing._pytest import sockets

            return getattr(sockets, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_MARKED = pytest.StashKey["MarkedTest"]()
_SESSION = pytest.StashKey["tuple[MarkedTest, Cassette]"]()
_WRITERS = pytest.StashKey[dict[Path, str]]()  # the test that recorded it in this run, by cassette
_UNPLAYED = pytest.StashKey["UnplayedFile"]()
_FIXTURES = pytest.StashKey[dict[str, object]]()
_ASKS_LATE = pytest.StashKey[bool]()  # whether fixtures may ask something when the test is over
_OPEN = pytest.StashKey[bool]()  # whether what became of its recordings is still to be judged
_OF_A_RUN: tuple[pytest.StashKey[Any], ...] = (_MARKED, _SESSION, _ASKS_LATE, _OPEN)
_NOTED = ("g4f_replay", "g4f_server", "g4f_sockets")
# Of the fixture that is being set up. As an argument it would be made twice for each fixture, by a signature:
# a twentieth of a replayed test.
_request: ContextVar[pytest.FixtureRequest] = ContextVar("_request")


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    load_as_ever(config)
    config.stash[_WRITERS] = {}
    if config.getoption("g4f_unplayed"):
        from g4fsdk.testing._pytest import unplayed

        file: UnplayedFile = unplayed.UnplayedFile(config)
        config.stash[_UNPLAYED] = file
        config.pluginmanager.register(file)
    config.addinivalue_line(
        "markers",
        f"{MARKER}(*names, pace='instant', cuts='recorded', faults=(), match_on=None, ignore=()): play these "
        "cassettes of the folder cassettes/ in place of the network, and block sockets; without a name, the "
        "cassette of the test's name (g4fsdk)",
    )


@pytest.fixture(scope="session")
def g4f_cassette_dir() -> Path:
    """The folder of the cassettes."""
    config = _request.get().config
    return config.rootpath / str(config.getini("g4f_cassette_dir"))


def _marked(request: pytest.FixtureRequest) -> MarkedTest:
    """Return what the test's marker asks for; fails a test that has none."""
    stash = request.node.stash
    if _MARKED not in stash:
        from g4fsdk.testing._pytest.marked import read_marker

        folder = Path(request.getfixturevalue("g4f_cassette_dir"))
        mode: Any = request.config.getoption("g4f_record")
        writers = request.config.stash[_WRITERS]
        stash[_MARKED] = read_marker(request.node, folder, mode, writers)
    marked: MarkedTest = stash[_MARKED]
    return marked


def _session(request: pytest.FixtureRequest) -> Cassette:
    """Return what is recorded for the test."""
    stash = request.node.stash
    if _SESSION not in stash:
        from g4fsdk.testing._pytest.fixtures import load

        marked = _marked(request)
        stash[_SESSION] = marked, load(marked, request.config)
    session: Cassette = stash[_SESSION][1]
    return session


@pytest.fixture(autouse=True)
def _g4f_test() -> Iterator[None]:
    """Block the sockets of a marked test, and answer what it asks with clients of its own."""
    request = _request.get()
    if request.node.get_closest_marker(MARKER) is None:
        yield
        return
    from g4fsdk.testing._pytest.around import around

    marked, guard = _marked(request), request.getfixturevalue("g4f_sockets")
    replay = None if marked.is_served else request.getfixturevalue("g4f_replay")
    with around(marked, guard, replay):
        yield


@pytest.fixture
def g4f_sockets() -> SocketGuard:
    """Sockets are blocked in marked tests that don't record; `allow` lets an address through."""
    from g4fsdk.testing._pytest.sockets import SocketGuard

    return SocketGuard()


@pytest.fixture
def _g4f_session() -> Cassette:
    return _session(_request.get())


@pytest.fixture
def g4f_settings() -> dict[str, Any]:
    """The arguments of the clients; override it to say whom to ask for a recording, with which key."""
    from g4fsdk.testing._pytest.clients import client_settings

    request = _request.get()
    return client_settings(_marked(request), _session(request))


@pytest.fixture
def g4f_replay() -> Iterator[Replay]:
    """The recording as a transport; in the record modes it records what it has not got."""
    from g4fsdk.testing._pytest.fixtures import playing

    request = _request.get()
    marked = _marked(request)
    session, records = _session(request), marked.records
    with playing(marked, session, request.config) as replay:
        yield replay
    if records and replay.recorder.has_news:
        request.config.stash[_WRITERS][marked.paths[0]] = marked.nodeid


@pytest.fixture
def g4f_client(g4f_settings: dict[str, Any], g4f_replay: Replay) -> Iterator[Client]:
    """A `Client` that is answered by the recording."""
    from g4fsdk import Client

    with Client(**_arguments(g4f_settings, g4f_replay)) as client:
        yield client


@pytest.fixture
def g4f_async_client(g4f_settings: dict[str, Any], g4f_replay: Replay) -> AsyncClient:
    """An `AsyncClient` that is answered by the recording. It holds nothing that has to be closed."""
    from g4fsdk import AsyncClient

    return AsyncClient(**_arguments(g4f_settings, g4f_replay))


def _arguments(settings: dict[str, Any], replay: Replay) -> dict[str, Any]:
    from g4fsdk.testing._pytest.clients import client_arguments

    return client_arguments(settings, replay, _request.get().node.stash.get(_SESSION, None))


@pytest.fixture
def g4f_server(g4f_sockets: SocketGuard) -> Iterator[ReplayServer | Front]:
    """A server on loopback that plays the recording; the only address that sockets may reach.

    In the record modes it stands in front of the service, and records it.
    """
    from g4fsdk.testing._pytest.served import fronting, serving

    request = _request.get()
    marked, session = _marked(request), _session(request)
    if marked.records:
        replay, settings = (request.getfixturevalue(name) for name in ("g4f_replay", "g4f_settings"))
        with fronting(replay, settings, session) as front:
            yield front
        return
    with serving(marked, session) as server:
        g4f_sockets.allow(server.url)
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Keep what is to be checked when the test has passed, the fixture being overridden or not."""
    _request.set(request)
    value = yield
    if fixturedef.argname in _NOTED:
        request.node.stash.setdefault(_FIXTURES, {})[fixturedef.argname] = value
    elif _MARKED in request.node.stash and asks_at_its_end(fixturedef):
        request.node.stash[_ASKS_LATE] = True
    return value


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_FIXTURES] = {}
    for key in _OF_A_RUN:
        if key in item.stash:  # it is run again
            del item.stash[key]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed and left something unplayed or unrecorded, or asked for what isn't there."""
    try:
        result = yield
    except BaseException:
        for text in _outcome(item).noticed() if item.stash[_FIXTURES] else ():
            item.add_report_section("call", "g4fsdk", text)
        raise
    if item.stash[_FIXTURES]:
        item.stash[_OPEN] = item.stash.get(_ASKS_LATE, False)
        _judge(item, is_over=not item.stash[_OPEN])
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Judge a test whose fixtures may have asked something at their end."""
    result = yield
    if item.stash.get(_OPEN, False):
        _judge(item)
    return result


def _judge(item: pytest.Item, *, is_over: bool = True) -> None:
    outcome = _outcome(item)
    if is_over and _UNPLAYED in item.config.stash and _SESSION in item.stash:
        item.config.stash[_UNPLAYED].passed(*item.stash[_SESSION], outcome.players.values())
    for text in outcome.wrong() if is_over else outcome.noticed():
        item.stash[_OPEN] = False
        pytest.fail(text, pytrace=False)


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
