"""`g4fsdk providers` and `g4fsdk models`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from g4fsdk.cli._terminal.output import (
    plain,
    write,
    write_document,
    write_table,
)
from g4fsdk.cli._words import options
from g4fsdk.cli._words.target import Said, Target


def providers(as_json: options.AsJSON = False) -> None:
    """List the providers: whether they are known to work, where they are, and what they have."""
    rows = list(_provider_rows())
    if as_json:
        write_document(rows)
    else:
        write_table(rows)


def _provider_rows() -> Iterator[dict[str, Any]]:
    from g4fsdk.providers import PROVIDERS

    for name, kind in PROVIDERS.items():
        asks_server = kind().list_models() is not None
        yield {
            "name": name,
            "working": kind.working,
            "url": kind.url,
            "default_model": kind.default_model or None,
            "models": None if asks_server else len({*kind.models, *kind.image_models}),
            "streaming": True,
        }


def models(
    provider: options.Providers = None,
    endpoint: options.Endpoints = None,
    base_url: options.BaseURL = None,
    api_key: options.APIKey = None,
    as_json: options.AsJSON = False,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    proxy: options.Proxy = None,
) -> None:
    """List the models: of the providers you name, or of all whose list is fixed.

    With -p openai, -e or --base-url the server is asked for its own.
    """
    said = Said.read(provider, None, base_url, api_key, timeout, retries, proxy, endpoint)
    if not said.names_somebody:
        said = replace(said, providers=_with_fixed_lists())
    targets = said.target().each()
    rows = [row for target in targets for row in _model_rows(target)]
    if as_json:
        write_document(rows)
    elif len(targets) == 1:
        write("".join(f"{row['id']}\n" for row in rows))
    else:
        write_table([{"provider": row.get("endpoint", row["provider"]), "model": row["id"]} for row in rows])


def _with_fixed_lists() -> tuple[str, ...]:
    from g4fsdk.providers import PROVIDERS

    return tuple(name for name, kind in PROVIDERS.items() if kind().list_models() is None)


def _model_rows(target: Target) -> list[dict[str, Any]]:
    place = target.places[0]
    of = {"provider": place.provider, **({"endpoint": place.endpoint} if place.endpoint else {})}
    with target.client() as client:
        return [{**of, **plain(model)} for model in client.models.list()]
