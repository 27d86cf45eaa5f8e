"""Answers of the caller's own types, in both clients."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, make_dataclass
from typing import Any

import msgspec
import pytest

from g4fsdk import AsyncClient, Client, ProtocolError, UsageError
from tests.support.loopback import Server
from tests.support.loopback_clients import Colour, both, document

CITY = '{"name":"Köln","inside":[{"name":"Dom"}]}'


class Place(msgspec.Struct):
    name: str
    inside: list[Place] = []


@dataclass
class Town:
    name: str
    inside: list[dict[str, str]]


def parse(colour: Colour, url: str, kind: type[Any]) -> Any:
    plain: dict[str, Any] = {"base_url": f"{url}/v1", "model": "m"}
    if colour == "sync":
        with Client("openai", **plain) as client:
            return client.chat.completions.parse("Where?", response_format=kind, temperature=0.1)

    async def main() -> Any:
        async with AsyncClient("openai", **plain) as client:
            return await client.chat.completions.parse("Where?", response_format=kind, temperature=0.1)

    return asyncio.run(main())


@both
@pytest.mark.parametrize(
    ("kind", "parsed"),
    [(Place, Place("Köln", [Place("Dom")])), (Town, Town("Köln", [{"name": "Dom"}]))],
    ids=["msgspec", "dataclass"],
)
def test_an_answer_is_read_as_what_was_asked_for(colour: Colour, kind: type[Any], parsed: object) -> None:
    with Server(document("openai", CITY)) as server:
        completion = parse(colour, server.url, kind)

    assert (completion.parsed, completion.text) == (parsed, CITY)
    sent = msgspec.json.decode(server.requests[0].body)
    assert (sent["temperature"], sent["response_format"]["type"]) == (0.1, "json_schema")
    said = sent["response_format"]["json_schema"]
    assert (said["name"], said["strict"]) == (kind.__name__, True)
    assert (said["schema"]["type"], said["schema"]["required"]) == ("object", ["name", "inside"])
    assert said["schema"]["additionalProperties"] is False


@both
def test_an_answer_may_be_a_pydantic_model(colour: Colour) -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Model", name=(str, ...))
    with Server(document("openai", CITY)) as server:
        assert parse(colour, server.url, model).parsed == model(name="Köln")


@both
def test_the_schema_of_a_pydantic_model_that_holds_itself_is_an_object(colour: Colour) -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Inside", name=(str, ...), inside=("list[Inside]", []))
    model.model_rebuild(_types_namespace={"Inside": model})
    with Server(document("openai", CITY)) as server:
        found = parse(colour, server.url, model).parsed

    assert found == model(name="Köln", inside=[model(name="Dom")])
    schema = msgspec.json.decode(server.requests[0].body)["response_format"]["json_schema"]["schema"]
    assert (schema["type"], schema["required"]) == ("object", ["name", "inside"])


@both
def test_a_dataclass_of_pydantic_is_read_by_its_own_rules(colour: Colour) -> None:
    pydantic = pytest.importorskip("pydantic")
    fields: list[Any] = [("name", str), ("inside", list[Any], pydantic.Field(max_length=0))]
    kind = pydantic.dataclasses.dataclass(make_dataclass("Empty", fields))
    with Server(document("openai", CITY)) as server, pytest.raises(ProtocolError) as caught:
        parse(colour, server.url, kind)

    assert caught.value.partial == CITY


@both
@pytest.mark.parametrize("text", ["In Köln.", '{"name":1}', '{"name":"Köln"'])
def test_a_text_that_does_not_fit_is_an_error_that_has_it(colour: Colour, text: str) -> None:
    with Server(document("openai", text)) as server, pytest.raises(ProtocolError, match="Place") as caught:
        parse(colour, server.url, Place)

    assert (caught.value.partial, caught.value.provider) == (text, "openai")
    assert caught.value.conversation is not None


@both
@pytest.mark.parametrize("kind", [int, "Place", list[int]], ids=repr)
def test_what_is_no_such_type_is_refused_before_anybody_is_asked(colour: Colour, kind: Any) -> None:
    with Server(document("openai", CITY)) as server, pytest.raises(UsageError, match="response_format"):
        parse(colour, server.url, kind)

    assert not server.requests


def test_a_type_checker_knows_what_comes() -> None:
    with Server(document("openai", CITY)) as server, Client("openai", base_url=f"{server.url}/v1") as client:
        place = client.chat.completions.parse("Where?", response_format=Place, model="m").parsed

        assert place.name == "Köln"
        assert not hasattr(place, "nom")
        with pytest.raises(AttributeError):
            place.nom  # type: ignore[attr-defined]  # noqa: B018  # the test
