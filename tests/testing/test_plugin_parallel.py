"""Recordings don't cross: between tasks, threads and processes. And nobody pays for what is not used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse
from tests.support.plugin_project import PLUGIN, Project
from tests.support.wire import chunk, sse

SESSIONS, REQUESTS = 16, 4
URL = "https://api.openai.com/v1/chat/completions"


def session(name: str, words: list[str]) -> Cassette:
    """Return a session in which each word is answered with it and the name of the session."""
    return Cassette([_exchange(name, word) for word in words], {"provider": "openai", "ids_seed": 7})


def _exchange(name: str, word: str) -> Interaction:
    asked = {"model": "tiny", "messages": [{"role": "user", "content": word}], "stream": True}
    wire = sse(chunk({"content": f"{name}: "}), chunk({"content": word}), chunk({}, "stop"))
    at = wire.index(word.encode())
    return Interaction(
        RecordedRequest("POST", URL, [("Content-Type", "application/json")], json.dumps(asked).encode()),
        RecordedResponse(
            200, "OK", [("Content-Type", "text/event-stream")], [wire[:at], wire[at:]], [1.0, 2.0]
        ),
    )


@pytest.fixture
def crowd(project: Project) -> Project:
    """A project with many sessions of the same questions, each with answers of its own."""
    for number in range(SESSIONS):
        words = [f"word {place}" for place in range(REQUESTS)]
        session(f"s{number}", words).save(project.path / f"cassettes/s{number}.yaml")
    return project


EACH_IN_ITS_TEST = f"""
    import asyncio

    @pytest.mark.parametrize(
        "name",
        [pytest.param(f"s{{n}}", marks=pytest.mark.g4f_cassette(f"s{{n}}")) for n in range({SESSIONS})],
    )
    async def test_it(name, g4f_async_client):
        async def ask(place):
            async with g4f_async_client.chat.completions.stream(f"word {{place}}", model="tiny") as stream:
                return "".join([text async for text in stream.text_stream])

        assert await asyncio.gather(*map(ask, range({REQUESTS}))) == [
            f"{{name}}: word {{place}}" for place in range({REQUESTS})
        ]
