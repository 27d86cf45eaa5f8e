"""The third plane: a recording goes through a provider's flow and its parser, without any I/O.

It is a client like the other two, in which a look-up stands where they send; so it shows how to bring a
transport of one's own, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from g4fsdk._client.clocks import Clocks, Timeouts
from g4fsdk._client.reading import Reading, as_events
from g4fsdk._client.retries import Retries
from g4fsdk._client.sending import (
    MAX_REDIRECTS,
    WholeAnswer,
    addressed,
    redirected,
    too_many_redirects,
    unanswered,
)
from g4fsdk._client.settings import ConversationLike, Settings
from g4fsdk._client.task import Task
from g4fsdk._core.flow.provider import Flow, Stream, advance
from g4fsdk._core.model.chat import Ids, Messages
from g4fsdk._core.model.errors import G4FError, TransportError
from g4fsdk._core.model.events import Event
from g4fsdk._core.model.http import Request, Response
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.services import base_url_of
from g4fsdk.testing._cassette.sources import Source, load_sessions
from g4fsdk.testing._cassette.values import End, RecordedRequest, RecordedResponse
from g4fsdk.testing._replay.answers import RecordedAnswers
from g4fsdk.testing._replay.arranged import Cuts, arrange
from g4fsdk.testing._replay.faults import Fault
from g4fsdk.testing._replay.matching import Matching, MatchOn

_WORDS: dict[End, str] = {
    "truncated": "it was closed early",
    "reset": "it was reset",
    "client_closed": "the recording ends here",
    "complete": "it was closed without an answer",
}


class Player:
    """Plays a recording through the pure core: what a flow asks is looked up, what comes is parsed.

    *source* is the path of a cassette, a `Cassette`, or a list of them, which is then one session; *cuts* and
    *faults*, *match_on* and *ignore* are those of `Replay`, and so is which recorded answer fits a request.
    There is no time here: a wait that was recorded, or that a fault asks for, is none.

    Raises:
        CassetteError: A file is no cassette.
        ValueError: An argument is none of the above, or a fault doesn't fit the recording.

    Example:
        >>> chat = Chat("Hello", ids=Ids.seeded(7))
        >>> events = list(Player("cassettes/yqcloud/hello.yaml").play(providers.get("yqcloud").chat(chat)))
    """

    def __init__(
        self,
        source: Source | Sequence[Source],
        *,
        cuts: Cuts = "recorded",
        faults: Sequence[Fault] = (),
        match_on: MatchOn | None = None,
        ignore: str | Iterable[str] = (),
    ) -> None:
        sessions = load_sessions(source)
        self._session = sessions[0]
        self._answers = RecordedAnswers(arrange(sessions, cuts, faults), Matching.read(match_on, ignore))
        self._clocks = Clocks(Timeouts(), now=lambda: 0.0)

    def __repr__(self) -> str:
        return f"<Player, {self.unplayed} to play>"

    @property
    def unplayed(self) -> int:
        """How many recorded interactions were not played and should have been."""
        return self._answers.unplayed

    def assert_all_played(self) -> None:
        """Raise `UnplayedError`, which names the requests, when recorded interactions are left."""
        self._answers.assert_all_played()

    def answer(self, request: Request) -> RecordedResponse:
        """Return what was recorded as the answer to *request*; each is given once.

        Raises:
            MismatchError: Nothing recorded and unplayed answers it.
        """
        sent = RecordedRequest(request.method, request.url, [*request.headers.items()], request.body)
        return self._answers.claim(sent).interaction().response

    def play(self, flow: Flow | None = None) -> Iterator[Event]:
        """Give the events of *flow*; without one, those of the recorded call, tried again as clients try.

        Raises:
            G4FError: What the clients raise when they play it.
            MismatchError: Nothing recorded and unplayed answers what is asked.
            CassetteError: There is no *flow*, and the recording doesn't say what was asked.
        """
        if flow is not None:
            return self._attempt(_OwnFlow(flow))
        return self._tries(recorded_call(self._session))

    def _tries(self, task: Task) -> Iterator[Event]:
        has_begun = False
        while True:
            try:
                for event in self._attempt(task):
                    has_begun = True
                    yield event
            except G4FError as error:
                if has_begun or not error.retryable or not self.unplayed:
                    raise
            else:
                return

    def _attempt(self, task: Task) -> Iterator[Event]:
        step: Request | Stream | None = None
        self._clocks.start_attempt()
        try:
            flow = task.start()
            step = advance(flow)
            while isinstance(step, Request):
                step = self._set_up(flow, step)
            answer = self._send(step.request, repeatable=step.repeatable)
        except G4FError as error:
            task.blame(error, step)
            raise
        yield from _read(Reading(task, step, head_of(answer), self._clocks, as_events), answer)

    def _set_up(self, flow: Flow, request: Request) -> Request | Stream:
        try:
            response = self._fetch(request)
        except G4FError as error:
            return advance(flow, error)  # the provider adds the handle to go on with, where it has one
        return advance(flow, response)

    def _fetch(self, request: Request) -> Response:
        """Return the whole answer to a set-up request."""
        answer = self._send(request, repeatable=True)
        whole = WholeAnswer(head_of(answer), request.url)
        for chunk in answer.chunks:
            whole.add(chunk)
        if answer.end != "complete" and (error := whole.cut(_broken(answer.end, self._clocks))):
            raise error
        return whole.response()

    def _send(self, request: Request, *, repeatable: bool) -> RecordedResponse:
        """Return the answer to *request*, redirects within the service followed."""
        request = addressed(request)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self.answer(request)
            if answer.end == "timeout" and not answer.status:
                raise _broken(answer.end, self._clocks)
            if not answer.status:
                raise unanswered(_WORDS[answer.end], request.url, sent=True, repeatable=repeatable)
            follow = redirected(request, head_of(answer))
            if follow is None:
                return answer
            request = addressed(follow)
        raise too_many_redirects()


class _OwnFlow(Task):
    """A flow that the caller started: it is tried once."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def start(self) -> Flow:
        return self._flow

    def blame(self, error: G4FError, step: Request | Stream | None) -> None:
        if isinstance(step, Stream):  # before, nobody knows whose flow it is
            Task(step.provider, frozenset()).blame(error, step)


