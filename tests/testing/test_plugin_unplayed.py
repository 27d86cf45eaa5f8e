"""`pytest --g4f-unplayed` and `g4fsdk cassette prune`: recordings lose what no test plays."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse
from tests.support.command_line import run
from tests.support.plugin_project import Project

URL = "http://service.test/"
TESTS = f"""
    import requests

    def ask(*paths):
        for path in paths:
            assert requests.get({URL!r} + path).text == path

    @pytest.mark.g4f_cassette("abc")
    def test_a():
        ask("a")

    @pytest.mark.g4f_cassette("abc")
    def test_b():
        ask("b")
"""

OWN_FOLDER = """
    from pathlib import Path
    import pytest

    @pytest.fixture(scope="session")
    def g4f_cassette_dir():
        return Path(__file__).parent / "mine"
"""
OWN_TESTS = f"""
    import os
    import pytest
    import requests

    @pytest.mark.g4f_cassette("one")
    def test_one(tmp_path):
        os.chdir(tmp_path)
        assert requests.get("{URL}a").text == "a"

    @pytest.mark.g4f_cassette("two")
    @pytest.mark.skip
    def test_two():
        ...
"""


def cassette(paths: str) -> Cassette:
    """Return a session with a request for each letter of *paths*, answered by it."""
    return Cassette(
        [
            Interaction(
                RecordedRequest("GET", URL + path), RecordedResponse(200, "OK", [], [path.encode()], [0.0])
            )
            for path in paths
        ],
        {"provenance": "written by a test"},
    )


@pytest.fixture
def shop(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    cassette("abc").save(project.path / "cassettes/abc.yaml")
    project.add_test(TESTS)
    monkeypatch.chdir(project.path)
    return project


def left_in(name: str) -> str:
    return "".join(one.request.url[-1] for one in Cassette.load(f"cassettes/{name}.yaml").interactions)


def prune(*options: object) -> str:
    result = run("cassette", "prune", "--unplayed", "left.json", *options)
    assert result.exit_code == 0, result.output
    return result.stdout


ENDS = {
    "a fixture that yields": """
        @pytest.fixture
        def late():
            yield
            ask("b")
    """,
    "a finalizer": """
        @pytest.fixture
        def late(request):
            request.addfinalizer(lambda: ask("b"))
    """,
    "teardown_function": """
        def teardown_function():
            ask("b")

        @pytest.fixture
        def late():
            ...
    """,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=[*ENDS])
def test_what_is_asked_at_the_end_of_a_test_is_a_part_of_it(shop: Project, end: str) -> None:
    test = """
        import pytest
        from test_it import ask

        @pytest.mark.g4f_cassette("abc")
        def test_late(late):
            ask("a")
    """
    shop.write("test_late.py", textwrap.dedent(test) + textwrap.dedent(end))

    left = shop.run("--g4f-unplayed=left.json", "test_late.py")
    prune()
    complete = shop.run("test_late.py")

    left.assert_outcomes(passed=1, errors=1)
    left.stdout.fnmatch_lines(["g4f_replay: 1 of 3 recorded interactions were not played:", "*GET *test/c"])
    assert left_in("abc") == "ab"
    complete.assert_outcomes(passed=1)


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_what_no_test_played_is_taken_out(shop: Project, options: tuple[str, ...]) -> None:
    cassette("z").save(shop.path / "cassettes/old.yaml")

    result = shop.run_apart("--g4f-unplayed=left.json", *options)
    would = prune("--dry-run")

    result.stdout.fnmatch_lines(
        ["g4fsdk: left.json: 1 unplayed interactions in 1 cassettes, and 1 cassettes of which nothing was *"]
    )
    assert would == (
        f"{Path('cassettes/abc.yaml')}: would be taken out:\n  GET http://service.test/c\n"
        f"{Path('cassettes/old.yaml')}: nothing of it was played; it is left\n"
    )
    assert (left_in("abc"), "taken out:" in prune(), left_in("abc"), left_in("old")) == (
        "abc",
        True,
        "ab",
        "z",
    )


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("    assert not 'its own failure'", id="failed"),
        pytest.param("    pytest.skip('no reason')", id="skipped"),
        pytest.param("    ask('other')", id="asked something else"),
    ],
)
def test_what_a_test_that_did_not_pass_may_need_stays(shop: Project, more: str) -> None:
    cassette("de").save(shop.path / "cassettes/de.yaml")
    shop.write(
        "test_more.py",
        f"""
        import pytest
        from test_it import ask

        @pytest.mark.g4f_cassette("abc")
        def test_more():
        {more}

        @pytest.mark.g4f_cassette("de")
        def test_d():
            ask("d")
        """,
    )

    shop.run("--g4f-unplayed=left.json")
    prune()

    assert (left_in("abc"), left_in("de")) == ("abc", "d")


def test_what_a_deselected_test_may_need_stays(shop: Project) -> None:
    shop.run("--g4f-unplayed=left.json", "-k", "test_a")

    assert (prune(), left_in("abc")) == ("nothing to take out\n", "abc")


def test_several_names_are_apart_and_the_server_counts(shop: Project) -> None:
    cassette("de").save(shop.path / "cassettes/de.yaml")
    shop.add_test("""
        import httpx

        @pytest.mark.g4f_cassette("abc", "de")
        def test_it(g4f_server):
            for path in "ae":
                assert httpx.get(f"{g4f_server.url}/{path}").text == path
    """)

    shop.run("--g4f-unplayed=left.json")
    prune()

    assert (left_in("abc"), left_in("de")) == ("a", "e")


def test_a_cassette_that_changed_since_is_not_pruned(shop: Project) -> None:
    shop.run("--g4f-unplayed=left.json")
    cassette("cab").save(shop.path / "cassettes/abc.yaml")

    result = run("cassette", "prune", "--unplayed", "left.json")

    assert result.exit_code == 2
    assert "it has changed since" in result.stderr
    assert left_in("abc") == "cab"


def test_another_file_is_told_from_one_of_ours(shop: Project) -> None:
    result = run("cassette", "prune", "--unplayed", "pytest.ini")

    assert result.exit_code == 2
    assert "expected what pytest --g4f-unplayed=pytest.ini writes" in result.stderr


def test_a_run_that_records_tells_nothing(shop: Project) -> None:
    result = shop.run("--g4f-unplayed=left.json", "--g4f-record=once")

    result.stderr.fnmatch_lines(["*--g4f-unplayed is of replays*"])
    assert not Path("left.json").exists()


def test_a_folder_of_its_own_keeps_what_its_skipped_tests_may_need(shop: Project) -> None:
    cassette("a").save(shop.path / "sub/mine/one.yaml")
    cassette("b").save(shop.path / "sub/mine/two.yaml")
    shop.write("sub/conftest.py", OWN_FOLDER)
    shop.write("sub/test_sub.py", OWN_TESTS)

    shop.run_apart("--g4f-unplayed=left.json", "sub").assert_outcomes(passed=1, skipped=1)

    assert json.loads(Path("left.json").read_bytes())["unused"] == ["cassettes/abc.yaml"]
