"""The providers, by name. Adding one is a file beside this one, a line in `PROVIDERS`, and a cassette."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from g4fsdk._core.flow.checks import nearest
from g4fsdk._core.flow.provider import Provider
from g4fsdk._core.model.errors import UsageError
from g4fsdk.providers.amigo import Amigo
from g4fsdk.providers.autonomous import Autonomous
from g4fsdk.providers.cohere_c4ai import CohereC4AI
from g4fsdk.providers.openai import OpenAI
from g4fsdk.providers.yqcloud import Yqcloud

PROVIDERS: Mapping[str, type[Provider]] = {
    "cohere-c4ai": CohereC4AI,
    "autonomous": Autonomous,
    "yqcloud": Yqcloud,
    "amigo": Amigo,
    "openai": OpenAI,
}


def get(name: str, **settings: Any) -> Provider:
    """Return the provider called *name*; *settings* are its keywords (base_url, api_key, headers...).

    Raises:
        UsageError: No provider has that name; the message lists those there are.
    """
    if name not in PROVIDERS:
        raise UsageError(f"unknown provider {name!r}; known: {', '.join(PROVIDERS)}")
    return PROVIDERS[name](**settings)


def listing(model: str) -> list[str]:
    """Return the names of the providers that list *model* and are known to work.

    Raises:
        UsageError: None does.
    """
    found = [
        name for name, kind in PROVIDERS.items() if model in {*kind.models, *kind.image_models, *kind.aliases}
    ]
    if not found:
        known = {
            model
            for kind in PROVIDERS.values()
            for model in (*kind.models, *kind.image_models, *kind.aliases)
        }
        raise UsageError(
            f"no provider lists the model {model!r}; name a provider, or one of: {nearest(model, known)}"
        )
    working = [name for name in found if PROVIDERS[name].working]
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
