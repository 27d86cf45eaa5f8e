"""The record modes, against a server on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import document
from tests.support.plugin_project import Project
from tests.support.wire import chunk, sse

KEY = "sk-the-key-of-the-shop-0123456789"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A service that says how many requests it had before."""
    count = iter(range(1_000))

    def answer(request: Received) -> Reply:
        return Reply(
            [sse(chunk({"content": f"answer {next(count)}"}), chunk({}, "stop"))],
            headers={"Content-Type": "text/event-stream"},
        )

    with Server(answer) as server:
        monkeypatch.setenv("SHOP_URL", f"{server.url}/v1")
        yield server


@pytest.fixture
def shop(project: Project) -> Project:
    project.write(
        "conftest.py",
        f"""
        import os, pytest

        @pytest.fixture
        def g4f_settings(g4f_settings):
            asked = {{"provider": "openai", "model": "tiny", "base_url": os.environ["SHOP_URL"]}}
            return {{**asked, "api_key": {KEY!r}, **g4f_settings}}
        """,
    )
    project.add_test("""
        @pytest.mark.g4f_cassette("openai/hello")
        def test_it(g4f_client):
            assert g4f_client.chat.completions.create("Hello").text.startswith("answer")
    """)
    return project


TWO = """
    @pytest.mark.g4f_cassette("openai/hello")
    def test_it(g4f_client):
        for word in ("Hello", "Bye"):
            assert g4f_client.chat.completions.create(word).text.startswith("answer")
"""


def answers(project: Project, name: str = "openai/hello") -> list[str]:
    bodies = [one.response.body.decode() for one in project.cassette(name).interactions]
    return [body.partition("answer ")[2].partition('"')[0] for body in bodies]


def test_once_records_what_is_missing_and_plays_it_from_then_on(shop: Project, service: Server) -> None:
    shop.run("--g4f-record=once").assert_outcomes(passed=1)
    assert len(service.requests) == 1

    for options in ([], ["--g4f-record=none"], ["--g4f-record=once"]):
        shop.run(*options).assert_outcomes(passed=1)
    assert len(service.requests) == 1


def test_a_recording_says_what_answered_and_how_it_can_be_played(shop: Project, service: Server) -> None:
    shop.run("--g4f-record=once").assert_outcomes(passed=1)

    said = shop.cassette("openai/hello").metadata
    assert said["provenance"] == (
        f"recorded by g4fsdk.testing (pytest --g4f-record=once); what answered: {service.url}"
    )
    assert (said["provider"], said["base_url"]) == ("openai", f"{service.url}/v1")
    assert said["call"] == {
        "messages": [{"role": "user", "content": "Hello"}],
        "model": "tiny",
        "stream": False,
    }
    assert isinstance(said["ids_seed"], int)


def test_the_key_is_sent_and_not_recorded(shop: Project, service: Server) -> None:
    shop.run("--g4f-record=once").assert_outcomes(passed=1)

    assert service.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in (shop.path / "cassettes/openai/hello.yaml").read_text()
    assert not list(shop.path.rglob("*.tmp"))


def test_none_is_the_default_and_asks_nobody(shop: Project, service: Server) -> None:
    shop.run().assert_outcomes(errors=1)

    assert service.connections == 0
    assert not (shop.path / "cassettes").exists()


def test_new_appends_what_is_not_recorded(shop: Project, service: Server) -> None:
    shop.run("--g4f-record=new").assert_outcomes(passed=1)
    first = shop.cassette("openai/hello")
    shop.add_test(TWO)

    shop.run().assert_outcomes(failed=1)
    shop.run("--g4f-record=new").assert_outcomes(passed=1)

    both = shop.cassette("openai/hello")
    assert answers(shop) == ["0", "1"]
    assert both.interactions[0] == first.interactions[0]
    assert both.metadata == first.metadata
    shop.run().assert_outcomes(passed=1)
    assert len(service.requests) == 2


def test_new_leaves_a_complete_recording_as_it_is(shop: Project, service: Server) -> None:
    shop.run("--g4f-record=new").assert_outcomes(passed=1)
    path = shop.path / "cassettes/openai/hello.yaml"
    before = path.read_bytes(), path.stat().st_mtime_ns

    shop.run("--g4f-record=new").assert_outcomes(passed=1)

    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_what_is_added_to_a_reconstruction_is_told_apart(shop: Project, service: Server) -> None:
    shop.copy("openai/aimock-whole")
    cassette = shop.cassette("openai/aimock-whole")
    cassette.metadata |= {"provenance": "reconstructed from the protocol", "base_url": f"{service.url}/v1"}
    cassette.save(shop.path / "cassettes/openai/hello.yaml")
    shop.add_test("""
        @pytest.mark.g4f_cassette("openai/hello")
        def test_it(g4f_client):
            assert g4f_client.chat.completions.create("Hello").text
    """)

    result = shop.run("--g4f-record=new")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["g4f_replay: 1 of 1 recorded interactions were not played:"])
    assert shop.cassette("openai/hello").metadata["provenance"] == (
        "reconstructed from the protocol; then recorded by g4fsdk.testing (pytest --g4f-record=new); "
        f"what answered: {service.url}"
    )


