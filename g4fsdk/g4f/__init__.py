"""g4f's classes on this SDK: change the import, and a program written for them runs.

The names, attributes, signatures and yielded items are g4f's; complete answers, one copy of every text and
errors of the `G4FError` tree are ours. Every call also takes `base_url=`, `ids=`, `retries=` and
`transport=`, as the clients do. Any other keyword is accepted, has no effect, and the log says so.
"""

from __future__ import annotations

from g4fsdk.g4f._amigo import AmigoChat
from g4fsdk.g4f._autonomous import AutonomousAI
from g4fsdk.g4f._cohere import CohereForAI_C4AI_Command
from g4fsdk.g4f._items import (
    Conversation,
    FinishReason,
    ImageResponse,
    JsonConversation,
    TitleGeneration,
)
from g4fsdk.g4f._yqcloud import Yqcloud

__all__ = [
    "AmigoChat",
    "AutonomousAI",
    "CohereForAI_C4AI_Command",
    "Conversation",
    "FinishReason",
    "ImageResponse",
    "JsonConversation",
    "TitleGeneration",
    "Yqcloud",
]
