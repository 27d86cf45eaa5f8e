from __future__ import annotations

import pytest
import requests
from shop.probe import greeting  # type: ignore[import-not-found]  # pytest.ini says where it is

from g4fsdk.testing import Fault, ReplayServer


@pytest.mark.g4f_cassette("openai/hello")
def test_a_session_is_answered_in_process(session: requests.Session) -> None:
    assert greeting(session, "https://api.openai.com/v1").startswith("Hello from the mock")


@pytest.mark.g4f_cassette("openai/hello")
def test_a_server_is_asked_over_a_socket(g4f_server: ReplayServer) -> None:
    with requests.Session() as session:
        assert greeting(session, g4f_server.base_url).startswith("Hello from the mock")


@pytest.mark.g4f_cassette("openai/hello", faults=[Fault.status(503)])
def test_a_server_that_is_down_is_an_error(session: requests.Session) -> None:
    with pytest.raises(requests.HTTPError, match="503"):
        greeting(session, "https://api.openai.com/v1")

    assert greeting(session, "https://api.openai.com/v1")