def test_all_records_anew_with_ids_that_no_service_has_seen(shop: Project, service: Server) -> None:
    shop.add_test(TWO)
    shop.run("--g4f-record=once").assert_outcomes(passed=1)
    first = shop.cassette("openai/hello").metadata

    shop.run("--g4f-record=all").assert_outcomes(passed=1)

    assert answers(shop) == ["2", "3"]
    assert shop.cassette("openai/hello").metadata["ids_seed"] != first["ids_seed"]
    shop.run().assert_outcomes(passed=1)


OVERRIDDEN = """
    import os, pytest

    @pytest.fixture
    def g4f_settings(g4f_settings):
        return {settings}
"""


@pytest.mark.parametrize("settings", ["{**mine, **g4f_settings}", "{**g4f_settings, **mine}"])
def test_a_server_may_move_and_its_model_may_change(
    shop: Project, service: Server, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    mine = '{"base_url": os.environ["SHOP_URL"], "model": os.environ["SHOP_MODEL"]}'
    shop.write("conftest.py", OVERRIDDEN.format(settings=settings.replace("mine", mine)))
    monkeypatch.setenv("SHOP_MODEL", "tiny")
    shop.run("--g4f-record=once").assert_outcomes(passed=1)

    monkeypatch.setenv("SHOP_URL", "http://127.0.0.1:9/v1")
    shop.run().assert_outcomes(passed=1)

    monkeypatch.setenv("SHOP_MODEL", "large")
    with Server(lambda request: document("openai", "answer")) as moved:
        monkeypatch.setenv("SHOP_URL", f"{moved.url}/v1")
        shop.run("--g4f-record=all").assert_outcomes(passed=1)
    assert shop.cassette("openai/hello").metadata["base_url"] == f"{moved.url}/v1"
    assert shop.cassette("openai/hello").metadata["call"]["model"] == "large"
    shop.run().assert_outcomes(passed=1)


def test_who_was_recorded_is_asked_again_where_the_project_names_nobody(
    shop: Project, service: Server
) -> None:
    shop.run("--g4f-record=once").assert_outcomes(passed=1)
    (shop.path / "conftest.py").unlink()

    shop.run("--g4f-record=all").assert_outcomes(passed=1)

    assert answers(shop) == ["1"]


SHARED = """
    @pytest.mark.g4f_cassette("openai/hello")
    @pytest.mark.parametrize("word", {words})
    def test_it(g4f_client, word):
        assert g4f_client.chat.completions.create(word).text.startswith("answer")
"""


@pytest.mark.parametrize("mode", ["once", "new", "all"])
def test_a_recording_belongs_to_one_test(shop: Project, service: Server, mode: str) -> None:
    shop.add_test(SHARED.format(words=["Hello", "Bye"]))

    result = shop.run(f"--g4f-record={mode}")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "  body.json.messages*: sent 'Bye', recorded 'Hello'",
            "*openai/hello.yaml was recorded by test_it.py::test_it[[]Hello] in this run; give each test, "
            "and each of its parameters, a recording of its own: pytest.param(..., marks=*",
        ]
    )
    assert answers(shop) == ["0"]


@pytest.mark.parametrize("mode", ["once", "new", "all"])
def test_tests_that_ask_the_same_may_share_a_recording(shop: Project, service: Server, mode: str) -> None:
    shop.add_test(SHARED.format(words=["Hello", "Hello"]))

    shop.run(f"--g4f-record={mode}").assert_outcomes(passed=2)

    assert len(service.requests) == 1


def test_a_run_records_what_an_earlier_run_recorded(shop: Project, service: Server) -> None:
    shop.run("--g4f-record=all").assert_outcomes(passed=1)
    shop.run("--g4f-record=all").assert_outcomes(passed=1)

    assert answers(shop) == ["1"]


def test_an_async_client_records_too_and_leaves_nothing_open(shop: Project, service: Server) -> None:
    shop.add_test("""
        import asyncio

        @pytest.mark.g4f_cassette("openai/hello")
        async def test_it(g4f_async_client):
            words = ["one", "two", "three"]
            asked = (g4f_async_client.chat.completions.create(word) for word in words)
            assert len(await asyncio.gather(*asked)) == 3
    """)

    shop.run("--g4f-record=once").assert_outcomes(passed=1)
    assert service.all_closed()
    shop.run().assert_outcomes(passed=1)
    assert len(service.requests) == 3


