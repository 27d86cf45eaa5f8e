"""Playing a recording in place of the network: what was asked, of whom, and with which ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from g4fsdk._core.model.chat import Ids, read_messages
from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._terminal.output import say
from g4fsdk.cli._words.question import Question, as_messages
from g4fsdk.cli._words.target import Place, Said, Target
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.services import base_url_of
from g4fsdk.testing._replay.replay import Replay

if TYPE_CHECKING:
    from g4fsdk import Client
    from g4fsdk.testing._replay.planned import Pace

DEMO = "demo"
_LIVE = (
    'live: g4fsdk chat -p yqcloud "..."  |  '
    'local: g4fsdk chat --base-url http://localhost:11434/v1 -m llama3.2 "..."'
)


@dataclass(frozen=True, slots=True)
class ReplayedCall:
    """A recording at *name*: a path, or `demo` for the one inside this package."""

    name: str
    cassette: Cassette

    @classmethod
    def load(cls, name: str) -> ReplayedCall:
        """Raises CassetteError for a file that is no cassette, OSError for one that can't be read."""
        if name != DEMO:
            return cls(name, Cassette.load(Path(name)))
        with resources.as_file(resources.files("g4fsdk") / "demo.yaml") as path:
            return cls(name, Cassette.load(path))

    def announce(self) -> None:
        """Say on stderr that this is a recording, and of what."""
        provenance = self.cassette.metadata.get("provenance", "it does not say what answered")
        say(f"replaying {self.name}: {provenance}")
        if self.name == DEMO:
            say(_LIVE)

    def target(self, said: Said) -> Target:
        """Return whom it plays."""
        provider = said.providers[0] if said.providers else self.cassette.metadata.get("provider")
        if not provider:
            raise UsageError(f"{self.name} does not say which provider it is of: add -p")
        place = Place(provider, said.base_url or base_url_of(self.cassette, provider))
        return Target((place,), timeout=said.timeout, retries=said.retries)

    def client(self, target: Target, pace: Pace, **settings: Any) -> Client:
        """Return a client that reaches nobody but the recording, and asks as it was asked then."""
        ids = Ids.seeded(self.cassette.metadata.get("ids_seed") or 0)
        return target.client(transport=Replay(self.cassette, pace=pace), ids=ids, **settings)

    def call(self, question: Question, model: str | None) -> dict[str, Any]:
        """Return the arguments of the recorded `create` or `generate`, with what is asked in their place.

        Raises:
            UsageError: Nothing says what was asked, or not as messages.
        """
        recorded = self.cassette.metadata.get("call") or {}
        if not isinstance(recorded, Mapping):
            raise CassetteError(f"{self.name}: g4fsdk.call: expected a mapping, found {recorded!r}")
        if not recorded and question.prompt is None:
            raise UsageError(f"{self.name} does not say what was asked: give the prompt")
        way = {"stream": False} if recorded and "prompt" not in recorded else {}  # what `create` does unasked
        changes = question.settings | ({"model": model} if model else {})
        return {**way, **recorded, **_asked(recorded, question), **changes}


def _asked(recorded: Mapping[str, Any], question: Question) -> dict[str, Any]:
    """Return the messages or image prompt to send in place of *recorded*, whose last one *question* is."""
    prompt, system = question.prompt, question.system
    if "prompt" in recorded:
        return {} if prompt is None else {"prompt": prompt}
    given = recorded.get("messages")
    messages: list[Any] = [*read_messages(given)] if given else []
    if prompt is not None or question.attachments:
        messages = [*messages[:-1], *as_messages(question.attachments.beside(prompt or ""), None)]
    if system is not None:
        rest = [one for one in read_messages(messages) if one.role != "system"]
        messages = [*as_messages("", system)[:1], *rest]
    return {"messages": messages}
