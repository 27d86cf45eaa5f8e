"""Each fixture of the plugin can be replaced by a project's own, by name."""

from __future__ import annotations

import textwrap

import pytest

from tests.support.plugin_project import Project

ASK = 'list(g4f_client.chat.completions.create("Question.", stream=True))'


@pytest.mark.parametrize(
    "conftest",
    [
        pytest.param(
            """
            @pytest.fixture
            def g4f_cassette_dir(request):
                return request.path.parent / "recordings"
            """,
            id="a fixture, beside the test",
        ),
        pytest.param(
            """
            @pytest.fixture(scope="session")
            def g4f_cassette_dir(pytestconfig):
                return str(pytestconfig.rootpath / "recordings")
            """,
            id="a fixture of the session",
        ),
    ],
)
def test_the_folder_of_the_recordings(project: Project, conftest: str) -> None:
    project.copy("yqcloud/normal", to="recordings")
    project.write("conftest.py", "import pytest\n" + textwrap.dedent(conftest))
    project.add_test(f"""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client):
            assert {ASK}
    """)

    project.run().assert_outcomes(passed=1)


def test_the_folder_of_the_recordings_as_an_option(project: Project) -> None:
    project.copy("yqcloud/normal", to="tests/data")
    project.add_test(f"""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client):
            assert {ASK}
    """)

    project.run("-o", "g4f_cassette_dir=tests/data").assert_outcomes(passed=1)


def test_the_settings_of_the_clients(project: Project) -> None:
    project.copy("openai/aimock-stream")
    project.add_test("""
        @pytest.fixture
        def g4f_settings(g4f_settings):
            assert {*g4f_settings} == {"provider", "model", "base_url", "ids", "retries"}
            return {**g4f_settings, "model": "another", "headers": {"X-Shop": "1"}}

        @pytest.mark.g4f_cassette("openai/aimock-stream")
        def test_it(g4f_client):
            with pytest.raises(AssertionError, match="body.json.model: sent 'another', recorded 'gpt-4o'"):
                g4f_client.chat.completions.create("plain", stream=True)
    """)

    result = project.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no recorded interaction answers this request:"])


@pytest.mark.parametrize("several", ["made", '["yqcloud", made]', "[made, made]"])
def test_providers_made_by_the_project(project: Project, several: str) -> None:
    project.copy("openai/aimock-stream")
    project.add_test(f"""
        from g4fsdk import providers

        @pytest.fixture
        def g4f_settings(g4f_settings):
            made = providers.get("openai", base_url=g4f_settings["base_url"], model="gpt-4o")
            return {{**g4f_settings, "provider": {several}, "retries": 0}}

        @pytest.mark.g4f_cassette("openai/aimock-stream")
        def test_it(g4f_client):
            assert g4f_client.chat.completions.create("plain", stream=True)
    """)

    project.run().stdout.no_fnmatch_line("*belongs to one provider*")


def test_the_settings_and_the_replay_of_a_test_without_the_marker(project: Project) -> None:
    project.copy("yqcloud/normal")
    project.add_test(f"""
        from g4fsdk.testing import Replay

        @pytest.fixture
        def g4f_settings():
            return {{"provider": "yqcloud"}}

        @pytest.fixture
        def g4f_replay(g4f_cassette_dir):
            return Replay(g4f_cassette_dir / "yqcloud/normal.yaml")

        def test_unmarked(g4f_client):
            assert {ASK}

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_marked(g4f_client, _g4f_session):
            assert {ASK}
    """)

    project.run().assert_outcomes(passed=2)


def test_the_clients(project: Project) -> None:
    project.copy("yqcloud/normal")
    project.add_test("""
        from g4fsdk import AsyncClient, Client, Ids

        @pytest.fixture
        def g4f_client(g4f_replay):
            with Client("yqcloud", transport=g4f_replay, ids=Ids.seeded(7)) as client:
                yield client

        @pytest.fixture
        async def g4f_async_client(g4f_replay):
            async with AsyncClient("yqcloud", transport=g4f_replay, ids=Ids.seeded(7)) as client:
                yield client

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_blocking(g4f_client):
            assert list(g4f_client.chat.completions.create("Question.", stream=True))

        @pytest.mark.g4f_cassette("yqcloud/normal")
        async def test_async(g4f_async_client):
            assert await g4f_async_client.chat.completions.create("Question.", stream=True)
    """)

    project.run().assert_outcomes(passed=2)


def test_the_replay_which_is_checked_in_place_of_ours(project: Project) -> None:
    project.copy("yqcloud/normal")
    project.add_test(f"""
        from g4fsdk.testing import Replay

        @pytest.fixture
        def g4f_replay(g4f_replay, g4f_cassette_dir):
            return Replay(g4f_cassette_dir / "yqcloud/normal.yaml", cuts=1)

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client):
            assert len({ASK}) > 30

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_unplayed(g4f_replay):
            pass
    """)

    project.run().assert_outcomes(passed=1, failed=1)


def test_the_server_which_says_itself_what_may_be_reached(project: Project) -> None:
    project.copy("yqcloud/normal")
    project.add_test("""
        from g4fsdk import Client
        from g4fsdk.testing import ReplayServer

        @pytest.fixture
        def g4f_server(g4f_cassette_dir, g4f_sockets):
            with ReplayServer(g4f_cassette_dir / "yqcloud", reuse=True) as server:
                g4f_sockets.allow(server.url)
                yield server

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_server, g4f_settings):
            for _ in range(2):
                with Client(**g4f_settings | {"base_url": g4f_server.base_url}) as client:
                    assert list(client.chat.completions.create("Question.", stream=True))
    """)

    project.run().assert_outcomes(passed=1)


def test_a_replay_of_something_else_altogether(project: Project) -> None:
    project.add_test("""
        @pytest.fixture(scope="module")
        def g4f_replay():
            return None

        @pytest.fixture
        def g4f_server():
            return "http://127.0.0.1"

        def test_it(g4f_replay, g4f_server):
            assert g4f_replay is None
    """)

    project.run().assert_outcomes(passed=1)
