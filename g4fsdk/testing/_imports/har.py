"""What others recorded, as cassettes: HAR 1.2 of browsers, proxies and Playwright, and vcrpy's files.

Nothing here removes secrets: scrub what these functions return before it is written.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin
from zipfile import BadZipFile, ZipFile, is_zipfile

import msgspec

from g4fsdk.providers import PROVIDERS
from g4fsdk.testing._cassette.cassette import Cassette
from g4fsdk.testing._cassette.codings import MOST_BYTES, coding_of
from g4fsdk.testing._cassette.document import kept_headers, plain_body, plain_headers
from g4fsdk.testing._cassette.errors import CassetteError
from g4fsdk.testing._cassette.services import provider_of_url, providers_of
from g4fsdk.testing._cassette.values import (
    End,
    Headers,
    Interaction,
    RecordedRequest,
    RecordedResponse,
    check_address,
)
from g4fsdk.testing._imports.vcr import adopted

UNKNOWN = "(HAR); chunk boundaries and times unknown"
PROVENANCE = f"captured in a browser {UNKNOWN}"
BROWSERS = re.compile("firefox|chrom|edge|safari|webkit|inspector|playwright|puppeteer|browser", re.I)
UNREADABLE = (OSError, KeyError, BadZipFile, RuntimeError)  # RuntimeError: it wants a password
# How a body ended, by a word of the error's name; every other error broke it off.
ENDS: dict[str, End] = {"ABORTED": "client_closed", "RESET": "reset", "TIMED_OUT": "timeout"}
BOUNDARY = re.compile(r'boundary="?([^";,\s]+)', re.IGNORECASE)


class _Pair(msgspec.Struct):
    name: str
    value: str | int | float | None = None


class _Param(msgspec.Struct, rename="camel"):
    name: str
    value: str = ""
    file_name: str | None = None
    content_type: str | None = None


class _Posted(msgspec.Struct, rename="camel"):
    text: str | None = None
    encoding: str | None = None
    params: list[_Param] | None = None
    mime_type: str | None = None


class _Content(msgspec.Struct):
    text: str | None = None
    encoding: str | None = None
    size: float | None = None
    comment: str | None = None


class _Sent(msgspec.Struct, rename="camel"):
    method: str
    url: str
    headers: list[_Pair]
    post_data: _Posted | None = None
    body_size: float | None = None

    def __post_init__(self) -> None:
        check_address(self.url)
        if "://" not in self.url:
            raise ValueError(f"expected a whole address, found {self.url!r}")


class _Came(msgspec.Struct, rename="camel"):
    status: int
    headers: list[_Pair]
    status_text: str | None = None
    http_version: str | None = None
    content: _Content | None = None
    body_size: float | None = None
    error: str | None = msgspec.field(default=None, name="_error")  # Chrome's
    failure: str | None = msgspec.field(default=None, name="_failureText")  # Playwright's


class _Entry(msgspec.Struct):
    """What is read of an entry; nothing is asked of those that are not kept."""

    request: _Sent
    response: _Came


def import_file(path: str | Path, provider: str | None = None) -> Cassette:
    """Return the cassette in the file at *path*: HAR, also zipped, or a cassette, told by what it holds.

    *provider* says whose entries of a HAR file are meant, see `from_har`, or whose a cassette of vcrpy is.
    Bodies that Playwright keeps in files of their own are read from the folder or archive of the HAR.

    Raises:
        CassetteError: The file is neither, or not usable.
        OSError: The file can't be read.
    """
    read = _file_beside(Path(path))
    if is_zipfile(path):
        document, read = _unpacked(path)
    else:
        document = _json(Path(path).read_bytes())  # None for a cassette in YAML
    match document:
        case {"log": dict()}:
            return from_har(document, provider, read_file=read)
    cassette = Cassette.load(path)
    return cassette if cassette.metadata else adopted(cassette, provider=provider)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _file_beside(har: Path) -> Callable[[str], bytes]:
    return lambda name: (har.parent / Path(name).name).read_bytes()


def _unpacked(path: str | Path) -> tuple[Any, Callable[[str], bytes]]:
    """Return the HAR in the archive at *path*, and what reads the files beside it."""

    def read(name: str) -> bytes:
        try:
            with ZipFile(path) as archive, archive.open(name) as file:
                data = file.read(MOST_BYTES + 1)
        except UNREADABLE as error:
            raise CassetteError(f"{path}: {name} in it can't be read: {error}") from error
        if len(data) > MOST_BYTES:
            raise CassetteError(f"{path}: {name} in it is larger than {MOST_BYTES} bytes")
        return data

    with ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".har")]
    document = _json(read(names[0])) if len(names) == 1 else None
    if not isinstance(document, dict) or "log" not in document:
        raise CassetteError(f"{path}: expected an archive with one HAR file, found {len(names)} in it")
    return document, read


def from_har(
    document: Mapping[str, Any],
    provider: str | None = None,
    *,
    url_contains: str = "",
    read_file: Callable[[str], bytes] | None = None,
) -> Cassette:
    """Return the cassette of a session that a browser saved as HAR, one chunk a response, all at 0 ms.

    Kept are the requests of *provider*, known by their URLs, on whatever host, and where they were sent on
    to; without a name, those of the one provider that *document* has requests of. Of these, only the ones
    whose URL has *url_contains* in it. *read_file* reads the files that it names.

    Raises:
        CassetteError: It is no HAR, has no such request or those of several providers, or lacks a body.
    """
    if provider is not None and provider not in PROVIDERS:
        raise CassetteError(f"unknown provider {provider!r}; known: {', '.join(PROVIDERS)}")
    try:
        entries = [each for each in document["log"]["entries"] if each["request"]["method"] != "OPTIONS"]
        entries = [each for each in entries if url_contains in each["request"]["url"]]
        provider = provider or _only_provider([each["request"]["url"] for each in entries])
        wanted = [_with_files(_whole(each), read_file) for each in _asked(entries, provider)]
        read = [msgspec.convert(each, _Entry) for each in wanted]
        interactions = [Interaction(_request(each.request), _response(each)) for each in read]
    except msgspec.ValidationError as error:
        raise CassetteError(f"not a HAR file: in an entry of {provider}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, CassetteError):
            raise
        raise CassetteError(f"not a HAR file: {type(error).__name__} at {error}") from error
    if not interactions:
        raise CassetteError(f"no entry of the HAR file is a request of {provider}")
    recorded_at = wanted[0].get("startedDateTime")
    said = {"provider": provider, "provenance": _provenance(document["log"]), "recorded_at": recorded_at}
    return Cassette(interactions, said)


def _asked(entries: list[Any], provider: str) -> Iterator[Any]:
    """Yield those of *entries* that ask *provider*, or go on where it sent one that does."""
    behind: set[str] = set()
    for each in entries:
        url = each["request"]["url"].partition("#")[0]
        if PROVIDERS[provider].is_asked_at(url) or url in behind:
            behind |= {urljoin(url, place) for place in _locations(each)}
            yield each


def _locations(entry: Any) -> Iterator[str]:
    match entry:
        case {"response": {"headers": list(headers)}}:
            for header in headers:
                match header:
                    case {"name": "location" | "Location", "value": str(place)}:
                        yield place


def _whole(entry: Any) -> Any:
    """Return *entry* with its body in one piece: Polly.JS lists the pieces of a coded one, each in base64."""
    match entry:
        case {"response": {"content": {"encoding": "base64", "text": str(text), **rest}} as response}:
            pieces = _json(text.encode()) if text.startswith('["') else None
            coded = [_from_base64(piece) for piece in pieces or () if isinstance(piece, str)]
            if coded and None not in coded:
                body = b64encode(b"".join(filter(None, coded))).decode()
                content = {**rest, "encoding": "base64", "text": body, "size": None}
                return {**entry, "response": {**response, "content": content}}
    return entry


def _provenance(log: Mapping[str, Any]) -> str:
    """Say what captured it: a browser, or a proxy by its name."""
    creator = log.get("creator")
    said = [creator.get("name"), creator.get("version")] if isinstance(creator, dict) else []
    name = " ".join(str(word) for word in said if word)
    return f"captured with {name} {UNKNOWN}" if name and not BROWSERS.search(name) else PROVENANCE


def _with_files(entry: Any, read_file: Callable[[str], bytes] | None) -> Any:
    """Return *entry* with the contents of the files that Playwright keeps bodies in."""
    match entry:
        case {"request": {"postData": {"_file": str(name)} as posted} as request}:
            sent = {**posted, **_content_of(name, read_file)}
            entry = {**entry, "request": {**request, "postData": sent}}
    match entry:
        case {"response": {"content": {"_file": str(name)} as content} as response}:
            came = {**content, **_content_of(name, read_file)}
            entry = {**entry, "response": {**response, "content": came}}
    return entry


def _content_of(name: str, read_file: Callable[[str], bytes] | None) -> dict[str, str]:
    try:
        data = read_file(name) if read_file else None
    except UNREADABLE as error:
        raise CassetteError(f"the HAR file names a file that can't be read: {name!r}: {error}") from error
    if data is None:
        raise CassetteError(f"the HAR file keeps a body in another file, {name!r}")
    return {"text": b64encode(data).decode(), "encoding": "base64"}


def _only_provider(urls: list[str]) -> str:
    found = providers_of(url for url in urls if provider_of_url(url))
    if len(found) != 1:
        seen = f"requests of {', '.join(found)}" if found else f"{len(urls)} entries and no known request"
        raise CassetteError(f"the HAR file holds {seen}: name the provider; known: {', '.join(PROVIDERS)}")
    return found[0]


def _request(sent: _Sent) -> RecordedRequest:
    headers = _headers(sent.headers)
    body = _posted(sent.post_data or _Posted(), sent.body_size)
    return RecordedRequest(sent.method, sent.url.partition("#")[0], headers, body)


def _headers(pairs: list[_Pair]) -> Headers:
    # HTTP/2 pseudo headers are no headers; Chrome writes several Set-Cookie as the lines of one value.
    return [
        (pair.name, line)
        for pair in pairs
        if not pair.name.startswith(":")
        for line in str("" if pair.value is None else pair.value).split("\n")
    ]


def _posted(data: _Posted, size: float | None) -> bytes:
    """Return the body: as text, or made again from the parameters, which is all that some versions keep."""
    if data.text:
        return _text_bytes(data.text, data.encoding, size)
    params = data.params or []
    boundary = BOUNDARY.search(data.mime_type or "")
    if boundary:
        return _multipart(params, boundary[1])
    return urlencode([(each.name, each.value) for each in params]).encode()


def _multipart(params: list[_Param], boundary: str) -> bytes:
    parts = "".join(f"--{boundary}\r\n{_part(each)}\r\n" for each in params)
    return f"{parts}--{boundary}--\r\n".encode() if params else b""


def _part(param: _Param) -> str:
    file = f'; filename="{param.file_name}"' if param.file_name else ""
    kind = f"Content-Type: {param.content_type}\r\n" if param.content_type else ""
    head = f'Content-Disposition: form-data; name="{param.name}"{file}\r\n{kind}'
    return f"{head}\r\n{param.value}"


def _response(entry: _Entry) -> RecordedResponse:
    came = entry.response
    if came.status == 0:  # blocked, aborted, or no connection: browsers do not say more
        return RecordedResponse(status=0, end="reset")
    headers, body = _plain(_headers(came.headers), _content(entry), came.body_size, entry.request.url)
    return RecordedResponse(
        status=came.status,
        reason=came.status_text or "",
        headers=headers,
        chunks=[body] if body else [],
        at_ms=[0.0] if body else [],
        end=_end(came.error or came.failure),
        http_version=_version(came.http_version or ""),
    )


def _end(error: str | None) -> End:
    """Return how an answer ended, by the browser's word for what went wrong."""
    if not error:
        return "complete"
    found: list[End] = [end for word, end in ENDS.items() if word in error]
    return found[0] if found else "truncated"


