"""Programs that make clients of their own: the marker alone records them and plays to them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

import pytest

from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse
from tests.support.loopback import Received, Reply, Server
from tests.support.loopback_clients import document
from tests.support.plugin_project import Project

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An OpenAI-compatible service that says what it was asked, and how often it had been asked before."""
    with Server(_answer) as server:
        monkeypatch.setenv("SHOP_URL", f"{server.url}/v1")
        yield server


def _answer(request: Received) -> Reply:
    asked = json.loads(request.body)
    return document("openai", f"heard {asked['messages'][-1]['content']}")


#: One function each: asks for an answer to *word*, with a client that nobody gave to it.
PROGRAMS = {
    "g4fsdk": """
        from g4fsdk import Client
        def ask(word):
            with Client("openai", base_url=URL, model="m", api_key="k") as client:
                return client.chat.completions.create(word).text
    """,
    "g4fsdk async": """
        from g4fsdk import AsyncClient
        def ask(word):
            async def main():
                async with AsyncClient("openai", base_url=URL, model="m", api_key="k") as client:
                    return (await client.chat.completions.create(word)).text
            return asyncio.run(main())
    """,
    "requests": """
        import requests
        def ask(word):
            return text(requests.post(URL + "/chat/completions", json=question(word)).json())
    """,
    "requests session": """
        import requests
        from requests.adapters import HTTPAdapter
        class Signing(HTTPAdapter):
            def send(self, request, *args, **options):
                request.headers["X-Signed"] = request.headers.get("X-Signed", "") + "once"
                return super().send(request, *args, **options)
        SESSION = requests.Session()
        SESSION.mount("http://", Signing())
        def ask(word):
            return text(SESSION.post(URL + "/chat/completions", json=question(word)).json())
    """,
    "httpx": """
        import httpx
        def ask(word):
            return text(httpx.post(URL + "/chat/completions", json=question(word)).json())
    """,
    "httpx async": """
        import httpx
        def ask(word):
            async def main():
                async with httpx.AsyncClient() as client:
                    return text((await client.post(URL + "/chat/completions", json=question(word))).json())
            return asyncio.run(main())
    """,
    "httpx2": """
        import httpx2
        def ask(word):
            return text(httpx2.post(URL + "/chat/completions", json=question(word)).json())
    """,
    "openai": """
        import openai
        def ask(word):
            with openai.OpenAI(base_url=URL, api_key="k") as client:
                asked = client.chat.completions.create(**question(word))
            return asked.choices[0].message.content
    """,
    "openai async": """
        import openai
        def ask(word):
            async def main():
                async with openai.AsyncOpenAI(base_url=URL, api_key="k") as client:
                    asked = await client.chat.completions.create(**question(word))
                return asked.choices[0].message.content
            return asyncio.run(main())
    """,
}
COMMON = f"""
import asyncio, os

URL = os.environ["SHOP_URL"]

def question(word):
    return {{**{QUESTION!r}, "messages": [{{"role": "user", "content": word}}]}}

def text(answer):
    return answer["choices"][0]["message"]["content"]
"""
every_program = pytest.mark.parametrize("program", PROGRAMS)


def write(project: Project, program: str) -> None:
    project.write("common.py", COMMON)
    project.write("program.py", "from common import *\n" + textwrap.dedent(PROGRAMS[program]))


ASKS = """
    @pytest.mark.g4f_cassette
    def test_it():
        from program import ask
        assert [ask("one"), ask("two")] == ["heard one", "heard two"]
"""
INI = ("-o", "pythonpath=.")


@every_program
def test_the_marker_alone_records_and_plays(project: Project, service: Server, program: str) -> None:
    write(project, program)
    project.add_test(ASKS)

    project.run(*INI, "--g4f-record=once").assert_outcomes(passed=1)
    assert len(service.requests) == 2
    assert len(project.cassette("test_it/test_it").interactions) == 2
    service.__exit__()
    project.run(*INI).assert_outcomes(passed=1)
    project.run(*INI, "--g4f-record=new").assert_outcomes(passed=1)
    assert len(service.requests) == 2
    assert all(asked.headers.get("x-signed", "once") == "once" for asked in service.requests)