class _BrokenOffError(Exception):
    """The recorded body ends before its end, as a library says it with an exception of its own."""


def _read(reading: Reading[Event], answer: RecordedResponse) -> Iterator[Event]:
    """Give the events of *answer*, up to its recorded end."""
    try:
        for chunk in answer.chunks:
            if events := reading.parser.feed(chunk):
                reading.clocks.first_event_came()
                yield from events
            if reading.parser.done:
                break
        if not reading.parser.done and answer.end != "complete":
            raise _BrokenOffError
        yield from reading.end()
    except (G4FError, _BrokenOffError) as cause:
        ours = cause if isinstance(cause, G4FError) else _broken(answer.end, reading.clocks)
        last, error = reading.failed(ours, cause)
        yield from last
        if error is cause:
            raise
        if error is not None:
            raise error from cause


def _broken(end: End, clocks: Clocks) -> TransportError:
    """Return what a connection that came to that *end* means, as the clients say it."""
    if end == "timeout":
        return clocks.expired("idle" if clocks.is_idle_only else "first_event")
    return TransportError(_WORDS[end], sent=True)


def head_of(answer: RecordedResponse) -> Response:
    """Return *answer* without its body, which is still to come."""
    return Response(answer.status, answer.headers)


def recorded_call(cassette: Cassette) -> Task:
    """Return the call that *cassette* says was recorded, to be asked again with the same ids.

    Raises:
        CassetteError: It doesn't say.
        UsageError: It names a provider that is not known here, or a call that can't be.
    """
    provider, call = cassette.metadata.get("provider"), cassette.metadata.get("call")
    if not (isinstance(provider, str) and isinstance(call, dict) and call.keys() & {"messages", "prompt"}):
        raise CassetteError("the recording doesn't say what was asked of whom: its g4fsdk block has no call")
    ask: Callable[..., Task] = _images if "prompt" in call else _chat
    return ask(_settings(cassette, provider), **call)


def _images(settings: Settings, /, prompt: str, model: str | None = None, **options: Any) -> Task:
    [task] = settings.image_tasks(prompt, model, options)
    return task


def _chat(
    settings: Settings,
    /,
    messages: Messages,
    model: str | None = None,
    stream: bool = False,
    conversation: ConversationLike | None = None,
    ignore_unsupported: bool = False,
    **options: Any,
) -> Task:
    [task] = settings.chat_tasks(
        messages,
        model,
        stream=stream,
        conversation=conversation,
        ignore_unsupported=ignore_unsupported,
        options=options,
    )
    return task


def _settings(cassette: Cassette, provider: str) -> Settings:
    return Settings.read(
        provider,
        model=None,
        api_key=None,
        base_url=base_url_of(cassette, provider),
        headers=None,
        timeout=Timeouts(),
        retries=Retries(),
        ids=Ids.seeded(cassette.metadata.get("ids_seed") or 0),
    )
