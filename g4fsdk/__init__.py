"""Chat providers of the gpt4free family, and any OpenAI-compatible endpoint.

Importing this package imports nothing else: each name is loaded when it is first used.
"""

from __future__ import annotations

from g4fsdk._version import __version__ as __version__

TYPE_CHECKING = False  # as `typing` has it, whose import would cost most of ours
if TYPE_CHECKING:
    from g4fsdk import parsers as parsers
    from g4fsdk import providers as providers
    from g4fsdk._client.asynchronous.client import AsyncClient as AsyncClient
    from g4fsdk._client.asynchronous.streams import AsyncChatStream as AsyncChatStream
    from g4fsdk._client.asynchronous.streams import AsyncChunkStream as AsyncChunkStream
    from g4fsdk._client.blocking.client import Client as Client
    from g4fsdk._client.blocking.streams import ChatStream as ChatStream
    from g4fsdk._client.blocking.streams import ChunkStream as ChunkStream
    from g4fsdk._client.clocks import Timeouts as Timeouts
    from g4fsdk._client.retries import Retries as Retries
    from g4fsdk._client.retries import RetryEvent as RetryEvent
    from g4fsdk._core.flow.provider import Stream as Stream
    from g4fsdk._core.flow.provider import advance as advance
    from g4fsdk._core.model.chat import Chat as Chat
    from g4fsdk._core.model.chat import Conversation as Conversation
    from g4fsdk._core.model.chat import Ids as Ids
    from g4fsdk._core.model.chat import Message as Message
    from g4fsdk._core.model.chunks import Chunk as Chunk
    from g4fsdk._core.model.completions import Completion as Completion
    from g4fsdk._core.model.completions import ImagesResponse as ImagesResponse
    from g4fsdk._core.model.completions import Model as Model
    from g4fsdk._core.model.errors import AuthError as AuthError
    from g4fsdk._core.model.errors import BlockedError as BlockedError
    from g4fsdk._core.model.errors import DeadlineError as DeadlineError
    from g4fsdk._core.model.errors import EmptyAnswerError as EmptyAnswerError
    from g4fsdk._core.model.errors import G4FError as G4FError
    from g4fsdk._core.model.errors import IncompleteStreamError as IncompleteStreamError
    from g4fsdk._core.model.errors import NotFoundError as NotFoundError
    from g4fsdk._core.model.errors import ProtocolError as ProtocolError
    from g4fsdk._core.model.errors import ProviderError as ProviderError
    from g4fsdk._core.model.errors import RateLimitError as RateLimitError
    from g4fsdk._core.model.errors import ServerError as ServerError
    from g4fsdk._core.model.errors import StatusError as StatusError
    from g4fsdk._core.model.errors import TransportError as TransportError
    from g4fsdk._core.model.errors import UsageError as UsageError
    from g4fsdk._core.model.events import Annotation as Annotation
    from g4fsdk._core.model.events import AudioDelta as AudioDelta
    from g4fsdk._core.model.events import ConversationEvent as ConversationEvent
    from g4fsdk._core.model.events import Event as Event
    from g4fsdk._core.model.events import Extra as Extra
    from g4fsdk._core.model.events import FinalText as FinalText
    from g4fsdk._core.model.events import Finish as Finish
    from g4fsdk._core.model.events import Image as Image
    from g4fsdk._core.model.events import ImageEvent as ImageEvent
    from g4fsdk._core.model.events import Logprobs as Logprobs
    from g4fsdk._core.model.events import ReasoningDelta as ReasoningDelta
    from g4fsdk._core.model.events import RefusalDelta as RefusalDelta
    from g4fsdk._core.model.events import TextDelta as TextDelta
    from g4fsdk._core.model.events import Title as Title
    from g4fsdk._core.model.events import ToolCallDelta as ToolCallDelta
    from g4fsdk._core.model.events import Usage as Usage
    from g4fsdk._core.model.http import Request as Request
    from g4fsdk._core.model.http import Response as Response
    from g4fsdk._core.model.messages import ToolCall as ToolCall

# Where each public name lives.
_NAMES = {
    "_client.asynchronous.client": "AsyncClient",
    "_client.asynchronous.streams": "AsyncChatStream AsyncChunkStream",
    "_client.blocking.client": "Client",
    "_client.blocking.streams": "ChatStream ChunkStream",
    "_client.clocks": "Timeouts",
    "_client.retries": "Retries RetryEvent",
    "_core.flow.provider": "Stream advance",
    "_core.model.chat": "Chat Conversation Ids Message",
    "_core.model.chunks": "Chunk",
    "_core.model.completions": "Completion ImagesResponse Model",
    "_core.model.errors": (
        "AuthError BlockedError DeadlineError EmptyAnswerError G4FError "
        "IncompleteStreamError NotFoundError ProtocolError ProviderError RateLimitError "
        "ServerError StatusError TransportError UsageError "
    ),
    "_core.model.events": (
        "Annotation AudioDelta ConversationEvent Event Extra FinalText Finish Image ImageEvent Logprobs "
        "ReasoningDelta RefusalDelta TextDelta Title ToolCallDelta Usage "
    ),
    "_core.model.http": "Request Response",
    "_core.model.messages": "ToolCall",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}
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
