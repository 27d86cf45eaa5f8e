"""Make the cassettes under `cassettes/` again, from the JSON captures beside the project.

    python -m tests.make_cassettes

A capture holds what a recorder sent and what answered. Its answers are kept byte for byte, its requests
are written as g4fsdk sends them (ids seeded, the provider's own address), after a check that both mean the
same. So each cassette can be played by a Client, and says truthfully what answered.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from g4fsdk import (
    Chat,
    Conversation,
    ConversationEvent,
    G4FError,
    Ids,
    Request,
    Response,
    Stream,
    advance,
)
from g4fsdk import providers as g4f_providers
from g4fsdk._version import __version__
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.values import Interaction, RecordedRequest, RecordedResponse
from g4fsdk.testing._imports.files import from_capture
from g4fsdk.testing._secrets.scrub import Scrubber, find_leaks

ROOT = Path(__file__).parents[1]
CAPTURES = ROOT.parent / "shared" / "captures"
FOLDER = ROOT / "cassettes"
SEED = 7
DEMO = "cohere-c4ai/slow-stream.yaml"  # ships inside the package; its tokens come slowly enough to watch
JSON = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A cassette to make: *capture*#*at* (its first exchange), and what to call it."""

    name: str
    capture: str
    at: int = 0
    options: JSON = field(default_factory=dict)
    follows: str = ""  # the case whose conversation goes on


STAND_IN = {
    "yqcloud": "normal unicode linesep multiline spaces ban-quoted bytewise gzip close-delimited req-system "
    "stream-false invalid-utf8 fail-then-ok ip-ban ip-ban-split html-200 too-long-429 status-401 empty-body "
    "json-array-error truncate reset-mid paced",
    "autonomous": "normal unicode crlf bom comments nospace multiline-data split packed role-chunks "
    "null-delta finish-top finish-length finish-choice-with-text no-done done-then-more reasoning-content "
    "usage-chunk stream-false json-full lone-surrogate linesep dataprefix fail-then-ok alias-llama-3.2-70b "
    "model-hermes "
    "bad-json err-200 err-event-mid html-403 status-404 done-only no-done-no-finish truncate reset-mid paced",
    "amigo": "normal unicode crlf ok-201 split role-chunks finish-length reasoning-content usage-chunk "
    "stream-false json-full lone-surrogate fail-then-ok image-normal image-several image-b64 image-revised "
    "image-unicode-url image-empty-data image-quota-403 quota-403 quota-text err-event-mid html-200 "
    "status-401 truncate reset-mid paced",
}
CHAT_UI = (
    Case("single-turn-english", "single-turn-english"),
    Case("unicode-turn-1", "unicode-two-turns"),
    Case("unicode-turn-2", "unicode-two-turns", 3, follows="unicode-turn-1"),
    Case("special-characters-turn-1", "special-characters-two-turns"),
    Case("special-characters-turn-2", "special-characters-two-turns", 3, follows="special-characters-turn-1"),
    Case("other-model-turn-1", "three-turns-other-model"),
    Case("other-model-turn-2", "three-turns-other-model", 3, follows="other-model-turn-1"),
    Case("other-model-turn-3", "three-turns-other-model", 5, follows="other-model-turn-2"),
    Case("system-prompt", "system-prompt"),
    Case("title-early", "title-early"),
    Case("title-late", "title-late"),
    Case("title-fails", "title-fails"),
    Case("secure-cookies", "secure-cookies"),
    Case("stop-token-in-text", "stop-token-in-text"),
    Case("trailing-whitespace", "trailing-whitespace"),
    Case("surrogate-halves", "surrogate-halves"),
    Case("nul-in-text", "nul-in-text"),
    Case("small-reads", "small-reads"),
    Case("slow-stream", "slow-stream"),
    Case("finish-length", "finish-length"),
    Case("tools", "tools", options={"tools": ["calculator"]}),
    Case("split-utf8", "cohere-split-utf8"),
    Case("backend-error-mid-stream", "backend-error-mid-stream"),
    Case("backend-http-429", "backend-http-429"),
    Case("backend-ends-without-finish", "backend-ends-without-finish"),
    Case("empty-answer", "empty-answer"),
    Case("whitespace-only-answer", "whitespace-only-answer"),
    Case("login-required", "login-required"),
)
LIVE = (
    Case("transformers-stream", "live-transformers-stream"),
    Case("transformers-stream-usage", "live-transformers-stream-usage"),
    Case("transformers-whole", "live-transformers-nonstream"),
    Case("llama-cpp-python-stream", "live-llama-cpp-python-stream"),
    Case("llama-cpp-python-whole", "live-llama-cpp-python-nonstream"),
    Case("llama-server-stream", "live-llama-server-stream"),
    Case("llama-server-stream-usage", "live-llama-server-stream-usage"),
    Case("llama-server-whole", "live-llama-server-nonstream"),
    Case("litellm-stream", "live-litellm-stream"),
    Case("litellm-stream-usage", "live-litellm-stream-usage"),
    Case("litellm-stream-usage-2", "live-litellm-stream-usage", 1),
    Case("litellm-whole", "live-litellm-nonstream"),
    Case("g4f-stream", "live-g4f-stream"),
    Case("g4f-stream-2", "live-g4f-stream", 1),
    Case("g4f-stream-error", "live-g4f-stream-errors"),
    Case("g4f-whole", "live-g4f-nonstream"),
    Case("aimock-stream", "live-aimock-stream"),
    Case("aimock-openrouter", "live-aimock-stream", 1),
    Case("aimock-separators", "live-aimock-stream-separators"),
    Case("aimock-tools", "live-aimock-stream-tools-reasoning"),
    Case("aimock-tools-2", "live-aimock-stream-tools-reasoning", 1),
    Case("aimock-reasoning", "live-aimock-stream-tools-reasoning", 2),
    Case("aimock-cut", "live-aimock-stream-cut"),
    Case("aimock-malformed", "live-aimock-malformed"),
    Case("aimock-bad-key", "live-aimock-errors", 1),
    Case("aimock-whole", "live-aimock-nonstream"),
    Case("aimock-image", "live-aimock-nonstream", 1),
)


