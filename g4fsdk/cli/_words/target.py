"""Whom to ask, and with which key: as the command says, else an endpoint, the environment, the settings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from g4fsdk._client.environment import OpenAIDefaults
from g4fsdk._core.flow.addresses import shown_address
from g4fsdk._core.model.errors import UsageError
from g4fsdk._core.model.redact import MASK, Discreet, redact_url, secrets_of
from g4fsdk.cli._kept.config import Config, Defaults, Endpoint
from g4fsdk.cli._kept.log import Turn

if TYPE_CHECKING:
    from g4fsdk import AsyncClient, Client
    from g4fsdk.providers import Provider

NOBODY = (
    "say whom to ask: -p yqcloud, or -m gpt-4, or --base-url http://localhost:11434/v1 -m llama3.2, "
    "or play a recording with --replay demo (`g4fsdk providers` lists the providers)"
)


class Place(Discreet, frozen=True):
    """Somebody to ask: a *provider*, at an address, with a key, and the *model* where a call names none.

    *endpoint* is what the user calls it, "" for nothing.
    """

    provider: str
    base_url: str | None = None
    api_key: str | None = None
    model: str | None = None
    endpoint: str = ""

    @property
    def address(self) -> str:
        """Where that is, as it may be shown."""
        return redact_url(self.made().base_url)

    def made(self) -> Provider:
        """Raises UsageError for a provider that is unknown, or settings that cannot be."""
        from g4fsdk import providers

        return providers.get(
            self.provider, base_url=self.base_url, api_key=self.api_key, model=self.model or ""
        )


class Target(msgspec.Struct, frozen=True):
    """Whom to ask, in this order; with no *places* the model chooses. None leaves a setting to the client."""

    places: tuple[Place, ...] = ()
    model: str | None = None
    timeout: float | None = None
    retries: int | None = None
    proxy: str | None = None

    @property
    def secrets(self) -> frozenset[str]:
        """The keys and passwords that are sent."""
        found = (secrets_of({}, place.base_url or "") | {place.api_key or ""} for place in self.places)
        return frozenset[str]().union(*found) - {""}

    def place_of(self, url: str) -> Place:
        """Return who was asked at *url*, its secrets removed."""
        places = self.places or tuple(map(Place, working()))
        found = (place for place in places if url.startswith(f"{place.address.partition('?')[0]}/"))
        return next(found, places[0])

    @property
    def names(self) -> tuple[str, ...]:
        """The providers."""
        return tuple(place.provider for place in self.places)

    def checked(self) -> Target:
        """Return the target, ready to ask. Raises UsageError when nobody is named."""
        if not self.places and not self.model:
            raise UsageError(NOBODY)
        return self

    @property
    def has_model(self) -> bool:
        """Whether everybody is asked for a model that is named."""
        return bool(self.model) or all(place.model for place in self.places)

    def with_model(self) -> Target:
        """Return the target, ready to ask. Raises UsageError for openai, whose server alone knows a model."""
        for place in self.places:
            if place.provider == "openai" and not (self.model or place.model):
                raise UsageError(f"say which model: add -m NAME; `g4fsdk models {_words(place)}` lists them")
        return self

    def each(self) -> list[Target]:
        """Return a target for each place."""
        return [replace(self, places=(place,)) for place in self.places]

    def usage_options(self) -> dict[str, Any]:
        """Return the options that make a stream tell what it used, where everybody asked takes them."""
        from g4fsdk.providers import PROVIDERS

        takers = {name for name, kind in PROVIDERS.items() if "stream_options" in kind.options}
        is_told = bool(self.names) and takers.issuperset(self.names)
        return {"stream_options": {"include_usage": True}} if is_told else {}

    def client(self, **more: Any) -> Client:
        """Return a client for the target. Raises UsageError for what cannot be."""
        from g4fsdk import Client

        return Client(self.providers(), **self.settings(**more))

    def async_client(self, **more: Any) -> AsyncClient:
        """The same for an AsyncClient."""
        from g4fsdk import AsyncClient

        return AsyncClient(self.providers(), **self.settings(**more))

    def providers(self) -> list[Provider] | None:
        """Return what a client takes for whom to ask. Raises UsageError for what cannot be."""
        return [place.made() for place in self.places] or None

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the other arguments of a client, and *more*: those that are given."""
        own = {"model": self.model, "timeout": self.timeout, "retries": self.retries, "proxy": self.proxy}
        return {name: value for name, value in {**own, **more}.items() if value is not None}


def working() -> tuple[str, ...]:
    """Return the providers that are known to work, and are asked by their name alone."""
    from g4fsdk.providers import PROVIDERS

    return tuple(name for name, kind in PROVIDERS.items() if kind.working and kind.has_home)


def _words(place: Place) -> str:
    """Return the options that name *place*."""
    if place.endpoint:
        return f"-e {place.endpoint}"
    return f"--base-url {shown_address(place.base_url)}" if place.base_url else f"-p {place.provider}"


# --- What is said, and where ---


