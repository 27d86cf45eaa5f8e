"""Chat providers of the gpt4free family, and any OpenAI-compatible endpoint.

Importing this package imports nothing else: each name is loaded when it is first used.
"""

from __future__ import annotations

from g4fsdk._version import __version__ as __version__

TYPE_CHECKING = False  # as `typing` has it, whose import would cost most of ours
if TYPE_CHECKING:
    from g4fsdk import parsers as parsers
    from g4fsdk import providers as providers
    from g4fsdk._async import AsyncClient as AsyncClient
    from g4fsdk._async_streams import AsyncChatStream as AsyncChatStream
    from g4fsdk._async_streams import AsyncChunkStream as AsyncChunkStream
    from g4fsdk._completions import Chunk as Chunk
    from g4fsdk._completions import Completion as Completion
    from g4fsdk._completions import ImagesResponse as ImagesResponse
    from g4fsdk._completions import Model as Model
    from g4fsdk._completions import ToolCall as ToolCall
    from g4fsdk._errors import AuthError as AuthError
    from g4fsdk._errors import BlockedError as BlockedError
    from g4fsdk._errors import DeadlineError as DeadlineError
    from g4fsdk._errors import EmptyAnswerError as EmptyAnswerError
    from g4fsdk._errors import G4FError as G4FError
    from g4fsdk._errors import IncompleteStreamError as IncompleteStreamError
    from g4fsdk._errors import NotFoundError as NotFoundError
    from g4fsdk._errors import ProtocolError as ProtocolError
    from g4fsdk._errors import ProviderError as ProviderError
    from g4fsdk._errors import RateLimitError as RateLimitError
    from g4fsdk._errors import ServerError as ServerError
    from g4fsdk._errors import StatusError as StatusError
    from g4fsdk._errors import TransportError as TransportError
    from g4fsdk._errors import UsageError as UsageError
    from g4fsdk._events import ConversationEvent as ConversationEvent
    from g4fsdk._events import Event as Event
    from g4fsdk._events import FinalText as FinalText
    from g4fsdk._events import Finish as Finish
    from g4fsdk._events import Image as Image
    from g4fsdk._events import ImageEvent as ImageEvent
    from g4fsdk._events import ReasoningDelta as ReasoningDelta
    from g4fsdk._events import RefusalDelta as RefusalDelta
    from g4fsdk._events import TextDelta as TextDelta
    from g4fsdk._events import Title as Title
    from g4fsdk._events import ToolCallDelta as ToolCallDelta
    from g4fsdk._events import Usage as Usage
    from g4fsdk._flow import Stream as Stream
    from g4fsdk._flow import advance as advance
    from g4fsdk._retries import Retries as Retries
    from g4fsdk._retries import RetryEvent as RetryEvent
    from g4fsdk._sync import Client as Client
    from g4fsdk._sync_streams import ChatStream as ChatStream
    from g4fsdk._sync_streams import ChunkStream as ChunkStream
    from g4fsdk._types import Chat as Chat
    from g4fsdk._types import Conversation as Conversation
    from g4fsdk._types import Ids as Ids
    from g4fsdk._types import Message as Message
    from g4fsdk._types import Request as Request
    from g4fsdk._types import Response as Response
    from g4fsdk._types import Timeouts as Timeouts

_NAMES = {
    "_async": ("AsyncClient",),
    "_async_streams": ("AsyncChatStream", "AsyncChunkStream"),
    "_completions": ("Chunk", "Completion", "ImagesResponse", "Model", "ToolCall"),
    "_errors": (
        *("AuthError", "BlockedError", "DeadlineError", "EmptyAnswerError", "G4FError"),
        *("IncompleteStreamError", "NotFoundError", "ProtocolError", "ProviderError", "RateLimitError"),
        *("ServerError", "StatusError", "TransportError", "UsageError"),
    ),
    "_events": (
        *("ConversationEvent", "Event", "FinalText", "Finish", "Image", "ImageEvent", "ReasoningDelta"),
        *("RefusalDelta", "TextDelta", "Title", "ToolCallDelta", "Usage"),
    ),
    "_flow": ("Stream", "advance"),
    "_retries": ("Retries", "RetryEvent"),
    "_sync": ("Client",),
    "_sync_streams": ("ChatStream", "ChunkStream"),
    "_types": ("Chat", "Conversation", "Ids", "Message", "Request", "Response", "Timeouts"),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
_MODULES = ("parsers", "providers")

__all__ = [*sorted(_MODULE_OF), *_MODULES]


if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of ours

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _MODULES:
            value = import_module(f"g4fsdk.{name}")
        elif name in _MODULE_OF:
            value = getattr(import_module(f"g4fsdk.{_MODULE_OF[name]}"), name)
        else:
            raise AttributeError(f"module 'g4fsdk' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
