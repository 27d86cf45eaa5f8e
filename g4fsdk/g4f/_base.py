"""What g4f's four classes share."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar

from g4fsdk import providers

P = ParamSpec("P")
T = TypeVar("T")


class G4FProvider:
    """A service by g4f's names. The addresses on the class may be set; the next call goes there."""

    label: str | None = None
    url: str
    working: bool = True
    active_by_default: bool | None = None
    needs_auth: bool = False
    use_stream_timeout: bool = False  # ours has clocks of its own
    live: int = 0
    supports_stream: bool = True
    supports_system_message: bool = True
    supports_message_history: bool = True
    default_model: str
    models: list[str]
    model_aliases: dict[str, str]
    _kind: ClassVar[type[providers.Provider]]

    if not TYPE_CHECKING:  # which takes it for that of the class

        @property
        def __name__(self) -> str:
            """For g4f's own client, which may be given an instance."""
            return type(self).__name__

    @classmethod
    def get_dict(cls) -> dict[str, str | None]:
        """Return what g4f's own client says of who answered."""
        return {"name": cls.__name__, "url": cls.url, "label": cls.label}

    @classmethod
    def get_parent(cls) -> str:
        return cls.__name__

    @classmethod
    def get_model(cls, model: str, **kwargs: Any) -> str:
        """Return the id of *model*: aliases first, "" gives the default.

        Raises:
            UsageError: There is no such model; the message lists those there are.
        """
        return cls._kind().get_model(model or cls.default_model)


class on_class_or_instance(Generic[P, T]):  # noqa: N801  # used as `classmethod` is
    """A method whose first argument is the instance it is called on, or the class."""

    def __init__(self, function: Callable[Concatenate[Any, P], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: object | None, owner: type) -> Callable[P, T]:
        return MethodType(self._function, owner if instance is None else instance)
