"""Record, replay, play without I/O, damage, serve and compare provider sessions.

Importing this package imports nothing else: each name is loaded when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it, whose import is not needed to load this package
if TYPE_CHECKING:
    from g4fsdk.testing._cassette.cassette import Cassette as Cassette
    from g4fsdk.testing._cassette.errors import CassetteError as CassetteError
    from g4fsdk.testing._cassette.errors import LeakError as LeakError
    from g4fsdk.testing._cassette.errors import MismatchError as MismatchError
    from g4fsdk.testing._cassette.errors import UnplayedError as UnplayedError
    from g4fsdk.testing._cassette.values import Interaction as Interaction
    from g4fsdk.testing._cassette.values import RecordedRequest as RecordedRequest
    from g4fsdk.testing._cassette.values import RecordedResponse as RecordedResponse
    from g4fsdk.testing._pytest.sockets import SocketBlockedError as SocketBlockedError
    from g4fsdk.testing._record.recorder import Recorder as Recorder
    from g4fsdk.testing._replay.faults import Fault as Fault
    from g4fsdk.testing._replay.player import Player as Player
    from g4fsdk.testing._replay.replay import Replay as Replay
    from g4fsdk.testing._server.server import ReplayServer as ReplayServer

_NAMES = {
    "_cassette.cassette": "Cassette",
    "_cassette.errors": "CassetteError LeakError MismatchError UnplayedError",
    "_cassette.values": "Interaction RecordedRequest RecordedResponse",
    "_pytest.sockets": "SocketBlockedError",
    "_record.recorder": "Recorder",
    "_replay.faults": "Fault",
    "_replay.player": "Player",
    "_replay.replay": "Replay",
    "_server.server": "ReplayServer",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [*sorted(_MODULE_OF)]


if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of ours

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in _MODULE_OF:
            raise AttributeError(f"module 'g4fsdk.testing' has no attribute {name!r}")
        value = getattr(import_module(f"g4fsdk.testing.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__]
