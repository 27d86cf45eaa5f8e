"""What a first answer loads: what it needs, and nothing that another call needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import python
from tests.support.loopback import Server
from tests.support.loopback_clients import answer

#: What brings more than it is worth to a call that goes well.
_OTHERS = (
    *("tenacity", "pyrate_limiter", "pydantic", "prompt_toolkit", "yaml", "platformdirs", "tomllib"),
    *("g4fsdk.providers.amigo", "g4fsdk.providers.autonomous", "g4fsdk.providers.cohere_c4ai"),
    *("g4fsdk.providers.yqcloud", "g4fsdk._client.pace", "g4fsdk._client.blocking.batches"),
    *("g4fsdk._client.asynchronous.batches", "g4fsdk._core.flow.rows", "g4fsdk._core.flow.parsed"),
    *("g4fsdk._core.decoding.chatui", "g4fsdk._core.decoding.images", "g4fsdk._core.framing.text"),
    *("g4fsdk._core.framing.json_lines", "g4fsdk.testing._cassette.document"),
)
_NOT_BLOCKING = ("rich", "asyncio", "concurrent.futures", "httpx", "anyio")
_ASK = "client.chat.completions.create('Hi', model='m', stream=True)"
_WAYS = {
    "Client": (
        f"from g4fsdk import Client\nclient = Client('openai', base_url=URL)\nfor _ in {_ASK}: break",
        _NOT_BLOCKING,
    ),
    "AsyncClient": (
        "import asyncio\nfrom g4fsdk import AsyncClient\n"
        "async def main():\n    async with AsyncClient('openai', base_url=URL) as client:\n"
        f"        async for _ in await {_ASK}: break\nasyncio.run(main())",
        ("requests", "urllib3"),
    ),
    "chat": (
        "sys.argv = ['g4fsdk', 'chat', '--base-url', URL, '-m', 'm', 'Hi']\n"
        "from g4fsdk.cli import main\ntry: main()\nexcept SystemExit: print()",
        _NOT_BLOCKING,
    ),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Server(lambda request: answer("openai", "Hello")) as server:
        yield f"{server.url}/v1"


@pytest.mark.parametrize("way", _WAYS)
def test_a_first_answer_loads_nothing_that_it_does_not_need(way: str, url: str, tmp_path: Path) -> None:
    ask, others = _WAYS[way]
    home = f"os.environ['G4FSDK_HOME'] = {str(tmp_path)!r}"  # where no test before has left settings
    code = f"import json, os, sys\n{home}\nURL = {url!r}\nbefore = {{*sys.modules}}\n{ask}\n"

    result = python(f"{code}print(json.dumps([*sys.modules.keys() - before]))")

    assert result.stderr == ""
    found = {*json.loads(result.stdout.splitlines()[-1])}
    assert "g4fsdk.providers.openai" in found
    assert found & {*_OTHERS, *others} == set()
