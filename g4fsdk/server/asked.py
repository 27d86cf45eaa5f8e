"""What a request asks: its JSON body as the arguments of `AsyncClient`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from g4fsdk import providers
from g4fsdk._core.flow.provider import KNOWN_OPTIONS
from g4fsdk._core.model.errors import UsageError
from g4fsdk.server.refused import Refused

Kinds: TypeAlias = Sequence[type[providers.Provider]]
_OURS = frozenset({"ignore_unsupported", "messages", "model", "prompt", "stream"})
# Arguments of the client, which are for whoever runs the gateway: a caller's are the provider's business.
_LOCAL = frozenset({"extra_body", "extra_headers", "extra_query"})
# What every provider does unasked, and clients like to say all the same.
_USUAL: Mapping[str, object] = {
    "n": 1,
    "logprobs": False,
    "store": False,
    "response_format": {"type": "text"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as `create` or `generate` takes it; *shows_usage* where a stream is to end with counts."""

    said: Any
    model: str
    stream: bool
    options: dict[str, Any]
    shows_usage: bool = False


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in *body*. Raises Refused for anything else."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Refused(400, f"the body is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise Refused(400, f"the body must be a JSON object, not {type(value).__name__}")
    return value


def read_model(body: Mapping[str, Any]) -> str:
    """Return the model that *body* names, "" for none. Raises Refused for what is no name."""
    model = body.get("model") or ""
    if not isinstance(model, str):
        raise Refused(400, "model must be text", param="model")
    return model


def kinds_for(names: Sequence[str], model: str) -> Kinds:
    """Return the providers that are asked for *model*: those called *names*, or with none who list it.

    Raises:
        Refused: None of them has it.
    """
    if not (names or model):
        raise Refused(400, "say which model", param="model")
    try:
        kinds = [providers.PROVIDERS[name] for name in names or providers.listing(model)]
    except UsageError as error:
        raise _no_model(error) from error
    errors = [*_unknown(kinds, model)]
    if len(errors) == len(kinds):
        raise _no_model(errors[-1])
    return kinds


def _unknown(kinds: Kinds, model: str) -> Iterator[UsageError]:
    for kind in kinds:
        try:
            kind().get_model(model)
        except UsageError as error:
            if model:
                yield error


def _no_model(error: UsageError) -> Refused:
    return Refused(404, error.message, "model_not_found", "model")


def read_chat(body: Mapping[str, Any], kinds: Kinds, *, is_lenient: bool) -> Asked:
    """Return the chat that *body* asks of *kinds*; *is_lenient* leaves out what none of them can honour.

    Raises:
        Refused: An option that none of *kinds* can honour; it names the option.
    """
    if "messages" not in body:
        raise Refused(400, "messages are missing", param="messages")
    stream, is_lenient = _flag(body, "stream", False), _flag(body, "ignore_unsupported", is_lenient)
    options = dict(_options(body))
    counts = options.get("stream_options")
    if not all("stream_options" in kind.options for kind in kinds):
        options.pop("stream_options", None)  # the counts that come unasked are told all the same
    taken = frozenset[str]().union(*(kind.options for kind in kinds))
    named = (KNOWN_OPTIONS | taken) - _LOCAL
    foreign = {name: options.pop(name) for name in [*options] if name not in named}
    if foreign and "extra_body" in taken:
        options["extra_body"] = foreign
    elif not is_lenient:
        _refuse([*foreign, *sorted(options.keys() - taken)], kinds)
    shows_usage = isinstance(counts, Mapping) and bool(counts.get("include_usage"))
    lenient = {"ignore_unsupported": True} if is_lenient else {}
    return Asked(body["messages"], body.get("model") or "", stream, options | lenient, shows_usage)


def _flag(body: Mapping[str, Any], name: str, usual: bool) -> bool:
    flag = body.get(name)
    if not isinstance(flag, bool | None):
        raise Refused(400, f"{name} must be true or false, not {type(flag).__name__}", param=name)
    return usual if flag is None else flag


def _options(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give what *body* asks beyond what is usual; null is what was not said."""
    for name, value in body.items():
        if value is not None and name not in _OURS and not (name in _USUAL and value == _USUAL[name]):
            yield name, value


def _refuse(odd: Sequence[str], kinds: Kinds) -> None:
    if odd:
        names = " or ".join(kind.name for kind in kinds)
        hint = "leave it out, or say ignore_unsupported: true"
        raise Refused(400, f"{names} cannot honour {odd[0]!r}; {hint}", "unsupported_parameter", odd[0])


def read_image(body: Mapping[str, Any]) -> Asked:
    """Return the images that *body* asks for. Raises Refused where there is no prompt."""
    prompt = body.get("prompt")
    if not isinstance(prompt, str):
        raise Refused(400, "prompt is missing, or no text", param="prompt")
    if _flag(body, "stream", False):
        raise Refused(400, "images are not streamed", "unsupported_parameter", "stream")
    odd = sorted(_LOCAL & body.keys())
    if odd:
        raise Refused(400, f"unknown parameter {odd[0]!r}", "unknown_parameter", odd[0])
    return Asked(prompt, body.get("model") or "", False, dict(_options(body)))
