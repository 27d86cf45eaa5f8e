"""Which provider a recorded request belongs to, and which file reads its answers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from g4fsdk.testing._cassette.values import Session

ADDRESSES: Final = {
    "cohere-c4ai": re.compile(r"/conversation(?:[/?#]|$)"),
    "yqcloud": re.compile(r"/api/generateStream(?:[?#]|$)"),
    "autonomous": re.compile(r"/api/v1/ai/(?:chat|chat-hermes|chat-vision|summary)(?:[?#]|$)"),
    "amigo": re.compile(r"amigochat\.io(?::\d+)?/v1/"),
    "openai": re.compile(r"/(?:chat/completions|completions|images/generations|models)(?:[?#]|$)"),
}
"""What the URL of each provider's requests holds, on whatever host; the first that fits wins."""


_OPENAI_ENDPOINTS = ("/chat/completions", "/images/generations", "/models")


def provider_of_url(url: str) -> str:
    """Return the name of the provider whose requests look like *url*, ``""`` when none's do."""
    return next((name for name, address in ADDRESSES.items() if address.search(url)), "")


def providers_of(urls: Iterable[str]) -> list[str]:
    """Return the names of the providers of *urls*, each once, in order."""
    return list(dict.fromkeys(name for url in urls if (name := provider_of_url(url))))


def base_url_of(cassette: Session, provider: str = "") -> str | None:
    """Return the address of the recorded service, as *provider*, or else the recorded one, takes it."""
    said, urls = cassette.metadata, [one.request.url for one in cassette.interactions]
    if said.get("base_url") or not urls:
        return said.get("base_url")
    name = provider or said.get("provider")
    # In a fallback the providers that failed were asked first.
    url = urlsplit(next((url for url in urls if provider_of_url(url) == name), urls[0]))
    return f"{url.scheme}://{url.netloc}{_openai_path(url.path) if name == 'openai' else ''}"


def _openai_path(path: str) -> str:
    """Return what of *path* stands before the endpoint, or where that is an unknown one, up to /v1."""
    for end in _OPENAI_ENDPOINTS:
        if path.endswith(end):
            return path.removesuffix(end)
    before, version, _ = f"{path}/".partition("/v1/")
    return f"{before}/v1" if version else ""


def file_of(cassette: Session) -> str:
    """Return the path of the provider file that reads *cassette*, or of the folder when none is known."""
    said = cassette.metadata.get("provider")
    found = [said] if said in ADDRESSES else providers_of(each.request.url for each in cassette.interactions)
    return f"g4fsdk/providers/{found[0].replace('-', '_')}.py" if found else "g4fsdk/providers/"
