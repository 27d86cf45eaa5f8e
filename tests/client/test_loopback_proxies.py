"""The way to the service: proxies, passwords in addresses, and a caller's own session."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from g4fsdk import (
    AsyncClient,
    Client,
    G4FError,
    StatusError,
    TransportError,
    UsageError,
)
from g4fsdk.testing import Cassette, Recorder
from tests.support.loopback import TLS_CERT, Reply, Server
from tests.support.loopback_clients import (
    KEY,
    Colour,
    answer,
    ask,
    both,
)


def proxied(colour: Colour, proxy: str, **settings: Any) -> Any:
    return ask(colour, "openai", "http://service.example", proxy=proxy, **settings)


@both
def test_proxy_is_asked_and_told_the_password(colour: Colour) -> None:
    with Server(lambda _: answer("openai", "Hello")) as proxy:
        address = proxy.url.replace("://", "://user:pass%40word@")
        outcome = proxied(colour, address, api_key=KEY)

    expected = base64.b64encode(b"user:pass@word").decode()
    assert outcome.text == "Hello"
    assert proxy.requests[0].target == "http://service.example/v1/chat/completions"
    assert proxy.requests[0].headers["proxy-authorization"] == f"Basic {expected}"
    assert proxy.requests[0].headers["authorization"] == f"Bearer {KEY}"


@both
def test_proxy_that_refuses_the_tunnel_is_named_without_its_password(colour: Colour) -> None:
    refusal = Reply(status=407, framing="length")
    with Server(lambda _: refusal) as proxy:
        address = proxy.url.replace("://", "://user:hunter2@")
        outcome = ask(colour, "openai", "https://service.example", proxy=address)

    assert isinstance(outcome.error, TransportError)
    assert not outcome.error.sent
    assert "407" in outcome.error.message
    assert "the proxy wants a user name and password" in outcome.error.message
    assert not outcome.error.retryable
    assert_hidden(outcome.error, "hunter2")


@both
def test_dead_proxy_is_a_transport_error(colour: Colour) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    outcome = proxied(colour, f"http://user:hunter2@127.0.0.1:{port}")

    assert isinstance(outcome.error, TransportError)
    assert not outcome.error.sent
    assert "any proxy" in outcome.error.message
    assert_hidden(outcome.error, "hunter2")


@both
@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.example:8080",
        "user:hunter2@proxy.example:8080",
        "ftp://user:hunter2@proxy.example",
        "http://user:hunter2@",
        "http://user:hunter2@proxy.example:port",
        "http://user:hunter2@[::1",
        "http://user:hunter2 etc@proxy.example\n",
        "//user:hunter2@proxy.example",
        "http://",
        "nonsense",
    ],
)
def test_bad_proxy_address_is_the_callers_mistake(colour: Colour, proxy: str) -> None:
    outcome = proxied(colour, proxy)

    assert isinstance(outcome.error, UsageError)
    assert "proxy" in outcome.error.message
    assert_hidden(outcome.error, "hunter2")


def assert_hidden(error: G4FError, secret: str) -> None:
    said = [str(error), repr(error), error.message, repr(error.args), repr(error.request)]
    assert not [text for text in said if secret in text]


@both
def test_environment_names_a_proxy(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda _: answer("openai", "Hello")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        outcome = ask(colour, "openai", "http://service.example")

    assert outcome.text == "Hello"
    assert proxy.requests[0].target.startswith("http://service.example/")


@both
@pytest.mark.parametrize("names", ["argument", "environment"])
def test_recorder_takes_the_way_of_its_client(
    colour: Colour, names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, Any] = {}
    with Server(lambda _: answer("openai", "Hello")) as proxy, Recorder(tmp_path / "one.yaml") as recorder:
        if names == "argument":
            said["proxy"] = proxy.url
        else:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("http_proxy", proxy.url)
        outcome = ask(colour, "openai", "http://service.example", transport=recorder, **said)

    assert outcome.text == "Hello"
    assert proxy.requests[0].target == "http://service.example/v1/chat/completions"
    [recorded] = Cassette.load(tmp_path / "one.yaml").interactions
    assert recorded.request.url == "http://service.example/v1/chat/completions"


@both
def test_a_refusal_by_the_proxy_says_so(colour: Colour) -> None:
    with Server(Reply(status=407, framing="length")) as proxy:
        outcome = proxied(colour, proxy.url)

    assert isinstance(outcome.error, StatusError)
    assert outcome.error.message.endswith("check the user name and password of the proxy")


# ---- a caller's own session


@both
def test_own_session_is_used_and_left_open(colour: Colour) -> None:
    with Server(lambda _: answer("openai", "Hello")) as server:
        with_own_session(colour, server)
        connections = server.connections

    assert [request.headers["x-mine"] for request in server.requests] == ["yes"] * 3
    assert {request.headers["authorization"] for request in server.requests[:2]} == {f"Bearer {KEY}"}
    assert connections == 1


def with_own_session(colour: Colour, server: Server) -> None:
    """Ask twice through clients of one session, then post with the session itself."""
    if colour == "sync":
        with requests.Session() as session:
            session.headers["X-Mine"] = "yes"
            for _ in range(2):
                ask(colour, "openai", server.url, api_key=KEY, session=session)
            assert session.post(server.url, data=b"").content
    else:
        asyncio.run(with_own_client(server))


async def with_own_client(server: Server) -> None:
    async with httpx.AsyncClient(headers={"X-Mine": "yes"}) as own:
        for _ in range(2):
            async with AsyncClient(
                "openai", base_url=f"{server.url}/v1", api_key=KEY, http_client=own
            ) as client:
                async for _ in client.chat.completions.stream("Hi", model="m"):
                    pass
        await own.post(server.url, content=b"")


@both
def test_auth_of_ones_own_session_is_kept(colour: Colour) -> None:
    with Server(lambda _: answer("openai", "Hello")) as server:
        if colour == "sync":
            with requests.Session() as session:
                session.auth = ("me", "secret")
                ask(colour, "openai", server.url, session=session)
        else:
            asyncio.run(with_auth(server))

    expected = base64.b64encode(b"me:secret").decode()
    assert server.requests[0].headers["authorization"] == f"Basic {expected}"


async def with_auth(server: Server) -> None:
    async with (
        httpx.AsyncClient(auth=("me", "secret")) as own,
        AsyncClient("openai", base_url=f"{server.url}/v1", http_client=own) as client,
    ):
        await client.chat.completions.create("Hello", model="m", stream=True)


@both
@pytest.mark.parametrize("name", ["own", "transport"])
def test_what_cannot_send_is_refused_at_once(colour: Colour, name: str) -> None:
    own = "session" if colour == "sync" else "http_client"
    wrong: Any = httpx.MockTransport(lambda request: httpx.Response(200)) if name == "transport" else object()

    with pytest.raises(UsageError, match=f"{own if name == 'own' else name}= takes a"):
        (Client if colour == "sync" else AsyncClient)("yqcloud", **{own if name == "own" else name: wrong})


@both
def test_session_and_proxy_exclude_each_other(colour: Colour) -> None:
    own = {"session": requests.Session()} if colour == "sync" else {"http_client": object()}

    outcome = ask(colour, "openai", "http://127.0.0.1:1", proxy="http://127.0.0.1:1", **own)

    assert isinstance(outcome.error, UsageError)
    assert "transport and proxy" in outcome.error.message


@both
@pytest.mark.parametrize("key", [KEY, None])
def test_netrc_says_nothing_here(
    colour: Colour, key: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password from-the-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Server(answer("openai", "Hello")) as server:
        ask(colour, "openai", server.url, api_key=key)

    assert server.requests[0].headers.get("authorization") == (f"Bearer {KEY}" if key else None)


@both
@pytest.mark.parametrize("key", [KEY, None])
def test_password_in_the_address_is_sent_where_no_key_is(colour: Colour, key: str | None) -> None:
    with Server(answer("openai", "Hello")) as server:
        address = server.url.replace("://", "://me:pass%40word@")
        outcome = ask(colour, "openai", address, api_key=key)

    basic = "Basic " + base64.b64encode(b"me:pass@word").decode()
    assert outcome.text == "Hello"
    assert server.requests[0].headers["authorization"] == (f"Bearer {KEY}" if key else basic)
    assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


HAS_SOCKS = find_spec("socks") is not None and find_spec("socksio") is not None
socks_of_both_kinds = pytest.mark.parametrize("scheme", ["socks5", "socks5h"])


@both
@socks_of_both_kinds
@pytest.mark.skipif(HAS_SOCKS, reason="its packages are installed")
def test_socks_without_its_package_says_what_to_install(colour: Colour, scheme: str) -> None:
    outcome = proxied(colour, f"{scheme}://user:hunter2@127.0.0.1:1")

    assert isinstance(outcome.error, UsageError)
    assert "pip install 'g4fsdk[socks]'" in outcome.error.message
    assert_hidden(outcome.error, "hunter2")


@both
@socks_of_both_kinds
@pytest.mark.skipif(not HAS_SOCKS, reason="its packages are not installed")
def test_a_socks_proxy_out_of_reach_is_an_error_of_ours(colour: Colour, scheme: str) -> None:
    outcome = proxied(colour, f"{scheme}://user:hunter2@127.0.0.1:1")

    assert isinstance(outcome.error, TransportError | UsageError)
    assert_hidden(outcome.error, "hunter2")


PROXIED = lambda _: answer("openai", "through the proxy")  # noqa: E731  # a script, for two servers


@both
@pytest.mark.parametrize(
    ("no_proxy", "way"),
    [
        ("", "through the proxy"),
        ("127.0.0.0/8", "directly"),
        ("[::1],127.0.0.1", "directly"),
        ("fe80::/16", "through the proxy"),
        ("*", "directly"),
    ],
)
def test_both_clients_go_the_way_that_the_environment_says(
    colour: Colour, no_proxy: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(PROXIED) as proxy, Server(answer("openai", "directly")) as server:
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://bob:topsecret@"))
        monkeypatch.setenv("no_proxy", no_proxy)
        outcome = ask(colour, "openai", server.url)

    assert outcome.text == way


@both
@pytest.mark.parametrize("name", ["verify", "context", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_server_is_trusted_whose_authority_is_named(
    colour: Colour, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    if name.isupper():
        monkeypatch.setenv(name, str(TLS_CERT))
    else:
        own = ssl.create_default_context(cafile=TLS_CERT)
        given = {"verify": own if name == "context" else TLS_CERT}
    with Server(answer("openai", "Hello"), tls=True) as server:
        outcome = ask(colour, "openai", server.url, **given)

    assert outcome.text == "Hello"


@both
def test_an_authority_that_is_named_is_the_only_one_to_trust(colour: Colour) -> None:
    with Server(answer("openai", "Hello"), tls=True) as server:
        outcome = ask(colour, "openai", server.url, verify=ssl.create_default_context())

    assert isinstance(outcome.error, TransportError)


@both
def test_plain_http_needs_no_certificates(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with Server(answer("openai", "Hello")) as server:
        plain = ask(colour, "openai", server.url)
        https = ask(colour, "openai", server.url.replace("http:", "https:"))

    assert plain.text == "Hello"
    assert isinstance(https.error, UsageError)
    assert "SSL_CERT_FILE" in https.error.message


@both
def test_a_client_of_the_callers_own_brings_whom_it_trusts(colour: Colour) -> None:
    own = {"session": requests.Session()} if colour == "sync" else {"http_client": object()}

    outcome = ask(colour, "openai", "http://127.0.0.1:1", verify=TLS_CERT, **own)

    assert isinstance(outcome.error, UsageError)
    assert "whom it trusts" in outcome.error.message
