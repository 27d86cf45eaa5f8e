"""The pirate who talks to visitors: an async service that passes the answer on while it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator

from g4fsdk import AsyncClient, G4FError

PERSONA = "You are a pirate. Answer in one short sentence."
BROKEN_OFF = " ... (the parrot flew away)"


async def talk(question: str, client: AsyncClient) -> AsyncIterator[str]:
    """Give the pieces of the answer, and say so when it breaks off."""
    messages = [{"role": "system", "content": PERSONA}, {"role": "user", "content": question}]
    try:
        async with client.chat.completions.stream(messages) as stream:
            async for text in stream.text_stream:
                yield text
    except G4FError:
        yield BROKEN_OFF
