"""Every recorded chat gives through g4f's classes the text, or the error, that the client gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from g4fsdk import (
    Event,
    G4FError,
    Ids,
    RefusalDelta,
    TextDelta,
)
from g4fsdk.g4f import (
    AmigoChat,
    AutonomousAI,
    CohereForAI_C4AI_Command,
    Yqcloud,
)
from g4fsdk.testing import Cassette, Replay
from tests.support.players import CASSETTES, QUICK, name_of, play_async

CLASSES: dict[str, Any] = {
    "amigo": AmigoChat,
    "autonomous": AutonomousAI,
    "cohere-c4ai": CohereForAI_C4AI_Command,
    "yqcloud": Yqcloud,
}
# What g4f's classes have no word for: an image call without a chat, our own handle, chat-ui's tools.
_NOT_SAID = {"prompt", "conversation", "tools"}


def is_playable(path: Path) -> bool:
    said = Cassette.load(path).metadata
    return said["provider"] in CLASSES and not _NOT_SAID & said["call"].keys()


PLAYABLE = [pytest.param(path, id=name_of(path)) for path in CASSETTES if is_playable(path)]


@pytest.mark.parametrize("path", PLAYABLE)
async def test_the_text_is_that_of_the_client(path: Path) -> None:
    cassette = Cassette.load(path)
    expected = await play_async(cassette)

    texts: list[str] = []
    error = None
    try:
        await collect(cassette, texts)
    except G4FError as raised:
        error = raised

    assert "".join(texts) == text_of(expected.events)
    assert (error and (error.message, error.code)) == (expected.error and expected.error[1::2])


async def collect(cassette: Cassette, texts: list[str]) -> None:
    said = cassette.metadata
    call = {"model": "", "stream": False} | said["call"]
    if said["provider"] == "cohere-c4ai":
        del call["stream"]  # it always streams
    items = CLASSES[said["provider"]].create_async_generator(
        **call, transport=Replay(cassette), ids=Ids.seeded(said["ids_seed"]), retries=QUICK
    )
    async for item in items:
        texts += [item] if isinstance(item, str) else []


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta | RefusalDelta))
