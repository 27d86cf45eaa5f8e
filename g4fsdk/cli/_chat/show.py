"""Answers on stdout, or in a file: as text while it arrives, or as JSON."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
import typer

from g4fsdk._core.model.events import ConversationEvent, Event, ReasoningDelta, TextDelta, Title, Usage
from g4fsdk.cli._terminal.output import (
    is_terminal,
    plain,
    say,
    say_dimmed,
    shows_all,
    typing_unseen,
    write,
    write_document,
    write_json_line,
)
from g4fsdk.cli._terminal.waiting import Waiting
from g4fsdk.testing._cassette.files import check_place, write_atomically

if TYPE_CHECKING:
    from g4fsdk import Client
    from g4fsdk._core.model.completions import Completion
    from g4fsdk._core.model.events import Image
    from g4fsdk.cli._terminal.markdown import MarkdownPrinter
    from g4fsdk.cli._words.schema import Schema


class Style(msgspec.Struct, frozen=True):
    """How to show an answer: *whole* at its end or as it comes, as text or as JSON; on stdout or in *output*.

    *is_plain*: Markdown stays as it is. *schema*: what the answer itself has to fit.
    """

    whole: bool = False
    as_json: bool = False
    show_reasoning: bool = False
    is_plain: bool = False
    schema: Schema | None = None
    show_usage: bool = False
    output: Path | None = None

    def shows(self, event: Event) -> bool:
        """Tell whether *event* is to be seen at once."""
        match event:
            case _ if self.output is not None or self.as_json:
                return self.output is None
            case ReasoningDelta():
                return self.show_reasoning
            case _:
                return not isinstance(event, ConversationEvent | Title)


def ask(client: Client, call: dict[str, Any], style: Style, waiting: Waiting, *, stream: bool) -> Completion:
    """Ask *call*, the arguments of `create`, over a stream or not; show the answer, and return it.

    Raises:
        G4FError: There is no complete answer, or it is not what was asked for. What arrived has been shown,
            unless it was to be shown whole.
        typer.Exit: The model refused, which is said on stderr.
    """
    with typing_unseen(), nullcontext() if style.output is None else _saved(style.output):
        completion = _ask(client, call, style, waiting, stream=stream)
        if style.show_usage:
            say(_usage_line(completion.usage))
        if style.schema is not None:
            style.schema.check(completion)
    return completion


@contextmanager
def _saved(path: Path) -> Iterator[None]:
    """Put in a file what goes to stdout, when all went well; else it goes to stdout after all."""
    check_place(path)
    text = io.StringIO()
    try:
        with redirect_stdout(text):
            yield
        write_atomically(path, text.getvalue().encode(errors="backslashreplace"))
    except BaseException:
        write(text.getvalue())
        raise
    say(f"the answer is in {path}")


def _ask(client: Client, call: dict[str, Any], style: Style, waiting: Waiting, *, stream: bool) -> Completion:
    chats = client.chat.completions
    with waiting:
        if stream and not style.whole:
            with chats.stream(**call) as events:
                _show(_watched(events, style, waiting), events.get_final_completion, style)
                return events.get_final_completion()
        if stream:
            with chats.stream(**call) as events:
                completion = events.get_final_completion()
        else:
            completion = chats.create(**call, stream=False)
    show_completion(completion, style)
    return completion


def _watched(events: Iterable[Event], style: Style, waiting: Waiting) -> Iterator[Event]:
    """Give *events*; waiting is over with the first that is shown, and with the last."""
    for event in events:
        if style.shows(event):
            waiting.end()
        else:
            waiting.see(event)
        yield event
    waiting.end()


def _show(events: Iterable[Event], completion: Callable[[], Completion], style: Style) -> None:
    """Show *events* as they come, and at their end what they did not say."""
    if style.as_json:
        for event in events:
            write_json_line({"type": type(event).__name__, **plain(event)})
        return
    with TextPrinter(style) as printer:
        for event in events:
            printer.show(event)
        printer.complete(completion())


def _usage_line(usage: Usage | None) -> str:
    if usage is None:
        return "usage: the service did not say"
    counts = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    return "usage: {:,} prompt + {:,} completion = {:,} tokens".format(*counts)


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


class TextPrinter:
    """Prints the first choice; whatever happens, what it printed ends with a line end."""

    def __init__(self, style: Style) -> None:
        self._shows_reasoning = style.show_reasoning
        is_text = style.is_plain or style.schema is not None
        self._renders = not is_text and is_terminal(sys.stdout) and shows_all(sys.stdout)
        self._markdown: MarkdownPrinter | None = None
        self._shown: list[str] = []
        self._is_thinking = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()

    def show(self, event: Event) -> None:
        """Print *event* if it is text; thoughts go to stderr when they are wanted."""
        match event:
            case TextDelta(text=text, choice=0) if text:
                self._answer(text)
            case ReasoningDelta(text=text, choice=0) if self._shows_reasoning:
                self._end_markdown()
                say_dimmed(text)
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
            self._line(_address_of(image))
        if message.refusal:
            say(f"g4fsdk: the model refused: {message.refusal}")
            raise typer.Exit(1)

    def _answer(self, text: str) -> None:
        self._end_thought()
        if not text:
            return
        self._shown.append(text)
        if self._renders:
            self._markdown = self._markdown or _new_markdown()
            self._markdown.write(text)
        else:
            write(text)

    def _line(self, text: str) -> None:
        self._end_line()
        self._shown.append(f"{text}\n")
        write(f"{text}\n")

    def _end_line(self) -> None:
        self._end_thought()
        self._end_markdown()
        if not self._renders and self._shown and not self._shown[-1].endswith("\n"):
            write("\n")
            self._shown.append("\n")

    def _end_thought(self) -> None:
        if self._is_thinking:
            say("")
            self._is_thinking = False

    def _end_markdown(self) -> None:
        markdown, self._markdown = self._markdown, None
        if markdown is not None:
            markdown.close()


def _new_markdown() -> MarkdownPrinter:
    from g4fsdk.cli._terminal.markdown import MarkdownPrinter

    return MarkdownPrinter()


def _address_of(image: Image) -> str:
    from g4fsdk._core.decoding.images import address_of

    return address_of(image)
