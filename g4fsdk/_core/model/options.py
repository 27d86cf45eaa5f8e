"""The options of a chat, by their OpenAI names, for type checkers and editors.

Annotations are no strings here: a TypedDict compiles each string, which takes six times as long.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from g4fsdk._core.model.http import JSON


class PlainOptions(TypedDict, total=False):
    """What `create`, `stream` and `parse` take beside their own arguments; None is sent as null.

    `extra_body` carries what is newer than this list. Which of them a provider can honour, it says itself.
    """

    audio: Mapping[str, JSON] | None
    chat_id: str | None
    extra_body: Mapping[str, JSON] | None
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, JSON] | None
    frequency_penalty: float | None
    function_call: str | Mapping[str, JSON] | None
    functions: Sequence[Mapping[str, JSON]] | None
    logit_bias: Mapping[str, float] | Mapping[int, float] | None
    logprobs: bool | None
    max_completion_tokens: int | None
    max_tokens: int | None
    metadata: Mapping[str, str] | None
    min_p: float | None
    modalities: Sequence[str] | None
    n: int | None
    parallel_tool_calls: bool | None
    prediction: Mapping[str, JSON] | None
    presence_penalty: float | None
    prompt_cache_key: str | None
    reasoning_effort: str | None
    repetition_penalty: float | None
    safety_identifier: str | None
    seed: int | None
    service_tier: str | None
    stop: str | Sequence[str] | None
    store: bool | None
    stream_options: Mapping[str, JSON] | None
    temperature: float | None
    tool_choice: str | Mapping[str, JSON] | None
    tools: Sequence[JSON] | None
    top_k: int | None
    top_logprobs: int | None
    top_p: float | None
    user: str | None
    verbosity: str | None
    web_search: bool | None
    web_search_options: Mapping[str, JSON] | None


class ChatOptions(PlainOptions, total=False):
    """What `create` and `stream` take; `parse` makes this one itself."""

    response_format: Mapping[str, JSON] | None
