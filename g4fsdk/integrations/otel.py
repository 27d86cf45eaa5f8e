"""OpenTelemetry: a span and metrics for each provider that is asked, by the GenAI semantic conventions.

`G4FInstrumentor().instrument()`, or `opentelemetry-instrument` in front of a program; extra `otel`.
Names and buckets are those of opentelemetry-util-genai, which the instrumentations of others share.

A span begins when a provider is asked, and ends when its answer does: read to the end, left, or broken off.
Tries lie inside of it, and so do the spans of what watches requests and httpx, which also sends the trace
along. What is said is kept out of it, unless an argument or the variable
OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

try:
    from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # it is not typed
        BaseInstrumentor,
    )
    from opentelemetry.util.genai.environment_variables import (
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT,
    )
    from opentelemetry.util.genai.handler import TelemetryHandler
    from opentelemetry.util.genai.types import (
        Error,
        FunctionToolDefinition,
        InputMessage,
        OutputMessage,
        ReasoningPart,
        TextPart,
        ToolCallRequestPart,
        ToolCallResponsePart,
        UriPart,
    )
    from opentelemetry.util.genai.utils import image_from_url, tool_arguments_to_any_value
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"g4fsdk.integrations.otel needs {_error.name}: pip install 'g4fsdk[otel]'", name=_error.name
    ) from _error

from g4fsdk import G4FError, Message
from g4fsdk._client.hooks import WATCHING
from g4fsdk._core.flow.provider import Provider
from g4fsdk._core.model.completions import Choice, Completion
from g4fsdk._core.model.messages import ToolCall
from g4fsdk._version import __version__

__all__ = ["G4FInstrumentor"]

_PORTS = {"http": 80, "https": 443}
#: Options by what an invocation calls them.
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "reasoning_effort": "reasoning_level",
}


class G4FInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # its module is not typed
    """Watches every client of this process."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def instrumentation_dependencies(self) -> Collection[str]:
        return [f"g4fsdk >= {__version__}"]

    def _instrument(self, *, capture_content: bool | None = None, **providers: Any) -> None:
        """Take `tracer_provider`, `meter_provider`, `logger_provider` in place of the global ones.

        *capture_content* says whether spans hold what is said, in place of the environment.
        """
        names = ("tracer_provider", "meter_provider", "logger_provider", "completion_hook")
        given = {name: providers.get(name) for name in names}
        with _capturing(capture_content):
            handler = TelemetryHandler(
                **given, instrumentation_scope_name=__name__, instrumentation_scope_version=__version__
            )
        WATCHING.watcher = partial(_Asked, handler)

    def _uninstrument(self, **_: Any) -> None:
        WATCHING.watcher = None


@contextmanager
def _capturing(wanted: bool | None) -> Iterator[None]:
    """Let the environment say what is *wanted*: a handler reads it when it is made."""
    name = OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT
    before = os.environ.get(name)
    if wanted is not None:
        os.environ[name] = "SPAN_ONLY" if wanted else "NO_CONTENT"
    try:
        yield
    finally:
        os.environ.pop(name, None)
        os.environ |= {} if before is None else {name: before}


