"""`g4fsdk chat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from g4fsdk.cli import options
from g4fsdk.cli.options import as_messages, read_prompt
from g4fsdk.cli.show import Style, ask
from g4fsdk.cli.target import Target

if TYPE_CHECKING:
    from g4fsdk.testing._replay.planned import Pace


def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROMPT]", help="What to say. What is piped in follows it after a blank line."
        ),
    ] = None,
    provider: options.Providers = None,
    model: options.Model = None,
    base_url: options.BaseURL = None,
    api_key: options.APIKey = None,
    system: Annotated[str | None, typer.Option(help="Tell the model how to behave.", metavar="TEXT")] = None,
    option: options.Settings = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object an event, or one document with --no-stream.")
    ] = False,
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Print the answer when it is complete.")
    ] = False,
    show_reasoning: Annotated[
        bool, typer.Option("--show-reasoning", help="Print what the model thinks aloud, on stderr.")
    ] = False,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    proxy: options.Proxy = None,
    replay: Annotated[
        str | None,
        typer.Option(
            help="Play this recording in place of the network, or `demo`, the one inside this package. "
            "Without PROMPT it asks what was asked then; stdin is not read.",
            metavar="CASSETTE",
            rich_help_panel="Recording",
        ),
    ] = None,
    pace: options.PaceText = "recorded",
) -> None:
    """Ask, and print the answer while it arrives.

    An answer that breaks off stays on stdout as far as it came; the reason follows on stderr.
    """
    target = Target(tuple(provider or ()), model, base_url, api_key, timeout, retries, proxy)
    settings = options.read_settings(option)
    style = Style(no_stream, as_json, show_reasoning)
    if replay is not None:
        _replay(replay, options.read_pace(pace), target, style, prompt, system, settings)
        return
    target = target.checked().with_model()
    call = {"messages": as_messages(read_prompt(prompt), system), **settings}
    with target.client() as client:
        ask(client, call, style, stream=not no_stream)


def _replay(
    name: str,
    pace: Pace,
    target: Target,
    style: Style,
    prompt: str | None,
    system: str | None,
    settings: dict[str, Any],
) -> None:
    from g4fsdk.cli.image import show_images
    from g4fsdk.cli.replayed import ReplayedCall

    replayed = ReplayedCall.load(name)
    call = replayed.call(prompt, system, settings | ({"model": target.model} if target.model else {}))
    stream = call.pop("stream", not style.whole)
    with replayed.client(target, pace) as client:
        replayed.announce()
        if "prompt" in call:
            show_images(client.images.generate(**call).data, as_json=style.as_json)
        else:
            ask(client, call, style, stream=stream)
