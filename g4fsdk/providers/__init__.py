"""The providers, by name. Adding one is a file beside this one, a line in the table, and a cassette.

Each is imported when it is first asked for: its decoders and parsers come with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from g4fsdk._core.flow.checks import nearest
from g4fsdk._core.flow.provider import Provider
from g4fsdk._core.model.errors import UsageError

if TYPE_CHECKING:
    from g4fsdk.providers.amigo import Amigo
    from g4fsdk.providers.autonomous import Autonomous
    from g4fsdk.providers.cohere_c4ai import CohereC4AI
    from g4fsdk.providers.openai import OpenAI
    from g4fsdk.providers.yqcloud import Yqcloud

    PROVIDERS: Mapping[str, type[Provider]]

_PLACES = {
    "cohere-c4ai": "cohere_c4ai.CohereC4AI",
    "autonomous": "autonomous.Autonomous",
    "yqcloud": "yqcloud.Yqcloud",
    "amigo": "amigo.Amigo",
    "openai": "openai.OpenAI",
}


def _imported(place: str) -> type[Provider]:
    module, _, kind = place.partition(".")
    found: type[Provider] = getattr(__import__(f"{__name__}.{module}", fromlist=[kind]), kind)
    return found


@cache
def _all() -> Mapping[str, type[Provider]]:
    return {name: _imported(place) for name, place in _PLACES.items()}


def get(name: str, **settings: Any) -> Provider:
    """Return the provider called *name*; *settings* are its keywords (base_url, api_key, headers...).

    Raises:
        UsageError: No provider has that name; the message lists those there are.
    """
    if name not in _PLACES:
        raise UsageError(f"unknown provider {name!r}; known: {', '.join(_PLACES)}")
    return _imported(_PLACES[name])(**settings)


def listing(model: str) -> list[str]:
    """Return the names of the providers that list *model* and are known to work.

    Raises:
        UsageError: None does.
    """
    lists = {name: {*kind.models, *kind.image_models, *kind.aliases} for name, kind in _all().items()}
    found = [name for name, models in lists.items() if model in models]
    if not found:
        known = set[str]().union(*lists.values())
        raise UsageError(
            f"no provider lists the model {model!r}; name a provider, or one of: {nearest(model, known)}"
        )
    working = [name for name in found if _all()[name].working]
    if not working:
        raise UsageError(
            f"who lists the model {model!r} is not known to work: {', '.join(found)}; name one to ask it all "
            "the same, or set OPENAI_API_KEY to ask openai"
        )
    return working


__all__ = [
    "PROVIDERS",
    "Amigo",
    "Autonomous",
    "CohereC4AI",
    "OpenAI",
    "Provider",
    "Yqcloud",
    "get",
    "listing",
]

if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of ours

    def __getattr__(name: str) -> object:
        if name == "PROVIDERS":
            return _all()
        place = next((place for place in _PLACES.values() if place.endswith(f".{name}")), None)
        if place is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return _imported(place)
