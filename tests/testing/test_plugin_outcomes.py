"""What fails a test that plays a recording, and how the failure reads."""

from __future__ import annotations

import textwrap

import pytest

from g4fsdk.testing import Cassette
from tests.support.plugin_project import Project

ASK = 'list(g4f_client.chat.completions.create("Question.", stream=True))'


@pytest.fixture
def shop(project: Project) -> Project:
    project.copy("yqcloud/normal")
    return project


@pytest.mark.parametrize("fixture", ["g4f_client", "g4f_async_client", "g4f_replay", "g4f_server", ""])
def test_an_unplayed_interaction_fails_a_test_that_passed(shop: Project, fixture: str) -> None:
    shop.add_test(f"""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it({fixture}):
            pass
    """)

    result = shop.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "g4f_*: 1 of 1 recorded interactions were not played:",
            "  interactions[[]0]: POST https://api.binjie.fun/api/generateStream *",
            "record it anew: pytest --g4f-record=all test_it.py::test_it",
            "the recording: */cassettes/yqcloud/normal.yaml",
        ]
    )
    result.stdout.no_fnmatch_line("*.py:[0-9]*")


def test_a_fixture_asked_for_on_the_way_is_checked_too(shop: Project) -> None:
    shop.add_test("""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(request):
            request.getfixturevalue("g4f_client")
    """)

    shop.run().assert_outcomes(failed=1)


def test_a_test_that_played_nothing_at_all_fails(shop: Project) -> None:
    Cassette().save(shop.path / "cassettes/empty.yaml")
    shop.add_test("""
        @pytest.mark.g4f_cassette("empty")
        def test_it():
            pass
    """)

    result = shop.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["nothing was played: *", "the recording: */cassettes/empty.yaml"])


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        pytest.param("assert 'reason of my own' == ''", "failed", id="failed"),
        pytest.param("pytest.skip('reason of my own')", "skipped", id="skipped"),
        pytest.param("pytest.xfail('reason of my own')", "xfailed", id="xfailed"),
    ],
)
def test_another_outcome_is_not_hidden_by_what_is_unplayed(shop: Project, body: str, outcome: str) -> None:
    shop.add_test(f"""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client, g4f_server):
            {body}
    """)

    result = shop.run("-rA")

    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines(["*reason of my own*"])
    result.stdout.no_fnmatch_line("*not played*")


def test_a_rerun_of_the_same_test_is_checked_by_itself(shop: Project) -> None:
    shop.write(
        "conftest.py",
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for _ in range(2):
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    item.ihook.pytest_runtest_logreport(report=report)
                item._initrequest()
            return True
        """,
    )
    shop.add_test(f"""
        tries = []

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client):
            tries.append(1)
            if len(tries) == 2:
                {ASK}
    """)

    shop.run().assert_outcomes(passed=1, failed=1)


def test_a_unittest_case_is_checked_too(shop: Project) -> None:
    shop.add_test(f"""
        import unittest

        @pytest.mark.g4f_cassette("yqcloud/normal")
        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _client(self, g4f_client):
                self.client = g4f_client

            def test_asks(self):
                g4f_client = self.client
                {ASK}

            def test_forgets(self):
                pass

            def test_fails(self):
                self.fail("reason of my own")
    """)

    result = shop.run()

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*reason of my own*"])


@pytest.mark.parametrize(
    "test",
    [
        pytest.param(
            """
            def test_it(g4f_client):
                list(g4f_client.chat.completions.create("Something else.", stream=True))
            """,
            id="blocking",
        ),
        pytest.param(
            """
            async def test_it(g4f_async_client):
                await g4f_async_client.chat.completions.create("Something else.", stream=True)
            """,
            id="async",
        ),
    ],
)
def test_a_mismatch_says_what_differs_and_shows_the_line_that_asked(shop: Project, test: str) -> None:
    shop.add_test("pytestmark = pytest.mark.g4f_cassette('yqcloud/normal')\n" + textwrap.dedent(test))

    result = shop.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">   *chat.completions.create(*",
            "E   *MismatchError: no recorded interaction answers this request:",
            "E   *what differs:",
            "E   *body.json.prompt: sent 'Something else.', recorded 'Question.'",
            "test_it.py:*: MismatchError",
            "record it anew: pytest --g4f-record=all test_it.py::test_it",
        ],
        consecutive=False,
    )
    result.stdout.no_re_match_line(r".*(tenacity|_sync\.py|_async\.py|adapters).*")


def test_the_full_trace_is_there_for_those_who_want_it(shop: Project) -> None:
    shop.add_test("""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client):
            list(g4f_client.chat.completions.create("Something else.", stream=True))
    """)

    shop.run("--full-trace").stdout.fnmatch_lines(["*answers.py:*: MismatchError"])


def test_code_under_test_stays_in_the_trace_of_a_mismatch(shop: Project) -> None:
    shop.write(
        "shop/answers.py",
        """
        def answer(client):
            return list(client.chat.completions.create("Something else.", stream=True))
        """,
    )
    shop.write("conftest.py", "")
    shop.add_test("""
        from shop.answers import answer

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client):
            answer(g4f_client)
    """)

    shop.run("-o", "pythonpath=.").stdout.fnmatch_lines(
        ["test_it.py:*:*", "shop/answers.py:3: MismatchError"]
    )


SEND = 'requests.post(g4f_server.url + "/api/generateStream", json={"prompt": "Something else."})'


def test_what_a_server_had_no_answer_to_fails_a_test_that_did_not_notice(shop: Project) -> None:
    shop.add_test(f"""
        import requests

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_server):
            {SEND}
    """)

    result = shop.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  body.json.prompt: sent 'Something else.', recorded 'Question.'"])


def test_what_a_server_had_no_answer_to_is_shown_with_a_failure(shop: Project) -> None:
    shop.add_test(f"""
        import requests

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_server):
            assert {SEND}.status_code == 200
    """)

    result = shop.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   *assert 501 == 200",
            "*Captured g4fsdk call*",
            "  body.json.prompt: sent 'Something else.', recorded 'Question.'",
        ]
    )
