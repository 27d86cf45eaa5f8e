"""What one small request to a provider shows: who answered, how fast, in which shape, on which way."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from g4fsdk import (
    AsyncClient,
    BlockedError,
    Event,
    G4FError,
    Ids,
    ReasoningDelta,
    StatusError,
    TextDelta,
    Timeouts,
    TransportError,
    UsageError,
)
from g4fsdk._client.network import Network
from g4fsdk._core.flow.provider import Provider
from g4fsdk._core.model.redact import redact_url
from g4fsdk.cli._terminal.failures import typed
from g4fsdk.cli._words.target import Target
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.services import provider_of
from g4fsdk.testing._checks.drift import Change, diff
from g4fsdk.testing._record.recorder import Recorder

PROMPT = "Reply with the word: ready"
_ENDS_SOON_DAYS = 14


@dataclass(frozen=True, slots=True)
class Certificate:
    """Who vouches for a service, and for how long yet."""

    issuer: str
    ends: str
    days_left: int

    @classmethod
    def read(cls, found: dict[str, Any], now: float) -> Certificate:
        """Read what `getpeercert` gave."""
        names = {name: value for step in found["issuer"] for name, value in step}
        ends = ssl.cert_time_to_seconds(found["notAfter"])
        issuer = ", ".join(dict.fromkeys(names[name] for name in _ISSUER if name in names))
        return cls(issuer, datetime.fromtimestamp(ends, UTC).date().isoformat(), int((ends - now) // 86400))

    def __str__(self) -> str:
        return f"{self.issuer}, {self.days_left} days"


_ISSUER = ("organizationName", "commonName")


@dataclass(slots=True)
class Examined:
    """What was found at a provider. *findings* are what is wrong, *notes* what is only new."""

    provider: str
    url: str = ""
    proxy: str | None = None
    reachable: bool = False
    challenge: bool = False
    first_token_ms: int | None = None
    shape: str | None = None
    certificate: Certificate | None = None
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Watch(Recorder):
    """Keeps what was said, in memory, and the certificate of who said it."""

    def __init__(self) -> None:
        super().__init__(os.devnull)
        self.certificate: Certificate | None = None
        self.url = ""

    def note_call(self, provider: Provider, call: Mapping[str, Any], ids: Ids) -> None:
        super().note_call(provider, call, ids)
        self.url = provider.base_url

    def httpx_transport(self, inner: Any = None, **settings: Any) -> Any:
        return super().httpx_transport(_Looking(inner, self), **settings)

    @property
    def session(self) -> Cassette:
        return self._recorded()


class _Looking:
    """Sends as *inner* does, and looks at the connection that the answer comes over."""

    def __init__(self, inner: Any, watch: _Watch) -> None:
        self._inner, self._watch = inner, watch

    async def handle_async_request(self, request: Any) -> Any:
        response = await self._inner.handle_async_request(request)
        stream = response.extensions.get("network_stream")
        tls = stream.get_extra_info("ssl_object") if request.url.scheme == "https" and stream else None
        if tls is not None and (found := tls.getpeercert()):
            self._watch.certificate = Certificate.read(found, time.time())
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def examine_all(
    targets: Sequence[Target], seconds: float, recordings: Sequence[Cassette] | None
) -> list[Examined]:
    """Examine all *targets* at once, each for at most *seconds*.

    The shape of an answer is compared with those in *recordings*; None leaves it to the provider's parser.

    Raises:
        UsageError: What cannot be asked; of several the first.
    """
    return await asyncio.gather(*(_examine(target, seconds, recordings) for target in targets))


async def _examine(target: Target, seconds: float, recordings: Sequence[Cassette] | None) -> Examined:
    place = target.places[0]
    watch, seen = _Watch(), Examined(place.endpoint or place.provider)
    clocks = replace(Timeouts(), total=seconds)
    async with target.async_client(timeout=clocks, retries=1, transport=watch) as client:
        failure = await _ask(client, seen)
    _look(seen, watch, Network(target.proxy))
    if recordings is not None and not isinstance(failure, StatusError | TransportError):
        _compare(seen, watch.session, [one for one in recordings if _is_of(one, place.provider)])
    return seen


async def _ask(client: AsyncClient, seen: Examined) -> G4FError | None:
    """Read one answer; return what it failed with. Raises UsageError for what cannot be asked."""
    begun = time.perf_counter()
    try:
        async with client.chat.completions.stream(PROMPT) as stream:
            async for event in stream:
                if seen.first_token_ms is None and _is_token(event):
                    seen.first_token_ms = round((time.perf_counter() - begun) * 1000)
    except UsageError:
        raise
    except G4FError as error:
        seen.challenge = isinstance(error, BlockedError)
        seen.findings.append(typed(error).removeprefix(f"{error.provider}: "))
        return error
    seen.shape = "as read"
    return None


def _is_token(event: Event) -> bool:
    return isinstance(event, TextDelta | ReasoningDelta) and bool(event.text)


def _look(seen: Examined, watch: _Watch, network: Network) -> None:
    """Say what *watch* saw of the way."""
    url = watch.url
    seen.url, proxy = redact_url(url), network.proxy_for(url)
    seen.proxy = proxy and redact_url(proxy)
    seen.reachable = any(one.response.status for one in watch.session.interactions)
    seen.certificate = watch.certificate
    if seen.certificate and seen.certificate.days_left < _ENDS_SOON_DAYS:
        seen.findings.append(f"its certificate ends on {seen.certificate.ends}")


def _is_of(session: Cassette, provider: str) -> bool:
    kind = provider_of(session)
    return kind is not None and kind.name == provider


def _compare(seen: Examined, session: Cassette, known: Sequence[Cassette]) -> None:
    """Say how *session* differs from the recording that is most like it, and what none of them has."""
    if not known:
        seen.notes.append("there is no recording of it to compare with")
        return
    changes = min((_breaking(diff(one, session)) for one in known), key=len)
    together = Cassette([each for one in known for each in one.interactions], session.metadata)
    new = [change for change in diff(together, session) if change.severity == "new"]
    seen.shape = "changed" if changes else "as recorded"
    seen.findings += [f"{change.where}: {change.text}" for change in changes]
    seen.notes += [f"{change.where}: {change.text}" for change in new]


def _breaking(changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if change.severity == "breaking"]
