"""The pytest plugin: its fixtures, and what its marker asks for."""

from __future__ import annotations

import pytest

from tests.support.players import CASSETTES, name_of
from tests.support.plugin_project import Project


@pytest.fixture
def shop(project: Project) -> Project:
    project.copy("yqcloud/normal", "yqcloud/fail-then-ok", "openai/aimock-stream")
    return project


def test_a_client_is_answered_by_the_recording(shop: Project) -> None:
    shop.add_test("""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client):
            with g4f_client.chat.completions.stream("Question.") as stream:
                assert stream.get_final_completion().text == "Hello, this is the reference server."
    """)

    shop.run().assert_outcomes(passed=1)


def test_an_async_client_is_answered_by_the_recording(shop: Project) -> None:
    shop.add_test("""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        async def test_it(g4f_async_client):
            async with g4f_async_client.chat.completions.stream("Question.") as stream:
                pieces = [text async for text in stream.text_stream]
            assert "".join(pieces) == "Hello, this is the reference server."
            assert len(pieces) == 8
    """)

    shop.run().assert_outcomes(passed=1)


def test_an_async_client_works_in_a_loop_of_the_test_itself(shop: Project) -> None:
    shop.add_test("""
        import asyncio

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_async_client):
            async def ask():
                async with g4f_async_client as client:
                    chunks = await client.chat.completions.create("Question.", stream=True)
                    return [chunk async for chunk in chunks]

            assert len(asyncio.run(ask())) > 1
    """)

    shop.run().assert_outcomes(passed=1)


def test_any_program_on_requests_or_httpx_is_answered(shop: Project) -> None:
    shop.add_test("""
        import httpx, requests

        URL = "https://api.binjie.fun/api/generateStream"

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_requests(g4f_replay, question):
            with requests.Session() as session:
                session.mount("https://", g4f_replay.requests_adapter())
                assert session.post(URL, json=question).text.startswith("Hello")
            assert g4f_replay.played == 1

        @pytest.mark.g4f_cassette("yqcloud/normal")
        async def test_httpx(g4f_replay, question):
            async with httpx.AsyncClient(transport=g4f_replay.httpx_transport()) as client:
                assert (await client.post(URL, json=question)).text.startswith("Hello")
    """)
    shop.write(
        "conftest.py",
        """
        import json, pytest
        from g4fsdk.testing import Cassette

        @pytest.fixture
        def question(g4f_cassette_dir):
            [asked] = Cassette.load(g4f_cassette_dir / "yqcloud/normal.yaml").interactions
            return json.loads(asked.request.body)
        """,
    )

    shop.run().assert_outcomes(passed=2)


def test_a_server_plays_the_recording_to_clients_of_any_kind(shop: Project) -> None:
    shop.add_test("""
        from g4fsdk import AsyncClient, Client

        @pytest.mark.g4f_cassette("yqcloud/normal", cuts=3)
        def test_blocking(g4f_server, g4f_settings):
            with Client(**g4f_settings | {"base_url": g4f_server.base_url}) as client:
                with client.chat.completions.stream("Question.") as stream:
                    assert stream.get_final_completion().text.startswith("Hello")
            assert len(g4f_server.requests) == 1

        @pytest.mark.g4f_cassette("yqcloud/normal")
        async def test_async(g4f_server, g4f_settings):
            async with AsyncClient(**g4f_settings | {"base_url": g4f_server.base_url}) as client:
                async with client.chat.completions.stream("Question.") as stream:
                    assert (await stream.get_final_completion()).text.startswith("Hello")
    """)

    shop.run().assert_outcomes(passed=2)


def test_clients_ask_every_recording_as_it_was_asked(project: Project) -> None:
    """Provider, ids, model and address come from the metadata, for all recordings of ours."""
    names = [name_of(path) for path in CASSETTES]
    project.copy(*names)
    project.add_test(f"""
        from g4fsdk import G4FError
        from g4fsdk.testing import Cassette

        def ask(client, call):
            call.pop("model", None)
            if "prompt" in call:
                return client.images.generate(**call)
            answer = client.chat.completions.create(**call)
            return list(answer) if call.get("stream") else answer

        @pytest.mark.parametrize(
            "name", [pytest.param(name, marks=pytest.mark.g4f_cassette(name)) for name in {names!r}]
        )
        def test_it(name, g4f_client, g4f_cassette_dir):
            call = dict(Cassette.load(g4f_cassette_dir / f"{{name}}.yaml").metadata["call"])
            try:
                ask(g4f_client, call)
            except G4FError:
                pass
    """)

    project.run("-q").assert_outcomes(passed=len(names))


def test_retries_of_a_replay_wait_for_nothing(shop: Project) -> None:
    shop.add_test("""
        import time

        @pytest.mark.g4f_cassette("yqcloud/fail-then-ok")
        def test_it(g4f_client, monkeypatch):
            waits = []
            monkeypatch.setattr(time, "sleep", waits.append)
            with g4f_client.chat.completions.stream("Question.") as stream:
                assert stream.get_final_completion().text.startswith("Hello")
            assert waits in ([], [0.0, 0.0])
    """)

    shop.run().assert_outcomes(passed=1)