@every_program
def test_what_is_not_recorded_fails_the_test_even_where_the_program_goes_on(
    project: Project, service: Server, program: str
) -> None:
    write(project, program)
    project.add_test(ASKS)
    project.run(*INI, "--g4f-record=once").assert_outcomes(passed=1)
    project.add_test("""
        @pytest.mark.g4f_cassette
        def test_it():
            from program import ask
            ask("one"), ask("two")
            try:
                ask("three")
            except Exception:
                pass
    """)

    result = project.run(*INI)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no recorded interaction answers this request:", "*POST *three*"])
    assert len(service.requests) == 2


def test_clients_that_are_older_than_the_test_and_threads_of_its_own(
    project: Project, service: Server
) -> None:
    project.write("common.py", COMMON)
    project.add_test("""
        import threading
        from concurrent.futures import ThreadPoolExecutor
        import requests
        from common import *
        from g4fsdk import Client

        SESSION, POOL = requests.Session(), ThreadPoolExecutor(1)
        CLIENT = Client("openai", base_url=URL, model="m", api_key="k")

        def ask(word):
            return text(SESSION.post(URL + "/chat/completions", json=question(word)).json())

        @pytest.mark.g4f_cassette
        @pytest.mark.parametrize("word", ["one", "two"])
        def test_it(word):
            heard = [POOL.submit(ask, word).result(), CLIENT.chat.completions.create(word + "!").text]
            thread = threading.Thread(target=lambda: heard.append(ask(word + "?")))
            thread.start()
            thread.join()
            assert heard == [f"heard {word}{mark}" for mark in ("", "!", "?")]
    """)

    project.run(*INI, "--g4f-record=once").assert_outcomes(passed=2)
    service.__exit__()
    project.run(*INI).assert_outcomes(passed=2)
    project.run(*INI, "-k", "two").assert_outcomes(passed=1)


def test_ids_are_those_of_the_recording_whoever_made_the_client_and_when(project: Project) -> None:
    """Yqcloud's requests hold ids."""
    project.add_test("""
        import functools, os
        from g4fsdk import Client

        @functools.cache
        def client():
            return Client("yqcloud", base_url=os.environ["SHOP_URL"])

        @pytest.mark.g4f_cassette
        @pytest.mark.parametrize("word", ["one", "two"])
        def test_it(word):
            for _ in range(2):
                assert client().chat.completions.create(word).text == "Hello"
            assert Client("yqcloud", base_url=os.environ["SHOP_URL"]).chat.completions.create(word).text
    """)
    with pytest.MonkeyPatch.context() as patch:
        with Server(lambda _: Reply([b"Hello"], headers={"Content-Type": "text/plain"})) as server:
            patch.setenv("SHOP_URL", server.url)
            project.run("--g4f-record=once").assert_outcomes(passed=2)
            users = {json.loads(request.body)["userId"] for request in server.requests}
        project.run().assert_outcomes(passed=2)
        project.run("-k", "two").assert_outcomes(passed=1)

    assert len(users) == 6
    said = project.cassette("test_it/test_it[two]").metadata
    assert (said["provider"], said["call"]["messages"][0]["content"]) == ("yqcloud", "two")


def test_nothing_is_left_behind(project: Project) -> None:
    project.copy("yqcloud/normal")
    project.add_test("""
        import os, socket
        import httpx, requests
        from g4fsdk import Client

        def seen():
            hooked = requests.adapters.HTTPAdapter, httpx.HTTPTransport, httpx.AsyncHTTPTransport
            return [dict(vars(kind)) for kind in (*hooked, socket.socket)] + [dict(os.environ)]

        def test_before(pytestconfig):
            pytestconfig.seen = seen()

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_marked(pytestconfig):
            assert [one == other for one, other in zip(seen(), pytestconfig.seen)] == [False] * 5
            assert list(Client("yqcloud").chat.completions.create("Question.", stream=True))

        def test_after(pytestconfig):
            before, after = pytestconfig.seen, seen()
            for environment in (before[-1], after[-1]):
                environment.pop("PYTEST_CURRENT_TEST")
            assert after == before
    """)

    project.run().assert_outcomes(passed=3)