def cases() -> Iterator[tuple[str, Path, Case]]:
    """Give the provider, the capture's path and the case of every cassette."""
    for provider, names in STAND_IN.items():
        for name in names.split():
            yield provider, CAPTURES / "stand-in" / provider / f"{name}.json", Case(name, name)
    for case in CHAT_UI:
        yield "cohere-c4ai", CAPTURES / "chat-ui" / f"{case.capture}.json", case
    for case in LIVE:
        yield "openai", CAPTURES / "openai-compatible" / f"{case.capture}.json", case


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    conversations: dict[str, Conversation] = {}
    for provider, path, case in cases():
        captured = from_capture(path)
        cassette, conversation = convert(provider, captured, case, conversations.get(case.follows))
        if conversation is not None:
            conversations[case.name] = conversation
        scrubbed = Scrubber().scrub_cassette(cassette)
        assert not find_leaks(scrubbed), (provider, case.name, find_leaks(scrubbed))
        target = FOLDER / provider / f"{case.name}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        scrubbed.save(target)
    shutil.copyfile(FOLDER / DEMO, ROOT / "g4fsdk" / "demo.yaml")


def convert(
    provider: str, captured: Cassette, case: Case, conversation: Conversation | None
) -> tuple[Cassette, Conversation | None]:
    """Return the cassette of *case*, and the conversation to go on with after it."""
    call = CALLS[provider](captured.interactions[case.at :]) | case.options
    if conversation is not None:
        call["conversation"] = conversation.to_dict()
    metadata = {
        "provider": provider,
        "provenance": f"{captured.metadata['provenance']}; requests written as g4fsdk sends them",
        "recorded_at": str(captured.metadata["recorded_at"]),
        "ids_seed": SEED,
        "sdk_version": __version__,
        "call": call,
    }
    played = Player(provider, call, captured.interactions[case.at :])
    interactions = played.run()
    return Cassette(interactions, metadata), played.conversation


class Player:
    """Answers the requests of the pure core with recorded answers, and keeps both."""

    def __init__(self, provider: str, call: JSON, recorded: list[Interaction]) -> None:
        self.provider = g4f_providers.get(provider)
        self.call = call
        self.recorded = iter(recorded)
        self.kept: list[Interaction] = []
        self.conversation: Conversation | None = None

    def run(self) -> list[Interaction]:
        for attempt in range(3):
            try:
                self._attempt(attempt)
                break
            except G4FError as error:
                if not error.retryable:
                    break
        assert self.kept, "nothing was sent"
        return self.kept

    def _attempt(self, attempt: int) -> None:
        flow = start(self.provider, self.call, attempt)
        step = advance(flow)
        while isinstance(step, Request):
            step = advance(flow, whole(self._answer(step)))
        self._stream(step)

    def _stream(self, stream: Stream) -> None:
        answer = self._answer(stream.request)
        parser = stream.accept(Response(answer.status, answer.headers))
        for event in [event for chunk in answer.chunks for event in parser.feed(chunk)] + parser.close():
            if isinstance(event, ConversationEvent):
                self.conversation = event.conversation

    def _answer(self, request: Request) -> RecordedResponse:
        recorded = next(self.recorded)
        check_same(recorded.request, request)
        headers = [*request.headers.items()]
        sent = RecordedRequest(request.method, request.url, headers, request.body)
        self.kept.append(Interaction(sent, recorded.response))
        return recorded.response


