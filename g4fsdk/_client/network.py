"""How the network is reached, decided once for both clients: where it is, by which proxy, whom to trust."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from ipaddress import ip_address, ip_network
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, getproxies_environment, proxy_bypass

from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.redact import secrets_of

if TYPE_CHECKING:
    from concurrent.futures import Future

#: Whom to trust: a file or folder of certificates, or a context.
Verify: TypeAlias = ssl.SSLContext | str | os.PathLike[str]

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")  # what both HTTP libraries know
# What desktops write into the environment.
_MEANT = {"socks": "socks5h", "": "http"}
# In the order of requests, then that of httpx: the first that is set counts.
_TRUST_FILES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PORTS = {"http": 80, "https": 443}


class Network:
    """The way to a service. *proxy* and *verify*, where given, win over the environment."""

    def __init__(self, proxy: str | None = None, verify: Verify | None = None) -> None:
        """Raises UsageError for a proxy that is no address, or certificates that are not there."""
        self._proxy = None if proxy is None else checked_proxy(proxy, "proxy")
        environment = getproxies_environment()
        proxies = {} if proxy else environment or _proxies_of_the_system()
        self._proxies = {name: url for name, url in proxies.items() if name != "no"}
        self._bypasses = NoProxy.of(environment)
        self.is_given = proxy is not None or verify is not None
        if verify is not None:
            self.tls = verify if isinstance(verify, ssl.SSLContext) else _context(verify, "verify")
        files = ((os.environ.get(name), name) for name in _TRUST_FILES)
        self._trusted = next(((place, name) for place, name in files if place), ("", ""))

    @property
    def secrets(self) -> frozenset[str]:
        """The passwords of the proxies."""
        proxies = [*filter(None, [self._proxy]), *map(_meant, self._proxies.values())]
        return frozenset().union(*(secrets_of({}, proxy) for proxy in proxies))

    @property
    def is_direct(self) -> bool:
        """Whether no request goes through a proxy."""
        return self._proxy is None and not self._proxies

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy to ask for *url*, None for none. Raises UsageError for one that can't be asked."""
        if self._proxy is not None:
            return self._proxy
        if self.is_direct:
            return None
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all")
        if not proxy or self._bypasses.covers(parts):
            return None
        return checked_proxy(_meant(proxy), "the proxy of the environment")

    @property
    def is_trusting(self) -> bool:
        """Whether no certificate is looked at."""
        return self.tls.verify_mode == ssl.CERT_NONE

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Whom to trust. Raises UsageError for certificates that cannot be read; plain http needs none."""
        return _context(*self._trusted) if self._trusted[0] else _usual()


def _proxies_of_the_system() -> dict[str, str]:
    """Return those that its settings name; where it has none, `getproxies` reads the environment again."""
    return {} if getproxies is getproxies_environment else getproxies()


def _meant(proxy: str) -> str:
    scheme, mark, place = proxy.strip().partition("://")
    if not mark:
        scheme, place = "", proxy.strip()
    return f"{_MEANT.get(scheme.lower(), scheme)}://{place}"


def checked_proxy(proxy: str, what: str) -> str:
    """Return *proxy*. Raises UsageError, which does not say it, for what is no address of one."""
    if not _is_proxy(proxy):
        raise UsageError(
            f"{what} must be an address like http://user:password@host:port (it may hold a password, so it "
            f"is not shown here); known: {', '.join(_PROXY_SCHEMES)}"
        )
    return proxy


def _is_proxy(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        is_whole = bool(parts.hostname) and (parts.port or 1) > 0
    except (ValueError, AttributeError, TypeError):  # a port that is no number, half an IPv6 address, no text
        return False
    return is_whole and parts.scheme in _PROXY_SCHEMES and proxy.isprintable() and " " not in proxy


# --- Whom to ask without a proxy ---


class NoProxy:
    """The hosts of NO_PROXY: names with all below them, addresses and ranges of them, with a port or not.

    Source: requests, httpx and curl, which differ; what one of them takes, is taken here.
    """

    def __init__(self, value: str, also: Callable[[str], object] = lambda host: False) -> None:
        """*also* tells hosts that the system's own settings leave out."""
        self._entries = [entry.rpartition("://")[2].lower() for entry in value.replace(",", " ").split()]
        self._also = also

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> NoProxy:
        """Return those that *environment* names; where it names no proxy, the system's own settings tell."""
        return cls(environment.get("no", ""), (lambda host: False) if environment else proxy_bypass)

    def covers(self, url: SplitResult) -> bool:
        """Whether the host of *url* is asked without a proxy."""
        host = (url.hostname or "").rstrip(".")
        port = url.port or _PORTS.get(url.scheme)
        return any(_covers(entry, host, port) for entry in self._entries) or bool(self._also(host))


