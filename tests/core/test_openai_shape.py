"""Answers and chunks as OpenAI's JSON, and back: nothing is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4fsdk import Chunk, Completion, Conversation, UsageError

LEAVES = (
    st.text(max_size=4)
    | st.integers()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.none()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
)


def objects(**named: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects that may have the *named* keys, of the right kind or of any other, and more keys."""
    optional = {key: kind | VALUES for key, kind in named.items()}
    more = st.dictionaries(st.text(max_size=4), VALUES, max_size=2)
    return st.builds(lambda extra, known: extra | known, more, st.fixed_dictionaries({}, optional=optional))


TEXT, COUNT = st.text(max_size=4), st.integers()
CALL = objects(
    id=TEXT,
    type=TEXT | st.sampled_from(["function", "custom"]),
    index=COUNT | st.integers(0, 1),
    function=objects(name=TEXT, arguments=TEXT),
    custom=objects(name=TEXT, input=TEXT),
)
IMAGE = objects(type=st.just("image_url"), image_url=objects(url=TEXT), url=TEXT)
SAID = {
    "role": TEXT,
    "content": TEXT,
    "refusal": TEXT,
    "reasoning_content": TEXT,
    "reasoning": TEXT,
    "audio": objects(id=TEXT, data=TEXT, transcript=TEXT, expires_at=COUNT),
    "images": st.lists(IMAGE, max_size=2),
    "annotations": st.lists(VALUES, max_size=2),
}
LOGPROBS = objects(content=st.lists(VALUES, max_size=2), refusal=st.lists(VALUES, max_size=2))
USAGE = objects(prompt_tokens=COUNT, total_tokens=COUNT, prompt_tokens_details=objects(cached_tokens=COUNT))


def answers(said: str) -> st.SearchStrategy[dict[str, Any]]:
    message = st.builds(
        lambda value, calls: value | ({"tool_calls": calls} if calls else {}),
        objects(**SAID),
        st.lists(CALL, max_size=2),
    )
    choice = objects(index=COUNT, logprobs=LOGPROBS, finish_reason=TEXT, **{said: message})
    ours = objects(provider=st.just("p"), title=st.just("t"))
    whole = objects(id=TEXT, created=COUNT, model=TEXT, service_tier=TEXT, usage=USAGE, g4fsdk=ours)
    choices = st.lists(choice, max_size=2)
    return st.builds(lambda value, found: value | {"choices": found}, whole, choices)


def leaves(value: Any) -> list[str]:
    match value:
        case dict():
            return [leaf for item in value.values() for leaf in leaves(item)]
        case list():
            return [leaf for item in value for leaf in leaves(item)]
        case None:  # nothing is said
            return []
        case _:
            return [repr(value)]


@pytest.mark.parametrize(
    ("kind", "said"), [(Completion, "message"), (Chunk, "delta")], ids=["whole", "chunk"]
)
@given(data=st.data())
def test_nothing_is_lost_on_the_way_there_and_back(
    kind: type[Completion] | type[Chunk], said: str, data: st.DataObject
) -> None:
    value = data.draw(answers(said))
    before = json.dumps(value)

    read = kind.from_dict(value)
    out = read.to_dict()

    assert json.dumps(value) == before
    assert kind.from_dict(out) == read
    assert json.loads(read.to_json()) == json.loads(json.dumps(out))
    missing = leaves(value)
    for leaf in leaves(out):
        if leaf in missing:
            missing.remove(leaf)
    assert missing == []


@pytest.mark.parametrize("kind", [Completion, Chunk])
@pytest.mark.parametrize(
    "value",
    [{}, None, "x", {"choices": None}, {"choices": ["x"]}, {"choices": [{"message": {"tool_calls": [1]}}]}],
)
def test_what_is_no_answer_is_refused(kind: type[Completion] | type[Chunk], value: Any) -> None:
    if "tool_calls" in str(value):
        value = {"choices": [{"message": {"tool_calls": [1]}, "delta": {"tool_calls": [1]}}]}

    with pytest.raises(UsageError):
        kind.from_dict(value)


def test_an_answer_in_another_role_is_kept_and_goes_back_as_the_assistants() -> None:
    read = Completion.from_dict({"choices": [{"message": {"role": "model", "content": "x"}}]})

    assert read.to_dict()["choices"][0]["message"]["role"] == "model"
    assert read.choices[0].message.to_dict()["role"] == "assistant"


def test_an_answer_is_a_mapping_to_web_frameworks_without_its_conversation() -> None:
    found = Completion(choices=[], conversation=Conversation("cohere-c4ai", state={"cookie": "secret"}))

    assert dict(found) == found.to_dict()
    assert "secret" not in found.to_json()


def test_half_a_character_goes_out_as_an_escape() -> None:
    found = Completion(choices=[], id="\ud83d")

    assert json.loads(found.to_json())["id"] == "\ud83d"


def test_pydantic_takes_an_answer_as_a_type() -> None:
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(Completion)
    found = Completion(choices=[], id="c1")

    assert adapter.dump_python(adapter.validate_python(found)) == found.to_dict()
    assert adapter.validate_json(found.to_json()) == found
    assert adapter.json_schema(mode="serialization")["type"] == "object"
    assert adapter.json_schema()["type"] == "object"


@pytest.mark.parametrize("value", [{}, "x", {"choices": [1]}], ids=repr)
def test_what_is_no_answer_is_a_value_that_pydantic_refuses(value: Any) -> None:
    pydantic = pytest.importorskip("pydantic")

    with pytest.raises(pydantic.ValidationError, match=r"choices|OpenAI"):
        pydantic.TypeAdapter(Completion).validate_python(value)


@pytest.mark.parametrize("kind", [Completion, Chunk])
async def test_an_endpoint_of_fastapi_takes_an_answer_and_gives_it(
    kind: type[Completion] | type[Chunk],
) -> None:
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    async def echo(answer: Any) -> Any:
        assert isinstance(answer, kind)
        return answer

    echo.__annotations__ = {"answer": kind, "return": kind}
    app.post("/typed")(echo)
    app.post("/untyped", response_model=None)(echo)
    said = kind.from_dict({"id": "c1", "choices": [{"index": 0, "finish_reason": "stop"}]}).to_dict()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        for path in ("/typed", "/untyped"):
            assert (await client.post(path, json=said)).json() == said
        assert (await client.post("/typed", json={})).status_code == 422
