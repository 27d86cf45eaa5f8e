"""The options of the commands that ask, by group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._words import completing

if TYPE_CHECKING:
    from g4fsdk.testing._replay.planned import Pace

WHOM, NETWORK, RECORDING, KEPT = "Whom to ask", "Network", "Recording", "Conversations"

# --- Whom to ask ---

Providers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--provider",
        metavar="NAME",
        help="Ask this provider. Give it again to name the ones to try when it fails.",
        autocompletion=completing.providers,
        rich_help_panel=WHOM,
    ),
]
Endpoints: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-e",
        "--endpoint",
        metavar="NAME",
        help="Ask this endpoint of yours, see `g4fsdk config set --help`. Give it again to name the next.",
        autocompletion=completing.endpoints,
        rich_help_panel=WHOM,
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        help="Ask for this model. Without a provider, those that list it are tried.",
        autocompletion=completing.models,
        rich_help_panel=WHOM,
    ),
]
BaseURL: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Ask at this address, such as http://localhost:11434/v1. Without -p the provider is openai.",
        metavar="URL",
        rich_help_panel=WHOM,
    ),
]
APIKey: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Send this key. Without it, provider openai gets G4FSDK_API_KEY at G4FSDK_BASE_URL, "
        "OPENAI_API_KEY at OPENAI_BASE_URL; where those are not set, at OpenAI's own address. No key of the "
        "environment goes anywhere else.",
        metavar="KEY",
        rich_help_panel=WHOM,
    ),
]
# --- Network ---

Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        help="Give up when nothing came for so many seconds.",
        metavar="SECONDS",
        rich_help_panel=NETWORK,
    ),
]
Retries: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=0, help="How often to try, all in all; 3 if not given.", metavar="N", rich_help_panel=NETWORK
    ),
]
Proxy: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Go through this proxy, like http://user:password@host:port.",
        metavar="URL",
        rich_help_panel=NETWORK,
    ),
]

# --- What to ask ---

Prompt: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="PROMPT", help="What to say. What is piped in follows it after a blank line."),
]
System: TypeAlias = Annotated[
    str | None, typer.Option("-s", "--system", help="Tell the model how to behave.", metavar="TEXT")
]
Attached: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-a",
        "--attach",
        metavar="FILE|URL",
        help="Send this, too: a picture, or text in UTF-8; `-` is stdin. What an address names has to be a "
        "picture, which the service fetches. Repeatable.",
    ),
]
Schema: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="Ask for JSON as this JSON Schema describes it; an answer that does not fit is a failure.",
    ),
]
Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="Set an option, such as temperature=0.2. The value is JSON, or else text. Repeatable.",
    ),
]

# --- Going on, and keeping ---

Continue: TypeAlias = Annotated[
    bool, typer.Option("-c", "--continue", help="Go on with the last conversation.", rich_help_panel=KEPT)
]
ConversationID: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--conversation",
        metavar="ID",
        help="Go on with this one of `g4fsdk logs`; the beginning of its id will do.",
        rich_help_panel=KEPT,
    ),
]
NoLog: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-log", help="Keep nothing of it; see also `g4fsdk config set --help`.", rich_help_panel=KEPT
    ),
]

# --- How to show the answer ---

AsJSON: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EventsAsJSON: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object an event, or one document with --no-stream.")
]
NoStream: TypeAlias = Annotated[
    bool, typer.Option("--no-stream", help="Print the answer when it is complete.")
]
ShowReasoning: TypeAlias = Annotated[
    bool, typer.Option("--show-reasoning", help="Print what the model thinks aloud, on stderr.")
]
Plain: TypeAlias = Annotated[
    bool, typer.Option("--plain", help="Print text as it is; a terminal gets Markdown rendered.")
]
ShowUsage: TypeAlias = Annotated[
    bool, typer.Option("--usage", help="Print on stderr how many tokens it took, where the service says so.")
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write the answer to this file in place of stdout, once it is complete.",
    ),
]

# --- Recording ---

Replay: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Play this recording in place of the network, or `demo`, the one inside this package. "
        "Without PROMPT it asks what was asked then; stdin is not read.",
        metavar="CASSETTE",
        rich_help_panel=RECORDING,
    ),
]
PaceText: TypeAlias = Annotated[
    str,
    typer.Option(
        help="How fast to play it: recorded, instant, or a factor on the recorded waits.",
        metavar="PACE",
        rich_help_panel=RECORDING,
    ),
]


def read_pace(text: str) -> Pace:
    """Return the pace that *text* names. Raises UsageError for anything else."""
    named: dict[str, Pace] = {"instant": "instant", "recorded": "recorded"}
    if text in named:
        return named[text]
    try:
        factor = float(text)
    except ValueError:
        factor = -1.0
    if not 0 <= factor < float("inf"):
        raise UsageError(f"--pace takes instant, recorded, or a factor such as 0.5, not {text!r}")
    return factor
