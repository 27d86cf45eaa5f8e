"""What a provider is: a generator of requests that ends in the one to stream, and the table it lives in."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias
from urllib.parse import urlsplit

from g4fsdk._core.decoding.refusals import status_error
from g4fsdk._core.flow.addresses import below, checked_url, home_of
from g4fsdk._core.flow.checks import check_value, checked_headers, nearest
from g4fsdk._core.framing.parser import MAX_BYTES, Parser
from g4fsdk._core.model.chat import Chat, Conversation, Ids
from g4fsdk._core.model.completions import Model
from g4fsdk._core.model.errors import MAX_ERROR_BODY, G4FError, StatusError, UsageError
from g4fsdk._core.model.http import JSON, Request, Response
from g4fsdk._core.model.options import ChatOptions
from g4fsdk._core.model.redact import redact_url


class Refusal(Parser):
    """Collects the body of an answer whose status is no success; closing raises what it means."""

    def __init__(self, provider: Provider, stream: Stream, response: Response) -> None:
        super().__init__(stream.parser.decoder)
        self._provider = provider
        self._response, self._url = response, stream.request.url
        self._body = bytearray()

    def _take(self, data: bytes, out: list[Any]) -> None:
        self._body += data[: MAX_ERROR_BODY - len(self._body)]
        if len(self._body) == MAX_ERROR_BODY:
            raise self._meaning()

    def _end(self, out: list[Any]) -> None:
        raise self._meaning()

    def cut(self, cause: str) -> G4FError:
        """The status was the answer: a body that breaks off changes nothing about it."""
        if self._error is None:
            self._fail(self._meaning())
        return super().cut(cause)

    def _meaning(self) -> StatusError:
        return self._provider.refused(self._response.whole(bytes(self._body), self._url))


@dataclass(frozen=True, slots=True)
class Stream:
    """The request to stream, and the parser to feed with its body. *model* is the one that answers.

    *repeatable*: sending the request again after a connection that closed without a response can't do
    anything twice that matters.
    """

    request: Request
    parser: Parser
    provider: Provider
    model: str
    repeatable: bool = True

    def accept(self, response: Response, max_bytes: int = MAX_BYTES) -> Parser:
        """Return the parser to feed, now that the head of the answer is known; its body may be b"" yet.

        A status that is no success gives a parser whose closing raises what it means. *max_bytes* is the
        size that a line, a document and the answer may have.
        """
        if not is_success(response):
            return Refusal(self.provider, self, response)
        self.parser.limit(max_bytes)
        self.parser.status, self.parser.headers = response.status, response.headers
        self.parser.content_type = (response.header("content-type") or "").lower()
        return self.parser


Flow: TypeAlias = Generator[Request, Response, Stream]


def one_request(stream: Stream) -> Flow:
    """Return the flow of a provider that needs no set-up."""
    yield from ()
    return stream


def is_success(response: Response) -> bool:
    return 200 <= response.status < 300


def advance(flow: Flow, response: Response | G4FError | None = None) -> Request | Stream:
    """Run *flow* to its next step: a request whose whole response it wants, or the stream that ends it.

    *response* answers the request of the step before, or says why there is no answer; None starts the flow.

    Raises:
        G4FError: What the provider makes of its input or of *response*.
    """
    try:
        if isinstance(response, G4FError):
            return flow.throw(response)
        return flow.send(response) if response is not None else next(flow)
    except StopIteration as end:
        stream: Stream = end.value
        return stream


# The last keys of what is read of OpenAI-shaped answers, lists and errors.
CHAT_KEYS = frozenset(
    """
    arguments b64_json choices code completion_tokens content data delta detail error finish_reason function
    id message model name prompt_tokens reasoning reasoning_content refusal revised_prompt text thinking
    tool_calls total_tokens type url usage
    """.split()
)


class Provider:
    """One service: its names, and its requests and answers as pure code.

    Subclasses are one file each; an instance holds where the service is and the key, nothing that changes.
    """

    name: ClassVar[str]
    url: ClassVar[str]
    working: ClassVar[bool] = True
    #: Whether the name alone says which service is meant.
    has_home: ClassVar[bool] = True
    default_model: ClassVar[str] = ""
    models: ClassVar[tuple[str, ...]] = ()
    image_models: ClassVar[tuple[str, ...]] = ()
    aliases: ClassVar[Mapping[str, str]] = {}
    #: Options the wire can carry, by their OpenAI names.
    options: ClassVar[frozenset[str]] = frozenset()
    #: Whether a message may hold pictures, as OpenAI's content parts have them.
    takes_pictures: ClassVar[bool] = False
    #: A regular expression for the URLs of its requests, on whatever host; "" stands for its own host.
    addresses: ClassVar[str] = ""
    #: What `Ids` make in the bodies of its requests, by JSON path: it differs from client to client, and asks
    #: the same.
    made_by_ids: ClassVar[tuple[str, ...]] = ()
    #: What the documents of the service say of a request that leaves it out, by JSON path of the body.
    defaults: ClassVar[Mapping[str, JSON]] = {}
    #: The last keys of what is read of its answers: without one of them, an answer is read wrongly.
    reads: ClassVar[frozenset[str]] = CHAT_KEYS

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        model: str = "",
    ) -> None:
        """*base_url* stands in place of the service's own address, and its query, if any, goes with every
        request; *headers* override any; *model* is the one where a call names none.

        Raises:
            UsageError: A base_url that is no http address, or a header value that cannot be sent.
        """
        self.base_url: str = checked_url(base_url or self.url)
        self.api_key = api_key
        self.model = model
        self.headers: dict[str, str] = checked_headers(headers or {})
        if api_key is not None:
            check_value("the API key", api_key)

    def __repr__(self) -> str:
        return f"<Provider {self}>"

    def __str__(self) -> str:
        model = f" with {self.model}" if self.model else ""
        return f"{self.name} at {redact_url(self.base_url)}{model}"

    @classmethod
    def is_asked_at(cls, url: str) -> bool:
        """Tell whether a request to *url* looks like one to this service, wherever it runs."""
        return re.search(cls.addresses or re.escape(f"//{urlsplit(cls.url).netloc}/"), url) is not None

    @classmethod
    def base_url_in(cls, url: str) -> str:
        """Return the `base_url` of a request that went to *url*."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}"

    def with_settings(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        model: str | None = None,
    ) -> Self:
        """Return a copy with what is given in place of its own; *headers* are added to its own.

        Raises:
            UsageError: As when a provider is made.
        """
        other = copy(self)
        Provider.__init__(
            other,
            base_url=base_url or self.base_url,
            api_key=self.api_key if api_key is None else api_key,
            headers={**self.headers, **(headers or {})},
            model=model or self.model,
        )
        return other

    def at(self, path: str) -> str:
        """Return the address of *path* at the service."""
        return below(self.base_url, path)

    def _key_header(self) -> dict[str, str]:
        """Return the header that most services take a key in, where there is one."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    def _model_for(self, chat: Chat) -> str:
        """Return the model that is asked: the call's, that of its conversation, or the default."""
        return self.get_model(chat.model or (chat.conversation.model if chat.conversation else ""))

    def chat(self, chat: Chat) -> Flow:
        """Return the flow of requests that answers *chat*.

        Raises:
            UsageError: Input that cannot be sent; here, or when the flow starts.
        """
        raise NotImplementedError

    def image(
        self, prompt: str, model: str = "", options: Mapping[str, Any] | None = None, ids: Ids | None = None
    ) -> Flow:
        """Return the flow that makes images for *prompt*."""
        raise UsageError(f"{self.name} makes no images")

    def list_models(self) -> Request | None:
        """Return the request for the list of models, or None where `models` is the list."""
        return None

    def read_models(self, response: Response) -> list[Model]:
        """Return the models in the answer to `list_models`."""
        raise NotImplementedError

    def refused(self, response: Response) -> StatusError:
        """Return what an answer whose status is no success means here."""
        return status_error(response, redact_url(response.url or self.base_url))

    def check(self, response: Response) -> Response:
        """Return *response*, the answer to a set-up request. Raises StatusError when it is no success."""
        if not is_success(response):
            raise self.refused(response)
        return response

    def get_model(self, model: str = "") -> str:
        """Return the id of *model*: aliases first, "" gives the default.

        Raises:
            UsageError: The provider has no such model; the message lists those that are called alike.
        """
        model = model or self.model
        resolved = self.aliases.get(model, model) or self.default_model
        known = {*self.models, *self.image_models}
        if known and resolved not in known:
            names = nearest(model, known | {*self.aliases})
            raise UsageError(f"unknown model {model!r} of {self.name}; known: {names}")
        return resolved

    def read_options(self, chat: Chat) -> dict[str, Any]:
        """Return the options of *chat* that go out.

        Raises:
            UsageError: An option nobody knows, or one this provider cannot honour.
        """
        unknown = sorted(set(chat.options) - KNOWN_OPTIONS - self.options)
        if unknown:
            raise UsageError(f"unknown option {unknown[0]!r}; {self.name} takes: {self._option_names()}")
        odd = sorted(set(chat.options) - self.options)
        if odd and not chat.ignore_unsupported:
            raise UsageError(
                f"cannot honour {odd[0]!r} (it takes: {self._option_names()}); "
                "leave it out, or say ignore_unsupported=True"
            )
        return {name: value for name, value in chat.options.items() if name in self.options}

    def _option_names(self) -> str:
        return ", ".join(sorted(self.options)) or "no options"

    @property
    def home(self) -> str:
        """The server that is asked: what it gave for a conversation goes to no other."""
        return home_of(self.base_url)

    def own(self, conversation: Conversation | None) -> Conversation | None:
        """Return *conversation*. Raises UsageError when it belongs to another provider or server."""
        if conversation is not None and conversation.provider != self.name:
            raise UsageError(f"this conversation is with {conversation.provider!r}, not with {self.name!r}")
        if conversation is not None and conversation.home not in ("", self.home):
            raise UsageError(f"this conversation is at {conversation.home!r}, not at {self.home!r}")
        return conversation


# The parameters of OpenAI's chat completions: what one provider alone knows is no part of them.
KNOWN_OPTIONS = frozenset(ChatOptions.__annotations__) - {"chat_id"}