class _Asked:
    """One provider that is asked *call*, and its span."""

    def __init__(self, handler: TelemetryHandler, provider: Provider, call: Mapping[str, Any]) -> None:
        place = urlsplit(provider.base_url)
        self._is_streamed = bool(call.get("stream"))
        self._captures = handler.should_capture_content()
        self._span = handler.inference(
            provider.name,
            request_model=provider.aliases.get(call["model"], call["model"])
            or provider.default_model
            or None,
            server_address=place.hostname,
            server_port=place.port or _PORTS.get(place.scheme),
            operation_name="chat" if "messages" in call else "generate_content",
            error_type_resolver=_type_of,
            _attach_to_context=False,
        )
        self._asked(call)

    def current(self) -> AbstractContextManager[object]:
        activated: AbstractContextManager[object] = self._span.activate()
        return activated

    def began(self) -> None:
        if self._is_streamed:
            self._span.record_stream_chunk()

    def ended(self, said: Completion | None, error: BaseException | None) -> None:
        if said is not None:
            self._said(said)
        if error is None:
            self._span.stop()
        else:
            self._span.fail(Error(self._shown(error), _type_of(error) or type(error).__qualname__, error))

    def _shown(self, error: BaseException) -> str:
        """Return what is told of *error*: no excerpt of an answer, unless that is wanted."""
        is_quoting = bool(getattr(error, "excerpt", b"")) and not self._captures
        return type(error).__name__ if is_quoting else str(error)

    def _asked(self, call: Mapping[str, Any]) -> None:
        span = self._span
        for name, attribute in _OPTIONS.items():
            if call.get(name) is not None:
                setattr(span, attribute, call[name])
        if call.get("stop"):
            span.stop_sequences = [call["stop"]] if isinstance(call["stop"], str) else [*call["stop"]]
        if call.get("n") not in (None, 1):
            span.request_choice_count = call["n"]
        span.request_stream = True if self._is_streamed else None
        span.output_type = "image" if "prompt" in call else _FORMATS.get(_kind(call.get("response_format")))
        if self._captures:
            span.input_messages = [*map(_input, call.get("messages") or [_painted(call)])]
            span.tool_definitions = [*_tools(call.get("tools"))] or None

    def _said(self, said: Completion) -> None:
        span, usage = self._span, said.usage
        span.response_id, span.response_model_name = said.id or None, said.model or None
        span.finish_reasons = [one.finish_reason for one in said.choices if one.finish_reason] or None
        if usage is not None:
            span.input_tokens, span.output_tokens = usage.prompt_tokens, usage.completion_tokens
            span.cache_read_input_tokens = (usage.prompt_tokens_details or {}).get("cached_tokens")
            span.thinking_tokens = (usage.completion_tokens_details or {}).get("reasoning_tokens")
        if self._captures:
            span.output_messages = [*map(_output, said.choices)]


_FORMATS = {"text": "text", "json_object": "json", "json_schema": "json"}


def _kind(value: object) -> str:
    return str(value.get("type")) if isinstance(value, Mapping) else ""


def _type_of(error: BaseException) -> str | None:
    """Return where everybody finds the class of *error*; None leaves it to the library."""
    return f"g4fsdk.{type(error).__name__}" if isinstance(error, G4FError) else None


# --- What was said, where that is wanted ---


def _painted(call: Mapping[str, Any]) -> Message:
    return Message("user", call["prompt"])


def _input(message: Message) -> InputMessage:
    called = [*map(_called, message.extra.get("tool_calls") or ())]
    return InputMessage(message.role, [*_parts(message), *called])


def _parts(message: Message) -> Iterator[Any]:
    if message.role == "tool":
        yield ToolCallResponsePart(message.content, message.extra.get("tool_call_id"))
    elif isinstance(message.content, str):
        yield TextPart(message.content)
    else:
        yield from filter(None, map(_part, message.content or ()))


def _part(part: Mapping[str, Any]) -> object:
    match part:
        case {"text": str(text)}:
            return TextPart(text)
        case {"image_url": {"url": str(url)}} | {"image_url": str(url)}:
            return image_from_url(url)
    return None  # what the conventions have no part for


def _called(call: Any) -> ToolCallRequestPart:
    call = call if isinstance(call, ToolCall) else ToolCall.from_dict(call)
    arguments = tool_arguments_to_any_value(call.function.arguments)
    return ToolCallRequestPart(arguments, call.function.name, call.id)


def _tools(tools: Any) -> Iterator[FunctionToolDefinition]:
    for tool in tools or ():
        match tool:
            case {"function": {"name": str(name)} as function}:
                yield FunctionToolDefinition(name, function.get("description"), function.get("parameters"))


def _output(choice: Choice) -> OutputMessage:
    message = choice.message
    thoughts = [ReasoningPart(message.reasoning)] if message.reasoning else []
    texts = [TextPart(text) for text in (message.content, message.refusal) if text]
    images = [UriPart(None, "image", image.url) for image in message.images or () if image.url]
    calls = [*map(_called, message.tool_calls or ())]
    return OutputMessage("assistant", [*thoughts, *texts, *images, *calls], choice.finish_reason)
