"""Record, replay, damage, serve and compare provider sessions.

Importing this package imports nothing else: each name is loaded when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it, whose import is not needed to load this package
if TYPE_CHECKING:
    from g4fsdk.testing._cassette import Cassette as Cassette
    from g4fsdk.testing._errors import CassetteError as CassetteError
    from g4fsdk.testing._errors import LeakError as LeakError
    from g4fsdk.testing._errors import MismatchError as MismatchError
    from g4fsdk.testing._errors import UnplayedError as UnplayedError
    from g4fsdk.testing._faults import Fault as Fault
    from g4fsdk.testing._recorder import Recorder as Recorder
    from g4fsdk.testing._replay import Replay as Replay
    from g4fsdk.testing._server import ReplayServer as ReplayServer
    from g4fsdk.testing._sockets import SocketBlockedError as SocketBlockedError

_NAMES = {
    "_cassette": ("Cassette",),
    "_errors": ("CassetteError", "LeakError", "MismatchError", "UnplayedError"),
    "_faults": ("Fault",),
    "_recorder": ("Recorder",),
    "_replay": ("Replay",),
    "_server": ("ReplayServer",),
    "_sockets": ("SocketBlockedError",),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

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
