"""Which provider a recorded request belongs to, and at which address it was made."""

from __future__ import annotations

import re
from collections.abc import Iterable

from g4fsdk.providers import PROVIDERS, Provider
from g4fsdk.testing._cassette.values import Session

# What OpenAI's services have besides what is read of them here: all below the same `/v1`.
_OF_OPENAI = re.compile(r"/v1/(?:responses|embeddings|moderations|audio|images|files|batches)(?:[/?#]|$)")


def provider_of_url(url: str) -> str:
    """Return the name of the provider whose requests look like *url*, ``""`` when none's do."""
    # What any service may be asked for counts last.
    kinds = sorted(PROVIDERS.items(), key=lambda item: not item[1].has_home)
    return next((name for name, kind in kinds if kind.is_asked_at(url)), "")


def providers_of(urls: Iterable[str]) -> list[str]:
    """Return the names of the providers of *urls*, each once, in order."""
    return list(dict.fromkeys(name for url in urls if (name := provider_of_url(url))))


def provider_of(cassette: Session) -> type[Provider] | None:
    """Return the provider that reads *cassette*: the one it names, or else the one its requests look like."""
    said = str(cassette.metadata.get("provider", ""))
    found = [said] if said in PROVIDERS else providers_of(each.request.url for each in cassette.interactions)
    return PROVIDERS[found[0]] if found else None


def base_url_of(cassette: Session, provider: str = "") -> str | None:
    """Return the address of the recorded service, as *provider*, or else the recorded one, takes it."""
    said, urls = cassette.metadata, [one.request.url for one in cassette.interactions]
    if said.get("base_url") or not urls:
        return said.get("base_url")
    name = provider or said.get("provider") or ""
    # In a fallback the providers that failed were asked first.
    url = next((url for url in urls if provider_of_url(url) == name), urls[0])
    kind = PROVIDERS.get(name or provider_of_url(url), Provider)
    return (PROVIDERS["openai"] if not name and _OF_OPENAI.search(url) else kind).base_url_in(url)
