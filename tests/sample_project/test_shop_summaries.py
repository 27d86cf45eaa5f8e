from __future__ import annotations

import pytest
from shop.summaries import in_two_sentences  # type: ignore[import-not-found]  # pytest.ini says where it is

from g4fsdk import Client
from g4fsdk.testing import Fault


@pytest.mark.g4f_cassette("cohere-c4ai/blue-sky")
def test_a_question_is_answered(g4f_client: Client) -> None:
    answer = in_two_sentences("Why is the sky blue?", g4f_client)

    assert answer.startswith("The sky looks blue because")


@pytest.mark.g4f_cassette("cohere-c4ai/blue-sky", faults=[Fault.drop(at_event=9)])
def test_half_an_answer_is_not_printed(g4f_client: Client) -> None:
    answer = in_two_sentences("Why is the sky blue?", g4f_client)

    assert answer == "We could not find out (IncompleteStreamError)."