def test_any_program_on_requests_or_httpx_is_recorded(shop: Project, service: Server) -> None:
    shop.add_test("""
        import httpx, os, requests

        URL = os.environ["SHOP_URL"] + "/chat/completions"

        @pytest.mark.g4f_cassette("requests")
        def test_requests(g4f_replay):
            with requests.Session() as session:
                session.mount("http://", g4f_replay.requests_adapter())
                assert "answer" in session.post(URL, json={}).text

        @pytest.mark.g4f_cassette("httpx")
        def test_httpx(g4f_replay):
            with httpx.Client(transport=g4f_replay.httpx_transport()) as client:
                assert "answer" in client.post(URL, json={}).text

        @pytest.mark.g4f_cassette("httpx-async")
        async def test_httpx_async(g4f_replay):
            async with httpx.AsyncClient(transport=g4f_replay.httpx_transport()) as client:
                assert "answer" in (await client.post(URL, json={})).text
    """)

    shop.run("--g4f-record=once").assert_outcomes(passed=3)
    shop.run().assert_outcomes(passed=3)

    assert [answers(shop, name) for name in ("requests", "httpx", "httpx-async")] == [["0"], ["1"], ["2"]]


def test_a_failed_test_is_recorded_too(shop: Project, service: Server) -> None:
    shop.add_test("""
        @pytest.mark.g4f_cassette("openai/hello")
        def test_it(g4f_client):
            assert g4f_client.chat.completions.create("Hello").text == "what I hoped for"
    """)

    shop.run("--g4f-record=once").assert_outcomes(failed=1)

    assert answers(shop) == ["0"]


def test_a_recording_is_not_lost_to_a_service_that_is_away(
    shop: Project, service: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run("--g4f-record=once").assert_outcomes(passed=1)
    before = (shop.path / "cassettes/openai/hello.yaml").read_bytes()
    service.__exit__()
    shop.add_test("""
        from g4fsdk import Retries, TransportError

        @pytest.fixture
        def g4f_settings(g4f_settings):
            return {**g4f_settings, "retries": 1}

        @pytest.mark.g4f_cassette("openai/hello")
        def test_it(g4f_client):
            with pytest.raises(TransportError):
                g4f_client.chat.completions.create("Hello")
    """)

    result = shop.run("--g4f-record=all")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["g4f_replay: nobody answered, so nothing was recorded; *Fault.stall(at_byte=0, seconds=100)*"]
    )
    assert (shop.path / "cassettes/openai/hello.yaml").read_bytes() == before


@pytest.mark.parametrize("mode", ["once", "new", "all"])
def test_a_test_that_asks_nobody_records_nothing_and_fails(shop: Project, service: Server, mode: str) -> None:
    shop.add_test("""
        @pytest.mark.g4f_cassette("openai/hello")
        def test_it(g4f_client):
            pass

        @pytest.mark.g4f_cassette("openai/skipped")
        def test_skipped(g4f_client):
            pytest.skip("not today")
    """)

    result = shop.run(f"--g4f-record={mode}")

    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["g4f_replay: nobody was asked, so nothing was recorded; *"])
    assert not (shop.path / "cassettes").exists()


def test_what_is_made_from_recordings_is_played_in_every_mode(shop: Project, service: Server) -> None:
    shop.run("--g4f-record=once").assert_outcomes(passed=1)
    shop.add_test("""
        from g4fsdk import IncompleteStreamError
        from g4fsdk.testing import Fault

        @pytest.mark.g4f_cassette("openai/hello", "openai/hello")
        def test_two(g4f_client, g4f_settings, g4f_replay):
            for _ in range(2):
                assert g4f_client.chat.completions.create("Hello").text == "answer 0"

        @pytest.mark.g4f_cassette("openai/hello", faults=[Fault.drop(at_event=1)])
        def test_damaged(g4f_client):
            with pytest.raises(IncompleteStreamError):
                g4f_client.chat.completions.create("Hello")
    """)

    shop.run("--g4f-record=all").assert_outcomes(passed=2)

    assert len(service.requests) == 1


