"""What an adapter of requests tries again by itself (`max_retries=`), above what plays or records a try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import requests
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

Send: TypeAlias = Callable[[], requests.Response]

_ONCE = Retry(0, read=False)  # as an adapter has it that was told nothing


def retries_of(adapter: object) -> Retry | None:
    """Return what *adapter* tries again, or None."""
    retries = getattr(adapter, "max_retries", None)
    if isinstance(retries, Retry) and (retries.total not in (0, False) or retries.status_forcelist):
        return retries
    return None


def once(adapter: Any) -> Any:
    """Return *adapter*, which tries nothing again; its connections are the same."""
    if retries_of(adapter) is None:
        return adapter
    twin = object.__new__(type(adapter))
    twin.__dict__.update({**vars(adapter), "max_retries": _ONCE})
    return twin


def tried(send: Send, retries: Retry | None, request: requests.PreparedRequest, *, waits: bool) -> Any:
    """Return what *send* gives in the end; it is tried again as *retries* say, as urllib3 does.

    Raises:
        requests.RetryError: Each answer was one to be tried again.
        requests.ConnectionError, requests.ReadTimeout: There was none.
    """
    if retries is None:
        return send()
    method, url = request.method or "GET", request.url or ""
    while True:
        response, retries = _one(send, retries, method, url)
        if response is None:
            continue
        has_date = "Retry-After" in response.headers
        if not retries.is_retry(method, response.status_code, has_date):
            return response
        try:
            retries = retries.increment(method, url, response=response.raw)
        except MaxRetryError as gave_up:
            if retries.raise_on_status:
                response.raw.drain_conn()
                raise requests.exceptions.RetryError(gave_up, request=request) from gave_up
            return response
        response.raw.drain_conn()
        if waits:
            retries.sleep(response.raw)


def _one(send: Send, retries: Retry, method: str, url: str) -> tuple[requests.Response | None, Retry]:
    """Return the answer to one try, or none and what is left of *retries*."""
    try:
        return send(), retries
    except (requests.ConnectionError, requests.ReadTimeout) as error:
        cause = next(iter(error.args), None)
        if not isinstance(cause, HTTPError):
            raise
        try:
            return None, retries.increment(method, url, error=cause)
        except MaxRetryError as gave_up:
            raise requests.ConnectionError(gave_up, request=error.request) from error
        except HTTPError:
            raise error from None
