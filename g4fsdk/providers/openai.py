"""Any OpenAI-compatible endpoint: options, tools and content parts go out as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from g4fsdk._core.decoding.chat_chunks import ChatChunkDecoder
from g4fsdk._core.decoding.refusals import shown
from g4fsdk._core.flow.addresses import checked_query, with_query
from g4fsdk._core.flow.bodies import (
    get,
    merge_headers,
    post_json,
    read_json,
)
from g4fsdk._core.flow.checks import checked_headers
from g4fsdk._core.flow.prompts import continued
from g4fsdk._core.flow.provider import (
    KNOWN_OPTIONS,
    Flow,
    Provider,
    Stream,
    one_request,
)
from g4fsdk._core.framing.document import DocumentParser
from g4fsdk._core.framing.sse import SSEParser
from g4fsdk._core.model.chat import Chat, Conversation, Ids
from g4fsdk._core.model.completions import Model
from g4fsdk._core.model.errors import NotFoundError, ProtocolError, StatusError, UsageError
from g4fsdk._core.model.http import JSON, Request, Response

_IMAGE_OPTIONS = frozenset(
    {
        *(
            "background",
            "extra_body",
            "extra_headers",
            "extra_query",
            "moderation",
            "n",
            "output_compression",
        ),
        *("output_format", "quality", "response_format", "seed", "size", "steps", "style", "user"),
    }
)

# Certain of every server: what a server may set by itself (temperature, top_p, penalties) is not among them.
_DEFAULTS: Mapping[str, JSON] = {
    "$.*": None,
    "$.stream": False,
    "$.n": 1,
    "$.logprobs": False,
    "$.response_format": {"type": "text"},
    "$.messages[*].*": None,
    "$.tools[*].function.*": None,
    "$.tools[*].function.strict": False,
}
_ENDPOINTS = ("/chat/completions", "/images/generations", "/models")


class OpenAI(Provider):
    """A server that speaks OpenAI's chat completions; *base_url* includes `/v1`."""

    name = "openai"
    url = "https://api.openai.com/v1"
    has_home = False
    options: ClassVar[frozenset[str]] = KNOWN_OPTIONS - {"web_search"}
    takes_pictures = True
    addresses = r"/(?:chat/completions|completions|images/generations|models)(?:[?#]|$)"
    defaults: ClassVar[Mapping[str, JSON]] = _DEFAULTS

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        model: str = "",
        end: Literal["marker", "eof"] = "marker",
    ) -> None:
        """*end*: "eof" for a server that sends neither `[DONE]` nor a finish reason; then the end of a
        complete body is the end, and a connection closed in mid-answer may pass for it.
        """
        super().__init__(base_url=base_url, api_key=api_key, headers=headers, model=model)
        self._ends_at_eof = end == "eof"

    @classmethod
    def base_url_in(cls, url: str) -> str:
        return super().base_url_in(url) + _base_path(urlsplit(url).path)

    def chat(self, chat: Chat) -> Flow:
        conversation = self.own(chat.conversation)
        model = self._model_for(chat)
        options = self.read_options(chat)
        history = continued(conversation, chat.messages)
        body = {"model": model, "messages": [message.to_dict() for message in history], "stream": chat.stream}
        decoder = ChatChunkDecoder(
            Conversation(self.name, model, history),
            handle=conversation,
            n=_answers(options),
            ends_at_eof=self._ends_at_eof,
            ids=chat.ids,
        )
        parser = (SSEParser if chat.stream else DocumentParser)(decoder)
        return one_request(Stream(self._post("/chat/completions", body, options), parser, self, model))

    def image(
        self,
        prompt: str,
        model: str = "",
        options: Mapping[str, Any] | None = None,
        ids: Ids | None = None,
    ) -> Flow:
        from g4fsdk._core.decoding.images import ImageDecoder

        unknown = sorted(set(options or {}) - _IMAGE_OPTIONS)
        if unknown:
            names = ", ".join(sorted(_IMAGE_OPTIONS))
            raise UsageError(f"unknown image option {unknown[0]!r}; known: {names}")
        model = self.get_model(model)
        body = {"model": model, "prompt": prompt}
        request = self._post("/images/generations", body, dict(options or {}))
        parser = DocumentParser(ImageDecoder(prompt))
        return one_request(Stream(request, parser, self, model, repeatable=False))

    def get_model(self, model: str = "") -> str:
        """Return *model*, else that of this object: the server knows its own. Raises UsageError for none."""
        model = model or self.model
        if not model:
            raise UsageError("say which model: model=...; client.models.list() asks the server for its own")
        return model

    def list_models(self) -> Request:
        return get(self.at("/models"), self._headers())

    def read_models(self, response: Response) -> list[Model]:
        """Return the models in a model list. Raises ProtocolError for a body of another shape."""
        match read_json(self.check(response), "a list of models"):
            case {"data": list(items)} | list(items) if all(_has_id(item) for item in items):
                return [Model.from_dict(item) for item in items]
            case other:
                said = f"expected a list of models, got {shown(other)}"
                raise ProtocolError(said, excerpt=response.body)

    def refused(self, response: Response) -> StatusError:
        error = super().refused(response)
        if isinstance(error, NotFoundError):
            error.reword(f"{error.message}{self._advice_on_address()}")
        return error

    def _advice_on_address(self) -> str:
        path = urlsplit(self.base_url).path.rstrip("/")
        end = next(filter(path.endswith, _ENDPOINTS), "")
        if end:
            return f"; leave {end} out of the address, it is added"
        return "" if path else "; most servers want /v1 behind the address"

    def _post(self, path: str, body: dict[str, Any], options: dict[str, Any]) -> Request:
        extra_body = options.pop("extra_body", None) or {}
        if not isinstance(extra_body, Mapping):
            raise UsageError(f"extra_body must be a mapping, not {type(extra_body).__name__}")
        headers = merge_headers(self._headers(), checked_headers(options.pop("extra_headers", None) or {}))
        url = with_query(self.at(path), checked_query(options.pop("extra_query", None) or {}))
        return post_json(url, {**body, **options, **extra_body}, headers)

    def _headers(self) -> dict[str, str]:
        return merge_headers({"Accept": "*/*"}, self._key_header(), self.headers)


def _answers(options: Mapping[str, Any]) -> int:
    """Return how many answers are asked for; `extra_body` has the last word."""
    extra = options.get("extra_body")
    n = {**options, **(extra if isinstance(extra, Mapping) else {})}.get("n")
    return n if isinstance(n, int) else 1


def _has_id(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str)


def _base_path(path: str) -> str:
    """Return what of *path* stands before the endpoint, or where that is an unknown one, up to /v1."""
    for end in _ENDPOINTS:
        if path.endswith(end):
            return path.removesuffix(end)
    before, version, _ = f"{path}/".partition("/v1/")
    return f"{before}/v1" if version else ""