def start(provider: Any, call: JSON, attempt: int, seed: int = SEED) -> Any:
    """Return the flow of *call*, the arguments of `create` or `generate`."""
    rest, ids = dict(call), Ids.seeded(seed)
    if "prompt" in rest:
        return provider.image(rest.pop("prompt"), rest.pop("model"), rest, ids)
    conversation = rest.pop("conversation", None)
    return provider.chat(
        Chat(
            rest.pop("messages"),
            rest.pop("model", ""),
            rest.pop("stream", False),
            rest,
            Conversation.from_dict(conversation) if conversation else None,
            ids,
            attempt=attempt,
        )
    )


def whole(answer: RecordedResponse) -> Response:
    return Response(answer.status, answer.headers, answer.body)


# Drawn anew by whoever sends, or left out by the recorder where the server has the same default.
DRAWN = {"userId", "chatId", "stream", "tools", "web_search", "is_retry", "is_continue", "inputs_kind"}


def check_same(recorded: RecordedRequest, ours: Request) -> None:
    """Raise AssertionError when our request asks for something else than the recorded one did."""
    path = recorded.url.split("/", 3)[3]
    ours_path = ours.url.split("/", 3)[3]
    assert recorded.method == ours.method, (recorded.method, ours.method)
    assert path == ours_path or path.removeprefix("api/").endswith(ours_path), (path, ours_path)
    theirs, own = meaning(recorded.body), meaning(ours.body)
    different = {key for key in theirs.keys() | own.keys() if theirs.get(key) != own.get(key)}
    assert different <= DRAWN, (recorded.url, {key: (theirs.get(key), own.get(key)) for key in different})


def meaning(body: bytes) -> JSON:
    """Return the fields of a request body: JSON, or the one JSON part of a form."""
    text = body.decode("utf-8")
    if text.startswith("--"):
        text = re.sub(r"(?s)^.*?\r\n\r\n(.*)\r\n--.*$", r"\1", text)
    fields: JSON = json.loads(text) if text else {}
    if isinstance(fields.get("messages"), str):
        fields["messages"] = json.loads(base64.b64decode(fields["messages"]))
    return fields


def yqcloud_call(recorded: list[Interaction]) -> JSON:
    body = meaning(recorded[0].request.body)
    system = [{"role": "system", "content": body["system"]}] if body["system"] else []
    messages = [*system, {"role": "user", "content": body["prompt"]}]
    return {"messages": messages, "model": "gpt-4", "stream": body["stream"]}


def autonomous_call(recorded: list[Interaction]) -> JSON:
    body = meaning(recorded[0].request.body)
    return {"messages": body["messages"], "model": body["aiAgent"], "stream": body["stream"]}


def amigo_call(recorded: list[Interaction]) -> JSON:
    body = meaning(recorded[0].request.body)
    if "prompt" in body:
        return {"prompt": body["prompt"], "model": body["model"]}
    kept = ("frequency_penalty", "max_tokens", "presence_penalty", "temperature", "top_p")
    options = {key: body[key] for key in kept if key in body}
    return {"messages": body["messages"], "model": body["model"], "stream": body["stream"], **options}


def cohere_call(recorded: list[Interaction]) -> JSON:
    created: JSON = {}
    sent: JSON = {}
    for interaction in recorded[:3]:
        fields = meaning(interaction.request.body)
        created |= fields if "preprompt" in fields else {}
        sent = sent or (fields if "inputs" in fields else {})
    system = [{"role": "system", "content": created["preprompt"]}] if created.get("preprompt") else []
    messages = [*system, {"role": "user", "content": sent.get("inputs", "Hello")}]
    return {"messages": messages, "stream": True} | ({"model": created["model"]} if created else {})


def openai_call(recorded: list[Interaction]) -> JSON:
    body = meaning(recorded[0].request.body)
    if "prompt" in body:
        return body
    known = g4f_providers.get("openai").options | {"messages", "model", "stream"}
    extra = {key: body.pop(key) for key in sorted(body.keys() - known)}
    return {"stream": False} | body | ({"extra_body": extra} if extra else {})


CALLS: Mapping[str, Any] = {
    "yqcloud": yqcloud_call,
    "autonomous": autonomous_call,
    "amigo": amigo_call,
    "cohere-c4ai": cohere_call,
    "openai": openai_call,
}

if __name__ == "__main__":
    main()