SERVED = """
    import http.client, json, os
    from urllib.parse import urlsplit

    @pytest.mark.g4f_cassette("openai/served")
    def test_it(g4f_server):
        to = http.client.HTTPConnection(urlsplit(g4f_server.url).netloc)
        to.request("POST", urlsplit(g4f_server.base_url).path + "/chat/completions", {body}, {headers!r})
        answer = to.getresponse()
        assert b"answer" in answer.read()
        assert len(g4f_server.requests) == 1
        to.close()
"""


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param("b'{}'", {"Authorization": f"Bearer {KEY}"}, id="sized"),
        pytest.param("iter([b'{', b'}'])", {}, id="chunked"),
    ],
)
def test_a_server_records_the_service_that_it_stands_in_front_of(
    shop: Project, service: Server, body: str, headers: dict[str, str]
) -> None:
    shop.add_test(SERVED.format(body=body, headers={**headers, "Content-Type": "application/json"}))

    for mode in ("once", "none", "new", "all", "none"):
        shop.run(f"--g4f-record={mode}").assert_outcomes(passed=1)

    assert [(asked.target, asked.body) for asked in service.requests] == 2 * [("/v1/chat/completions", b"{}")]
    assert answers(shop, "openai/served") == ["1"]
    assert shop.cassette("openai/served").metadata["base_url"] == f"{service.url}/v1"
    assert KEY not in (shop.path / "cassettes/openai/served.yaml").read_text()


def test_a_server_in_front_of_a_service_answers_no_page_of_a_stranger(shop: Project, service: Server) -> None:
    shop.add_test("""
        import requests

        @pytest.mark.g4f_cassette("openai/served")
        def test_it(g4f_server):
            asked = requests.post(g4f_server.url + "/v1/chat", headers={"Host": "evil.test"})
            assert asked.status_code == 421
    """)

    shop.run("--g4f-record=once").stdout.fnmatch_lines(["*nobody was asked, so nothing was recorded*"])
    assert service.requests == []


def test_a_server_in_front_of_nobody_says_so(
    shop: Project, service: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", "http://127.0.0.1:9/v1")
    shop.add_test(SERVED.format(body="b'{}'", headers={}))

    result = shop.run("--g4f-record=once")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*nobody answered, so nothing was recorded; asked: http://127.0.0.1:9; *"])
    assert not (shop.path / "cassettes").exists()


REFUSED = """
    import os, requests

    @pytest.mark.g4f_cassette("refused")
    def test_it():
        statuses = [requests.get(os.environ["SHOP_URL"]).status_code for _ in range({times})]
        assert statuses[-1] == {last}
"""


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A service that refuses the first request of a run."""
    statuses = iter([429, 200, 429, 200])
    with Server(lambda _: Reply([b"x"], status=next(statuses))) as server:
        monkeypatch.setenv("SHOP_URL", server.url)
        yield server


@pytest.mark.parametrize("mode", ["once", "new", "all"])
def test_a_refusal_is_no_recording(project: Project, strict: Server, mode: str) -> None:
    project.add_test(REFUSED.format(times=1, last=429))

    result = project.run(f"--g4f-record={mode}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["GET http://127.0.0.1:*/ was refused (429 *), so nothing was recorded; *--g4f-keep-refusals*"]
    )
    assert not (project.path / "cassettes").exists()


def test_a_refusal_is_left_out_where_an_answer_followed(project: Project, strict: Server) -> None:
    project.add_test(REFUSED.format(times=2, last=200))
    project.run("--g4f-record=once").assert_outcomes(passed=1)

    assert [one.response.status for one in project.cassette("refused").interactions] == [200]


@pytest.mark.parametrize("options", [["--g4f-keep-refusals"], ["-o", "g4f_keep_refusals=true"]])
def test_a_refusal_is_kept_by_those_who_want_it(project: Project, strict: Server, options: list[str]) -> None:
    project.add_test(REFUSED.format(times=1, last=429))
    project.run("--g4f-record=once", *options).assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=1)

    assert [one.response.status for one in project.cassette("refused").interactions] == [429]


def test_a_recording_without_a_provider_asks_nobody(project: Project) -> None:
    project.add_test("""
        @pytest.mark.g4f_cassette("hello")
        def test_it(g4f_client):
            raise RuntimeError("never")
    """)

    result = project.run("--g4f-record=once")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*keep it in a folder of that name, cassettes/<provider>/<case>.yaml*"])


def test_a_leak_writes_nothing(shop: Project, service: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "g4fsdk.testing._secrets.scrub.Scrubber.scrub_cassette", lambda self, cassette: cassette
    )

    result = shop.run("--g4f-record=once")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E   *LeakError: *hello.yaml was not written, secrets are left in:"])
    assert not (shop.path / "cassettes/openai/hello.yaml").exists()
    assert KEY not in result.stdout.str()


def test_modes_are_checked(project: Project) -> None:
    result = project.run("--g4f-record=always")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--g4f-record: invalid choice: 'always'*"])
