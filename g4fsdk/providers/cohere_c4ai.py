"""CohereForAI C4AI Command: a Hugging Face Space running chat-ui.

A conversation lives on the server, tied to a cookie. A turn is three requests: create (skipped when
going on), page data for the id of the message to answer to, and the message itself.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec

from g4fsdk._core.decoding.chatui import UpdateDecoder
from g4fsdk._core.decoding.decoder import load_json
from g4fsdk._core.decoding.page_data import Flattened
from g4fsdk._core.decoding.refusals import is_html, page_error, shown
from g4fsdk._core.flow.addresses import segment
from g4fsdk._core.flow.bodies import (
    get,
    merge_headers,
    post_json,
    post_multipart,
    read_json,
)
from g4fsdk._core.flow.prompts import (
    build_prompt,
    continued,
    last_user_text,
    system_text,
    without_system,
)
from g4fsdk._core.flow.provider import Flow, Provider, Stream
from g4fsdk._core.framing.json_lines import JSONLinesParser
from g4fsdk._core.model.chat import Chat, Conversation
from g4fsdk._core.model.errors import (
    AuthError,
    G4FError,
    ProtocolError,
    StatusError,
    UsageError,
)
from g4fsdk._core.model.http import JSON, Request, Response

_HEADERS = {
    "Accept": "*/*",
    "Accept-Language": "en-US,en;q=0.5",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "Priority": "u=4",
}
# Limits that no waiting cures.
_LASTING_LIMITS = ("maximum number of conversations", "before login", "Start a new one")


class CohereC4AI(Provider):
    """https://coherelabs-c4ai-command.hf.space, and any other chat-ui server of its generation."""

    name = "cohere-c4ai"
    url = "https://coherelabs-c4ai-command.hf.space"
    default_model = "command-a-03-2025"
    models: ClassVar[tuple[str, ...]] = (
        "command-a-03-2025",
        "command-r-plus-08-2024",
        "command-r-08-2024",
        "command-r-plus",
        "command-r",
        "command-r7b-12-2024",
        "command-r7b-arabic-02-2025",
    )
    aliases: ClassVar[Mapping[str, str]] = {
        "command-a": "command-a-03-2025",
        "command-r-plus": "command-r-plus-08-2024",
        "command-r7b": "command-r7b-12-2024",
    }
    options: ClassVar[frozenset[str]] = frozenset({"tools", "web_search"})
    addresses = r"/conversation(?:[/?#]|$)"
    reads: ClassVar[frozenset[str]] = frozenset(
        "code conversationId data detail error id message messages nodes status subtype text title token "
        "type".split()
    )

    def get_model(self, model: str = "") -> str:
        """Return the id of *model*, as for every provider; a server of one's own has models of its own."""
        if self.base_url == self.url:
            return super().get_model(model)
        model = model or self.model
        return self.aliases.get(model, model) or self.default_model

    def chat(self, chat: Chat) -> Flow:
        old = self.own(chat.conversation)
        _check_handle(old)
        model = self._model_for(chat)
        options = self.read_options(chat)
        if not isinstance(options.get("tools") or [], list | tuple):
            raise UsageError(f"tools must be a list of names, not {options['tools']!r}")
        history = continued(old, chat.messages)
        system = system_text(history)
        is_new = old is None or not _goes_on(old, model, system)
        # Built before anything is sent: what cannot be said shall leave no conversation behind.
        whole = build_prompt(without_system(history))
        latest = whole if is_new else last_user_text(chat.messages)
        if old is None or is_new:
            conversation = yield from self._create(model, system, old)
        else:
            conversation = old
        parent, is_fresh = yield from self._open(conversation)
        turn: dict[str, JSON] = {
            # A conversation without a question yet, new or left so by a failure, has to be told everything.
            "inputs": whole if is_fresh else latest,
            "id": parent,
            "is_retry": False,
            "is_continue": False,
            "web_search": bool(options.get("web_search")),
            "tools": list(options.get("tools") or ()),
        }
        decoder = UpdateDecoder(
            conversation.with_messages(history), handle=conversation, announce=is_new or is_fresh
        )
        request = self._send_request(conversation, turn, chat.ids.uuid("boundary"))
        # Sent twice, a question stands twice in the conversation.
        return Stream(request, JSONLinesParser(decoder), self, model, repeatable=False)

    def _create(
        self, model: str, system: str, old: Conversation | None
    ) -> Generator[Request, Response, Conversation]:
        url = self.at("/conversation")
        response = self.check((yield post_json(url, {"model": model, "preprompt": system}, self._headers())))
        match read_json(response, "the id of a new conversation"):
            case {"conversationId": str(name)} as created if _is_segment(name):
                kept = {"preprompt": system, "cookies": _cookies(response), "home": self.home}
                return Conversation(self.name, model, old.messages if old else (), {**created, **kept})
            case other:
                said = f"expected the id of a new conversation, got {shown(other)}"
                raise ProtocolError(said, excerpt=response.body)

    def _open(self, conversation: Conversation) -> Generator[Request, Response, tuple[str, bool]]:
        """Return the id of the message to answer to, and whether no question has been asked yet."""
        url = self._url(conversation, "/__data.json?x-sveltekit-invalidated=11")
        try:
            return self._parent(self.check((yield get(url, self._headers(conversation)))))
        except G4FError as error:
            error.asked(self.name, None, conversation)
            raise

    def _send_request(self, conversation: Conversation, turn: dict[str, JSON], boundary: str) -> Request:
        url = self._url(conversation)
        return post_multipart(url, ("data", turn), f"----g4fsdk-{boundary}", self._headers(conversation))

    def _url(self, conversation: Conversation, page: str = "") -> str:
        return self.at(f"/conversation/{segment(conversation.state['conversationId'])}{page}")

    def _headers(self, conversation: Conversation | None = None) -> dict[str, str]:
        parts = urlsplit(self.base_url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # checked against Host by the server
        pairs = "; ".join(f"{name}={value}" for name, value in _kept_cookies(conversation).items())
        cookie = {"Cookie": pairs} if pairs else {}
        own = {"Origin": origin, "Referer": f"{origin}/", **self._key_header(), **cookie}
        return merge_headers(_HEADERS, own, self.headers)

    def _parent(self, response: Response) -> tuple[str, bool]:
        """Return the id of the last message, and whether no question has been asked yet."""
        line = response.body.split(b"\n", 1)[0]
        if is_html(line):
            raise page_error(response.status, response.body, response.headers)
        try:
            return self._last_message(load_json(line))
        except ValueError as error:
            raise ProtocolError(
                f"the page data of the conversation is not as expected ({error}); newer chat-ui servers "
                f"no longer send the messages there: {line[:200]!r}",
                excerpt=line,
            ) from error

    def _last_message(self, value: JSON) -> tuple[str, bool]:
        match value:
            case {"type": "redirect", "location": location}:
                raise AuthError(f"the server redirects to {shown(location)}: it wants a login", status=302)
            case {"type": "data", "nodes": list(nodes)}:
                return self._last_of(nodes)
            case _:
                raise ValueError("no page data")

    def _last_of(self, nodes: list[JSON]) -> tuple[str, bool]:
        for node in reversed(nodes):
            match node:
                case {"type": "error"}:
                    raise self._node_error(node)
                case {"type": "data", "data": [{"messages": messages}, *_] as data}:
                    return _last_id(Flattened(data), messages)
        raise ValueError("no messages in it")

    def _node_error(self, node: dict[str, JSON]) -> StatusError:
        # A malformed id gives a node without a status.
        status = node["status"] if isinstance(node.get("status"), int) else 500
        return self.refused(Response(status, (), msgspec.json.encode(node.get("error"))))

    def refused(self, response: Response) -> StatusError:
        error = super().refused(response)
        # A 500 here says that the request was wrong (bad id, empty text), not that the server is busy.
        if response.status == 500 or any(limit.encode() in response.body for limit in _LASTING_LIMITS):
            error.lasts()
        return error


def _is_segment(name: str) -> bool:
    try:
        return bool(segment(name))
    except ValueError:
        return False


def _kept_cookies(conversation: Conversation | None) -> Mapping[str, str]:
    return conversation.state.get("cookies", {}) if conversation else {}


def _check_handle(conversation: Conversation | None) -> None:
    """Raise UsageError for a handle that no server gave."""
    if conversation is None:
        return
    cookies: object = _kept_cookies(conversation)
    named = conversation.state.get("conversationId", "a new one")
    if not (isinstance(named, str) and _is_segment(named)):
        raise UsageError("this is no conversation to go on with: its conversationId cannot be one")
    if not (isinstance(cookies, Mapping) and all(map(_is_cookie, cookies.items()))):
        raise UsageError("this is no conversation to go on with: its cookies are no names with values")


def _is_cookie(pair: tuple[object, object]) -> bool:
    return all(
        isinstance(part, str) and part.isascii() and part.isprintable() and ";" not in part for part in pair
    )


def _goes_on(old: Conversation, model: str, system: str) -> bool:
    state = old.state
    return "conversationId" in state and old.model == model and state.get("preprompt", "") == system


def _last_id(data: Flattened, messages: JSON) -> tuple[str, bool]:
    items = data.items(messages)
    if not items:
        raise ValueError("the conversation has no message")
    senders = [data.text(data.key(item, "from")) for item in items]
    return data.text(data.key(items[-1], "id")), "user" not in senders


def _cookies(response: Response) -> dict[str, str]:
    """Return the cookies that *response* sets, under whatever names they come."""
    pairs = (value.split(";", 1)[0].partition("=") for value in response.header_values("set-cookie"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}