class Said(Discreet, frozen=True):
    """What the options of a command say of whom to ask, and how."""

    providers: tuple[str, ...] = ()
    model: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    timeout: float | None = None
    retries: int | None = None
    proxy: str | None = None
    endpoints: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        providers: list[str] | None,
        model: str | None,
        base_url: str | None,
        api_key: str | None,
        timeout: float | None,
        retries: int | None,
        proxy: str | None,
        endpoints: list[str] | None,
    ) -> Said:
        """Raises UsageError for an address or a key of several."""
        said = cls(
            tuple(providers or ()), model, base_url, api_key, timeout, retries, proxy, tuple(endpoints or ())
        )
        for option, value in (("--base-url", base_url), ("--api-key", api_key)):
            if value is not None and len(said.endpoints or said.providers) > 1:
                raise UsageError(f"{option} belongs to one provider: name one")
        return said

    @property
    def names_somebody(self) -> bool:
        return bool(self.providers or self.endpoints or self.base_url or self.api_key)

    def going_on(self, last: Turn) -> Said:
        """Return whom to ask behind the turn *last*: the same again, as far as no option says another.

        Raises:
            UsageError: It is not known where that was.
        """
        if self.providers or self.endpoints or self.base_url:
            return self
        model = self.model or last.model or None
        if last.endpoint in Config.load().endpoints:
            return replace(self, endpoints=(last.endpoint,), model=model)
        if MASK in last.base_url:
            raise UsageError(
                "the address of this conversation holds a secret, which is not kept: add --base-url"
            )
        return replace(self, providers=(last.provider,), base_url=last.base_url or None, model=model)

    def target(self, otherwise: str | None = None) -> Target:
        """Return whom to ask: *otherwise*, where nothing says so.

        Raises:
            UsageError: It cannot be, or the settings cannot.
        """
        known = _Known.of(Config.load(), os.environ)
        places = tuple(known.places(self, otherwise))
        model = self.model or (None if places else known.config.defaults.model)
        return Target(places, model, self.timeout, self.retries, self.proxy)


class _Known(msgspec.Struct, frozen=True):
    """What is known where the options say nothing: settings, and an environment above them."""

    config: Config
    environment: Mapping[str, str]
    openai: OpenAIDefaults  # of both

    @classmethod
    def of(cls, config: Config, environment: Mapping[str, str]) -> _Known:
        own = _as_variables(config.defaults)
        ours = own.keys() - {name for name, value in environment.items() if value}
        merged = {**environment, **{name: own[name] for name in ours}}
        return cls(config, environment, OpenAIDefaults.of(merged))

    def places(self, said: Said, otherwise: str | None) -> Iterator[Place]:
        """Give whom to ask, in order."""
        if said.endpoints:
            yield from (self._endpoint(name, said) for name in said.endpoints)
            return
        named = said.providers or (("openai",) if said.names_somebody else self._unsaid(otherwise))
        yield from (self._place(name, said) for name in named)

    def _unsaid(self, otherwise: str | None) -> tuple[str, ...]:
        """Return whom to ask where no option says so: an address of ours counts more than the settings."""
        defaults = self.config.defaults
        settings = defaults.provider or ("openai" if defaults.base_url else None)
        if self.environment.get("G4FSDK_BASE_URL") or (settings is None and self.openai.is_set):
            return ("openai",)
        name = settings or otherwise
        return (name,) if name else ()

    def _place(self, name: str, said: Said) -> Place:
        defaults = self.config.defaults
        base_url = said.base_url or (defaults.base_url if defaults.provider == name else None)
        return self._completed(Place(name, base_url, said.api_key))

    def _endpoint(self, name: str, said: Said) -> Place:
        """Return the endpoint *name*. Its key goes to its own address only."""
        endpoint = self.config.endpoint(name)
        provider = endpoint.provider or "openai"
        if said.providers not in ((), (provider,)):
            raise UsageError(f"the endpoint {name!r} is of {provider}: leave out -p")
        base_url = said.base_url or endpoint.base_url or _home_of(provider)
        key = said.api_key or (None if said.base_url else _key(name, endpoint, self.environment))
        return self._completed(Place(provider, base_url, key, endpoint.model, name))

    def _completed(self, place: Place) -> Place:
        """Return *place* with what the environment and the settings add to it."""
        if place.provider != "openai":
            return replace(place, model=place.model or self._default_model(place.provider))
        given = {"base_url": place.base_url, "api_key": place.api_key, "model": place.model}
        return replace(place, **self.openai.complete(given))

    def _default_model(self, provider: str) -> str | None:
        """Return the model that *provider* is asked for where nothing more is said: one that it may have."""
        defaults = self.config.defaults
        if defaults.provider == provider or (defaults.provider is None and _lists(provider, defaults.model)):
            return defaults.model
        return None


def _as_variables(defaults: Defaults) -> dict[str, str]:
    """Return *defaults*, where they are for openai, as the variables that say the same."""
    if defaults.provider not in (None, "openai"):
        return {}
    said = {"G4FSDK_BASE_URL": defaults.base_url, "G4FSDK_MODEL": defaults.model}
    return {name: value for name, value in said.items() if value}


def _key(name: str, endpoint: Endpoint, environment: Mapping[str, str]) -> str | None:
    if endpoint.api_key_env is None:
        return None
    key = environment.get(endpoint.api_key_env)
    if not key:
        raise UsageError(f"the endpoint {name!r} takes its key from {endpoint.api_key_env}, which is not set")
    return key


def _home_of(provider: str) -> str | None:
    """Return the address of *provider* itself, where the environment might name another."""
    from g4fsdk.providers import OpenAI

    return OpenAI.url if provider == "openai" else None


def _lists(provider: str, model: str | None) -> bool:
    from g4fsdk.providers import PROVIDERS

    kind = PROVIDERS.get(provider)
    return kind is not None and model in {*kind.models, *kind.image_models, *kind.aliases}
