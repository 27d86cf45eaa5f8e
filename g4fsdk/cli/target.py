"""Whom to ask, and with which key."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from g4fsdk._client.environment import OpenAIDefaults
from g4fsdk._core.flow.addresses import shown_address
from g4fsdk._core.model.errors import UsageError

if TYPE_CHECKING:
    from g4fsdk import Client

NOBODY = (
    "say whom to ask: -p yqcloud, or -m gpt-4, or --base-url http://localhost:11434/v1 -m llama3.2, "
    "or play a recording with --replay demo (`g4fsdk providers` lists the providers)"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask. No *providers*: the model chooses. None leaves a setting to the client."""

    providers: tuple[str, ...] = ()
    model: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    timeout: float | None = None
    retries: int | None = None
    proxy: str | None = None

    def or_else(self, provider: str) -> Target:
        """Return the target with *provider* where none is named; a base URL alone means openai."""
        if self.providers:
            return self
        return replace(self, providers=("openai" if self.base_url else provider,))

    def only(self, provider: str) -> Target:
        """Return the target with *provider* alone. Raises UsageError for a base URL of several."""
        if self.base_url and len(self.providers) > 1:
            raise UsageError("--base-url belongs to one provider: name one")
        return replace(self, providers=(provider,))

    def checked(self) -> Target:
        """Return the target, ready to ask. Raises UsageError when nobody is named."""
        is_unnamed = not self.providers and not self.base_url
        if self.base_url or (is_unnamed and OpenAIDefaults.of(os.environ).is_set):
            return replace(self, providers=self.providers or ("openai",))
        if is_unnamed and not self.model:
            raise UsageError(NOBODY)
        return self

    def with_model(self) -> Target:
        """Return the target, ready to ask. Raises UsageError for openai, whose server alone knows a model."""
        if self.providers == ("openai",) and not (self.model or OpenAIDefaults.of(os.environ).model):
            where = f"--base-url {shown_address(self.base_url)}" if self.base_url else "-p openai"
            raise UsageError(f"say which model: add -m NAME; `g4fsdk models {where}` lists them")
        return self

    def client(self, **more: Any) -> Client:
        """Return a client for the target. Raises UsageError for what cannot be."""
        from g4fsdk import Client

        return Client(self.providers or None, **self.settings(**more))

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the keyword arguments of a client for the target, and *more*: those that are given."""
        settings = {
            "model": self.model,
            "base_url": self.base_url,
            "api_key": self.api_key,
            "timeout": self.timeout,
            "retries": self.retries,
            "proxy": self.proxy,
            **more,
        }
        return {name: value for name, value in settings.items() if value is not None}
