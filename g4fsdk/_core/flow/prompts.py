"""Messages to prompts: what goes out when a service takes one text, and how a conversation goes on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from g4fsdk._core.model.chat import Conversation, Message
from g4fsdk._core.model.errors import UsageError


def plain_text(message: Message) -> str:
    """Return the message's text. Raises UsageError for a part that is no text: nothing is dropped."""
    if isinstance(message.content, Sequence) and not isinstance(message.content, str):
        odd = next((part for part in message.content if not isinstance(part.get("text"), str)), None)
        if odd is not None:
            raise UsageError(f"this provider takes text only, not a part of type {odd.get('type')!r}")
    return message.text


def build_prompt(messages: Sequence[Message]) -> str:
    """Return one prompt out of *messages*: one alone as it is, several as `Role: content` lines.

    Blank messages are left out; the last line is `Assistant:`. Raises UsageError when nothing is left.
    """
    if len(messages) == 1:
        return _not_blank(plain_text(messages[0]))
    said = [(message.role.capitalize(), plain_text(message)) for message in messages]
    lines = [f"{role}: {text}" for role, text in said if text.strip()]
    if not lines:
        raise UsageError("messages are empty; give at least one with text")
    return "\n".join([*lines, "Assistant:"])


def last_user_text(messages: Sequence[Message]) -> str:
    """Return the text of the last run of user messages, joined with line ends; later others are skipped."""
    turns = list(messages)
    while turns and turns[-1].role != "user":
        turns.pop()
    run = [*takewhile(lambda message: message.role == "user", reversed(turns))][::-1]
    return _not_blank("\n".join(text for text in (plain_text(m).strip() for m in run) if text))


def _not_blank(prompt: str) -> str:
    if not prompt.strip():
        raise UsageError("there is no text to send; give a user message with content")
    return prompt


def system_text(messages: Sequence[Message]) -> str:
    """Return all system messages joined with line ends, "" for none."""
    return "\n".join(plain_text(message) for message in messages if message.role in _SYSTEM)


_SYSTEM = ("system", "developer")


def without_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(message for message in messages if message.role not in _SYSTEM)


def continued(conversation: Conversation | None, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the whole history: that of *conversation*, and what *messages* add to it.

    *messages* may be the new turn alone or the whole list again. A system message in them replaces the
    conversation's, without losing the rest; without one the old one stays. Raises UsageError when they
    add nothing.
    """
    if conversation is None or not conversation.messages:
        return tuple(messages)
    old, given = without_system(conversation.messages), without_system(messages)
    system = [m for m in messages if m.role in _SYSTEM] or [
        m for m in conversation.messages if m.role in _SYSTEM
    ]
    new = given[len(old) :] if given[: len(old)] == old else _new_turn(given)
    if not new:
        raise UsageError("the messages add nothing to the conversation; give a new user message")
    return (*system, *old, *new)


def _new_turn(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return what follows the last answer in *messages*."""
    return tuple([*takewhile(lambda message: message.role != "assistant", reversed(messages))][::-1])
