"""What a person sees: things that say what they are, answers that print their text, errors that say where."""

from __future__ import annotations

import inspect
import json
import pydoc
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4fsdk import (
    AsyncClient,
    Chat,
    Client,
    Completion,
    G4FError,
    NotFoundError,
    Response,
    Retries,
    Stream,
    UsageError,
    advance,
    providers,
)
from g4fsdk._client.sending import unanswered
from g4fsdk.parsers import SSEParser
from g4fsdk.testing import Player, Recorder, Replay, ReplayServer
from tests.support.loopback import Reply, Server
from tests.support.loopback_clients import COLOURS, Colour, ask, complete, models
from tests.support.players import FOLDER

NORMAL = FOLDER / "yqcloud" / "normal.yaml"
HIDDEN = "openai at http://***@h/v1, m"
WHERE = "yqcloud at https://api.binjie.fun"


def client(*names: str) -> Client:
    return Client(list(names), transport=Replay([NORMAL] * 2, match_on=("url",)))


@pytest.mark.parametrize(("thing", "shown"), [
    (client("yqcloud"), f"<Client {WHERE}>"),
    (client("yqcloud").chat, f"<Chats of <Client {WHERE}>>"),
    (client("yqcloud").images, f"<Images of <Client {WHERE}>>"),
    (client("yqcloud", "amigo"), f"<Client {WHERE}, then amigo at https://api.amigochat.io>"),
    (client("yqcloud").chat.completions.stream("Hi"), "<ChatStream, not opened>"),
    (client("yqcloud").chat.completions.create("Hi", stream=True), f"<ChunkStream of {WHERE}, gpt-4, 200>"),
    (AsyncClient("openai", base_url="http://u:p@h/v1", model="m"), f"<AsyncClient {HIDDEN}>"),
    (Client(), "<Client whoever lists the model>"),
    (Retries(), "Retries(attempts=3, max_retry_after=60.0, on_retry=None)"),
    (Replay(NORMAL), "<Replay, 0 played, 1 to play>"),
    (Replay(NORMAL).requests_adapter(), "<ReplayAdapter, 1 to play>"),
    (Replay(NORMAL).httpx_transport(), "<ReplayTransport, 1 to play>"),
    (Player(NORMAL), "<Player, 1 to play>"),
    (Recorder("out.yaml"), "<Recorder of out.yaml>"),
    (ReplayServer(NORMAL), "<ReplayServer not started, 0 played, 1 to play>"),
])  # fmt: skip
def test_a_thing_says_what_it_is(thing: object, shown: str) -> None:
    assert repr(thing) == shown


def test_an_answer_prints_its_text_and_is_one_to_go_on_with() -> None:
    with client("yqcloud") as asked:
        completion = whole(asked)
        second = whole(asked, conversation=completion)

    assert str(completion) == completion.text == "Hello, this is the reference server."
    assert second.conversation is not None
    assert [one.role for one in second.conversation.messages] == ["user", "assistant"] * 2


def whole(asked: Client, conversation: Completion | None = None) -> Completion:
    with asked.chat.completions.stream("Question.", conversation=conversation) as stream:
        return stream.get_final_completion()


def test_an_answer_without_a_conversation_says_so() -> None:
    bare = Completion.from_dict({"choices": [{"message": {"role": "assistant", "content": ""}}]})

    assert str(bare) == repr(bare)
    with pytest.raises(UsageError, match="no conversation to go on with"):
        client("yqcloud").chat.completions.create("And?", conversation=bare)


def test_the_help_of_a_client_says_what_it_takes() -> None:
    page = pydoc.plain(pydoc.render_doc(Client))
    documents = [
        inspect.getdoc(one) or "" for one in (Client, Client.batch, Client.close, Client.with_options)
    ]

    assert "base_url: The address in place of the provider's own" in page
    assert "`chat.completions` has `create`" in page
    assert "0x" not in page
    assert [line for text in documents for line in text.splitlines() if len(line) > 78] == []


@pytest.mark.parametrize(("base_url", "said"), [
    ("http://h:1", "; most servers want /v1 behind the address"),
    ("http://h:1/v1", ""),
    ("http://h:1/v1/chat/completions", "; leave /chat/completions out of the address, it is added"),
])  # fmt: skip
def test_what_is_not_found_says_where_it_was_asked(base_url: str, said: str) -> None:
    body = json.dumps({"error": {"message": "No such page."}}).encode()

    error = providers.get("openai", base_url=base_url).refused(Response(404, body=body))

    assert isinstance(error, NotFoundError)
    assert str(error) == (
        f"404 Not Found at {base_url}: No such page; check base_url and the model's name{said}"
    )


@pytest.mark.parametrize("colour", COLOURS)
def test_the_address_that_was_asked_is_in_what_was_not_found_there(colour: Colour) -> None:
    nothing = Reply([b"404 page not found"], status=404, framing="length")
    with Server([nothing] * 3) as server:
        whole = complete(colour, "openai", "", base_url=f"{server.url}?api-key=s-e-c-r-e-t")
        streamed = ask(colour, "openai", "", base_url=server.url).error
        listed = models(colour, "openai", "", base_url=server.url)

    wants = "check base_url and the model's name; most servers want /v1 behind the address"
    for error, place in (
        (whole, "/chat/completions?api-key=***"),
        (streamed, "/chat/completions"),
        (listed, "/models"),
    ):
        assert str(error).endswith(f"404 Not Found at {server.url}{place}: 404 page not found; {wants}")


def refused(words: str, status: int, base_url: str) -> G4FError:
    body = json.dumps({"error": {"message": words}}).encode()
    return providers.get("openai", base_url=base_url).refused(Response(status, body=body))


def refused_for_many_reasons(words: str, status: int, base_url: str) -> G4FError:
    body = json.dumps({"errors": [{"message": words}, {"message": words}]}).encode()
    return providers.get("openai", base_url=base_url).refused(Response(status, body=body))


def broken_off(words: str, status: int, base_url: str) -> G4FError:
    return SSEParser().cut(words)


def without_an_answer(words: str, status: int, base_url: str) -> G4FError:
    flow = providers.get("openai", base_url=base_url, model="m").chat(Chat("Hi"))
    step = advance(flow)
    assert isinstance(step, Stream)
    return unanswered(words, step.request.url, sent=False, repeatable=True)


#: What services, libraries and systems say, and how they end it.
WORDS = st.lists(st.sampled_from(["No such page", "it's full", "try later", "x=1", "见"]), min_size=1)
ENDS = st.sampled_from([".", ". ", ".\n", "...", " ..", "!", "?", ";", ":", ",", ".;", "", "\r\n\r\n"])
ODD = re.compile(r"[.,;:][.,;:]|\s\s|\s[.,;:)]|[\r\n]|^\s|[\s.,;:]$|\(\s|\(\)")


@pytest.mark.parametrize("make", [refused, refused_for_many_reasons, broken_off, without_an_answer])
@given(
    words=WORDS, between=ENDS, end=ENDS, status=st.sampled_from([400, 401, 404, 407, 418, 429, 500, 501, 529])
)
def test_the_words_of_others_are_a_part_of_a_sentence_of_ours(
    make: Callable[[str, int, str], G4FError], words: list[str], between: str, end: str, status: int
) -> None:
    said = (between.strip() + " ").join(words) if between.strip() in {".", "!", "?"} else " ".join(words)

    message = str(make(f"{said}{end}", status, "http://h:1"))

    assert words[-1] in message
    assert ODD.findall(message.replace("://", "")) == []
