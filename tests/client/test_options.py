"""Options are named by one table, which type checkers see: an ignore below without need fails the gate."""

from __future__ import annotations

import pytest

from g4fsdk import AsyncClient, Client, UsageError
from g4fsdk._core.model.options import ChatOptions


def test_an_option_that_nobody_knows_is_refused_and_red_to_a_type_checker() -> None:
    with Client("openai", base_url="http://127.0.0.1:9/v1", model="m") as client:
        completions = client.chat.completions
        with pytest.raises(UsageError, match="temperatur"):
            completions.create("Hi", temperatur=0.3)  # type: ignore[call-overload]  # the test
        with pytest.raises(UsageError, match="temperatur"):
            completions.stream("Hi", temperatur=0.3).get_final_completion()  # type: ignore[call-arg]  # too


async def test_an_option_that_nobody_knows_is_refused_and_red_when_awaited() -> None:
    async with AsyncClient("openai", base_url="http://127.0.0.1:9/v1", model="m") as client:
        completions = client.chat.completions
        with pytest.raises(UsageError, match="temperatur"):
            await completions.create("Hi", temperatur=0.3)  # type: ignore[call-overload]  # the test
        with pytest.raises(UsageError, match="temperatur"):
            await completions.stream("Hi", temperatur=0.3).get_final_completion()  # type: ignore[call-arg]  # too


def test_options_of_another_type_are_red_to_a_type_checker() -> None:
    options: ChatOptions = {"temperature": 0.3, "stop": ["x"], "n": 2}
    wrong: ChatOptions = {"temperature": "hot"}  # type: ignore[typeddict-item]  # the test

    assert set(options) | set(wrong) <= set(ChatOptions.__annotations__)