def test_an_address_that_is_let_through_is_neither_recorded_nor_played(
    project: Project, service: Server
) -> None:
    write(project, "requests")
    project.add_test("""
        import os, requests
        from program import ask

        @pytest.fixture
        def own_server(g4f_sockets):
            g4f_sockets.allow(os.environ["OWN_URL"])
            return os.environ["OWN_URL"]

        @pytest.mark.g4f_cassette
        def test_it(own_server):
            assert requests.get(own_server).text == ask("one") == "heard one"
    """)

    with Server(Reply([b"heard one"])) as own, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OWN_URL", own.url)
        for mode in ("once", "none"):
            project.run(*INI, f"--g4f-record={mode}").assert_outcomes(passed=1)
        assert len(own.requests) == 2
    assert len(service.requests) == len(project.cassette("test_it/test_it").interactions) == 1


NAMED = """
    @pytest.mark.g4f_cassette
    class TestShop:
        class TestInner:
            @pytest.mark.parametrize("word", ["a/b", "a:b", "..", "é", "x" * 300, "plain"])
            def test_it(self, word):
                from program import ask
                assert ask(word) == f"heard {word}"
"""


def test_each_test_has_a_recording_of_its_own_name(project: Project, service: Server) -> None:
    write(project, "requests")
    project.add_test(NAMED)

    for mode in ("once", "none"):
        project.run(*INI, f"--g4f-record={mode}").assert_outcomes(passed=6)

    names = sorted(path.name for path in (project.path / "cassettes/test_it").iterdir())
    assert len(service.requests) == len(names) == 6
    assert {"TestShop.TestInner.test_it[plain].yaml", "TestShop.TestInner.test_it[..].yaml"} <= {*names}
    assert sum(name.startswith("TestShop.TestInner.test_it[a-b]-") for name in names) == 2
    assert max(map(len, names)) < 220


def test_a_name_that_a_link_leads_out_of_the_folder_is_refused(project: Project) -> None:
    (project.path / "cassettes").mkdir()
    (project.path / "elsewhere").mkdir()
    (project.path / "cassettes/link").symlink_to(project.path / "elsewhere")
    project.add_test("""
        @pytest.mark.g4f_cassette("link/hello")
        def test_it():
            raise RuntimeError("never")
    """)

    result = project.run("--g4f-record=once")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["'link/hello' names no file in */cassettes: *"])
    assert not [*(project.path / "elsewhere").iterdir()]


def test_two_at_a_time_do_not_cross(project: Project) -> None:
    """Each context has its own; a thread with neither is told."""
    project.write("common.py", COMMON)
    project.add_test("""
        import threading
        from contextvars import copy_context
        from concurrent.futures import ThreadPoolExecutor
        import requests
        from g4fsdk.testing import Cassette, Interaction, RecordedRequest, RecordedResponse, Replay
        from g4fsdk.testing._pytest.intercepted import Interception
        from g4fsdk.testing._pytest.sockets import SocketGuard

        URL = "http://example.invalid/"

        def session(name):
            answer = RecordedResponse(200, "OK", [], [name.encode()], [0.0])
            return Replay(Cassette([Interaction(RecordedRequest("GET", URL, [], b""), answer)] * 20))

        def test_it():
            both = threading.Barrier(2)

            def run(name):
                with SocketGuard() as guard, Interception(session(name), guard):
                    both.wait()
                    found = {requests.get(URL).text for _ in range(20)}
                    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="2 tests marked"):
                        pool.submit(requests.get, URL).result()
                    both.wait()
                    return found

            with ThreadPoolExecutor(2) as pool:
                assert [*pool.map(lambda name: copy_context().run(run, name), "ab")] == [{"a"}, {"b"}]
    """)

    project.run(*INI).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("option", "said", "message"),
    [
        pytest.param("g4f_cassette_max_age=30", "2020-01-01", "*recorded at 2020-01-01*record it*", id="age"),
        pytest.param("g4f_cassette_max_age=soon", "2020-01-01", "*takes a number of days*'soon'", id="wrong"),
        pytest.param(
            "g4f_provenance=recorded from the live service",
            "2020-01-01",
            "*its provenance is 'reconstructed*g4f_provenance wants it to begin with 'recorded from*",
            id="provenance",
        ),
    ],
)
def test_the_ini_file_says_which_recordings_may_be_played(
    project: Project, option: str, said: str, message: str
) -> None:
    project.copy("yqcloud/normal")
    cassette = project.cassette("yqcloud/normal")
    cassette.metadata["recorded_at"] = said
    cassette.save(project.path / "cassettes/yqcloud/normal.yaml")
    project.add_test("""
        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client):
            assert list(g4f_client.chat.completions.create("Question.", stream=True))
    """)

    project.run("-o", "g4f_cassette_max_age=100000", "-o", "g4f_provenance=reconstructed").assert_outcomes(
        passed=1
    )
    result = project.run("-o", option)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


