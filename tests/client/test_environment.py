"""What the environment says: of `openai`, of proxies, of whom to trust."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit

import pytest

from g4fsdk import Conversation, Ids, Retries, Timeouts, UsageError, providers
from g4fsdk._client.environment import OpenAIDefaults
from g4fsdk._client.network import Network, NoProxy
from g4fsdk._client.settings import Settings
from tests.support.loopback import TLS_CERT

OPENAI = "https://api.openai.com/v1"
OURS, THEIRS = "http://ours.test/v1", "http://theirs.test/v1"


# --- Of openai ---


def settings(environment: dict[str, str], provider: Any = None, **more: Any) -> Settings:
    plain: dict[str, Any] = {"model": None, "api_key": None, "base_url": None, "headers": None}
    plain |= {"timeout": Timeouts(), "retries": Retries(), "ids": Ids.seeded(7)}
    return Settings.read(provider, **(plain | more), defaults=OpenAIDefaults.of(environment))


def asked(found: Settings, model: str | None = None, conversation: Any = None) -> list[providers.Provider]:
    tasks = found.chat_tasks(
        "Hello", model, stream=True, conversation=conversation, ignore_unsupported=False, options={}
    )
    return [task.provider for task in tasks]


BOTH = {"G4FSDK_API_KEY": "g", "G4FSDK_BASE_URL": OURS, "OPENAI_API_KEY": "o", "OPENAI_BASE_URL": THEIRS}


@pytest.mark.parametrize(
    ("environment", "given", "address", "key"),
    [
        pytest.param({}, {}, OPENAI, None, id="nothing"),
        pytest.param({"OPENAI_API_KEY": "o"}, {}, OPENAI, "o", id="a key"),
        pytest.param({"OPENAI_BASE_URL": THEIRS}, {}, THEIRS, None, id="an address"),
        pytest.param({"OPENAI_API_KEY": "o", "OPENAI_BASE_URL": THEIRS}, {}, THEIRS, "o", id="both"),
        pytest.param({"G4FSDK_API_KEY": "g"}, {}, OPENAI, "g", id="our key"),
        pytest.param(BOTH, {}, OURS, "g", id="ours before theirs"),
        pytest.param(BOTH | {"G4FSDK_API_KEY": ""}, {}, OURS, None, id="their key goes not to our address"),
        pytest.param(BOTH | {"G4FSDK_BASE_URL": ""}, {}, THEIRS, "g", id="our key for their address"),
        pytest.param(BOTH, {"base_url": THEIRS}, THEIRS, "o", id="their address given: their key"),
        pytest.param(
            BOTH, {"base_url": f"{OURS.upper()}/"}, f"{OURS.upper()}", "g", id="however it is written"
        ),
        pytest.param(BOTH, {"base_url": "http://x.test/v1"}, "http://x.test/v1", None, id="a stranger"),
        pytest.param(BOTH, {"base_url": OPENAI}, OPENAI, None, id="openai's own, whose key is not there"),
        pytest.param(BOTH, {"api_key": "a"}, OURS, "a", id="a key given"),
        pytest.param(BOTH, {"base_url": ""}, OURS, "g", id="no address: the key goes not to openai's own"),
        pytest.param(BOTH, {"api_key": "a", "base_url": THEIRS}, THEIRS, "a", id="both given"),
    ],
)
def test_a_key_goes_to_its_own_address_and_arguments_win(
    environment: dict[str, str], given: Any, address: str, key: str | None
) -> None:
    [provider] = asked(settings(environment, "openai", **given), "m")

    assert (provider.base_url, provider.api_key) == (address, key)


def test_no_other_provider_gets_anything_of_it() -> None:
    others = [
        provider
        for name in providers.PROVIDERS
        if name != "openai"
        for provider in asked(settings(BOTH | {"G4FSDK_MODEL": "m"}, name))
    ]

    assert all(one.api_key is None and one.base_url == type(one).url and not one.model for one in others)


@pytest.mark.parametrize(
    ("environment", "model", "names"),
    [
        pytest.param({"OPENAI_API_KEY": "o"}, "gpt-4", ["openai"], id="a key"),
        pytest.param({"G4FSDK_BASE_URL": OURS}, "gpt-4", ["openai"], id="an address"),
        pytest.param({"G4FSDK_BASE_URL": OURS, "G4FSDK_MODEL": "m"}, None, ["openai"], id="no model"),
        pytest.param({"G4FSDK_MODEL": "m"}, "gpt-4", ["yqcloud"], id="a model says nothing of openai"),
        pytest.param({}, "gpt-4", ["yqcloud"], id="nothing: who is known to work"),
    ],
)
def test_openai_is_asked_where_it_is_set_and_nobody_named(
    environment: dict[str, str], model: str | None, names: list[str]
) -> None:
    assert [one.name for one in asked(settings(environment), model)] == names


def test_the_model_of_the_environment_is_openais_where_none_is_said() -> None:
    [provider] = asked(settings(BOTH | {"G4FSDK_MODEL": "m"}, "openai"))

    assert (provider.get_model(), provider.get_model("other")) == ("m", "other")


def test_a_conversation_is_asked_where_it_began_whatever_the_environment_says() -> None:
    assert [one.name for one in asked(settings(BOTH), None, Conversation("yqcloud"))] == ["yqcloud"]
    assert [one.base_url for one in asked(settings(BOTH), None, Conversation("openai", "m"))] == [OURS]


def test_a_recorder_is_told_the_key_of_the_environment() -> None:
    class Listener:
        secrets: list[str] = []  # noqa: RUF012  # one object

        def add_secret(self, value: str) -> None:
            self.secrets.append(value)

    listener: Any = Listener()
    settings({"OPENAI_API_KEY": "of-the-environment"}).introduced(listener)

    assert listener.secrets == ["of-the-environment"]


# --- Proxies ---

PROXY = "http://bob:pw@p.test:3128"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        pytest.param({}, "http://x.test", None, id="none"),
        pytest.param({"http_proxy": PROXY}, "http://x.test", PROXY, id="http"),
        pytest.param({"http_proxy": PROXY}, "https://x.test", None, id="https has its own"),
        pytest.param({"HTTPS_PROXY": PROXY}, "https://x.test", PROXY, id="https"),
        pytest.param({"ALL_PROXY": PROXY}, "https://x.test", PROXY, id="all"),
        pytest.param(
            {"ALL_PROXY": PROXY, "http_proxy": "http://q"}, "http://x.test", "http://q", id="own first"
        ),
        pytest.param({"http_proxy": "p.test:1"}, "http://x.test", "http://p.test:1", id="without scheme"),
        pytest.param({"all_proxy": "socks://p:1"}, "http://x.test", "socks5h://p:1", id="as GNOME writes it"),
        pytest.param({"http_proxy": f" {PROXY} "}, "http://x.test", PROXY, id="blanks"),
        pytest.param({"http_proxy": PROXY, "no_proxy": "x.test"}, "http://x.test", None, id="left out"),
    ],
)
def test_a_proxy_of_the_environment(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert Network().proxy_for(url) == proxy
    assert Network("http://given:1").proxy_for(url) == "http://given:1"


@pytest.mark.parametrize(
    "proxy", ["ftp://bob:topsecret@p", "http://bob:topsecret@[half", "http://topsecret@p:x"]
)
def test_a_proxy_of_the_environment_that_cannot_be_is_refused_where_it_is_needed(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    network = Network()

    assert network.proxy_for("http://x.test") is None
    with pytest.raises(UsageError, match="the proxy of the environment must be an address") as caught:
        network.proxy_for("https://x.test")
    assert "topsecret" not in caught.value.message


@pytest.mark.parametrize("proxy", ["http://p:1", "https://bob:pw@p", "socks5h://p:1080"])
def test_a_proxy_is_an_address(proxy: str) -> None:
    assert Network(proxy).proxy_for("http://x.test") == proxy


@pytest.mark.parametrize(
    "proxy",
    [
        "topsecret:1",
        "ftp://topsecret",
        "http://",
        "http://p:topsecret",
        "http://topsecret@p:x",
        "http://a b",
        "",
        "http://user:topsecret",
        "user:topsecret@host:1",
        "http://user:top/secret@host:1",
        5,
    ],
)
def test_a_proxy_that_is_none_is_refused_and_not_shown(proxy: Any) -> None:
    with pytest.raises(UsageError, match="proxy must be an address") as caught:
        Network(proxy)

    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("entries", "hosts", "others"),
    [
        ("*", "x.test 127.0.0.1 [::1]", ""),
        ("x.test", "x.test y.x.test X.Test x.test. x.test:8080", "xx.test x.test.evil 127.0.0.1"),
        (".x.test", "x.test y.x.test", "xx.test"),
        ("*.x.test", "x.test y.x.test", "xx.test"),
        ("a.test,b.test c.test , d.test", "a.test b.test c.test d.test", "e.test"),
        ("x.test:8080", "x.test:8080", "x.test x.test:80"),
        ("x.test:80", "x.test x.test:80", "x.test:8080"),
        ("127.0.0.1:*", "127.0.0.1 127.0.0.1:8080", "127.0.0.2"),
        ("localhost", "localhost", "localhost.evil 127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.11 x.127.0.0.2"),
        ("10.0.0.0/8", "10.1.2.3", "11.0.0.1 x.test"),
        ("10.1.2.3/8", "10.200.0.1", "11.0.0.1"),
        ("::1", "[::1] [0:0::1]:80", "[::2] x.test"),
        ("[::1]", "[::1]", "[::2]"),
        ("[::1]:80", "[::1] [::1]:80", "[::1]:8080"),
        ("fe80::/16", "[fe80::2]", "[fe81::2] 10.0.0.1"),
        ("[fe80::]/16", "[fe80::2]", "[fe81::2]"),
        ("http://x.test", "x.test", "y.test"),
        ("nonsense/99,:,[", "", "x.test 10.0.0.1"),
        ("", "", "x.test"),
    ],
)
def test_hosts_that_are_asked_without_a_proxy(entries: str, hosts: str, others: str) -> None:
    left_out = NoProxy(entries)

    assert [host for host in hosts.split() if not left_out.covers(urlsplit(f"http://{host}/v1"))] == []
    assert [host for host in others.split() if left_out.covers(urlsplit(f"http://{host}/v1"))] == []


# --- Whom to trust ---


def trusted(network: Network) -> int:
    return network.tls.cert_store_stats()["x509_ca"]


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_of_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = trusted(Network())
    monkeypatch.setenv(name, str(TLS_CERT))

    assert trusted(Network()) == 1 < usual
    monkeypatch.setenv(name, "/nowhere/ca.pem")
    with pytest.raises(UsageError, match=f"{name} must name a file or folder of certificates"):
        _ = Network().tls
    assert Network(verify=TLS_CERT).tls is not None


def test_the_first_variable_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(TLS_CERT))
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")

    assert trusted(Network()) == 1


def test_whom_the_caller_trusts() -> None:
    own = ssl.create_default_context()

    assert Network(verify=own).tls is own
    assert trusted(Network(verify=str(TLS_CERT))) == 1
    assert Network(verify=TLS_CERT.parent).tls.verify_mode == ssl.CERT_REQUIRED
    with pytest.raises(UsageError, match="verify must name a file or folder of certificates"):
        Network(verify="/nowhere/ca.pem")
    for odd in (__file__, False):
        with pytest.raises(UsageError, match="verify must name"):
            Network(verify=odd)  # type: ignore[arg-type]  # what a mistake looks like