def test_pace_cuts_and_faults_are_those_of_a_replay(shop: Project) -> None:
    shop.add_test("""
        from g4fsdk import IncompleteStreamError
        from g4fsdk.testing import Fault

        @pytest.mark.g4f_cassette("yqcloud/normal.yaml", faults=[Fault.drop(at_byte=12)])
        def test_drop(g4f_client):
            with pytest.raises(IncompleteStreamError) as caught:
                list(g4f_client.chat.completions.create("Question.", stream=True))
            assert caught.value.partial == "Hello, this "

        @pytest.mark.g4f_cassette("openai/aimock-stream", faults=[Fault.status(429, times=2, retry_after=30)])
        def test_status(g4f_client):
            with g4f_client.chat.completions.stream("plain") as stream:
                assert stream.get_final_completion().text

        @pytest.mark.g4f_cassette("yqcloud/normal", cuts="whole", pace=0)
        async def test_whole(g4f_async_client):
            async with g4f_async_client.chat.completions.stream("Question.") as stream:
                assert [text async for text in stream.text_stream] == ["Hello, this is the reference server."]
    """)

    shop.run().assert_outcomes(passed=3)


def test_several_recordings_are_one_session(shop: Project) -> None:
    shop.add_test("""
        @pytest.mark.g4f_cassette("yqcloud/normal", "yqcloud/normal")
        def test_it(g4f_client, g4f_settings, g4f_replay):
            from g4fsdk import Client
            for client in (g4f_client, Client(**g4f_settings, transport=g4f_replay)):
                assert list(client.chat.completions.create("Question.", stream=True))
            assert g4f_replay.played == 2
    """)

    shop.run().assert_outcomes(passed=1)


def test_the_nearest_marker_counts(shop: Project) -> None:
    shop.add_test("""
        @pytest.mark.g4f_cassette("no/such")
        class TestIt:
            @pytest.mark.g4f_cassette("yqcloud/normal")
            def test_it(self, g4f_replay, g4f_client):
                assert list(g4f_client.chat.completions.create("Question.", stream=True))
    """)

    shop.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        pytest.param(
            '("yqcloud/none")',
            "no cassette at */cassettes/yqcloud/none.yaml; record it with: "
            "pytest --g4f-record=once test_it.py::test_it",
            id="missing",
        ),
        pytest.param(
            '("yqcloud/normal", "v1.2")',
            "no cassette at */cassettes/v1.2.yaml; record it with a test that names it alone",
            id="one of two is missing",
        ),
        pytest.param(
            '("none", faults=[None])',
            "no cassette at */none.yaml; record it with a test that names it without faults=",
            id="a damaged one is missing",
        ),
        pytest.param(
            "",
            "no cassette at */cassettes/test_it/test_it.yaml; record it with: pytest --g4f-record=once *",
            id="no name",
        ),
        pytest.param('("../normal")', "'../normal' names no file in */cassettes: *", id="above"),
        pytest.param('("/etc/passwd.yaml")', "'/etc/passwd.yaml' names no file in *", id="absolute"),
        pytest.param('("")', "no cassette at */cassettes/.yaml; record it *", id="empty"),
        pytest.param("(7)", "*: expected str, bytes or os.PathLike object, not int", id="number"),
        pytest.param('("yqcloud/normal", speed=2)', "*unexpected keyword argument 'speed'*", id="misspelt"),
    ],
)
def test_a_marker_that_cannot_be_is_an_error_that_says_what_to_do(
    shop: Project, marker: str, message: str
) -> None:
    shop.add_test(f"""
        @pytest.mark.g4f_cassette{marker}
        def test_it(g4f_client):
            raise RuntimeError("never")
    """)

    result = shop.run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


def test_a_command_to_record_can_be_pasted_into_a_shell(shop: Project) -> None:
    shop.add_test("""
        @pytest.mark.parametrize("word", ["it's $HOME"])
        @pytest.mark.g4f_cassette("none")
        def test_it(g4f_client, word):
            raise RuntimeError("never")
    """)

    shop.run().stdout.fnmatch_lines(["""*--g4f-record=once 'test_it.py::test_it[[]it'"'"'s $HOME]'"""])


def test_a_fixture_without_the_marker_is_an_error(shop: Project) -> None:
    shop.add_test("""
        def test_it(g4f_replay):
            raise RuntimeError("never")
    """)

    result = shop.run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ['*wants a recording: mark it with @pytest.mark.g4f_cassette("provider/case")']
    )


def test_a_recording_that_names_no_provider_takes_that_of_its_folder(shop: Project) -> None:
    cassette = shop.cassette("yqcloud/normal")
    del cassette.metadata["provider"]
    cassette.save(shop.path / "cassettes/yqcloud/nameless.yaml")
    cassette.save(shop.path / "cassettes/nameless.yaml")
    shop.add_test("""
        @pytest.mark.g4f_cassette("yqcloud/nameless")
        def test_folder(g4f_client):
            assert list(g4f_client.chat.completions.create("Question.", stream=True))

        @pytest.mark.g4f_cassette("nameless")
        def test_nobody(g4f_client):
            raise RuntimeError("never")
    """)

    result = shop.run()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["the recording does not say of which provider it is*"])


def test_marker_options_and_fixtures_are_documented(project: Project) -> None:
    project.run("--markers").stdout.fnmatch_lines(["@pytest.mark.g4f_cassette(*names, pace=*"])
    project.run("--help").stdout.fnmatch_lines(["*--g4f-record={none,once,new,all}*"])
    project.run("--fixtures").stdout.fnmatch_lines_random(
        ["g4f_client *", "g4f_async_client *", "g4f_replay *", "g4f_server *", "g4f_settings *"]
    )


def test_pytest_recording_goes_on_beside_it(shop: Project) -> None:
    pytest.importorskip("pytest_recording")
    shop.add_test("""
        @pytest.mark.vcr
        def test_theirs(vcr):
            assert vcr is not None

        @pytest.mark.vcr
        @pytest.mark.block_network
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_both(g4f_client):
            assert list(g4f_client.chat.completions.create("Question.", stream=True))
    """)

    for options in ([], ["--block-network", "--record-mode=none", "--g4f-record=once"]):
        shop.run_apart(*options).assert_outcomes(passed=2)
