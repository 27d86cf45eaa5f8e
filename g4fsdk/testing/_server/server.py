"""Plays recordings over a real loopback socket, for any client in any language."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from g4fsdk.testing._cassette.services import base_url_of
from g4fsdk.testing._cassette.sources import Source, load_sessions
from g4fsdk.testing._replay.answers import RecordedAnswers
from g4fsdk.testing._replay.arranged import Cuts, arrange
from g4fsdk.testing._replay.comparer import MAX_REMEMBERED
from g4fsdk.testing._replay.matching import Matching, MatchOn
from g4fsdk.testing._replay.planned import Pace, pace_factor
from g4fsdk.testing._server.access import Access, names_of
from g4fsdk.testing._server.connection import Connection, ServerState

if TYPE_CHECKING:
    from g4fsdk.testing._cassette.errors import MismatchError
    from g4fsdk.testing._cassette.values import RecordedRequest
    from g4fsdk.testing._replay.faults import Fault


class ReplayServer:
    """Serves a recording at a loopback address, from a thread, while its `with` block lasts.

    *source* is a cassette, its path, a folder of them, or a list, which is one session. *pace*, *cuts*,
    *faults*, *match_on* and *ignore* are those of `Replay`; in a folder the faults happen in each session. A
    request matches the recorded one by method, path, query and meaning of the body. *port* 0 is any free one.
    With *reuse* interactions are played again and again.

    Bodies are sent in chunked coding, one HTTP chunk a piece, and end as they were recorded: properly, with
    a FIN inside the body, with an RST, or in silence until the client leaves (at most 300 s).

    A request that was not recorded is answered with status 501 and an error in OpenAI's shape that says what
    differs; the block then raises that as a `MismatchError` when it ends, unless it is left by another
    exception.

    It answers to its address, `localhost` and names without a dot; *hosts* are others. With *cors* the pages
    of any origin may ask, and their browsers are told so.

    Raises:
        UsageError: *match_on* or *ignore* can't be read.
        OSError: On entering the block: there is no such address to listen at.
    """

    def __init__(
        self,
        source: Source | Sequence[Source],
        *,
        pace: Pace = "instant",
        cuts: Cuts = "recorded",
        faults: Sequence[Fault] = (),
        match_on: MatchOn | None = None,
        ignore: str | Iterable[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        reuse: bool = False,
        hosts: str | Iterable[str] = (),
        cors: bool = False,
    ) -> None:
        self._sessions = load_sessions(source)
        arranged = arrange(self._sessions, cuts, faults)
        matching = Matching.read(match_on, ignore, with_origin=False)
        answers = RecordedAnswers(arranged, matching, reuse=reuse)
        self._state = ServerState(
            answers,
            pace_factor(pace),
            deque(maxlen=MAX_REMEMBERED if reuse else None),
            Access(names_of(host, hosts), cors),
        )
        self._address = (host, port)
        self._connections: dict[asyncio.Task[Any], Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="g4fsdk ReplayServer", daemon=True)

    def __repr__(self) -> str:
        where = f"at {self.url}" if self._started.is_set() else "not started"
        return f"<ReplayServer {where}, {self.played} played, {self.unplayed} to play>"

    def __enter__(self) -> ReplayServer:
        self._thread.start()
        self._started.wait()
        if self._failure:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if error is None:
            self._raise_what_failed()

    def _raise_what_failed(self) -> None:
        for failure in [*self.mismatches, *([self._failure] if self._failure else [])]:
            raise failure

    @property
    def url(self) -> str:
        """The root of the server, without a slash at the end."""
        return self._state.origin

    @property
    def base_url(self) -> str:
        """What the recorded provider takes as `base_url`: the root, for `openai` with its path (`/v1`).

        Raises:
            ValueError: Several providers are served, which have no base URL in common.
        """
        found = {urlsplit(base_url_of(session) or "").path for session in self._sessions}
        providers = {str(session.metadata.get("provider", "")) for session in self._sessions}
        if len(providers) > 1 or len(found) > 1:
            names = ", ".join(sorted(providers))
            raise ValueError(
                f"recordings of several services are served here ({names}); use url and their paths"
            )
        return self.url + found.pop()

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests that came, in order, as they came; with *reuse* the last 1000."""
        return list(self._state.requests)

    @property
    def mismatches(self) -> list[MismatchError]:
        """What was asked and not recorded, in the order it came; with *reuse* the last 1000."""
        return list(self._state.answers.mismatches)

    @property
    def played(self) -> int:
        """How many recorded interactions were played."""
        return self._state.answers.played

    @property
    def unplayed(self) -> int:
        """How many recorded interactions were not played and should have been."""
        return self._state.answers.unplayed

    def unplayed_requests(self) -> list[RecordedRequest]:
        """Return the recorded requests that were not sent and should have been, as they stand in *source*."""
        return self._state.answers.unplayed_requests()

    def assert_all_played(self) -> None:
        """Raise `UnplayedError`, which names the requests, when recorded interactions are left.

        What was asked and not recorded comes first, as a `MismatchError`.
        """
        self._raise_what_failed()
        self._state.answers.assert_all_played()

    @property
    def open_connections(self) -> int:
        """How many connections clients hold open at this moment."""
        if self._loop is None:
            return 0
        try:
            return asyncio.run_coroutine_threadsafe(self._count_open(), self._loop).result()
        except CancelledError:  # it stops
            return 0

    async def _count_open(self) -> int:
        for _ in range(3):  # each round lets the loop hear of connections that were closed before the call
            await asyncio.sleep(0)
        return sum(connection.is_open for connection in self._connections.values())

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # raised where the block begins or ends
            self._failure = error
        finally:
            self._loop = None
            self._started.set()

    async def _serve(self) -> None:
        host, port = self._address
        try:
            server = await asyncio.start_server(self._connected, host, port)
        except (OverflowError, TypeError, ValueError) as error:  # a port out of range, a host that is no name
            raise OSError(f"no address to listen at: {host!r}, port {port!r}: {error}") from error
        self._loop = asyncio.get_running_loop()
        bound = server.sockets[0].getsockname()
        self._state.origin = f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}"
        self._started.set()
        await self._stop.wait()
        server.close()
        await self._drop_connections()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = self._connections[task] = Connection(self._state, reader, writer)
        try:
            await connection.serve()
        except asyncio.CancelledError:
            return  # the server stops; nobody waits for this task
        except Exception as error:  # noqa: BLE001  # raised where the block ends
            self._failure = error
        finally:
            del self._connections[task]

    async def _drop_connections(self) -> None:
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def serve_forever(
    source: Source | Sequence[Source],
    *,
    ready: Callable[[ReplayServer], object],
    pace: Pace = "instant",
    host: str = "127.0.0.1",
    port: int = 0,
) -> None:
    """Serve *source* until Ctrl-C, each interaction as often as it is asked for.

    *ready* is called once with the running server, to say its address.
    """
    server = ReplayServer(source, pace=pace, host=host, port=port, reuse=True)
    try:
        with server:
            ready(server)
            threading.Event().wait()
    except KeyboardInterrupt:
        return
