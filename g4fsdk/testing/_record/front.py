"""A server on loopback in front of a service, for programs that are recorded from outside."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError

from g4fsdk._core.model.hosts import is_own
from g4fsdk.testing._cassette.values import RecordedRequest
from g4fsdk.testing._record.recorder import origin_of
from g4fsdk.testing._traffic.sent import sent_by_requests
from g4fsdk.testing._traffic.wire import has_body

_OF_ONE_CONNECTION = frozenset(
    "connection keep-alive proxy-connection te trailer transfer-encoding upgrade host content-length".split()
)
# One of the two has left; the other sees the same.
_LEFT = (HTTPError, HTTPException, OSError)
_READ = 1 << 16
_TIMEOUT_S = 600.0


class Front(ThreadingHTTPServer):
    """Passes requests on to the service at *upstream*, by way of *adapter*, while its `with` block lasts.

    Answers are passed back as they come. Each request has a connection of its own.
    """

    daemon_threads = True

    def __init__(self, adapter: BaseAdapter, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._upstream = urlsplit(upstream)
        self.origin = origin_of(upstream)
        self.requests: list[RecordedRequest] = []
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, adapter)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="g4fsdk Front", daemon=True
        )

    def __enter__(self) -> Front:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
        self.session.close()

    @property
    def url(self) -> str:
        """The root of the server, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def base_url(self) -> str:
        """What the provider takes as `base_url`, in place of that of the service."""
        return self.url + self._upstream.path.rstrip("/")

    def ask(self, request: requests.PreparedRequest) -> requests.Response:
        """Return the service's answer to *request*, its body unread."""
        self.requests.append(sent_by_requests(request))
        settings = self.session.merge_environment_settings(request.url or "", {}, True, None, None)
        return self.session.send(request, timeout=_TIMEOUT_S, allow_redirects=False, **settings)


class _Handler(BaseHTTPRequestHandler):
    server: Front  # pyright: ignore[reportIncompatibleVariableOverride]  # it is made by one
    protocol_version = "HTTP/1.1"

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        setattr(self, f"do_{self.command}", self._pass_on)  # whatever the method
        return True

    def _pass_on(self) -> None:
        self.close_connection = True
        if not is_own(self.headers.get("host", ""), ()):  # a page that has pointed its name here
            self.send_error(
                421, "Misdirected Request", "this server doesn't go by the name in the Host header"
            )
            return
        try:
            answer = self.server.ask(self._request())
        except requests.RequestException as error:
            self.send_error(502, "Bad Gateway", f"{self.server.origin} did not answer: {error}")
            return
        try:
            self._pass_back(answer)
        except _LEFT as error:
            self.log_error("%s", error)
        finally:
            answer.close()

    def _request(self) -> requests.PreparedRequest:
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_CONNECTION
        }
        url = self.server.origin + self.path
        return requests.Request(
            self.command, url, headers=headers, data=b"".join(self._body()) or None
        ).prepare()

    def _body(self) -> Iterator[bytes]:
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            yield self.rfile.read(int(self.headers.get("content-length", 0)))
            return
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue  # trailers

    def _pass_back(self, answer: requests.Response) -> None:
        raw: Any = answer.raw
        self.send_response_only(answer.status_code, answer.reason)
        for name, value in raw.headers.items():
            if name.lower() not in _OF_ONE_CONNECTION - {"content-length"}:
                self.send_header(name, value)
        is_chunked = (
            "content-length" not in raw.headers
            and self.request_version == "HTTP/1.1"
            and has_body(self.command, answer.status_code)
        )
        if is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        while data := raw.read1(_READ):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what was asked is in the recording."""