@pytest.mark.parametrize("program", ["g4fsdk", "g4fsdk async"])
def test_the_marker_of_pytest_recording_stands_beside_ours(
    project: Project, service: Server, program: str
) -> None:
    write(project, program)
    project.add_test("""
        from program import ask

        @pytest.mark.vcr
        def test_theirs():
            assert ask("one") == "heard one"

        @pytest.mark.g4f_cassette
        def test_ours():
            assert ask("two") == "heard two"
    """)

    project.run(*INI, "--record-mode=once", "--g4f-record=once").assert_outcomes(passed=2)
    service.__exit__()
    project.run(*INI).assert_outcomes(passed=2)
    assert [len(project.cassette(f"test_it/test_{whose}").interactions) for whose in ("theirs", "ours")] == [
        1,
        1,
    ]


def test_what_an_adapter_tries_again_is_tried_again(project: Project) -> None:
    project.copy("yqcloud/normal")
    answers = RecordedResponse(0, end="reset"), RecordedResponse(200, "OK", [], [b"back"], [0.0])
    asked = RecordedRequest("POST", "https://api.binjie.fun/api/generateStream")
    Cassette([Interaction(asked, one) for one in answers]).save(project.path / "cassettes/gone.yaml")
    project.add_test("""
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry
        from g4fsdk.testing import Fault

        URL = "https://api.binjie.fun/api/generateStream"

        def ask(**policy):
            session = requests.Session()
            retries = Retry(3, status_forcelist=[503], allowed_methods=None, backoff_factor=60, **policy)
            session.mount("https://", HTTPAdapter(max_retries=retries))
            return session.post(URL, json={})

        def cassette(*faults):
            return pytest.mark.g4f_cassette("yqcloud/normal", match_on=("url",), faults=faults)

        @cassette(Fault.status(503, times=2, retry_after=60))
        def test_answered():
            assert ask().text.startswith("Hello")

        @cassette(Fault.status(503, times=4))
        def test_refused():
            with pytest.raises(requests.exceptions.RetryError, match="too many 503 error responses"):
                ask()
            assert ask().text.startswith("Hello")

        @cassette(Fault.status(503, times=4))
        def test_refused_in_silence():
            assert ask(raise_on_status=False).status_code == 503
            assert ask().text.startswith("Hello")

        @pytest.mark.g4f_cassette("gone", match_on=("url",))
        def test_gone():
            assert ask().text == "back"

        @pytest.mark.g4f_cassette("gone", match_on=("url",))
        def test_gone_for_good():
            with pytest.raises(requests.ConnectionError, match="Max retries exceeded"):
                ask(read=0)
            assert ask().text == "back"
    """)

    project.run().assert_outcomes(passed=5)


def test_a_program_of_the_test_may_run_where_there_is_no_pytest(project: Project) -> None:
    program = "import sys; sys.modules['pytest'] = sys.modules['yaml'] = None; import g4fsdk"
    project.copy("yqcloud/normal")
    project.add_test(f"""
        import subprocess, sys

        @pytest.mark.g4f_cassette("yqcloud/normal")
        def test_it(g4f_client):
            list(g4f_client.chat.completions.create("Question.", stream=True))
            program = "{program}; g4fsdk.Client('yqcloud')"
            assert subprocess.run([sys.executable, "-c", program]).returncode == 0
    """)

    project.run_apart().assert_outcomes(passed=1)
