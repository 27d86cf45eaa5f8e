"""Short answers for the newsletter; a blocking script asks for them at night."""

from __future__ import annotations

from g4fsdk import Client, G4FError


def in_two_sentences(question: str, client: Client) -> str:
    """Return a short answer, or an apology when there is none."""
    try:
        return client.chat.completions.create(f"{question} Answer in two sentences.").text
    except G4FError as error:
        return f"We could not find out ({type(error).__name__})."