def _covers(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    place, wanted = _place_and_port(entry)
    if wanted not in ("", "*", str(port)):
        return False
    if "/" in place:
        return _is_in_range(host, place)
    name = place.removeprefix("*").removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}") or _is_same_address(host, name))


def _place_and_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        place, _, rest = entry[1:].partition("]")
        return (place + rest, "") if rest.startswith("/") else (place, rest.removeprefix(":"))
    return entry.rsplit(":", 1) if entry.count(":") == 1 else (entry, "")  # type: ignore[return-value]  # two


def _is_in_range(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:  # a name, or no range
        return False


def _is_same_address(host: str, other: str) -> bool:
    try:
        return ip_address(host) == ip_address(other)
    except ValueError:
        return False


# --- Where a name leads ---


def known_addresses(host: str) -> list[str]:
    """Return *host* where it is an address itself, else nothing."""
    try:
        return [str(ip_address(host))]
    except ValueError:  # a name
        return []


def look_up(host: str, port: int, family: int = socket.AF_UNSPEC) -> Future[list[str]]:
    """Return the addresses of *host*, a name, as soon as they are known.

    Looking up cannot be ended: a thread is left to it, which nothing waits for.
    """
    from concurrent.futures import Future

    found: Future[list[str]] = Future()
    found.set_running_or_notify_cancel()  # who gives up, leaves it alone
    threading.Thread(target=_look_up, args=(host, port, family, found), daemon=True).start()
    return found


def _look_up(host: str, port: int, family: int, found: Future[list[str]]) -> None:
    try:
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        found.set_result(list(dict.fromkeys(str(info[4][0]) for info in infos)))
    except BaseException as error:  # noqa: BLE001  # whoever waits raises it
        found.set_exception(error)


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def by_turns(addresses: Sequence[str]) -> list[str]:
    """Return *addresses*, IPv6 and IPv4 by turns: of a network that lacks one of them, not all are silent.

    Source: RFC 8305, 4.
    """
    ours = [one for one in addresses if family_of(one) == family_of(addresses[0])]
    others = [one for one in addresses if one not in ours]
    return [one for pair in zip_longest(ours, others) for one in pair if one]


# --- Whom to trust ---


@cache
def _usual() -> ssl.SSLContext:
    """One for all clients: making it takes 17 ms."""
    import certifi  # comes with both libraries

    return ssl.create_default_context(cafile=certifi.where())


def _context(place: str | os.PathLike[str], name: str) -> ssl.SSLContext:
    """Return one that trusts what lies at *place*.

    Raises:
        UsageError: No certificate lies there; *name* says who set it.
    """
    try:
        folders = [folder for folder in os.fspath(place).split(os.pathsep) if os.path.isdir(folder)]
        context = ssl.create_default_context(cafile=None if folders else place)
    except (OSError, ValueError, TypeError) as error:
        wanted = f"{name} must name a file or folder of certificates, not {place!r}"
        raise UsageError(f"{wanted}: {error}") from error
    for folder in folders:
        context.load_verify_locations(capath=folder)
    return context
