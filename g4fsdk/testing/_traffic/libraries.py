"""httpx, and what has its surface (httpx2): told by a request's class, so that neither has to be there."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any


def library_of(request: Any) -> Any:
    """Return the library whose `Request` *request* is: a module like httpx. Raises TypeError for none."""
    kind: Any = type(request)
    return _library_of(kind)


@cache
def _library_of(kind: Any) -> Any:
    for base in kind.__mro__:
        library = sys.modules.get(base.__module__.partition(".")[0])
        if all(hasattr(library, name) for name in ("AsyncByteStream", "AsyncBaseTransport", "Response")):
            return library
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} is no request of httpx or httpx2")


@cache
def stream_class(kind: type, library: Any) -> type:
    """Return *kind* as a stream of *library*'s clients, which ask for both of its classes."""
    return type(kind.__name__, (kind, library.SyncByteStream, library.AsyncByteStream), {})
