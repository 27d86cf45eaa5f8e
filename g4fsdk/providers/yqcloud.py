"""Yqcloud: plain text in, plain text out, no key.

The whole history goes out as one prompt with every turn; the model's name is not sent. The body is the
answer and its end is the only end marker.
"""

from __future__ import annotations

from typing import ClassVar

from g4fsdk._core.decoding.decoder import Notice, TextDecoder
from g4fsdk._core.flow.bodies import merge_headers, post_json
from g4fsdk._core.flow.prompts import build_prompt, continued, plain_text
from g4fsdk._core.flow.provider import (
    Flow,
    Provider,
    Stream,
    one_request,
)
from g4fsdk._core.framing.text import TextParser
from g4fsdk._core.model.chat import Chat, Conversation
from g4fsdk._core.model.errors import BlockedError, StatusError
from g4fsdk._core.model.http import Response

_HEADERS = {
    "Accept": "application/json, text/plain, */*",
    "Accept-Language": "en-US,en;q=0.9",
    "Origin": "https://chat9.yqcloud.top",
    "Referer": "https://chat9.yqcloud.top/",
}
# Given out as an answer, status 200. Only at the beginning: an answer may quote it.
_BAN = Notice(
    "sorry, 您的ip已由于触发防滥用检测而被封禁",
    BlockedError,
    "the service has banned this network's address; use another network or provider",
)
_TOO_LONG = "文字过长"  # "text too long", under 429


class Yqcloud(Provider):
    """https://chat9.yqcloud.top"""

    name = "yqcloud"
    url = "https://api.binjie.fun"
    default_model = "gpt-4"
    models: ClassVar[tuple[str, ...]] = ("gpt-4",)
    addresses = r"/api/generateStream(?:[?#]|$)"
    made_by_ids: ClassVar[tuple[str, ...]] = ("$.userId",)

    def chat(self, chat: Chat) -> Flow:
        conversation = self.own(chat.conversation)
        model = self.get_model(chat.model)
        self.read_options(chat)
        history = continued(conversation, chat.messages)
        state = dict(conversation.state) if conversation else {}
        state.setdefault("userId", f"#/chat/{chat.ids.now_ms()}")
        state["home"] = self.home
        system = plain_text(history[0]) if history[0].role == "system" else ""
        body = {
            "prompt": build_prompt(history[1:] if history[0].role == "system" else history),
            "userId": state["userId"],
            "network": True,
            "system": system,
            "withoutContext": False,
            "stream": chat.stream,
        }
        request = post_json(self.at("/api/generateStream"), body, merge_headers(_HEADERS, self.headers))
        turn = Conversation(self.name, model, history, state)
        decoder = TextDecoder(turn, notices=(_BAN,), handle=conversation)
        return one_request(Stream(request, TextParser(decoder), self, model))

    def refused(self, response: Response) -> StatusError:
        error = super().refused(response)
        if _TOO_LONG.encode() in response.body:
            # A rate limit by its status only.
            error.lasts(f"{error.status}: {_TOO_LONG} (the text is too long); shorten it")
        return error
