"""Ids in requests: new ones for each recording, and the recorded ones when it is played."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.loopback import Reply, Server
from tests.support.plugin_project import Project


@pytest.fixture
def service() -> Iterator[Server]:
    """What Yqcloud's service looks like: plain text."""
    with Server(lambda _: Reply([b"Hel", b"lo"], headers={"Content-Type": "text/plain"})) as server:
        yield server


def test_ids_of_a_recording_are_made_again_when_it_is_played(project: Project, service: Server) -> None:
    """Yqcloud's requests hold ids, so that the recorded ones match only when the seed is the recorded one."""
    project.write(
        "conftest.py",
        f"""
        import pytest

        @pytest.fixture
        def g4f_settings(g4f_settings):
            return {{"base_url": {service.url!r}, **g4f_settings}}
        """,
    )
    project.add_test("""
        @pytest.mark.g4f_cassette("yqcloud/hello")
        def test_it(g4f_client):
            for word in ("Hello", "Bye"):
                assert g4f_client.chat.completions.create(word).text
    """)

    project.run("--g4f-record=all").assert_outcomes(passed=1)
    project.run("--g4f-record=all").assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=1)

    users = [json.loads(request.body)["userId"] for request in service.requests]
    assert len(set(users)) == 4


def test_a_client_of_the_tests_own_is_recorded_and_plays_again(project: Project, service: Server) -> None:
    project.add_test(f"""
        from g4fsdk import Client

        @pytest.mark.g4f_cassette("hello")
        def test_it(g4f_replay):
            for word in ("Hello", "Bye"):
                with Client("yqcloud", base_url={service.url!r}, transport=g4f_replay) as client:
                    assert client.chat.completions.create(word).text == "Hello"
    """)

    project.run("--g4f-record=once").assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=1)

    said = project.cassette("hello").metadata
    assert (said["provider"], said["base_url"]) == ("yqcloud", service.url)
    assert said["call"]["messages"] == [{"role": "user", "content": "Hello"}]
    assert len(service.requests) == 2


def test_what_is_served_keeps_its_ids_in_every_mode(project: Project) -> None:
    project.copy("yqcloud/normal")
    project.add_test("""
        from g4fsdk import Client
        from g4fsdk.testing.plugin import SocketBlockedError

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_server, g4f_settings):
            with Client(**g4f_settings | {"base_url": g4f_server.base_url}) as client:
                assert list(client.chat.completions.create("Question.", stream=True))
            with pytest.raises(SocketBlockedError):
                Client("yqcloud").chat.completions.create("Hello")
    """)

    for mode in ("none", "once"):
        project.run(f"--g4f-record={mode}").assert_outcomes(passed=1)
