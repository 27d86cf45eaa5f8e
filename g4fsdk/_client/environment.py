"""What the environment says of provider `openai`: its address, key and model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from g4fsdk._core.model.redact import Discreet


class OpenAIDefaults(Discreet, frozen=True):
    """Where `openai` is asked, with which key, for which model, where the caller says nothing.

    *keys* are by the addresses that they are for: a key goes nowhere else.
    """

    base_url: str | None = None
    model: str = ""
    keys: Mapping[str, str] = {}

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> OpenAIDefaults:
        """Read G4FSDK_BASE_URL, G4FSDK_API_KEY and G4FSDK_MODEL, then OPENAI_BASE_URL and OPENAI_API_KEY."""
        usual = environment.get("OPENAI_BASE_URL") or None
        own = environment.get("G4FSDK_BASE_URL") or usual
        keys = {_place(usual): environment.get("OPENAI_API_KEY")}
        keys |= {_place(own): environment.get("G4FSDK_API_KEY") or keys.get(_place(own))}
        known = {place: key for place, key in keys.items() if key}
        return cls(own, environment.get("G4FSDK_MODEL") or "", known)

    @property
    def is_set(self) -> bool:
        """Whether they say that `openai` is to be asked."""
        return bool(self.base_url or self.keys)

    def complete(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return *settings* of a provider, with what is said here in place of what is not given there."""
        base_url = settings.get("base_url") or self.base_url
        found = {"api_key": self.keys.get(_place(base_url)), "model": self.model}
        given = {name: value for name, value in settings.items() if value is not None}
        return {**found, **given, "base_url": base_url}


def _place(base_url: str | None) -> str:
    from g4fsdk.providers import OpenAI  # the command line asks before it needs them

    return str(base_url or OpenAI.url).rstrip("/").lower()
