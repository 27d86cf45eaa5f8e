"""`g4fsdk serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._kept.config import Config
from g4fsdk.cli._terminal.output import say, write
from g4fsdk.cli._words import options
from g4fsdk.cli._words.target import Place, Said, Target, working

if TYPE_CHECKING:
    from g4fsdk import AsyncClient
    from g4fsdk._client.transport import Transport
    from g4fsdk.server.upstream import Upstream

_GATEWAY = "Who may ask"


def serve(
    provider: options.Providers = None,
    endpoint: options.Endpoints = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            metavar="NAME",
            help="Ask for this model where a request names none.",
            rich_help_panel=options.WHOM,
        ),
    ] = None,
    base_url: options.BaseURL = None,
    provider_key: Annotated[
        str | None,
        typer.Option(
            help="Send this key to the provider. Without it, openai gets the one of the environment.",
            metavar="KEY",
            rich_help_panel=options.WHOM,
        ),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="Play this recording, or a folder of them, again and again in place of the network.",
            metavar="FILE|FOLDER",
            rich_help_panel=options.RECORDING,
        ),
    ] = None,
    pace: options.PaceText = "instant",
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0 takes one that is free.")
    ] = 8000,
    api_key: Annotated[
        str | None,
        typer.Option(
            help="Answer only who sends this key.",
            metavar="KEY",
            envvar="G4FSDK_SERVE_API_KEY",
            rich_help_panel=_GATEWAY,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Answer under this name, too; addresses and names without a dot need none. Repeatable.",
            metavar="NAME",
            rich_help_panel=_GATEWAY,
        ),
    ] = None,
    max_body: Annotated[
        int,
        typer.Option(
            min=1, metavar="BYTES", help="How many bytes a request may have.", rich_help_panel=_GATEWAY
        ),
    ] = 16 << 20,
    max_concurrency: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="How many calls may go on at once.", rich_help_panel=_GATEWAY),
    ] = 256,
    max_seconds: Annotated[
        float,
        typer.Option(min=0.1, metavar="SECONDS", help="How long a call may take.", rich_help_panel=_GATEWAY),
    ] = 600.0,
    ignore_unsupported: Annotated[
        bool,
        typer.Option(
            "--ignore-unsupported", help="Leave out options that the provider can't honour: else status 400."
        ),
    ] = False,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    proxy: options.Proxy = None,
) -> None:
    """Serve OpenAI's API in front of any provider, until Ctrl-C. Prints the address to give to clients.

    Clients in any language ask /v1/chat/completions, /v1/models and /v1/images/generations, whichever
    provider answers. A model called like one of your endpoints is asked there: NAME means the endpoint's own
    model, NAME/MODEL another; those of -e are meant, or, with nobody named, all.

    With --replay, recordings of any provider answer as OpenAI does; `cassette serve` plays them byte by byte
    instead, to who speaks as the recorded service does.
    """
    from g4fsdk.server.app import Gateway
    from g4fsdk.server.guards import Limits
    from g4fsdk.server.run import serve_forever

    names = frozenset(name.lower() for name in allow_host or ())
    limits = Limits(api_key, host, names, max_body, max_concurrency, max_seconds)
    said = Said.read(provider, model, base_url, provider_key, timeout, retries, proxy, endpoint)
    upstream = _recorded(said, replay, pace) if replay else _live(said)

    def ready(address: str) -> None:
        write(f"{address}\n")
        if limits.is_away and api_key is None:
            say("g4fsdk: whoever reaches it may ask, and at your cost: --api-key KEY lets in only who has it")

    serve_forever(Gateway(upstream, limits, ignore_unsupported), host, port, ready)


def _live(said: Said) -> Upstream:
    from g4fsdk.server.upstream import Upstream

    target = said.target()
    client, endpoints = target.async_client(), _endpoints(said, target)
    named = {
        one.places[0].endpoint: Upstream([one.async_client()], one.names, needs_model=not one.has_model)
        for one in endpoints
    }
    if len(target.places) == 1:
        return Upstream([client], target.names, [client], named=named)
    if said.endpoints:  # their names are the models
        return Upstream([client], target.names, named=named)
    several = target if target.places else replace(target, places=tuple(map(Place, working())))
    listers = [one.async_client() for one in several.each()]
    return Upstream([client], target.names, listers, named=named)


def _endpoints(said: Said, target: Target) -> list[Target]:
    """Return the endpoints that a request may choose by name: those of the options, or with none all."""
    if said.endpoints or said.names_somebody:
        return target.each() if said.endpoints else []
    return [found for name in Config.load().endpoints if (found := _usable(name, said))]


def _usable(name: str, said: Said) -> Target | None:
    """Return the endpoint *name*, or say why it can't be asked."""
    try:
        return replace(said, endpoints=(name,)).target()
    except UsageError as error:
        say(f"g4fsdk: {error.message}, so it is left out")
        return None


def _recorded(said: Said, source: Path, pace: str) -> Upstream:
    from g4fsdk.server.upstream import recorded

    if len(said.providers) > 1:
        raise UsageError("a recording is of one provider: name one, or none")
    target = Target((), said.model, said.timeout, said.retries, said.proxy)

    def make(name: str, base_url: str | None, transport: Transport) -> AsyncClient:
        place = Place(name, said.base_url or base_url, said.api_key)
        return replace(target, places=(place,)).async_client(transport=transport)

    return recorded(source, make, provider=next(iter(said.providers), None), pace=options.read_pace(pace))
