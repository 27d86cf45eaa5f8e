from __future__ import annotations

import pytest
from shop.mascot import BROKEN_OFF, talk  # type: ignore[import-not-found]  # pytest.ini says where it is

from g4fsdk import AsyncClient
from g4fsdk.testing import Fault

QUESTION = "What is the capital of France?"


@pytest.mark.g4f_cassette("cohere-c4ai/pirate")
async def test_the_answer_is_passed_on_while_it_arrives(g4f_async_client: AsyncClient) -> None:
    pieces = [piece async for piece in talk(QUESTION, g4f_async_client)]

    assert "".join(pieces).startswith("Arr, it be Paris")
    assert len(pieces) > 5


@pytest.mark.g4f_cassette("cohere-c4ai/pirate", cuts=1)
async def test_it_does_not_matter_where_the_network_cuts(g4f_async_client: AsyncClient) -> None:
    pieces = [piece async for piece in talk(QUESTION, g4f_async_client)]

    assert "".join(pieces).startswith("Arr, it be Paris")


@pytest.mark.g4f_cassette("cohere-c4ai/pirate", faults=[Fault.reset(at_event=6)])
async def test_a_visitor_is_told_when_the_answer_breaks_off(g4f_async_client: AsyncClient) -> None:
    pieces = [piece async for piece in talk(QUESTION, g4f_async_client)]

    assert "".join(pieces).startswith("Arr, it")
    assert pieces[-1] == BROKEN_OFF
