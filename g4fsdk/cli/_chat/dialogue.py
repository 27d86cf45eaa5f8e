"""`g4fsdk chat` without a prompt on a terminal: one asks, reads, and asks again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import (
    CompleteEvent,
    Completer,
    Completion,
    DummyCompleter,
    PathCompleter,
    WordCompleter,
)
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._chat.talk import Talk
from g4fsdk.cli._kept.folder import made_home
from g4fsdk.cli._terminal.failures import INTERRUPTED, exit_code
from g4fsdk.cli._terminal.output import say, typing_unseen, write
from g4fsdk.cli._words.attachments import Attachments
from g4fsdk.cli._words.completing import models_of
from g4fsdk.cli._words.question import Question
from g4fsdk.testing._cassette.files import check_place, write_atomically


class Dialogue:
    """A conversation that is typed: *question* is how it is asked, *turn* asks and shows the answer."""

    def __init__(self, talk: Talk, question: Question, turn: Callable[[dict[str, Any]], None]) -> None:
        self._talk = talk
        self._question = question
        self._turn = turn
        self._changes: dict[str, Any] = {}

    def run(self) -> None:
        """Take what is typed until the user leaves. Lines are kept where the conversation is."""
        session = _session(_history(is_kept=self._talk.log is not None), self._talk.target.names)
        say(f"{self._partner()} (/help shows what can be done, Ctrl-D leaves)")
        with typing_unseen():
            while True:
                try:
                    self.take(session.prompt([("bold", "> ")], prompt_continuation=_continued))
                except EOFError:
                    return
                except KeyboardInterrupt:  # between two prompts, where it is no key
                    continue

    def take(self, text: str) -> None:
        """Do what *text* says: ask it, or carry out a command. Raises EOFError to leave."""
        name, _, rest = text.strip().partition(" ")
        if re.fullmatch("/[a-z]*", name):
            exit_code(lambda: self._carry_out(name, rest.strip()))
        elif text.strip():
            self._say(text)

    def _say(self, text: str) -> None:
        question = replace(self._question, prompt=text)
        code = exit_code(lambda: self._turn(question.call() | self._changes))
        if code == INTERRUPTED:
            say("interrupted")
        else:
            write("\n")
        if code == 0:
            self._question = replace(question, attachments=Attachments())

    def _carry_out(self, name: str, rest: str) -> None:
        if name not in COMMANDS:
            raise UsageError(f"there is no {name}; known: {', '.join(COMMANDS)}")
        COMMANDS[name][0](self, rest)

    # --- Commands ---

    def _help(self, _: str) -> None:
        """Show this."""
        width = max(len(f"{name} {what}") for name, (_, what) in COMMANDS.items())
        for name, (command, what) in COMMANDS.items():
            write(f"{f'{name} {what}':{width}}  {command.__doc__}\n")
        write(_KEYS)

    def _model(self, name: str) -> None:
        """Ask this model from now on, or say which."""
        if name:
            for place in self._talk.target.places:
                place.made().get_model(name)
            self._changes["model"] = name
        write(f"{self._partner()}\n")

    def _system(self, text: str) -> None:
        """Tell the model how to behave, or say how."""
        if text:
            self._question = replace(self._question, system=text)
        write(f"{self._question.system or 'nothing is said'}\n")

    def _attach(self, source: str) -> None:
        """Send this along with what is asked next."""
        more = Attachments.read([source])
        more.check(self._talk.target.names)
        self._question = replace(self._question, attachments=self._question.attachments.with_(more))

    def _save(self, name: str) -> None:
        """Write the conversation as Markdown."""
        path = Path(name).expanduser()
        check_place(path)
        messages = self._talk.conversation.messages if self._talk.conversation else ()
        write_atomically(path, "\n".join(f"## {one.role}\n\n{one.text}\n" for one in messages).encode())
        say(f"the conversation is in {path}")

    def _exit(self, _: str) -> None:
        """Leave, as Ctrl-D does."""
        raise EOFError

    def _partner(self) -> str:
        """Return who is asked, and for which model."""
        places = self._talk.target.places
        names = ", ".join(place.endpoint or place.provider for place in places)
        return f"{names or 'who lists it'}: {self._model_asked()}"

    def _model_asked(self) -> str:
        target = self._talk.target
        asked = self._changes.get("model") or target.model
        return asked or next((place.made().get_model() for place in target.places), "")


#: What may be typed in place of a question, and what stands behind it.
COMMANDS: Mapping[str, tuple[Callable[[Dialogue, str], None], str]] = {
    "/model": (Dialogue._model, "[NAME]"),
    "/system": (Dialogue._system, "[TEXT]"),
    "/attach": (Dialogue._attach, "FILE|URL"),
    "/save": (Dialogue._save, "FILE"),
    "/help": (Dialogue._help, ""),
    "/exit": (Dialogue._exit, ""),
}
_KEYS = "Enter asks, Alt-Enter begins a line. Ctrl-C ends an answer or clears the line.\n"


class _Typed(Completer):
    """Completes commands, and what stands behind them."""

    def __init__(self, providers: tuple[str, ...]) -> None:
        path = PathCompleter(expanduser=True)
        self._names = WordCompleter([*COMMANDS], WORD=True)
        models = WordCompleter(models_of(providers), WORD=True)
        self._behind: dict[str, Completer] = {"/model": models, "/attach": path, "/save": path}

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        name, blank, rest = document.text_before_cursor.partition(" ")
        if not blank:
            return self._names.get_completions(document, complete_event)
        completer = self._behind.get(name, DummyCompleter())
        return completer.get_completions(Document(rest, len(rest)), complete_event)


def _session(history: History, providers: tuple[str, ...]) -> PromptSession[str]:
    return PromptSession(
        multiline=True,  # as far as Enter, below, lets it
        key_bindings=_keys(),
        history=history,
        completer=_Typed(providers),
        complete_while_typing=False,
        enable_suspend=True,
    )


def _history(*, is_kept: bool) -> History:
    """Return what was typed before, from a file that is for the user alone."""
    with _said():
        if is_kept:
            path = made_home() / "history"
            os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
            return _KeptHistory(path)
    return InMemoryHistory()


class _KeptHistory(FileHistory):
    """Lines in a file. Where that can't be read or written, the conversation goes on all the same."""

    def load_history_strings(self) -> Iterable[str]:
        with _said():
            yield from super().load_history_strings()

    def store_string(self, string: str) -> None:
        with _said():
            super().store_string(string)


@contextmanager
def _said() -> Iterator[None]:
    """Say of an OSError in the block that what is typed is not kept."""
    try:
        yield
    except OSError as error:
        say(f"g4fsdk: what is typed is not kept: {error.filename or 'history'}: {error.strerror}")


def _continued(width: int, *_: object) -> str:
    return " " * width


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _ask(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _begin_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def _clear(event: KeyPressEvent) -> None:
        event.current_buffer.reset()

    return keys
