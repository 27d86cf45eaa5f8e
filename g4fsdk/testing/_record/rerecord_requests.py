"""Recording what isn't recorded yet, for requests."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import requests
from requests.adapters import BaseAdapter

from g4fsdk.testing._cassette.errors import MismatchError


class PlayOrRecordAdapter(BaseAdapter):
    """Sends through *play*, and what that has no answer for through *record*."""

    def __init__(self, play: BaseAdapter, record: BaseAdapter) -> None:
        super().__init__()
        self._play = play
        self._record = record

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Return the recorded response, or the live one; see `requests.adapters.BaseAdapter.send`."""
        with suppress(MismatchError):
            return self._play.send(request, *args, **options)
        return self._record.send(request, *args, **options)

    def close(self) -> None:
        self._play.close()
        self._record.close()