"""


def test_many_async_recordings_at_a_time_do_not_cross(crowd: Project) -> None:
    crowd.add_test(f"""
        import asyncio
        from g4fsdk import AsyncClient, Ids
        from g4fsdk.testing import Replay

        async def ask_all(path):
            replay = Replay(path)
            async with AsyncClient("openai", transport=replay, ids=Ids.seeded(7), model="tiny") as client:
                async def ask(place):
                    async with client.chat.completions.stream(f"word {{place}}") as stream:
                        return "".join([text async for text in stream.text_stream])

                answers = await asyncio.gather(*map(ask, range({REQUESTS})))
            replay.assert_all_played()
            return path.stem, answers

        async def test_it(g4f_cassette_dir):
            found = await asyncio.gather(*map(ask_all, g4f_cassette_dir.glob("*.yaml")))
            assert len(found) == {SESSIONS}
            for name, answers in found:
                assert answers == [f"{{name}}: word {{place}}" for place in range({REQUESTS})]
    """)

    crowd.run().assert_outcomes(passed=1)


def test_workers_of_xdist_do_not_cross(
    crowd: Project, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # each worker would load what is installed here
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)
    crowd.add_test(EACH_IN_ITS_TEST)
    before = {path: path.stat().st_mtime_ns for path in crowd.path.rglob("*.yaml")}

    crowd = Project(pytester, is_installed=False)
    crowd.run_apart("-p", "pytest_asyncio.plugin", "-p", "xdist.plugin", "-n", "2").assert_outcomes(
        passed=SESSIONS
    )

    assert {path: path.stat().st_mtime_ns for path in crowd.path.rglob("*.yaml")} == before


def test_threads_share_a_client(project: Project) -> None:
    words = [f"word {number}" for number in range(8 * 12)]
    session("all", words).save(project.path / "cassettes/all.yaml")
    project.add_test("""
        from concurrent.futures import ThreadPoolExecutor

        @pytest.mark.g4f_cassette("all")
        def test_it(g4f_client, g4f_replay):
            def ask(number):
                chunks = g4f_client.chat.completions.create(f"word {number}", model="tiny", stream=True)
                return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(ask, range(96))) == [f"all: word {n}" for n in range(96)]
            assert g4f_replay.played == 96
    """)

    project.run().assert_outcomes(passed=1)


HEAVY = (
    "g4fsdk._client.blocking.client g4fsdk._client.asynchronous.client g4fsdk._core.model.chat "
    "g4fsdk.providers g4fsdk.testing._cassette.codings g4fsdk.testing._pytest.sockets "
    "g4fsdk.testing._replay.nearest "
    "yaml vcr requests httpx hypothesis tenacity msgspec anyio"
)


def test_importing_the_plugin_imports_nothing_that_costs() -> None:
    program = f"import sys, {PLUGIN}; print(*sorted({{*{HEAVY.split()!r}}} & {{*sys.modules}}))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


@pytest.fixture
def alone(pytester: pytest.Pytester, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without other plugins, which load what they like; it says what was loaded that costs."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    alone = Project(pytester, is_installed=False)
    alone.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    alone.write(
        "conftest.py",
        f"""
        import sys

        def pytest_terminal_summary(terminalreporter):
            loaded = sorted({{*{HEAVY.split()!r}}} & {{*sys.modules}})
            terminalreporter.write_line(f"loaded: {{' '.join(loaded)}}.")
        """,
    )
    return alone


def test_a_test_without_the_marker_loads_nothing_either(alone: Project) -> None:
    alone.add_test("""
        def test_passes():
            pass

        @pytest.mark.xfail
        def test_fails():
            assert False
    """)

    result = alone.run_apart()

    result.assert_outcomes(passed=1, xfailed=1)
    result.stdout.fnmatch_lines(["loaded: ."])


def test_a_program_that_asks_what_is_recorded_loads_only_what_plays_it(alone: Project) -> None:
    session("one", ["word"]).save(alone.path / "cassettes/openai/one.yaml")
    alone.add_test(f"""
        import requests

        ASKED = {{"model": "tiny", "messages": [{{"role": "user", "content": "word"}}], "stream": True}}

        @pytest.mark.g4f_cassette("openai/one")
        def test_it():
            assert "one: " in requests.post({URL!r}, json=ASKED).text
    """)

    result = alone.run_apart()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["loaded: g4fsdk.testing._pytest.sockets msgspec requests yaml."])


LEFT = f"""
import sys
import pytest

code = pytest.main(["-p", {PLUGIN!r}])
left = [finder for finder in sys.meta_path if type(finder).__module__.startswith("g4fsdk")]
sys.exit(code or len(left))
"""


def test_pytest_rewrites_no_module_of_ours(alone: Project) -> None:
    session("one", ["word"]).save(alone.path / "cassettes/openai/one.yaml")
    alone.add_test("""
        from importlib.machinery import SourceFileLoader

        pytest.register_assert_rewrite("g4fsdk.testing._replay")

        @pytest.mark.g4f_cassette("openai/one")
        def test_it(g4f_client, g4f_replay):
            from g4fsdk.testing._replay import answers

            assert type(answers.__spec__.loader) is SourceFileLoader
            assert list(g4f_client.chat.completions.create("word", model="tiny", stream=True))
    """)

    done = subprocess.run([sys.executable, "-c", LEFT], cwd=alone.path, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


OLD = """
import sys
import pytest

new = pytest.hookimpl
pytest.hookimpl = lambda tryfirst=False, hookwrapper=False: new(tryfirst=tryfirst, hookwrapper=hookwrapper)
from g4fsdk.testing._entry import plugin
pytest.hookimpl = new
without = ["-p", "no:g4fsdk", "-p", "no:cacheprovider", "-W", "ignore"]
sys.exit(pytest.main([*without, sys.argv[1]], plugins=[plugin]))
"""


def test_a_pytest_that_is_too_old_is_left_alone_but_for_marked_tests(project: Project) -> None:
    project.write("test_plain.py", "def test_it(): ...")
    project.add_test("@pytest.mark.g4f_cassette('a/b')\ndef test_it(): ...")

    plain, marked = (
        subprocess.run([sys.executable, "-c", OLD, project.path / name], capture_output=True, text=True)
        for name in ("test_plain.py", "test_it.py")
    )

    assert (plain.returncode, marked.returncode) == (0, 4), plain.stdout + marked.stdout
    assert "tests marked g4f_cassette need a newer pytest or pluggy" in marked.stderr