def _plain(headers: Headers, body: bytes, size: float | None, url: str) -> tuple[Headers, bytes]:
    """Return headers and body without the content coding, which some programs leave in it."""
    plain = plain_body(body, coding_of(headers), f"{url.partition('?')[0]}: the body of the answer")
    if plain is None and size == len(body):  # as many bytes as on the wire: still coded
        return kept_headers(headers), body
    return plain_headers(headers), body if plain is None else plain


def _content(entry: _Entry) -> bytes:
    came = entry.response
    content = came.content or _Content(size=-1)
    if not content.text and _had_body(entry, content):
        raise CassetteError(
            f"{entry.request.url.partition('?')[0]}: the browser did not save the body of the answer; "
            "save the HAR with content, while the developer tools are still open"
            + (f" (it says: {content.comment})" if content.comment else "")
        )
    return _text_bytes(content.text or "", content.encoding, content.size)


def _had_body(entry: _Entry, content: _Content) -> bool:
    """Tell whether there was a body that is not in the file; Safari says -1 for what it doesn't know."""
    came = entry.response
    if entry.request.method == "HEAD" or came.status < 200 or came.status in (204, *range(300, 400)):
        return False
    return content.size not in (0, None) or (came.body_size or 0) > 0 or bool(content.comment)


def _text_bytes(text: str, encoding: str | None, size: float | None) -> bytes:
    """Return the bytes that *text* stands for; *size* is how many they were, where the file says so."""
    data = text.encode("utf-8", "surrogatepass")
    if encoding and encoding.lower() == "base64":
        coded = _from_base64(text)
        # Firefox says base64 of any text, too.
        return data if coded is None or (size == len(data) and size != len(coded)) else coded
    return data if size in (None, len(data)) else _from_letters(text, size, data)


def _from_base64(text: str) -> bytes | None:
    coded = "".join(text.split()).rstrip("=")
    try:
        return b64decode(coded + "=" * (-len(coded) % 4), validate=True)
    except ValueError:
        return None


def _from_letters(text: str, size: float | None, data: bytes) -> bytes:
    """Return the bytes that mitmproxy and others wrote as letters, a letter a byte; else *data*."""
    for charset in ("latin-1", "cp1252"):
        try:
            letters = text.encode(charset)
            letters.decode("utf-8")
        except UnicodeError:
            continue
        if len(letters) == size:
            return letters
    return data


def _version(said: str) -> str:
    """Return ``1.1``, ``2`` or ``3`` for the many ways to write it: ``HTTP/2.0``, ``h2``, ``http/2+quic``."""
    number = re.search(r"\d(?:\.[1-9])?", said)
    return number[0] if number else "1.1"
