"""Answers on stdout: as text while it arrives, or as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from g4fsdk._core.decoding.images import address_of
from g4fsdk._core.model.events import Event, ReasoningDelta, TextDelta
from g4fsdk.cli.output import (
    plain,
    say,
    write,
    write_document,
    write_json_line,
)

if TYPE_CHECKING:
    from g4fsdk import Client
    from g4fsdk._core.model.completions import Completion


@dataclass(frozen=True, slots=True)
class Style:
    """How to show an answer: *whole* at its end or as it comes, as text or as JSON."""

    whole: bool = False
    as_json: bool = False
    show_reasoning: bool = False


def ask(client: Client, call: dict[str, Any], style: Style, *, stream: bool) -> None:
    """Ask *call*, the arguments of `create`, over a stream or not, and show the answer.

    Raises:
        G4FError: There is no complete answer. What arrived has been shown, unless it was to be shown whole.
    """
    chats = client.chat.completions
    if not stream:
        show_completion(chats.create(**call, stream=False), style)
        return
    with chats.stream(**call) as events:
        if style.whole:
            show_completion(events.get_final_completion(), style)
        elif style.as_json:
            for event in events:
                write_json_line({"type": type(event).__name__, **plain(event)})
        else:
            with TextPrinter(style) as printer:
                for event in events:
                    printer.show(event)
                printer.complete(events.get_final_completion())


def show_completion(completion: Completion, style: Style) -> None:
    """Show a whole answer."""
    if style.as_json:
        said = {"text": completion.text, **completion.to_dict()}
        write_document({**said, "conversation": completion.conversation})
        return
    with TextPrinter(style) as printer:
        reasoning = completion.choices[0].message.reasoning
        if reasoning:
            printer.show(ReasoningDelta(reasoning))
        printer.complete(completion)


@dataclass(slots=True)
class TextPrinter:
    """Prints the first choice; whatever happens, what it printed ends with a line end."""

    style: Style
    _shown: list[str] = field(default_factory=list)
    _is_thinking: bool = False

    def __enter__(self) -> TextPrinter:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer()
        if self._shown and not self._shown[-1].endswith("\n"):
            write("\n")

    def show(self, event: Event) -> None:
        """Print *event* if it is text; thoughts go to stderr when they are wanted."""
        match event:
            case TextDelta(text=text, choice=0) if text:
                self._answer(text)
            case ReasoningDelta(text=text, choice=0) if self.style.show_reasoning:
                say(text, end="")
                self._is_thinking = True

    def complete(self, completion: Completion) -> None:
        """Print what the events did not say.

        Raises:
            typer.Exit: The model refused, which is said on stderr.
        """
        # The service's own whole answer may go on after the pieces; where it differs, they stay as they are.
        shown = "".join(self._shown)
        if completion.text.startswith(shown):
            self._answer(completion.text[len(shown) :])
        message = completion.choices[0].message
        for call in message.tool_calls or ():
            self._line(msgspec.json.encode(call.function).decode())
        for image in completion.images:
            self._line(address_of(image))
        if message.refusal:
            say(f"g4fsdk: the model refused: {message.refusal}")
            raise typer.Exit(1)

    def _answer(self, text: str = "") -> None:
        if self._is_thinking:
            say("")
            self._is_thinking = False
        if text:
            self._shown.append(text)
            write(text)

    def _line(self, text: str) -> None:
        before = "\n" if self._shown and not self._shown[-1].endswith("\n") else ""
        self._answer(f"{before}{text}\n")
