"""What the shell can complete: names of providers, models, endpoints. Nobody is asked for them."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from g4fsdk._core.model.errors import UsageError


def providers(incomplete: str) -> list[str]:
    """Return the providers whose names begin with *incomplete*."""
    from g4fsdk.providers import PROVIDERS

    return _beginning(incomplete, PROVIDERS)


def endpoints(incomplete: str) -> list[str]:
    """Return the endpoints of the user whose names begin with *incomplete*; none of a file that is wrong."""
    from g4fsdk.cli._kept.config import Config

    try:
        return _beginning(incomplete, Config.load().endpoints)
    except (UsageError, OSError):  # who presses Tab is told of it once the command runs
        return []


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the models that begin with *incomplete*: of the providers named so far, or of all."""
    return _beginning(incomplete, models_of(ctx.params.get("provider") or ()))


def models_of(names: Iterable[str]) -> list[str]:
    """Return what the providers *names* list, or all do where that names none."""
    from g4fsdk.providers import PROVIDERS

    kinds = [PROVIDERS[name] for name in names if name in PROVIDERS] or PROVIDERS.values()
    return sorted({model for kind in kinds for model in (*kind.models, *kind.image_models, *kind.aliases)})


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
