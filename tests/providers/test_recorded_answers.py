"""What recorded answers mean: every failure its class, every answer of chat-ui its own final text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from g4fsdk import FinalText, G4FError, TextDelta, Title
from g4fsdk.bench.recorded import ByCall
from g4fsdk.testing import Cassette
from tests.support.players import CASSETTES, FOLDER, name_of, play_pure
from tests.support.wire import Seen, run

FAILURES = {
    "AuthError": "amigo/status-401 cohere-c4ai/login-required openai/aimock-bad-key yqcloud/status-401",
    "BlockedError": "amigo/html-200 autonomous/html-403 yqcloud/html-200 yqcloud/ip-ban yqcloud/ip-ban-split",
    "EmptyAnswerError": "autonomous/done-only yqcloud/empty-body",
    "IncompleteStreamError": "amigo/reset-mid amigo/truncate autonomous/no-done-no-finish "
    "autonomous/reset-mid autonomous/truncate cohere-c4ai/backend-ends-without-finish openai/aimock-cut "
    "yqcloud/reset-mid yqcloud/truncate",
    "NotFoundError": "autonomous/status-404",
    "ProtocolError": "amigo/image-empty-data autonomous/bad-json openai/aimock-malformed",
    "ProviderError": "amigo/err-event-mid autonomous/err-200 autonomous/err-event-mid "
    "cohere-c4ai/backend-error-mid-stream cohere-c4ai/backend-http-429 cohere-c4ai/empty-answer "
    "cohere-c4ai/whitespace-only-answer openai/g4f-stream-error",
    "RateLimitError": "amigo/image-quota-403 amigo/quota-403 amigo/quota-text yqcloud/too-long-429",
    "StatusError": "yqcloud/json-array-error",
}
FAILED = [(name, kind) for kind, names in FAILURES.items() for name in names.split()]


@pytest.mark.parametrize(("name", "kind"), FAILED)
def test_a_recorded_failure_is_its_error_with_the_text_that_came(name: str, kind: str) -> None:
    outcome = play_pure(Cassette.load(FOLDER / f"{name}.yaml"))

    assert outcome.error is not None
    assert outcome.error[0] == kind
    final = [event.text for event in outcome.events if isinstance(event, FinalText)]
    text = "".join(event.text for event in outcome.events if isinstance(event, TextDelta))
    assert outcome.error[2] == (final[0] if final else text)


def chat_ui_answer(path: Path) -> Seen | None:
    """Return what the recorded answer says, None where there is no stream of updates."""
    cassette = Cassette.load(path)
    answer = cassette.interactions[-1].response
    try:
        parser = ByCall(cassette).parser(answer)
    except G4FError:
        return None
    return run(parser, answer.chunks, cut="" if answer.end == "complete" else answer.end)


@pytest.mark.parametrize("path", [one for one in CASSETTES if one.parent.name == "cohere-c4ai"], ids=name_of)
def test_an_answer_of_chat_ui_is_its_final_answer_or_an_error(path: Path) -> None:
    seen = chat_ui_answer(path)
    if seen is None:
        return
    updates = updates_of(Cassette.load(path).interactions[-1].response.body)
    finals = [update["text"] for update in updates if update["type"] == "finalAnswer"]
    errors = [update["message"] for update in updates if update.get("status") == "error"]

    assert [event.text for event in seen.of(FinalText)] == finals
    assert [event.text for event in seen.of(Title)] == [
        update["title"] for update in updates if update["type"] == "title"
    ]
    assert seen.text == streamed(updates)
    assert (seen.error is None) == (bool(finals) and not errors)
    if seen.error is None:
        assert seen.answer.completion("cohere-c4ai", "m").text == finals[0]
    elif errors:
        assert errors[0][:100] in seen.error.message


def updates_of(body: bytes) -> list[dict[str, Any]]:
    lines = (line.strip(b" ") for line in body.split(b"\n"))
    return [json.loads(line) for line in lines if line.endswith(b"}")]


def streamed(updates: list[dict[str, Any]]) -> str:
    """Return the tokens joined: NULs at their ends are padding, halves of surrogate pairs are joined."""
    text = "".join(update["token"].rstrip("\0") for update in updates if update["type"] == "stream")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
