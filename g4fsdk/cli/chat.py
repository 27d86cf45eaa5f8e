"""`g4fsdk chat`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from g4fsdk._core.model.errors import UsageError
from g4fsdk.cli._chat.show import Style, ask
from g4fsdk.cli._chat.talk import Talk, kept_conversation, the_log
from g4fsdk.cli._kept.log import Kept, Log
from g4fsdk.cli._terminal.output import is_terminal
from g4fsdk.cli._terminal.waiting import Waiting
from g4fsdk.cli._words import options
from g4fsdk.cli._words.question import Question
from g4fsdk.cli._words.target import Said

if TYPE_CHECKING:
    from g4fsdk.testing._replay.planned import Pace


def chat(
    prompt: options.Prompt = None,
    provider: options.Providers = None,
    endpoint: options.Endpoints = None,
    model: options.Model = None,
    base_url: options.BaseURL = None,
    api_key: options.APIKey = None,
    system: options.System = None,
    attach: options.Attached = None,
    schema: options.Schema = None,
    option: options.Settings = None,
    go_on: options.Continue = False,
    conversation: options.ConversationID = None,
    no_log: options.NoLog = False,
    output: options.Output = None,
    plain: options.Plain = False,
    as_json: options.EventsAsJSON = False,
    no_stream: options.NoStream = False,
    show_reasoning: options.ShowReasoning = False,
    usage: options.ShowUsage = False,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    proxy: options.Proxy = None,
    replay: options.Replay = None,
    pace: options.PaceText = "recorded",
) -> None:
    """Ask, and print the answer while it arrives.

    An answer that breaks off stays on stdout as far as it came; the reason follows on stderr.
    """
    said = Said.read(provider, model, base_url, api_key, timeout, retries, proxy, endpoint)
    question = Question.read(prompt, system, option, attach, schema)
    style = Style(no_stream, as_json, show_reasoning, plain, question.schema, usage, output)
    log = the_log(wanted=not no_log)
    if replay is not None:
        if go_on or conversation is not None:
            raise UsageError("a recording goes on with no conversation: leave out -c and --conversation")
        _replay(replay, options.read_pace(pace), said, question, style, log)
        return
    kept = kept_conversation(conversation) if go_on or conversation is not None else None
    _ask(_talk(said, kept, log), question, style)


def _talk(said: Said, kept: Kept | None, log: Log | None) -> Talk:
    if kept is not None:
        said = said.going_on(kept.last)
    target = said.target().checked().with_model()
    return Talk(target, log) if kept is None else Talk.going_on(kept, target, log)


def _ask(talk: Talk, question: Question, style: Style) -> None:
    target, waiting = talk.target, Waiting()
    question.attachments.check(target.names)
    more = target.usage_options() if style.show_usage else {}
    with target.client(event_hooks={**talk.hooks, **waiting.hooks}) as client:

        def turn(call: dict[str, Any]) -> None:
            talk.turn(call | more, lambda call: ask(client, call, style, waiting, stream=not style.whole))

        if _is_typed(question, style):
            from g4fsdk.cli._chat.dialogue import Dialogue

            Dialogue(talk, question, turn).run()
        else:
            turn(question.call())


def _is_typed(question: Question, style: Style) -> bool:
    """Tell whether one who sits at a terminal wants to talk."""
    is_asked = question.prompt is not None or style.as_json or style.output is not None
    return not is_asked and sys.stdin is not None and sys.stdin.isatty() and is_terminal(sys.stdout)


def _replay(name: str, pace: Pace, said: Said, question: Question, style: Style, log: Log | None) -> None:
    from g4fsdk.cli._chat.replayed import ReplayedCall
    from g4fsdk.cli.image import show_images

    replayed = ReplayedCall.load(name)
    call = replayed.call(question, said.model)
    stream = call.pop("stream", not style.whole)
    talk = Talk(replayed.target(said), log, replay=name)
    with replayed.client(talk.target, pace, event_hooks=talk.hooks) as client:
        replayed.announce()
        if "prompt" in call:
            show_images(client.images.generate(**call).data, as_json=style.as_json)
        else:
            talk.turn(call, lambda call: ask(client, call, style, Waiting(), stream=stream))
